use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Position, Schedule};

/// Up from 0 along a line during the first `rise` of the steps, and down to 0 along another:
/// `get_linear_schedule_with_warmup` of Hugging Face's `transformers`, whose `warmup_ratio` is `rise`. As there, a job's
/// first step does nothing where there is a rise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Linear {
    /// Share of the steps on the way up.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub rise: f64,
}

impl Schedule for Linear {
    fn factor(&self, position: Position<'_>) -> f64 {
        let (step, steps) = (position.step as f64, position.steps as f64);
        let rise = (self.rise * steps).ceil();
        if step < rise { step / rise } else { (steps - step) / (steps - rise).max(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `transformers.get_linear_schedule_with_warmup(optimizer, 3, 10)` at each of ten steps.
    #[test]
    fn factors_are_those_of_transformers() {
        let expected = [
            0.0,
            1.0 / 3.0,
            2.0 / 3.0,
            1.0,
            6.0 / 7.0,
            5.0 / 7.0,
            4.0 / 7.0,
            3.0 / 7.0,
            2.0 / 7.0,
            1.0 / 7.0,
        ];
        for (step, expected) in (0..).zip(expected) {
            let position = Position { step, steps: 10, epoch: 0, losses: &[] };
            let factor = Linear { rise: 0.25 }.factor(position);
            assert!((factor - expected).abs() < 1e-12, "{step}: {factor}");
        }
        let at = |rise, step| Linear { rise }.factor(Position { step, steps: 4, epoch: 0, losses: &[] });
        assert_eq!([0, 1, 2, 3].map(|step| at(0.0, step)), [1.0, 0.75, 0.5, 0.25]);
        assert_eq!([0, 1, 2, 3].map(|step| at(1.0, step)), [0.0, 0.25, 0.5, 0.75]);
    }
}
