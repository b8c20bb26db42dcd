use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::linear::dot;
use crate::rows::Rows;

/// Which subsets of two sets are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subsets {
    /// How many.
    pub count: usize,
    /// Examples of either set in each.
    pub size: usize,
}

impl Default for Subsets {
    /// 100 of 1,000, as is usual.
    fn default() -> Self {
        Self { count: 100, size: 1000 }
    }
}

/// The squared maximum mean discrepancy between two sets, over random subsets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelDistance {
    /// The mean over subsets.
    pub mean: f64,
    /// The standard deviation over subsets. They share examples: it is no error of the mean.
    pub deviation: f64,
}

impl KernelDistance {
    /// [`kernel_distance`] between subsets of `first` and `second`, `[examples, features]` each, which is called KID where the
    /// features are those of Inception. Examples of a subset are drawn without replacement.
    ///
    /// `None` without subsets, of fewer than two examples in a subset, where either set is smaller than a subset, or where a
    /// value is not finite.
    ///
    /// # Panics
    ///
    /// If the sets differ in the number of features.
    pub fn measure(
        first: Rows<'_>,
        second: Rows<'_>,
        subsets: Subsets,
        rng: &mut ChaCha8Rng,
    ) -> Option<Self> {
        if subsets.size > first.len().min(second.len()) {
            return None;
        }
        let mut draw = |rows: Rows<'_>| sample(rng, rows.len(), subsets.size).into_vec();
        let drawn: Vec<_> = (0..subsets.count).map(|_| [draw(first), draw(second)]).collect();
        Self::of(first, second, &drawn)
    }

    /// Between these subsets, by their indices.
    fn of(first: Rows<'_>, second: Rows<'_>, subsets: &[[Vec<usize>; 2]]) -> Option<Self> {
        let take = |rows: Rows<'_>, indices: &[usize]| -> Vec<f64> {
            indices.iter().flat_map(|at| rows.row(*at)).copied().collect()
        };
        let distance = |[own, other]: &[Vec<usize>; 2]| {
            let (own, other) = (take(first, own), take(second, other));
            kernel_distance(Rows::new(&own, first.width()), Rows::new(&other, second.width()))
        };
        let all: Vec<f64> = subsets.par_iter().map(distance).collect::<Option<_>>()?;
        let count = all.len() as f64;
        let mean = all.iter().sum::<f64>() / count;
        let variance = all.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        (!all.is_empty()).then(|| Self { mean, deviation: variance.sqrt() })
    }
}

/// The squared maximum mean discrepancy between `first` and `second`, `[examples, features]` each, by the kernel
/// (x·y / features + 1)³: without bias, so that it is 0 on average, and often below, between sets of one distribution.
///
/// Every pair is looked at. `None` of fewer than two examples in a set, or where a value is not finite.
///
/// Source: M. Bińkowski et al., "Demystifying MMD GANs", ICLR 2018.
///
/// # Panics
///
/// If the sets differ in the number of features.
pub fn kernel_distance(first: Rows<'_>, second: Rows<'_>) -> Option<f64> {
    assert_eq!(first.width(), second.width(), "the same features");
    if first.len().min(second.len()) < 2 || !first.are_finite() || !second.are_finite() {
        return None;
    }
    let pairs = |rows: Rows<'_>| 0.5 * rows.len() as f64 * (rows.len() as f64 - 1.0);
    let all = first.len() as f64 * second.len() as f64;
    Some(within(first) / pairs(first) + within(second) / pairs(second) - 2.0 * across(first, second) / all)
}

fn kernel(a: &[f64], b: &[f64]) -> f64 {
    let product = dot(a, b) / a.len() as f64 + 1.0;
    product * product * product
}

/// The kernel's sum over pairs of different rows, each once.
fn within(rows: Rows<'_>) -> f64 {
    let mut sum = 0.0;
    for (first, block) in rows.blocks() {
        for (start, earlier) in rows.blocks().take_while(|(start, _)| *start <= first) {
            let before = |at: usize| (first + at - start).min(earlier.len());
            sum += sum_of_pairs(block, earlier, before);
        }
    }
    sum
}

/// The kernel's sum over all pairs of a row of either set.
fn across(first: Rows<'_>, second: Rows<'_>) -> f64 {
    let pairs = first.blocks().flat_map(|(_, a)| second.blocks().map(move |(_, b)| (a, b)));
    pairs.map(|(a, b)| sum_of_pairs(a, b, |_| b.len())).sum()
}

/// Of each row with as many of the others as are asked for, by the row's index.
fn sum_of_pairs(rows: Rows<'_>, others: Rows<'_>, count: impl Fn(usize) -> usize) -> f64 {
    let of_row = |(at, row)| others.iter().take(count(at)).map(|other| kernel(row, other)).sum::<f64>();
    rows.iter().enumerate().map(of_row).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn list<T: serde::de::DeserializeOwned>(value: &Value) -> T {
        serde_json::from_value(value.clone()).unwrap()
    }

    #[test]
    fn mean_and_deviation_over_subsets_are_torch_fidelitys() {
        let golden: Value = serde_json::from_str(include_str!("../../tests/golden/generation.json")).unwrap();
        let golden = &golden["kernel"];
        let (first, second): (Vec<f64>, Vec<f64>) = (list(&golden["first"]), list(&golden["second"]));
        let width = list(&golden["width"]);
        let (first, second) = (Rows::new(&first, width), Rows::new(&second, width));
        let subsets: Vec<[Vec<usize>; 2]> = list(&golden["subsets"]);
        let found = KernelDistance::of(first, second, &subsets).unwrap();
        for (ours, theirs) in [(found.mean, &golden["mean"]), (found.deviation, &golden["deviation"])] {
            let theirs: f64 = list(theirs);
            assert!((ours / theirs - 1.0).abs() < 1e-9, "{ours} for {theirs}");
        }
    }
}
