//! An outline of the technical documentation that Annex IV of the EU AI Act (Regulation (EU) 2024/1689) asks of high-risk
//! systems: what is known of the run, and blanks where only people can answer.

use super::{Concern, Subject, judged::Judged, page};
use crate::findings::{self, Ending};

/// The outline's place in the run folder.
pub(crate) const ANNEX: &str = "annex-iv.md";

/// What only people can answer.
fn blank(what: &str) -> String {
    format!("> **To be filled in:** {what}\n")
}

/// Writes the outline, in the nine points of the annex.
pub(crate) fn outline(subject: &Subject, judged: &[Judged]) -> String {
    let title = subject.title();
    let points: [(&str, String); 9] = [
        ("General description of the AI system", general(subject)),
        ("Elements of the AI system and the process of its development", development(subject, judged)),
        ("Monitoring, functioning and control", control(judged)),
        ("Appropriateness of the performance metrics", metrics(judged)),
        (
            "Risk management system (Article 9)",
            blank("the risks that were identified, and what is done about each."),
        ),
        (
            "Changes through the lifecycle",
            blank("changes made by the provider since the system was first offered."),
        ),
        (
            "Harmonised standards",
            blank("those applied in full or in part; where none are, the solutions adopted instead."),
        ),
        ("EU declaration of conformity (Article 47)", blank("a copy of the declaration.")),
        (
            "Post-market monitoring (Article 72)",
            blank("the system that evaluates performance after the system is offered, and its plan."),
        ),
    ];
    let mut out = format!(
        "# Technical documentation of {title}\n\nAn outline after Annex IV of Regulation (EU) 2024/1689, written by Crucible {} \
         on {}. What a program can know is filled in; the rest is marked. It is no legal advice, and whether the annex applies \
         is for people to decide.\n",
        env!("CARGO_PKG_VERSION"),
        findings::now()
    );
    for (number, (title, text)) in (1..).zip(points) {
        out += &format!("\n## {number}. {title}\n\n{text}");
    }
    out
}

fn general(subject: &Subject) -> String {
    format!(
        "{}- Software: Crucible {}\n- Model: {}\n- Form: weights in `model.safetensors`, configuration in `config.json`\n",
        blank(
            "the intended purpose, the provider, the version and how it relates to earlier ones, with whom and what it interacts, \
               the hardware that it runs on, instructions for use."
        ),
        env!("CARGO_PKG_VERSION"),
        subject.title()
    )
}

fn development(subject: &Subject, judged: &[Judged]) -> String {
    let splits: Vec<String> =
        subject.data.splits().map(|(name, examples)| format!("{} {name}", examples.len())).collect();
    let compute = Ending::read(&subject.folder).map_or_else(
        |_| blank("the computing resources that were used."),
        |ending| format!("- Training: {} steps in {:.0} s\n", ending.steps, ending.seconds),
    );
    format!(
        "- Design: architecture, loss, optimizer and all settings stand in `recipe.toml`; seed {}\n- Data: {}, {} examples\n\
         {compute}{}{}\n### Validation and testing\n\n{}\n\n{}\n### Cybersecurity\n\n{}",
        subject.seed,
        subject.data.name,
        splits.join(", "),
        blank("the design choices and their rationale, what the system optimises for, and trade-offs made."),
        blank(
            "where the data come from, how they were chosen, labelled and cleaned, and whom they describe; the human oversight \
               that Article 14 asks for; changes that were determined beforehand."
        ),
        page::sentence(judged),
        page::table(judged),
        of(
            judged,
            &[Concern::Robustness, Concern::Privacy],
            "measures against tampering, theft and misuse in operation."
        )
    )
}

fn control(judged: &[Judged]) -> String {
    let by_group =
        of(judged, &[Concern::Fairness], "accuracy for the persons and groups that the system is meant for.");
    format!(
        "{by_group}{}",
        blank(
            "foreseeable unintended outcomes and sources of risk; specifications of the input; human oversight."
        )
    )
}

fn metrics(judged: &[Judged]) -> String {
    let lines: String =
        judged.iter().map(|judged| format!("- {}: {}\n", judged.title, judged.about)).collect();
    format!("{lines}{}", blank("why these measure what matters for the intended purpose."))
}

/// What was measured of some concerns, or what people must say instead.
fn of(judged: &[Judged], concerns: &[Concern], missing: &str) -> String {
    let own = judged.iter().filter(|judged| concerns.contains(&judged.concern));
    let lines: String =
        own.map(|judged| format!("- {}: {} {}\n", judged.title, judged.shown(), judged.sentence())).collect();
    lines + &blank(missing)
}
