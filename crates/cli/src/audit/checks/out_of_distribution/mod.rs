//! Whether inputs unlike the training data can be told.

mod head;
mod score;

use crucible_data::{DataConfig, Dataset, Examples, InputFormat};
use crucible_measure::{detection::Detection, limits::Limit};
use crucible_report::{Column, Table, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::score::{Score, Scored};
use crate::{
    audit::{
        Check, Concern, Cost, Finding, Needs, Subject, Unit, Unmeasured, finding::skip, subject::BOOTSTRAP,
    },
    findings::CONFIDENCE,
    view,
};

/// How well unseen examples are told from those of another data set, which the network knows nothing of: the area under the
/// receiver operating characteristic of a score of how unusual an input is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutOfDistribution {
    /// The least area; 0.5 is guessing.
    #[schemars(range(min = 0.0, max = 1.0))]
    min: f64,
    /// The other data set: inputs of the same shape, on other things.
    data: DataConfig,
    /// The score that the limit is about; the report shows all.
    #[serde(default)]
    score: Score,
    /// So many examples of both data sets, and so many training examples, at most.
    #[serde(default = "examples")]
    #[schemars(range(min = 1))]
    examples: usize,
}

fn examples() -> usize {
    5000
}

impl OutOfDistribution {
    /// The other data, scaled as the network's.
    fn load(&self, subject: &Subject) -> Result<Dataset, Unmeasured> {
        let other = crucible_data::load(&self.data, std::path::Path::new(""), subject.seed)?;
        let (name, shape) = (other.name.clone(), other.format.input.shape());
        match other.scaled_as(&subject.data.format.input) {
            Some(other) => Ok(other),
            None => skip(format!(
                "an input of {name} is {}, and the network's are not",
                crate::run::shape(&shape)
            )),
        }
    }
}

impl Check for OutOfDistribution {
    const CONCERN: Concern = Concern::Generalization;
    const NEEDS: Needs = Needs::Gradients;
    const COST: Cost = Cost::Minutes;

    fn title(&self) -> String {
        format!("Telling other data by {}", self.score.name())
    }

    fn limit(&self) -> Limit {
        Limit::Min(self.min)
    }

    fn others(&self) -> Option<&DataConfig> {
        Some(&self.data)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let (split, usual) = subject.held_out()?;
        let InputFormat::Image { .. } = subject.data.format.input else {
            return skip("other data sets are told apart for pictures only");
        };
        let view = subject.view()?;
        let other = self.load(subject)?;
        let (_, unusual) = other.splits().last().expect("the training split is always there");
        let inputs = |examples: &Examples| view::inputs(examples, 0..examples.len().min(self.examples));
        let scored = Scored::new(subject, &view, &inputs(&subject.data.train))?;
        let (of_usual, of_unusual) = (scored.look(inputs(usual)), scored.look(inputs(unusual)));
        let mut rng = subject.rng("out-of-distribution");
        let mut found = Vec::new();
        for score in Score::ALL {
            let (Some(usual), Some(unusual)) = (scored.by(score, &of_usual), scored.by(score, &of_unusual))
            else {
                continue;
            };
            if let Ok(detection) = Detection::measure(&unusual, &usual, BOOTSTRAP, &mut rng) {
                found.push((score, detection));
            }
        }
        let Some((_, own)) = found.iter().find(|(score, _)| *score == self.score) else {
            return skip(format!("`{}` cannot be computed of this network", self.score.name()));
        };
        let meaning = format!(
            "In {:.1}% of pairs of a picture of {} and a {split} picture of {} the score is higher for the former.",
            100.0 * own.auroc.value,
            other.name,
            subject.data.name
        );
        let method = format!(
            "{} pictures of {} against {} {split} pictures, features of {} training pictures; DeLong's interval at {:.0}%.",
            own.positives,
            other.name,
            own.negatives,
            subject.data.train.len().min(self.examples),
            100.0 * CONFIDENCE
        );
        Ok(Finding::new(own.auroc, Unit::Number, meaning, method).detail(table(&found)))
    }
}

fn table(found: &[(Score, Detection)]) -> Table {
    let names = ["AUROC", "AUPR", "False alarms where 95% are found"].map(Column::right);
    let shown = |estimate: crucible_measure::Estimate| {
        let ends = estimate.interval.map(|interval| [interval.low, interval.high]);
        ends.map_or(Value::number(estimate.value, 4), |ends| Value::interval(Some(estimate.value), ends, 4))
    };
    let rows = found.iter().map(|(score, detection)| {
        let numbers = [detection.auroc, detection.aupr, detection.false_positives_at_95].map(shown);
        std::iter::once(Value::text(score.name())).chain(numbers).collect()
    });
    Table {
        columns: std::iter::once(Column::left("Score")).chain(names).collect(),
        rows: rows.collect(),
        caption: "Every score, with intervals at 95%. The best of them was chosen on these very examples; the limit is held \
                  against the one that the recipe names."
            .to_owned(),
    }
}
