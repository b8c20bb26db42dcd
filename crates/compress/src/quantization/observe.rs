//! What values a network's activations take.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::{Graph, Value};

/// Bins of a histogram: eight for each integer.
const BINS: usize = 2048;

/// Examples in one forward pass.
const BATCH: usize = 256;

/// The values that one activation took.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// The smallest.
    pub low: f32,
    /// The largest.
    pub high: f32,
    /// How many lay in each of equal parts of the range from the smallest to the largest.
    pub bins: Vec<u64>,
}

impl Observed {
    /// The histogram of `values`, which are finite.
    #[must_use]
    pub fn of(values: &[f32]) -> Self {
        let mut observed = Self { low: f32::INFINITY, high: f32::NEG_INFINITY, bins: Vec::new() };
        observed.widen(values);
        observed.count(values);
        observed
    }

    /// The middle of a bin.
    #[must_use]
    pub fn center(&self, bin: usize) -> f64 {
        f64::from(self.low) + (bin as f64 + 0.5) * self.width()
    }

    /// The width of a bin.
    #[must_use]
    pub fn width(&self) -> f64 {
        (f64::from(self.high) - f64::from(self.low)) / self.bins.len().max(1) as f64
    }

    fn widen(&mut self, values: &[f32]) {
        for value in values {
            self.low = self.low.min(*value);
            self.high = self.high.max(*value);
        }
    }

    fn count(&mut self, values: &[f32]) {
        self.bins.resize(BINS, 0);
        let per_bin = BINS as f32 / (self.high - self.low).max(f32::MIN_POSITIVE);
        for value in values {
            self.bins[(((value - self.low) * per_bin) as usize).min(BINS - 1)] += 1;
        }
    }
}

/// Sends inputs `[n, features]` through a graph, twice, and says what values the input and each node's output took.
///
/// # Panics
///
/// Where there is no whole input.
#[must_use]
pub fn observe(graph: &Graph, inputs: &[f32], device: &Device) -> BTreeMap<Value, Observed> {
    assert!(
        !inputs.is_empty() && inputs.len().is_multiple_of(graph.features),
        "whole inputs, and at least one"
    );
    let mut all = BTreeMap::new();
    each(graph, inputs, device, |value, values| {
        let none = Observed { low: f32::INFINITY, high: f32::NEG_INFINITY, bins: Vec::new() };
        all.entry(value).or_insert(none).widen(values);
    });
    each(graph, inputs, device, |value, values| {
        all.get_mut(&value).expect("seen before").count(values);
    });
    all
}

/// Hands every value of every batch to `see`.
fn each(graph: &Graph, inputs: &[f32], device: &Device, mut see: impl FnMut(Value, &[f32])) {
    for batch in inputs.chunks(BATCH * graph.features) {
        let shape = [batch.len() / graph.features, graph.features];
        let input = Tensor::from_data(TensorData::new(batch.to_vec(), shape), device);
        let _ = graph.forward(input, |value, tensor| {
            see(value, &tensor.clone().into_data().try_to_vec::<f32>().expect("networks here hold f32"));
            tensor
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_once_where_it_lies() {
        let values: Vec<f32> = (0..=4096).map(|i| i as f32 / 4096.0 * 3.0 - 1.0).collect();
        let observed = Observed::of(&values);
        assert_eq!((observed.low, observed.high), (-1.0, 2.0));
        assert_eq!(observed.bins.iter().sum::<u64>(), 4097);
        assert!(observed.bins.iter().all(|count| (1..=3).contains(count)), "{:?}", observed.bins);
        assert!((observed.center(0) - (-1.0 + 1.5 / 2048.0)).abs() < 1e-9);
    }

    #[test]
    fn one_value_alone_has_a_histogram() {
        let observed = Observed::of(&[0.5; 3]);
        assert_eq!((observed.low, observed.high, observed.bins[0]), (0.5, 0.5, 3));
    }
}
