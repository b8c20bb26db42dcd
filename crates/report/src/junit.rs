//! The limits of a report as JUnit XML, which continuous integration reads: a test for each, a suite for each card.

use maud::{Markup, PreEscaped, html};

use crate::outcome::Outcome;
use crate::schema::{Card, Measure, Report};

/// Writes a report's cards as JUnit XML. A limit that is broken is a failure, one that is undecided an error.
///
/// Source of the format: the schema of Jenkins' xUnit plugin, `junit-10.xsd`.
pub fn to_junit(report: &Report) -> String {
    let of = |outcome| count(report.cards.iter().flat_map(|card| &card.measures), outcome);
    let all: usize = report.cards.iter().map(|card| card.measures.len()).sum();
    let suites = html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
        testsuites name=(clean(&report.title)) tests=(all) failures=(of(Outcome::Fail)) errors=(of(Outcome::Undecided)) {
            @for card in &report.cards {
                (suite(card))
            }
        }
    };
    suites.into_string() + "\n"
}

fn count<'a>(measures: impl Iterator<Item = &'a Measure>, outcome: Outcome) -> usize {
    measures.filter(|measure| measure.outcome == outcome).count()
}

fn suite(card: &Card) -> Markup {
    let of = |outcome| count(card.measures.iter(), outcome);
    html! {
        testsuite name=(clean(&card.title)) tests=(card.measures.len()) failures=(of(Outcome::Fail))
            errors=(of(Outcome::Undecided)) skipped=(of(Outcome::Skipped)) {
            @for measure in &card.measures {
                testcase classname=(clean(&card.title)) name=(clean(&measure.label)) {
                    @match measure.outcome {
                        Outcome::Pass => system-out { (words(measure)) },
                        Outcome::Fail => failure message=(words(measure)) {},
                        Outcome::Undecided => error message=(words(measure)) {},
                        Outcome::Skipped => skipped message=(words(measure)) {},
                    }
                }
            }
        }
    }
}

/// `98.1% (97.8–98.4%), limit ≥ 97%. What it means.`
fn words(measure: &Measure) -> String {
    let Measure { value, limit, text, .. } = measure;
    clean(&format!("{value}, limit {} {}. {text}", limit.bound.sign(), limit.value))
}

/// The text without what XML cannot hold.
fn clean(text: &str) -> String {
    let allowed = |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().filter(allowed).collect()
}
