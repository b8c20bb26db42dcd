use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::linear::{SIDE_BY_SIDE, squared_distance};
use crate::rows::Rows;

/// Which example is nearest, and how far away it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nearest {
    /// The example; the first of equals.
    pub index: usize,
    /// Its Euclidean distance.
    pub distance: f64,
}

/// Features of a pair that are compared before asking whether it can still be the nearest.
const STRETCH: usize = 64;

/// For each of `samples` `[samples, features]` the nearest of `examples` `[examples, features]`. Features may be pixels.
///
/// Every pair is looked at, as far as it may be the nearest. `None` without examples, or where a value is not finite.
///
/// # Panics
///
/// If the sets differ in the number of features.
pub fn nearest(samples: Rows<'_>, examples: Rows<'_>) -> Option<Vec<Nearest>> {
    assert_eq!(samples.width(), examples.width(), "the same features");
    if examples.is_empty() || !samples.are_finite() || !examples.are_finite() {
        return None;
    }
    let parts: Vec<Rows<'_>> = samples.chunks(SIDE_BY_SIDE).collect();
    Some(parts.into_par_iter().flat_map_iter(|part| of_part(part, examples)).collect())
}

fn of_part(samples: Rows<'_>, examples: Rows<'_>) -> Vec<Nearest> {
    let mut squared = vec![Nearest { index: 0, distance: f64::INFINITY }; samples.len()];
    for (first, block) in examples.blocks() {
        for (sample, found) in samples.iter().zip(&mut squared) {
            for (index, example) in (first..).zip(block.iter()) {
                if let Some(distance) = below(sample, example, found.distance) {
                    *found = Nearest { index, distance };
                }
            }
        }
    }
    squared.into_iter().map(|found| Nearest { distance: found.distance.sqrt(), ..found }).collect()
}

/// The squared distance, where it is below `most`.
fn below(a: &[f64], b: &[f64], most: f64) -> Option<f64> {
    let mut sum = 0.0;
    for (a, b) in a.chunks(STRETCH).zip(b.chunks(STRETCH)) {
        sum += squared_distance(a, b);
        if sum >= most {
            return None;
        }
    }
    Some(sum)
}
