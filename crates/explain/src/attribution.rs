use crate::{Examples, ExplainError, Model};

/// What a method says of each input.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attribution {
    /// How much each value of each input matters, `[n, features]`; [`MethodInfo::meaning`](crate::MethodInfo) says in
    /// which unit.
    pub values: Vec<f32>,
    /// For methods whose values should add up to a difference of scores: by how much they miss it, `[n]`.
    pub gaps: Option<Vec<Gap>>,
    /// The map before it was spread over the input, for methods that see only places in the network.
    pub coarse: Option<Coarse>,
}

/// By how much the values of one input miss the difference of scores that they should add up to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// What they should add up to: `f(x) − f(baseline)`.
    pub expected: f64,
    /// `|Σ values − expected|`.
    pub absolute: f64,
    /// The same divided by `|expected|`; zero where both are zero.
    pub relative: f64,
}

impl Gap {
    /// The gap of values that add up to `sum` in the place of `expected`.
    #[must_use]
    pub fn new(sum: f64, expected: f64) -> Self {
        let absolute = (sum - expected).abs();
        let relative = if absolute == 0.0 { 0.0 } else { absolute / expected.abs() };
        Self { expected, absolute, relative }
    }
}

/// A map over places of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Coarse {
    /// `[n, height, width]`.
    pub values: Vec<f32>,
    /// Rows; 1 for a sequence.
    pub height: usize,
    /// Columns; the tokens of a sequence.
    pub width: usize,
}

impl Attribution {
    /// Values alone.
    pub(crate) fn of(values: Vec<f32>) -> Self {
        Self { values, gaps: None, coarse: None }
    }
}

/// Values for one baseline, and the differences that they should add up to.
pub(crate) struct Part {
    /// `[n, features]`.
    pub(crate) values: Vec<f64>,
    /// `f(x) − f(baseline)`, `[n]`.
    pub(crate) differences: Vec<f64>,
}

/// The mean over several baselines of what `part` finds for each.
pub(crate) fn over_baselines(
    baselines: &[Vec<f32>],
    on: &Examples<'_>,
    mut part: impl FnMut(&[f32]) -> Result<Part, ExplainError>,
) -> Result<Attribution, ExplainError> {
    let mut values = vec![0.0; on.inputs.len()];
    let mut differences = vec![0.0; on.len()];
    for baseline in baselines {
        let found = part(baseline)?;
        let share = 1.0 / baselines.len() as f64;
        values.iter_mut().zip(found.values).for_each(|(sum, value)| *sum += share * value);
        differences.iter_mut().zip(found.differences).for_each(|(sum, value)| *sum += share * value);
    }
    Ok(complete(&values, &differences, on.features()))
}

/// An attribution `[n, features]` that should add up to `differences` `[n]`.
pub(crate) fn complete(values: &[f64], differences: &[f64], features: usize) -> Attribution {
    let rows = values.chunks_exact(features);
    let gaps = rows.zip(differences).map(|(row, &expected)| Gap::new(row.iter().sum(), expected)).collect();
    let values = values.iter().map(|&value| value as f32).collect();
    Attribution { values, gaps: Some(gaps), coarse: None }
}

/// `f(x) − f(baseline)` for each input and its baseline.
pub(crate) fn differences(model: &Model<'_>, on: &Examples<'_>, baseline: &[f32]) -> Vec<f64> {
    let (high, low) = (model.explained(on.inputs, on.targets), model.explained(baseline, on.targets));
    high.iter().zip(low).map(|(high, low)| high - low).collect()
}
