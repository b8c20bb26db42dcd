use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Method;
use crate::{
    Attribution, Baseline, Examples, ExplainError, Model,
    attribution::{Part, differences, over_baselines},
    error::at_least,
    quadrature::gauss_legendre,
};

/// `(x − b) · ∫ ∂f/∂x (b + α (x − b)) dα`, by Gauss-Legendre quadrature. The values add up to `f(x) − f(b)`, but for the
/// error of the quadrature, which [`Gap`](crate::Gap) tells.
///
/// M. Sundararajan, A. Taly, Q. Yan: Axiomatic attribution for deep networks, 2017. Captum's `IntegratedGradients`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IntegratedGradients {
    /// Points on the way from the baseline.
    #[schemars(range(min = 1))]
    pub steps: usize,
    /// Where the way begins.
    pub baseline: Baseline,
}

impl Default for IntegratedGradients {
    fn default() -> Self {
        Self { steps: 50, baseline: Baseline::Zero }
    }
}

impl Method for IntegratedGradients {
    fn attribute(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Attribution, ExplainError> {
        at_least("steps", self.steps, 1)?;
        let baselines = self.baseline.rows(on, rng)?;
        let nodes = gauss_legendre(self.steps);
        over_baselines(&baselines, on, |baseline| along(model, on, baseline, &nodes))
    }
}

fn along(
    model: &Model<'_>,
    on: &Examples<'_>,
    baseline: &[f32],
    nodes: &[(f64, f64)],
) -> Result<Part, ExplainError> {
    let features = on.features();
    let place = |i: usize| (i / nodes.len(), nodes[i % nodes.len()]);
    let mut values = vec![0.0; on.inputs.len()];
    let point = |i: usize, row: &mut [f32]| {
        let (example, (alpha, _)) = place(i);
        between(&baseline[example * features..], on.input(example), alpha, row);
        on.targets[example]
    };
    model.gradients_at(on.len() * nodes.len(), point, |i, _, gradient| {
        let (example, (_, weight)) = place(i);
        let sums = &mut values[example * features..];
        sums.iter_mut().zip(gradient).for_each(|(sum, &value)| *sum += weight * f64::from(value));
    })?;
    for (value, (&input, &base)) in values.iter_mut().zip(on.inputs.iter().zip(baseline)) {
        *value *= f64::from(input) - f64::from(base);
    }
    Ok(Part { values, differences: differences(model, on, baseline) })
}

/// `from + alpha (to − from)`.
pub(super) fn between(from: &[f32], to: &[f32], alpha: f64, row: &mut [f32]) {
    for ((value, &from), &to) in row.iter_mut().zip(from).zip(to) {
        let (from, to) = (f64::from(from), f64::from(to));
        *value = (from + alpha * (to - from)) as f32;
    }
}
