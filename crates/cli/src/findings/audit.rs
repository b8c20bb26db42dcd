use std::path::Path;

use crucible_measure::{Roc, median};
use crucible_privacy::audit::Guesses;
use crucible_report::{
    Block, Bound, Chart, Fact, Figure, Level, Limit, LineChart, Note, Section, Series, Value, Verdict,
};
use serde_json::json;

use super::CONFIDENCE;

/// Bars of the histogram.
const BINS: usize = 25;

/// What an audit found about how well training keeps its examples private.
pub(crate) struct Audit {
    pub(crate) guesses: Guesses,
    /// What ε cannot lie below.
    pub(crate) bound: f64,
    /// The bound if all guesses had been right.
    pub(crate) ceiling: f64,
    /// What is promised, if anything.
    pub(crate) claim: Option<Claim>,
    pub(crate) delta: f64,
    pub(crate) confidence: f64,
    /// `[canaries]`: by how much training raised the confidence in the wrong label.
    pub(crate) scores: Vec<f64>,
    /// `[canaries]`: whether it was trained on.
    pub(crate) members: Vec<bool>,
    /// Where the audited run lives.
    pub(crate) folder: String,
}

/// The promise that is audited.
pub(crate) struct Claim {
    pub(crate) epsilon: f64,
    /// Whether samples and noise were drawn in secret.
    pub(crate) is_private: bool,
}

impl Audit {
    /// The name of its section.
    pub(crate) const NAME: &'static str = "privacy-audit";

    /// Whether the bound lies below what is promised; none where nothing is.
    pub(crate) fn passed(&self) -> Option<bool> {
        self.claim.as_ref().map(|claim| self.bound <= claim.epsilon)
    }

    /// The last object of `crucible privacy audit --json`.
    pub(crate) fn object(&self, section: &Path, report: Option<&Path>) -> serde_json::Value {
        json!({
            "epsilon_lower": self.bound, "claimed_epsilon": self.claim.as_ref().map(|claim| claim.epsilon),
            "delta": self.delta, "confidence": self.confidence, "canaries": self.guesses.canaries(),
            "guesses": self.guesses.made(), "right": self.guesses.right(), "passed": self.passed(),
            "section": section, "report": report,
        })
    }

    pub(crate) fn text(&self) -> String {
        format!(
            "{} of {} guesses right about which of {} canaries were trained on.\n{}",
            self.guesses.right(),
            self.guesses.made(),
            self.guesses.canaries(),
            self.sentence()
        )
    }

    /// The finding in a sentence.
    fn sentence(&self) -> String {
        let (bound, delta, sure) = (self.bound, self.delta, 100.0 * self.confidence);
        match &self.claim {
            None => format!(
                "Nothing is promised; ε is at least {bound:.3} at δ = {delta:e}, with {sure}% confidence."
            ),
            Some(Claim { epsilon, .. }) if bound > *epsilon => format!(
                "The promise is BROKEN: ε is at least {bound:.3} with {sure}% confidence, and {epsilon:.3} is promised at \
                 δ = {delta:e}."
            ),
            Some(Claim { epsilon, .. }) => format!(
                "The promise stands: ε is at least {bound:.3} with {sure}% confidence, and {epsilon:.3} is promised at \
                 δ = {delta:e}. A better attack may find more."
            ),
        }
    }

