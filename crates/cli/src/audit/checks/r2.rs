use crucible_data::Task;
use crucible_measure::{Estimate, limits::Limit, regression};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::{
    Check, Concern, Cost, Finding, Needs, Subject, Unit, Unmeasured, finding::skip, subject::BOOTSTRAP,
};

/// R² of the worst predicted target: the share of its variance that predictions explain, with an interval by resampling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct R2 {
    /// The least share; below 0 predictions are worse than the mean.
    #[schemars(range(max = 1.0))]
    min: f64,
}

impl Check for R2 {
    const CONCERN: Concern = Concern::Performance;
    const NEEDS: Needs = Needs::Answers;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        "R²".to_owned()
    }

    fn limit(&self) -> Limit {
        Limit::Min(self.min)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let Task::Regression { targets, .. } = &subject.data.format.task else {
            return skip("the network tells classes apart, and R² is about numbers");
        };
        let (split, examples) = subject.held_out()?;
        let predictions = &subject.predictions()?.values;
        let all: Vec<u32> = (0..examples.len() as u32).collect();
        let actual = examples.gather_values(&all);
        let column = |values: &[f32], target: usize, rows: &[usize]| -> Vec<f32> {
            rows.iter().map(|row| values[row * targets.len() + target]).collect()
        };
        let r2 = |target: usize, rows: &[usize]| {
            regression(&column(predictions, target, rows), &column(&actual, target, rows), 0.95)?.r2
        };
        let rows: Vec<usize> = (0..examples.len()).collect();
        let each = (0..targets.len()).filter_map(|target| Some((target, r2(target, &rows)?)));
        let Some((worst, value)) = each.min_by(|a, b| a.1.total_cmp(&b.1)) else {
            return skip("R² is undefined: the targets do not vary");
        };
        let interval = BOOTSTRAP.percentile(rows.len(), &mut subject.rng("r2"), |drawn| r2(worst, drawn));
        let meaning = format!(
            "Predictions explain {:.1}% of the variance of `{}` on {} {split} examples.",
            100.0 * value,
            targets[worst],
            rows.len()
        );
        let method = "1 less the squared errors over the squared deviations from the mean; percentiles of 1,000 resamples.";
        Ok(Finding::new(Estimate { value, interval }, Unit::Number, meaning, method))
    }
}
