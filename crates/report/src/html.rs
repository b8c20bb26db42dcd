//! The report as one HTML file: no script, no external resource, readable on paper, on a phone and in the dark.

mod block;
mod card;
mod figure;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::html::block::{block, facts, value};
use crate::html::card::cards;
use crate::outcome::Outcome;
use crate::schema::{Highlight, Report, Section, Verdict};

const STYLE: &str = include_str!("html/style.css");

/// Forbids the page to load or run anything, whatever might have slipped into it.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// Writes a report as a self-contained HTML page.
pub fn to_html(report: &Report) -> String {
    let anchors = anchors(&report.sections);
    let contents = report.sections.len() > 1;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                title { (report.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                div.page.with-contents[contents] {
                    (header(report, &anchors))
                    @if contents {
                        (table_of_contents(&report.sections, &anchors))
                    }
                    main {
                        @for (section, anchor) in report.sections.iter().zip(&anchors) {
                            (self::section(section, anchor))
                        }
                    }
                }
            }
        }
    }
    .into_string()
}

fn header(report: &Report, anchors: &[String]) -> Markup {
    html! {
        header {
            @if !report.created.is_empty() {
                p.created { (report.created) }
            }
            h1 { (report.title) }
            @if !report.summary.is_empty() {
                p.summary { (report.summary) }
            }
            @if let Some(verdict) = &report.verdict {
                (self::verdict(verdict))
            }
            @if !report.highlights.is_empty() {
                dl.highlights {
                    @for highlight in &report.highlights {
                        (self::highlight(highlight))
                    }
                }
            }
            (cards(&report.cards, |id| anchor_of(id, report, anchors)))
            @if !report.facts.is_empty() {
                (facts(&report.facts))
            }
        }
    }
}

fn highlight(highlight: &Highlight) -> Markup {
    html! {
        div {
            dt { (highlight.label) }
            dd.number { (highlight.value.head()) }
            @if let Some(range) = highlight.value.tail() {
                dd { (range) }
            }
            @if !highlight.detail.is_empty() {
                dd { (highlight.detail) }
            }
        }
    }
}

fn table_of_contents(sections: &[Section], anchors: &[String]) -> Markup {
    html! {
        nav aria-label="Contents" {
            p { "Contents" }
            ol {
                @for (section, anchor) in sections.iter().zip(anchors) {
                    li {
                        a href={ "#" (anchor) } { (section.title) }
                        @if let Some(verdict) = &section.verdict {
                            " " (mark(verdict.outcome))
                        }
                    }
                }
            }
        }
    }
}

fn section(section: &Section, anchor: &str) -> Markup {
    // No anchor has an underscore, so that no title takes the name of a section.
    html! {
        section id=(anchor) aria-labelledby={ (anchor) "_title" } {
            h2 id={ (anchor) "_title" } { (section.title) }
            @if let Some(verdict) = &section.verdict {
                (self::verdict(verdict))
            }
            @for block in &section.blocks {
                (self::block(block))
            }
        }
    }
}

fn verdict(verdict: &Verdict) -> Markup {
    html! {
        div class={ "verdict " (verdict.outcome.class()) } {
            p { (mark(verdict.outcome)) " " (verdict.text) }
            @if verdict.measured.is_some() || verdict.limit.is_some() {
                p.measured {
                    @if let Some(measured) = &verdict.measured {
                        span { "measured " b { (value(measured)) } }
                        " "
                    }
                    @if let Some(limit) = &verdict.limit {
                        span {
                            "limit " (limit.bound.sign()) " " b { (value(&limit.value)) }
                        }
                    }
                }
            }
        }
    }
}

fn mark(outcome: Outcome) -> Markup {
    html! { span class={ "mark " (outcome.class()) } { (outcome.mark()) } }
}

/// The anchor of the section with this id.
fn anchor_of<'a>(id: &str, report: &Report, anchors: &'a [String]) -> Option<&'a str> {
    let at = report.sections.iter().position(|section| section.id == id)?;
    Some(&anchors[at])
}

/// One anchor per section, from its id: unique, and safe in a URL.
fn anchors(sections: &[Section]) -> Vec<String> {
    let mut taken: Vec<String> = Vec::new();
    for section in sections {
        let plain = section.id.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let plain = if plain.is_empty() { "section".to_owned() } else { plain };
        let numbered = (2..).map(|number| format!("{plain}-{number}"));
        let free = std::iter::once(plain.clone()).chain(numbered).find(|anchor| !taken.contains(anchor));
        taken.extend(free);
    }
    taken
}
