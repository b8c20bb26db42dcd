use crucible_data::Column;
use crucible_measure::{Proportion, argmax, limits::Limit};
use crucible_models::Classifier;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::groups::no_column;
use crate::{
    audit::{Check, Concern, Cost, Finding, Needs, Subject, Unmeasured, finding::skip},
    view,
};

/// The share of unseen examples that are answered otherwise when nothing but the column of the group is changed, to any of
/// its other values. Columns that tell of the group, such as `relationship` of `sex`, stay as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CounterfactualFlips {
    /// The largest share.
    #[schemars(range(min = 0.0, max = 1.0))]
    max: f64,
    /// The column of the group.
    group: String,
}

impl Check for CounterfactualFlips {
    const CONCERN: Concern = Concern::Fairness;
    const NEEDS: Needs = Needs::Answers;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        format!("Answers that change with {}", self.group)
    }

    fn limit(&self) -> Limit {
        Limit::Max(self.max)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let columns = subject.data.format.input.columns();
        let named = columns.into_iter().find(|(column, _)| column.name() == self.group);
        let Some((Column::Categorical { levels, .. }, places)) = named else {
            return no_column(subject, &self.group);
        };
        let (_, examples) = subject.held_out()?;
        let view = subject.view()?;
        let inputs = view::inputs(examples, 0..examples.len());
        let classes = view.model.classes();
        let answers = |inputs: &[f32]| -> Vec<usize> {
            view.model.logits(inputs).chunks_exact(classes).map(argmax).collect()
        };
        let before = answers(&inputs);
        let mut flipped = vec![false; before.len()];
        for level in 0..levels.len() {
            let mut changed = inputs.clone();
            for row in changed.chunks_exact_mut(examples.input_len()) {
                row[places.clone()].fill(0.0);
                row[places.start + level] = 1.0;
            }
            let after = answers(&changed);
            flipped
                .iter_mut()
                .zip(before.iter().zip(after))
                .for_each(|(flipped, (a, b))| *flipped |= *a != b);
        }
        let flips = flipped.iter().filter(|flipped| **flipped).count();
        let share = Proportion { successes: flips as u64, trials: flipped.len() as u64 };
        let meaning = |share: f64| {
            format!(
                "{:.2}% of {} examples would be answered otherwise with another `{}` and everything else the same.",
                100.0 * share,
                flipped.len(),
                self.group
            )
        };
        let method = format!(
            "Every example with each of the {} values of the column; Wilson's interval.",
            levels.len()
        );
        Finding::share(share, meaning, method).map_or_else(|| skip("there are no examples"), Ok)
    }
}
