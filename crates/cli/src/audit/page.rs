//! From judged checks to the report: `audit.html`, and what a program reads, `audit.json`.

use crucible_report::{
    Block, Card, Column, Fact, Measure, Outcome, Report, Section, Table, Value, Verdict, to_markdown,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Concern, Finding, Subject,
    judged::{Judged, Row, RowVerdict, overall},
};
use crate::findings;

/// The report for people.
pub(crate) const PAGE: &str = "audit.html";
/// The report for machines.
pub(crate) const ROWS: &str = "audit.json";
/// The report for continuous integration.
pub(crate) const JUNIT: &str = "audit.xml";

/// The version of [`Rows`], raised whenever a reader of the previous one would misread it.
const VERSION: u32 = 1;

/// `audit.json`: what a model was held against, and what came of it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Rows {
    /// The version of this schema.
    pub(crate) version: u32,
    /// What was audited.
    pub(crate) model: String,
    /// When, in UTC.
    pub(crate) created: String,
    /// The program that did it.
    pub(crate) crucible: String,
    /// What became of the whole: it passes only where every check does, and fails where one does.
    pub(crate) verdict: RowVerdict,
    /// The checks, in the order of the recipe's keys.
    pub(crate) checks: Vec<Row>,
}

impl Rows {
    pub(crate) fn new(subject: &Subject, judged: &[Judged]) -> Self {
        Self {
            version: VERSION,
            model: subject.folder.root().display().to_string(),
            created: findings::now(),
            crucible: env!("CARGO_PKG_VERSION").to_owned(),
            verdict: verdict(judged).into(),
            checks: judged.iter().map(Judged::row).collect(),
        }
    }
}

/// What became of all checks.
pub(crate) fn verdict(judged: &[Judged]) -> Outcome {
    overall(judged.iter().map(|judged| judged.outcome))
}

/// The report for people.
pub(crate) fn page(subject: &Subject, judged: &[Judged]) -> Report {
    let title = format!("Audit of {}", subject.title());
    let mut report = Report::new(title, summary(judged));
    report.created = findings::now();
    report.verdict =
        Some(Verdict { outcome: verdict(judged), text: sentence(judged), measured: None, limit: None });
    report.cards = cards(judged);
    report.facts = facts(subject, judged);
    report.sections.extend(sections(judged));
    report.sections.push(method(judged));
    report
}

/// Every limit as a table of Markdown.
pub(crate) fn table(judged: &[Judged]) -> String {
    let mut report = Report::new("", "");
    report.cards = cards(judged);
    let text = to_markdown(&report);
    text.lines().filter(|line| line.starts_with('|')).collect::<Vec<_>>().join("\n")
}

/// How many of which outcome.
fn count(judged: &[Judged], outcome: Outcome) -> usize {
    judged.iter().filter(|judged| judged.outcome == outcome).count()
}

/// The verdict in words.
pub(crate) fn sentence(judged: &[Judged]) -> String {
    let names = |outcome: Outcome| {
        let named = judged.iter().filter(|judged| judged.outcome == outcome);
        named.map(|judged| judged.title.as_str()).collect::<Vec<_>>().join("; ")
    };
    let all = judged.len();
    match verdict(judged) {
        Outcome::Pass if all == 1 => "The one limit is kept.".to_owned(),
        Outcome::Pass => format!("All {all} limits are kept."),
        Outcome::Fail => {
            format!("{} of {all} limits are broken: {}.", count(judged, Outcome::Fail), names(Outcome::Fail))
        }
        _ => {
            let open = [Outcome::Undecided, Outcome::Skipped].map(names);
            let open: Vec<String> = open.into_iter().filter(|names| !names.is_empty()).collect();
            format!("No limit is broken, and not all are known to be kept: {}.", open.join("; "))
        }
    }
}

/// What was found, in numbers.
fn summary(judged: &[Judged]) -> String {
    let parts = [
        (Outcome::Pass, "kept"),
        (Outcome::Fail, "broken"),
        (Outcome::Undecided, "undecided"),
        (Outcome::Skipped, "not measured"),
    ];
    let counts = parts.map(|(outcome, word)| (count(judged, outcome), word));
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    format!("{} limits: {}.", judged.len(), counts.join(", "))
}

