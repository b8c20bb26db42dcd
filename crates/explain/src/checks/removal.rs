use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Baseline, Examples, ExplainError, Model, error::at_least, groups::Groups, tables::probabilities,
};

/// What is plotted while parts are removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Measured {
    /// The probability of the class.
    #[default]
    Probability,
    /// The score that was explained.
    Score,
}

/// Settings of [`removal`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RemovalConfig {
    /// Points of a curve after the first.
    #[schemars(range(min = 1))]
    pub steps: usize,
    /// Height and width in pixels of what is removed together.
    #[schemars(range(min = 1))]
    pub square: usize,
    /// What stands for a missing part. Of several, the curves are means.
    pub baseline: Baseline,
    /// What is plotted.
    pub measured: Measured,
}

impl Default for RemovalConfig {
    fn default() -> Self {
        Self { steps: 20, square: 1, baseline: Baseline::Zero, measured: Measured::Probability }
    }
}

/// Curves of a score over the part of the input that was removed or put in.
#[derive(Debug, Clone, PartialEq)]
pub struct Removal {
    /// The part of the input, from 0 to 1, at each point.
    pub fractions: Vec<f64>,
    /// The most relevant parts replaced by the baseline first, `[n, points]`.
    pub deletion: Vec<f64>,
    /// The most relevant parts put into the baseline first, `[n, points]`.
    pub insertion: Vec<f64>,
    /// Area under each example's deletion curve: low where the values are right.
    pub deletion_areas: Vec<f64>,
    /// Area under each example's insertion curve: high where the values are right.
    pub insertion_areas: Vec<f64>,
}

/// Deletion and insertion: removes the parts of each input in the order of their relevance (`values` `[n, features]`,
/// added up over each part; ties in the order of the parts), and puts them into the baseline in the same order. A
/// network has never seen inputs with holes: compare with the areas that random values get, not with 0 and 1.
///
/// V. Petsiuk, A. Das, K. Saenko: RISE, 2018.
///
/// # Errors
///
/// Where a setting is out of its range, or the baseline cannot be made.
pub fn removal(
    config: &RemovalConfig,
    model: &Model<'_>,
    on: &Examples<'_>,
    values: &[f32],
    rng: &mut ChaCha8Rng,
) -> Result<Removal, ExplainError> {
    at_least("steps", config.steps, 1)?;
    at_least("square", config.square, 1)?;
    assert_eq!(values.len(), on.inputs.len(), "a value for each feature");
    let baselines = config.baseline.rows(on, rng)?;
    let groups = Groups::new(on.shape, config.square);
    let steps = config.steps.min(groups.count);
    let removed: Vec<usize> = (0..=steps).map(|step| step * groups.count / steps).collect();
    let orders: Vec<Vec<usize>> =
        values.chunks_exact(on.features()).map(|row| order(&groups.sum(row))).collect();

    let curve = |deletes: bool| -> Vec<f64> {
        let mut found = vec![0.0; on.len() * removed.len()];
        for baseline in &baselines {
            let mut inputs = Vec::with_capacity(removed.len() * on.features());
            for example in 0..on.len() {
                inputs.clear();
                for &count in &removed {
                    let mut kept = vec![deletes; groups.count];
                    orders[example][..count].iter().for_each(|&group| kept[group] = !deletes);
                    let mut row = vec![0.0; on.features()];
                    groups.mix(&kept, on.input(example), &baseline[example * on.features()..], &mut row);
                    inputs.extend(row);
                }
                let scores = measure(config.measured, model, &inputs, on.targets[example]);
                let sums = found[example * removed.len()..].iter_mut().zip(scores);
                sums.for_each(|(sum, score)| *sum += score / baselines.len() as f64);
            }
        }
        found
    };
    let fractions: Vec<f64> = removed.iter().map(|&count| count as f64 / groups.count as f64).collect();
    let (deletion, insertion) = (curve(true), curve(false));
    let areas = |curves: &[f64]| curves.chunks_exact(removed.len()).map(|c| area(&fractions, c)).collect();
    let (deletion_areas, insertion_areas) = (areas(&deletion), areas(&insertion));
    Ok(Removal { fractions, deletion, insertion, deletion_areas, insertion_areas })
}

fn measure(measured: Measured, model: &Model<'_>, inputs: &[f32], target: usize) -> Vec<f64> {
    match measured {
        Measured::Score => {
            let targets = vec![target; inputs.len() / model.scores().features()];
            model.explained(inputs, &targets)
        }
        Measured::Probability => {
            let logits = model.scores().logits(inputs);
            logits.chunks_exact(model.scores().classes()).map(|row| probabilities(row)[target]).collect()
        }
    }
}

/// Groups from the most relevant to the least.
fn order(relevance: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..relevance.len()).collect();
    order.sort_by(|&a, &b| relevance[b].total_cmp(&relevance[a]));
    order
}

/// By the trapezoidal rule.
fn area(places: &[f64], heights: &[f64]) -> f64 {
    let pairs = places.windows(2).zip(heights.windows(2));
    pairs.map(|(x, y)| (x[1] - x[0]) * 0.5 * (y[0] + y[1])).sum()
}
