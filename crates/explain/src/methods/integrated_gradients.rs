use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Method;
use crate::{
    Attribution, Baseline, Examples, ExplainError, Gap, Model,
    attribution::{Part, differences, over_baselines},
    error::at_least,
    quadrature::gauss_legendre,
};

/// `(x − b) · ∫ ∂f/∂x (b + α (x − b)) dα`, by Gauss-Legendre quadrature. The values add up to `f(x) − f(b)`, but for the
/// error of the quadrature, which [`Gap`](crate::Gap) tells. Where that is above 1 % of the difference, as where ReLUs make
/// steps of the gradient, the number of points is doubled.
///
/// M. Sundararajan, A. Taly, Q. Yan: Axiomatic attribution for deep networks, 2017. Captum's `IntegratedGradients`, which
/// never refines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IntegratedGradients {
    /// Points on the way from the baseline.
    #[schemars(range(min = 1))]
    pub steps: usize,
    /// How often they may be doubled for an input whose values miss their sum.
    #[schemars(range(max = 10))]
    pub refine: u32,
    /// Where the way begins.
    pub baseline: Baseline,
}

impl Default for IntegratedGradients {
    fn default() -> Self {
        Self { steps: 50, refine: 5, baseline: Baseline::Zero }
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
        over_baselines(&baselines, on, |baseline| self.along(model, on, baseline))
    }
}

/// The relative gap above which the steps are refined.
const TOLERANCE: f64 = 0.01;

impl IntegratedGradients {
    fn along(&self, model: &Model<'_>, on: &Examples<'_>, baseline: &[f32]) -> Result<Part, ExplainError> {
        let features = on.features();
        let differences = differences(model, on, baseline);
        let mut values = vec![0.0; on.inputs.len()];
        let mut left: Vec<usize> = (0..on.len()).collect();
        for doubled in 0..=self.refine.min(10) {
            let nodes = gauss_legendre(self.steps << doubled);
            integrate(model, on, baseline, &nodes, &left, &mut values)?;
            let row = |example: usize| &values[example * features..][..features];
            left.retain(|&i| Gap::new(row(i).iter().sum(), differences[i]).relative > TOLERANCE);
            if left.is_empty() {
                break;
            }
        }
        Ok(Part { values, differences })
    }
}

/// Writes the values of the examples of these numbers.
fn integrate(
    model: &Model<'_>,
    on: &Examples<'_>,
    baseline: &[f32],
    nodes: &[(f64, f64)],
    examples: &[usize],
    values: &mut [f64],
) -> Result<(), ExplainError> {
    let features = on.features();
    let place = |i: usize| (examples[i / nodes.len()], nodes[i % nodes.len()]);
    examples.iter().for_each(|&example| values[example * features..][..features].fill(0.0));
    let point = |i: usize, row: &mut [f32]| {
        let (example, (alpha, _)) = place(i);
        between(&baseline[example * features..], on.input(example), alpha, row);
        on.targets[example]
    };
    model.gradients_at(examples.len() * nodes.len(), point, |i, _, gradient| {
        let (example, (_, weight)) = place(i);
        let way = on.input(example).iter().zip(&baseline[example * features..]);
        let sums = values[example * features..].iter_mut().zip(gradient);
        for ((sum, &gradient), (&input, &base)) in sums.zip(way) {
            *sum += weight * f64::from(gradient) * (f64::from(input) - f64::from(base));
        }
    })
}

/// `from + alpha (to − from)`.
pub(super) fn between(from: &[f32], to: &[f32], alpha: f64, row: &mut [f32]) {
    for ((value, &from), &to) in row.iter_mut().zip(from).zip(to) {
        let (from, to) = (f64::from(from), f64::from(to));
        *value = (from + alpha * (to - from)) as f32;
    }
}
