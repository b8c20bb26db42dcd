use crucible_measure::Cholesky;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Method;
use crate::{
    Attribution, Baseline, Examples, ExplainError, Model,
    attribution::{Part, differences, over_baselines},
    draws::order,
    error::at_least,
    groups::Groups,
};

/// Shapley values of the parts of an input: the least-squares fit of the score by which parts are there, weighted by the
/// Shapley kernel, under the condition that the values add up to `f(x) − f(baseline)`. Exact where all choices of parts
/// fit into `samples`; else over choices drawn by the kernel, each with its complement (antithetic).
///
/// Parts are squares of a picture, tokens of a sequence, values of a table row; the value of a part is divided evenly
/// among the part's features, so that the features add up too. (Captum's `KernelShap` gives each the whole value.)
///
/// S. Lundberg, S.-I. Lee: A unified approach to interpreting model predictions, 2017; the condition as in I. Covert,
/// S.-I. Lee: Improving KernelSHAP, 2021.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KernelShap {
    /// Scores asked for each input and baseline.
    #[schemars(range(min = 2))]
    pub samples: usize,
    /// Height and width in pixels of a picture's squares.
    #[schemars(range(min = 1))]
    pub square: usize,
    /// What stands for a missing part.
    pub baseline: Baseline,
}

impl Default for KernelShap {
    fn default() -> Self {
        Self { samples: 2048, square: 4, baseline: Baseline::Zero }
    }
}

impl Method for KernelShap {
    fn attribute(
        &self,
        model: &Model<'_>,
        on: &Examples<'_>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Attribution, ExplainError> {
        at_least("samples", self.samples, 2)?;
        at_least("square", self.square, 1)?;
        let groups = Groups::new(on.shape, self.square);
        let baselines = self.baseline.rows(on, rng)?;
        let choices = Choices::new(groups.count, self.samples, rng);
        let sizes = groups.sizes();
        let features = on.features();
        over_baselines(&baselines, on, |baseline| {
            let differences = differences(model, on, baseline);
            let lowest = model.explained(baseline, on.targets);
            let kept = &choices.kept;
            let mut sums = vec![0.0; on.len() * groups.count];
            let point = |i: usize, row: &mut [f32]| {
                let example = i / kept.len();
                groups.mix(&kept[i % kept.len()], on.input(example), &baseline[example * features..], row);
                on.targets[example]
            };
            model.scores_at(on.len() * kept.len(), point, |i, score| {
                let (example, choice) = (i / kept.len(), i % kept.len());
                let gain = choices.weights[choice] * (score - lowest[example]);
                let sums = sums[example * groups.count..].iter_mut().zip(&kept[choice]);
                sums.filter(|(_, kept)| **kept).for_each(|(sum, _)| *sum += gain);
            });
            let rows = sums.chunks_exact(groups.count).zip(&differences);
            let values = rows.flat_map(|(sums, &total)| {
                let parts: Vec<f64> =
                    choices.solve(sums, total).iter().zip(&sizes).map(|(v, &size)| v / size as f64).collect();
                groups.spread(&parts).collect::<Vec<_>>()
            });
            Ok(Part { values: values.collect(), differences })
        })
    }
}

/// Which parts are kept, and what each choice counts.
struct Choices {
    kept: Vec<Vec<bool>>,
    weights: Vec<f64>,
    parts: usize,
    /// Of `Σ weight · kept keptᵀ`; none for a single part, which needs no choice.
    factor: Option<Cholesky>,
    /// The solution for ones on the right.
    ones: Vec<f64>,
}

impl Choices {
    fn new(parts: usize, samples: usize, rng: &mut ChaCha8Rng) -> Self {
        let all =
            u32::try_from(parts).ok().and_then(|parts| 1_usize.checked_shl(parts)).filter(|&all| all > 1);
        let (kept, weights) = match all {
            _ if parts < 2 => (Vec::new(), Vec::new()),
            Some(all) if all - 2 <= samples => every(parts, all),
            _ => drawn(parts, samples, rng),
        };
        let mut matrix = vec![0.0; parts * parts];
        for (kept, weight) in kept.iter().zip(&weights) {
            let there: Vec<usize> = (0..parts).filter(|&part| kept[part]).collect();
            for &i in &there {
                there.iter().for_each(|&j| matrix[i * parts + j] += weight);
            }
        }
        if kept.len() < parts * parts {
            // Few draws may leave parts that no choice tells apart.
            let trace: f64 = (0..parts).map(|i| matrix[i * parts + i]).sum();
            (0..parts).for_each(|i| matrix[i * parts + i] += 1e-9 * trace / parts as f64);
        }
        let factor = if parts < 2 { None } else { Cholesky::new(matrix, parts) };
        let ones = factor.as_ref().map(|factor| factor.solve(&vec![1.0; parts])).unwrap_or_default();
        Self { kept, weights, parts, factor, ones }
    }

    /// The value of each part: least squares with this sum.
    fn solve(&self, sums: &[f64], total: f64) -> Vec<f64> {
        let Some(factor) = &self.factor else { return vec![total / self.parts as f64; self.parts] };
        let free = factor.solve(sums);
        let excess = (free.iter().sum::<f64>() - total) / self.ones.iter().sum::<f64>();
        free.iter().zip(&self.ones).map(|(value, one)| value - one * excess).collect()
    }
}

/// All choices but none and all, weighted by the Shapley kernel.
fn every(parts: usize, all: usize) -> (Vec<Vec<bool>>, Vec<f64>) {
    let kept: Vec<Vec<bool>> =
        (1..all - 1).map(|choice| (0..parts).map(|part| choice >> part & 1 == 1).collect()).collect();
    let weight = |kept: &Vec<bool>| {
        let size = kept.iter().filter(|&&kept| kept).count();
        let choose = (0..size).fold(1.0, |c, i| c * (parts - i) as f64 / (i + 1) as f64);
        (parts - 1) as f64 / (choose * (size * (parts - size)) as f64)
    };
    let weights = kept.iter().map(weight).collect();
    (kept, weights)
}

/// Choices drawn as often as the kernel weighs them, in pairs of complements.
fn drawn(parts: usize, samples: usize, rng: &mut ChaCha8Rng) -> (Vec<Vec<bool>>, Vec<f64>) {
    let weights: Vec<f64> = (1..parts).map(|size| 1.0 / (size * (parts - size)) as f64).collect();
    let total: f64 = weights.iter().sum();
    let mut kept = Vec::with_capacity(samples);
    while kept.len() < samples {
        let mut left = rng.random::<f64>() * total;
        let passed = weights.iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        let size = passed.map_or(parts - 1, |place| place + 1);
        let mut choice = vec![false; parts];
        order(parts, rng)[..size].iter().for_each(|&part| choice[part] = true);
        let complement = choice.iter().map(|kept| !kept).collect();
        kept.extend([choice, complement]);
    }
    kept.truncate(samples);
    let weights = vec![1.0 / samples as f64; samples];
    (kept, weights)
}
