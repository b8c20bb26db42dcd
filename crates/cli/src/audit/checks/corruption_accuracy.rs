use crucible_data::corruptions::{Corruption, Severity, corrupted};
use crucible_measure::{Estimate, limits::Limit, mean_interval};
use crucible_report::{Column, Gallery, Picture, Png, Table, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    audit::{Check, Concern, Cost, Finding, Needs, Subject, Unit, Unmeasured, finding::skip},
    findings::CONFIDENCE,
};

/// Mean accuracy on unseen pictures under common corruptions, of all five severities (Hendrycks and Dietterich, 2019; Mu and
/// Gilmer, 2019).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CorruptionAccuracy {
    /// The least mean accuracy.
    #[schemars(range(min = 0.0, max = 1.0))]
    min: f64,
    /// The corruptions; all by default.
    #[serde(default = "all")]
    #[schemars(length(min = 1))]
    corruptions: Vec<Corruption>,
    /// The first so many unseen pictures are corrupted.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1))]
    examples: usize,
}

fn all() -> Vec<Corruption> {
    Corruption::ALL.to_vec()
}

fn thousand() -> usize {
    1000
}

impl Check for CorruptionAccuracy {
    const CONCERN: Concern = Concern::Generalization;
    const NEEDS: Needs = Needs::Answers;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        "Accuracy under common corruptions".to_owned()
    }

    fn limit(&self) -> Limit {
        Limit::Min(self.min)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let (split, examples) = subject.held_out()?;
        if examples.picture(0).is_none() {
            return skip("corruptions are of pictures in bytes, and the inputs are none");
        }
        let examples = examples.select(&(0..self.examples.min(examples.len())).collect::<Vec<_>>());
        let clean = subject.answers_on(&examples)?.accuracy();
        // Of each picture how often it is right: pictures are independent, their corruptions are not.
        let mut right = vec![0u32; examples.len()];
        let mut rows = Vec::new();
        let mut pictures = Vec::new();
        for &corruption in &self.corruptions {
            let mut row = Vec::new();
            for severity in Severity::ALL {
                let changed = corrupted(&examples, corruption, severity, subject.seed)?;
                let answers = subject.answers_on(&changed)?;
                right.iter_mut().zip(answers.right()).for_each(|(count, right)| *count += u32::from(right));
                row.push(answers.accuracy());
                if severity.level() == SHOWN {
                    pictures.extend(changed.picture(0).map(|picture| Picture {
                        png: Png(picture.to_png()),
                        alt: format!("The first picture under {}", corruption.name()),
                        caption: corruption.name().to_owned(),
                    }));
                }
            }
            rows.push((corruption, row));
        }
        let variants = (self.corruptions.len() * Severity::ALL.len()) as f64;
        let shares: Vec<f64> = right.into_iter().map(|count| f64::from(count) / variants).collect();
        let Some((value, interval)) = mean_interval(&shares, CONFIDENCE) else {
            return skip("there are no examples");
        };
        let before = clean.estimate().unwrap_or(f64::NAN);
        let meaning = format!(
            "Of corrupted pictures the network gets {:.1}% right, of the same pictures as they are {:.1}%: {:.1} times the errors.",
            100.0 * value,
            100.0 * before,
            (1.0 - value) / (1.0 - before)
        );
        let method = format!(
            "{} corruptions in five severities each, of the first {} {split} pictures; interval of the mean over pictures.",
            self.corruptions.len(),
            examples.len()
        );
        Ok(Finding::new(Estimate { value, interval }, Unit::Share, meaning, method)
            .detail(table(&rows))
            .detail(Gallery { pictures, caption: format!("The first picture under each, severity {SHOWN}") }))
    }
}

/// The severity that is shown.
const SHOWN: u8 = 3;

fn table(rows: &[(Corruption, Vec<crucible_measure::Proportion>)]) -> Table {
    let severities = Severity::ALL.map(|severity| Column::right(format!("Severity {severity}")));
    let share = |share: Option<f64>| share.map_or(Value::Missing, |share| Value::percent(share, 1));
    let row = |(corruption, accuracies): &(Corruption, Vec<crucible_measure::Proportion>)| {
        let shares: Vec<f64> = accuracies.iter().filter_map(crucible_measure::Proportion::estimate).collect();
        let mean = (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64);
        let numbers = accuracies.iter().map(|accuracy| share(accuracy.estimate()));
        std::iter::once(Value::text(corruption.name())).chain(numbers).chain([share(mean)]).collect()
    };
    Table {
        columns: std::iter::once(Column::left("Corruption"))
            .chain(severities)
            .chain([Column::right("Mean")])
            .collect(),
        rows: rows.iter().map(row).collect(),
        caption: "Accuracy by corruption and severity".to_owned(),
    }
}
