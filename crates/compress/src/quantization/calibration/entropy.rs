use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Calibration, search};
use crate::Observed;

/// The range whose integers lose the least information: the smallest Kullback-Leibler divergence of the distribution in
/// integers from the one seen, its outliers moved to the ends.
///
/// S. Migacz: 8-bit inference with TensorRT, GTC 2017.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Entropy {}

impl Calibration for Entropy {
    fn range(&self, observed: &Observed) -> [f32; 2] {
        search(observed, |affine, [low, high]| {
            let inside: Vec<usize> = (0..observed.bins.len())
                .filter(|bin| (f64::from(low)..=f64::from(high)).contains(&observed.center(*bin)))
                .collect();
            let Some((first, last)) = inside.first().zip(inside.last()) else { return f64::INFINITY };
            let (outside_low, rest) = observed.bins.split_at(*first);
            let (kept, outside_high) = rest.split_at(last - first + 1);
            // What the integers tell of the values inside: those that share an integer look alike.
            let integer = |bin: usize| usize::from(affine.quantize(observed.center(first + bin) as f32));
            let (mut sums, mut filled) = ([0.0; 256], [0u32; 256]);
            for (bin, count) in kept.iter().enumerate().filter(|(_, count)| **count > 0) {
                sums[integer(bin)] += *count as f64;
                filled[integer(bin)] += 1;
            }
            let mut seen: Vec<f64> = kept.iter().map(|count| *count as f64).collect();
            seen[0] += outside_low.iter().sum::<u64>() as f64;
            seen[last - first] += outside_high.iter().sum::<u64>() as f64;
            let all: f64 = seen.iter().sum();
            let told: f64 = sums.iter().sum();
            let terms = seen.iter().enumerate().filter(|(_, count)| **count > 0.0).map(|(bin, count)| {
                let i = integer(bin);
                let q = if kept[bin] > 0 { sums[i] / f64::from(filled[i]) / told } else { 0.0 };
                let p = count / all;
                // An end that holds outliers only has nothing to compare with: as good as half an example.
                p * (p / q.max(0.5 / all)).ln()
            });
            terms.sum()
        })
    }
}
