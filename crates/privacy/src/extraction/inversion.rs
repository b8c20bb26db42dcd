use crucible_models::Differentiable;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::need;
use crate::{PrivacyError, membership::confidence};

/// Model inversion: for each class the input within the valid range that the network is most sure of, less a penalty for
/// what no example looks like.
///
/// `−ln p(class | x) + weight · penalty(x)` is made small by projected gradient descent: a step that does not make it
/// smaller is not taken, and the next one is half as long. What comes out is what the network takes a class for. That is
/// an example only where it has learned one by heart; where the examples of a class are many and alike (one person's
/// pictures), it looks like them.
///
/// M. Fredrikson, S. Jha, T. Ristenpart: Model inversion attacks that exploit confidence information and basic
/// countermeasures, 2015 (doi:10.1145/2810103.2813677), algorithm 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Inversion {
    /// Steps that are tried.
    pub steps: usize,
    /// The length of the first step, as a share of the valid range's width in one feature.
    pub step_size: f64,
    /// What is penalised.
    pub penalty: Penalty,
    /// How much the penalty weighs beside the loss, in nats.
    pub weight: f64,
}

/// What no example looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Penalty {
    /// Differences between neighbouring pixels: the mean over all neighbours of `√(d² + 0.01²)`, of values whose range is
    /// one wide. Of inputs that are no pictures, as `l2`.
    #[default]
    TotalVariation,
    /// The mean square of the distance from the middle of the range, of values whose range is one wide.
    L2,
}

impl Default for Inversion {
    fn default() -> Self {
        Self { steps: 300, step_size: 0.5, penalty: Penalty::default(), weight: 5.0 }
    }
}

impl Inversion {
    pub(super) fn check(&self) -> Result<(), PrivacyError> {
        let Self { steps, step_size, weight, .. } = *self;
        need("steps", steps as f64, steps > 0, "at least 1")?;
        need("step_size", step_size, step_size > 0.0 && step_size.is_finite(), "a finite number above 0")?;
        need("weight", weight, weight >= 0.0 && weight.is_finite(), "a finite number of at least 0")
    }
}

/// What a network takes a class for.
#[derive(Debug, Clone, PartialEq)]
pub struct Inverted {
    /// The class.
    pub class: usize,
    /// `[features]`, within the valid range.
    pub input: Vec<f32>,
    /// The network's probability of the class there.
    pub probability: f64,
}

/// Under what differences of neighbours the total variation is smooth.
const SMOOTH: f64 = 0.01;

/// What a network takes the class `class` for, from each of these `starts` `[starts, features]`. Inputs are of `shape`
/// (`[channels, height, width]` or `[features]`) and of values from `low` to `high`.
///
/// # Errors
///
/// Where a setting cannot be.
///
/// # Panics
///
/// If the class does not exist, the range is empty, or the lengths do not fit.
pub fn invert(
    model: &dyn Differentiable,
    shape: &[usize],
    [low, high]: [f32; 2],
    class: usize,
    starts: &[f32],
    settings: &Inversion,
) -> Result<Vec<Inverted>, PrivacyError> {
    settings.check()?;
    let features = model.features();
    assert_eq!(features, shape.iter().product::<usize>(), "inputs of shape {shape:?}");
    assert!(class < model.classes() && low < high && starts.len().is_multiple_of(features));
    let problem = Problem { model, shape, low, high, class, settings };
    let mut at = problem.look(starts.iter().map(|value| value.clamp(low, high)).collect());
    let mut lengths = vec![settings.step_size; at.costs.len()];
    for _ in 0..settings.steps {
        let mut moved = at.inputs.clone();
        let rows = moved.chunks_exact_mut(features).zip(at.gradient.chunks_exact(features));
        for ((row, gradient), length) in rows.zip(&lengths) {
            // In units of the range, and as if every feature's derivative were of the size of their root mean square.
            let square: f64 = gradient.iter().map(|slope| slope * slope).sum();
            if square == 0.0 {
                continue;
            }
            let scale = length / (square / features as f64).sqrt();
            for (value, slope) in row.iter_mut().zip(gradient) {
                let width = f64::from(high - low);
                *value = (f64::from(*value) - scale * slope * width).clamp(low.into(), high.into()) as f32;
            }
        }
        let next = problem.look(moved);
        for (row, length) in lengths.iter_mut().enumerate() {
            if next.costs[row] < at.costs[row] {
                at.take(&next, row, features);
                *length *= 1.5;
            } else {
                *length *= 0.5;
            }
        }
    }
    let probability = |confidence: f64| 1.0 / (1.0 + (-confidence).exp());
    let inputs = at.inputs.chunks_exact(features).zip(&at.confidences);
    Ok(inputs
        .map(|(input, confidence)| Inverted {
            class,
            input: input.to_vec(),
            probability: probability(*confidence),
        })
        .collect())
}