    /// The section of the report.
    pub(crate) fn section(&self) -> Section {
        let number = |value| Value::number(value, 3);
        let mut facts = vec![
            Fact::new("ε is at least", number(self.bound)),
            Fact::new(
                "ε that is promised",
                self.claim.as_ref().map_or(Value::text("none"), |c| number(c.epsilon)),
            ),
            Fact::new("δ", Value::text(format!("{:e}", self.delta))),
            Fact::new("Confidence of the bound", Value::percent(self.confidence, 1)),
            Fact::new("Canaries", Value::count(self.guesses.canaries())),
            Fact::new("Canaries trained on", Value::count(self.sorted(true).len() as u64)),
            Fact::new("Guesses", Value::count(self.guesses.made())),
            Fact::new("Right guesses", Value::count(self.guesses.right())),
            Fact::new("The bound if all guesses were right", number(self.ceiling)),
        ];
        for (name, member) in [("Median score, trained on", true), ("Median score, left out", false)] {
            facts.push(Fact::new(name, median(&self.sorted(member)).map_or(Value::Missing, number)));
        }
        if let Ok(roc) = Roc::new(&self.sorted(true), &self.sorted(false)) {
            let ends = roc.auc_interval(CONFIDENCE).map_or([f64::NAN; 2], Into::into);
            facts.push(Fact::new(
                "Area under the curve of all scores",
                Value::interval(Some(roc.auc()), ends, 3),
            ));
        }
        facts.push(Fact::new("Audited run", Value::text(self.folder.clone())));
        let mut section = Section::new(Self::NAME, "Audit of the privacy of training")
            .paragraph(format!(
                "{} The recipe was trained anew with canaries: training examples that were given a wrong label, each left in \
                 or out by the toss of a coin. From how much training raised the network's confidence in the wrong label, it \
                 was guessed of the highest that they were left in and of the lowest that they were left out; had training \
                 the privacy of a smaller ε than the bound, so many guesses would hardly have been right.",
                self.sentence()
            ))
            .paragraph(
                "A bound above what is promised proves the promise broken. One below it proves nothing: it comes from the \
                 answers of the last network to these canaries, and who sees more or asks better may find more. The bound \
                 holds for guesses that were fixed in number beforehand, and for one audit: the best of several is none. \
                 What scales the inputs was measured on the examples as they are, and is not audited.",
            )
            .block(Block::Facts { facts });
        if self.claim.as_ref().is_some_and(|claim| !claim.is_private) {
            let text = "The run draws from the recipe's seed, which anyone can repeat, and so promises nothing; the bound is \
                        held against what secret draws would promise.";
            section = section.block(Note { level: Level::Warning, text: text.to_owned() });
        }
        if let (Some(claim), Some(passed)) = (&self.claim, self.passed()) {
            section.verdict = Some(Verdict {
                outcome: passed.into(),
                text: self.sentence(),
                measured: Some(number(self.bound)),
                limit: Some(Limit { bound: Bound::AtMost, value: number(claim.epsilon) }),
            });
        }
        section.block(self.histogram())
    }

    /// The scores of the canaries that were, or were not, trained on, rising.
    fn sorted(&self, member: bool) -> Vec<f64> {
        let pairs = self.scores.iter().zip(&self.members).filter(|(_, is)| **is == member);
        let mut scores: Vec<f64> = pairs.map(|(score, _)| *score).collect();
        scores.sort_by(f64::total_cmp);
        scores
    }

    fn histogram(&self) -> Figure {
        let low = self.scores.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self.scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let width = if high > low { (high - low) / BINS as f64 } else { 1.0 };
        let series = |name: &str, member| {
            let mut counts = [0.0; BINS];
            for score in self.sorted(member) {
                counts[(((score - low) / width) as usize).min(BINS - 1)] += 1.0;
            }
            let middle = |bin: usize| low + (bin as f64 + 0.5) * width;
            Series::new(name, counts.iter().enumerate().map(|(bin, count)| [middle(bin), *count]))
        };
        Figure {
            title: "Scores of the canaries".to_owned(),
            caption: "By how much training raised the confidence in the wrong label, as log odds: the further the lines lie \
                      apart, the more is known of who was trained on."
                .to_owned(),
            chart: Chart::Line(LineChart {
                x_label: "score".to_owned(),
                y_label: "canaries".to_owned(),
                log_y: false,
                log_x: false,
                series: vec![series("trained on", true), series("left out", false)],
            }),
        }
    }
}