/// A card for each concern that something was measured of.
fn cards(judged: &[Judged]) -> Vec<Card> {
    let mut concerns: Vec<Concern> = judged.iter().map(|judged| judged.concern).collect();
    concerns.sort_unstable();
    concerns.dedup();
    let card = |concern: Concern| {
        let own: Vec<&Judged> = judged.iter().filter(|judged| judged.concern == concern).collect();
        let outcome = match own.iter().all(|judged| judged.outcome == Outcome::Skipped) {
            true => Outcome::Skipped,
            false => overall(own.iter().map(|judged| judged.outcome)),
        };
        Card { title: concern.title().to_owned(), outcome, measures: own.into_iter().map(measure).collect() }
    };
    concerns.into_iter().map(card).collect()
}

fn measure(judged: &Judged) -> Measure {
    Measure {
        label: judged.title.clone(),
        outcome: judged.outcome,
        value: judged.shown(),
        limit: judged.limit_shown(),
        text: judged.sentence(),
        section: judged.check.clone(),
    }
}

/// What checks have to show beside their numbers, by concern; what several show stands with the first of them.
fn sections(judged: &[Judged]) -> Vec<Section> {
    let mut ordered: Vec<&Judged> = judged.iter().collect();
    ordered.sort_by_key(|judged| judged.concern);
    let mut shown: Vec<&Block> = Vec::new();
    let mut sections = Vec::new();
    for judged in ordered {
        let Some(finding) = &judged.finding else { continue };
        let new: Vec<&Block> = finding.details.iter().filter(|block| !shown.contains(block)).collect();
        shown.extend(&new);
        if !new.is_empty() {
            sections.push(section(judged, finding, &new));
        }
    }
    sections
}

fn section(judged: &Judged, finding: &Finding, blocks: &[&Block]) -> Section {
    let mut section = Section::new(&judged.check, &judged.title);
    section.verdict = Some(Verdict {
        outcome: judged.outcome,
        text: finding.meaning.clone(),
        measured: Some(judged.shown()),
        limit: Some(judged.limit_shown()),
    });
    section.blocks.extend(blocks.iter().copied().cloned());
    section
}

/// How each figure was made.
fn method(judged: &[Judged]) -> Section {
    let words = ["Check", "What it is", "How it was made", "Settings"].map(Column::left);
    let rows = judged.iter().map(|judged| {
        let method = match (&judged.finding, &judged.reason) {
            (Some(finding), _) => finding.method.clone(),
            (None, Some(reason)) => format!("Not measured: {reason}"),
            (None, None) => String::new(),
        };
        let settings = judged.settings.as_object().into_iter().flatten();
        let settings: Vec<String> = settings.map(|(key, value)| format!("{key} = {value}")).collect();
        vec![
            Value::text(&judged.check),
            Value::text(judged.about),
            Value::text(method),
            Value::text(settings.join(", ")),
            Value::quantity(judged.seconds, 2, "s"),
        ]
    });
    let table = Table {
        columns: words.into_iter().chain([Column::right("Took")]).collect(),
        rows: rows.collect(),
        caption: "Every check, as the recipe's [audit] table asks for it".to_owned(),
    };
    Section::new("how-it-was-made", "How each figure was made")
        .paragraph(
            "Intervals are at 95%. A check passes only where its whole interval keeps the limit, and fails only where the \
             whole interval breaks it: a model that lies exactly at a limit passes in at most one of forty audits. In \
             between, the examples are too few to say, and the check is undecided. The same run, data, settings and program \
             give the same numbers again; what takes draws of chance takes them from the recipe's seed.",
        )
        .block(table)
}

fn facts(subject: &Subject, judged: &[Judged]) -> Vec<Fact> {
    let splits: Vec<String> =
        subject.data.splits().map(|(name, examples)| format!("{} {name}", examples.len())).collect();
    let kept = judged.iter().filter(|judged| judged.kept).count();
    let seconds: f64 = judged.iter().map(|judged| judged.seconds).sum();
    vec![
        Fact::new("Run", Value::text(subject.folder.root().display().to_string())),
        Fact::new("Data", Value::text(format!("{}: {}", subject.data.name, splits.join(", ")))),
        Fact::new("Measuring took", Value::quantity(seconds, 1, "s")),
        Fact::new("Of an earlier audit", Value::text(format!("{kept} of {} checks", judged.len()))),
        Fact::new("Seed", Value::text(subject.seed.to_string())),
        Fact::new("Crucible", Value::text(env!("CARGO_PKG_VERSION"))),
    ]
}