struct Problem<'a> {
    model: &'a dyn Differentiable,
    shape: &'a [usize],
    low: f32,
    high: f32,
    class: usize,
    settings: &'a Inversion,
}

/// Inputs, and what is made small there.
struct Look {
    /// `[n, features]`.
    inputs: Vec<f32>,
    /// `[n]`.
    costs: Vec<f64>,
    /// `[n]`, as [`confidence`] measures it.
    confidences: Vec<f64>,
    /// `[n, features]`, by values whose range is one wide.
    gradient: Vec<f64>,
}

impl Look {
    /// Another input in the place of this one.
    fn take(&mut self, other: &Self, row: usize, features: usize) {
        let place = row * features..(row + 1) * features;
        self.inputs[place.clone()].copy_from_slice(&other.inputs[place.clone()]);
        self.gradient[place.clone()].copy_from_slice(&other.gradient[place]);
        (self.costs[row], self.confidences[row]) = (other.costs[row], other.confidences[row]);
    }
}

impl Problem<'_> {
    fn look(&self, inputs: Vec<f32>) -> Look {
        let (features, classes) = (self.model.features(), self.model.classes());
        let row = |logits: &[f32]| logits.iter().map(|logit| f64::from(*logit)).collect::<Vec<_>>();
        let pulled = self.model.pull_back(&inputs, &mut |_, logits| {
            let rows = logits.chunks_exact(classes).map(row);
            // The derivative of the loss by the logits: the probabilities, less one for the class.
            rows.flat_map(|logits| {
                let of = |class| 1.0 / (1.0 + (-confidence(&logits, class)).exp());
                (0..classes)
                    .map(|class| (of(class) - f64::from(u8::from(class == self.class))) as f32)
                    .collect::<Vec<_>>()
            })
            .collect()
        });
        let confidences: Vec<f64> =
            pulled.logits.chunks_exact(classes).map(|logits| confidence(&row(logits), self.class)).collect();
        let width = f64::from(self.high - self.low);
        let mut gradient: Vec<f64> = pulled.gradient.iter().map(|slope| f64::from(*slope) * width).collect();
        let mut costs = Vec::with_capacity(confidences.len());
        let rows = inputs.chunks_exact(features).zip(gradient.chunks_exact_mut(features));
        for ((input, gradient), confidence) in rows.zip(&confidences) {
            // −ln p, which keeps its digits where p is near one.
            let loss = (-confidence).max(0.0) + (-confidence.abs()).exp().ln_1p();
            let unit: Vec<f64> = input.iter().map(|value| f64::from(value - self.low) / width).collect();
            costs.push(loss + self.settings.weight * self.penalty(&unit, gradient));
        }
        Look { inputs, costs, confidences, gradient }
    }

    /// The penalty of an input whose range is 0 to 1; `weight` times its derivative is added to `gradient`.
    fn penalty(&self, unit: &[f64], gradient: &mut [f64]) -> f64 {
        let weight = self.settings.weight;
        let (&[channels, height, width], Penalty::TotalVariation) = (self.shape, self.settings.penalty)
        else {
            let count = unit.len() as f64;
            for (value, slope) in unit.iter().zip(gradient) {
                *slope += weight * 2.0 * (value - 0.5) / count;
            }
            return unit.iter().map(|value| (value - 0.5).powi(2)).sum::<f64>() / count;
        };
        let neighbours = channels * (height * (width - 1) + (height - 1) * width);
        let each = 1.0 / neighbours.max(1) as f64;
        let mut sum = 0.0;
        let mut compare = |a: usize, b: usize| {
            let difference = unit[b] - unit[a];
            let length = difference.hypot(SMOOTH);
            sum += each * length;
            let slope = weight * each * difference / length;
            gradient[b] += slope;
            gradient[a] -= slope;
        };
        for place in 0..unit.len() {
            let (row, column) = (place / width % height, place % width);
            if column + 1 < width {
                compare(place, place + 1);
            }
            if row + 1 < height {
                compare(place, place + width);
            }
        }
        sum
    }
}
