use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::linear::{SIDE_BY_SIDE, squared_distances};
use crate::rows::Rows;

/// Fidelity and variety of generated examples, told apart by balls: each reaches from an example to the k-th nearest other
/// of its own set.
///
/// Source: T. Kynkäänniemi et al., "Improved precision and recall metric for assessing generative models", NeurIPS 2019;
/// M. Naeem et al., "Reliable fidelity and diversity metrics for generative models", ICML 2020. As in the latter's code,
/// a ball's edge is outside.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prdc {
    /// Share of generated examples in the ball of a real one: how many are plausible. A single outlier among real examples
    /// can make it high.
    pub precision: f64,
    /// Share of real examples in the ball of a generated one: how much of reality is met.
    pub recall: f64,
    /// Balls of real examples that a generated one lies in, over k: above 1 where generated examples crowd where real
    /// ones do.
    pub density: f64,
    /// Share of real examples with a generated one in their ball.
    pub coverage: f64,
}

/// What some generated examples say of real ones.
struct Visit {
    /// Those that lie in the ball of a real one.
    plausible: usize,
    /// Balls of real examples that they lie in, those of each summed.
    within: usize,
    /// By real example: whether one has it in its ball, and whether one lies in its.
    met: Vec<[bool; 2]>,
}

impl Prdc {
    /// Compares `generated` with `real` `[examples, features]`; k is usually 3 or 5, and sets of one size some thousands.
    ///
    /// Every pair is looked at, three times over. `None` where either set has no more than k examples, or a value is not
    /// finite.
    ///
    /// # Panics
    ///
    /// If the sets differ in the number of features, or k is 0.
    pub fn measure(real: Rows<'_>, generated: Rows<'_>, k: usize) -> Option<Self> {
        assert_eq!(real.width(), generated.width(), "the same features");
        assert!(k > 0, "balls that reach to no neighbour");
        if real.len().min(generated.len()) <= k || !real.are_finite() || !generated.are_finite() {
            return None;
        }
        let (real_radii, generated_radii) = (radii(real, k), radii(generated, k));
        let parts = parts(generated).into_par_iter().zip(generated_radii.par_chunks(SIDE_BY_SIDE));
        let visits = parts.map(|(part, radii)| Visit::new(part, radii, real, &real_radii));
        let nothing = || Visit { plausible: 0, within: 0, met: vec![[false; 2]; real.len()] };
        let all = visits.reduce(nothing, Visit::and);
        let of_real =
            |which: usize| all.met.iter().filter(|met| met[which]).count() as f64 / real.len() as f64;
        let count = generated.len() as f64;
        Some(Self {
            precision: all.plausible as f64 / count,
            recall: of_real(0),
            density: all.within as f64 / (k as f64 * count),
            coverage: of_real(1),
        })
    }
}

impl Visit {
    fn new(generated: Rows<'_>, radii: &[f64], real: Rows<'_>, real_radii: &[f64]) -> Self {
        let distances = squared_distances(generated, real);
        let mut all = Self { plausible: 0, within: 0, met: vec![[false; 2]; real.len()] };
        for (distances, own) in distances.chunks_exact(real.len()).zip(radii) {
            let mut inside = 0;
            for ((distance, radius), met) in distances.iter().zip(real_radii).zip(&mut all.met) {
                inside += usize::from(distance < radius);
                *met = [met[0] || distance < own, met[1] || distance < radius];
            }
            all.within += inside;
            all.plausible += usize::from(inside > 0);
        }
        all
    }

    /// Counts and flags alone: the order of visits does not matter.
    fn and(mut self, other: Self) -> Self {
        self.plausible += other.plausible;
        self.within += other.within;
        let both = self.met.iter_mut().zip(other.met);
        both.for_each(|(met, more)| *met = [met[0] || more[0], met[1] || more[1]]);
        self
    }
}

/// As many rows at once as distances are found of.
fn parts(rows: Rows<'_>) -> Vec<Rows<'_>> {
    rows.chunks(SIDE_BY_SIDE).collect()
}

/// The squared distance of each row to its k-th nearest other.
fn radii(rows: Rows<'_>, k: usize) -> Vec<f64> {
    // The row itself comes first.
    let radius = |distances: &mut [f64]| *distances.select_nth_unstable_by(k, f64::total_cmp).1;
    let of = |part: Rows<'_>| {
        let mut distances = squared_distances(part, rows);
        distances.chunks_exact_mut(rows.len()).map(radius).collect::<Vec<f64>>()
    };
    parts(rows).into_par_iter().flat_map_iter(of).collect()
}
