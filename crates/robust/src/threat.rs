//! What an attacker may do to an input.

use std::fmt;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::RobustError;

/// How the size of a change is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// L∞: the largest change of a value.
    Linf,
    /// L2: the Euclidean length.
    L2,
    /// L1: the sum of the changes' sizes.
    L1,
}

impl Norm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Linf, Self::L2, Self::L1];

    /// The name that recipes and commands use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Linf => "linf",
            Self::L2 => "l2",
            Self::L1 => "l1",
        }
    }

    /// The norm of `change`.
    #[must_use]
    pub fn of(self, change: impl Iterator<Item = f32>) -> f64 {
        let sizes = change.map(|value| f64::from(value).abs());
        match self {
            Self::Linf => sizes.fold(0.0, f64::max),
            Self::L2 => sizes.map(|size| size * size).sum::<f64>().sqrt(),
            Self::L1 => sizes.sum(),
        }
    }

    /// The distance between two inputs.
    #[must_use]
    pub fn distance(self, a: &[f32], b: &[f32]) -> f64 {
        self.of(a.iter().zip(b).map(|(a, b)| a - b))
    }
}

impl fmt::Display for Norm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linf => "L∞",
            Self::L2 => "L2",
            Self::L1 => "L1",
        })
    }
}

/// A ball around each input, and the range that every value of an input must lie in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threat {
    norm: Norm,
    eps: f32,
    low: f32,
    high: f32,
}

impl Threat {
    /// The ball of radius `eps` in `norm`, within `range`.
    ///
    /// # Errors
    ///
    /// Where the radius is negative or the range empty, or one of them not finite.
    pub fn new(norm: Norm, eps: f32, range: [f32; 2]) -> Result<Self, RobustError> {
        let [low, high] = range;
        if !eps.is_finite() || eps < 0.0 {
            return Err(RobustError::Radius(eps));
        }
        if !low.is_finite() || !high.is_finite() || low >= high {
            return Err(RobustError::Range { low, high });
        }
        Ok(Self { norm, eps, low, high })
    }

    /// How the ball measures.
    #[must_use]
    pub fn norm(&self) -> Norm {
        self.norm
    }

    /// The ball's radius ε.
    #[must_use]
    pub fn eps(&self) -> f32 {
        self.eps
    }

    /// The lowest and the highest valid value.
    #[must_use]
    pub fn range(&self) -> [f32; 2] {
        [self.low, self.high]
    }

    /// The same with another radius.
    ///
    /// # Errors
    ///
    /// As of [`new`](Self::new).
    pub fn with_eps(&self, eps: f32) -> Result<Self, RobustError> {
        Self::new(self.norm, eps, self.range())
    }

    /// Moves `input` into the ball around `clean` and into the valid range, in which `clean` lies.
    ///
    /// For L∞ and L1 that is the nearest point of both. For L2 it is the nearest point of the ball, cut to the range:
    /// since `clean` is valid, cutting makes no change larger.
    pub fn project(&self, clean: &[f32], input: &mut [f32]) {
        match self.norm {
            Norm::Linf => {
                for (value, &clean) in input.iter_mut().zip(clean) {
                    *value = value.clamp(clean - self.eps, clean + self.eps);
                }
            }
            Norm::L2 => {
                let length = self.norm.distance(input, clean);
                if length > f64::from(self.eps) {
                    let factor = (f64::from(self.eps) / length) as f32;
                    move_by(clean, input, |change| change * factor);
                }
            }
            Norm::L1 => {
                let limit = self.threshold(clean, input) as f32;
                move_by(clean, input, |change| change.signum() * (change.abs() - limit).max(0.0));
            }
        }
        for value in input {
            *value = value.clamp(self.low, self.high);
        }
    }

    /// What to take off the size of each change, so that the sizes, cut to the valid range, sum to ε; zero where they
    /// are not more.
    ///
    /// F. Croce, M. Hein: Mind the box: l1-APGD for sparse adversarial attacks on image classifiers, 2021, proposition
    /// 2.1. The sum falls with the limit along straight pieces, so that Newton's steps end on the right one; where they
    /// leave the bracket, it is halved.
    fn threshold(&self, clean: &[f32], input: &[f32]) -> f64 {
        let sizes: Vec<(f64, f64)> = (input.iter().zip(clean))
            .map(|(value, clean)| {
                let change = f64::from(*value) - f64::from(*clean);
                let room = if change > 0.0 { self.high - clean } else { clean - self.low };
                (change.abs(), f64::from(room))
            })
            .collect();
        let eps = f64::from(self.eps);
        // The sum at a limit, and how many sizes it grows by when the limit falls.
        let sum = |limit: f64| {
            sizes.iter().fold((0.0, 0u32), |(sum, count), &(size, room)| {
                let left = (size - limit).max(0.0);
                (sum + left.min(room), count + u32::from(left > 0.0 && left <= room))
            })
        };
        let (mut limit, mut low) = (0.0, 0.0);
        let mut high = sizes.iter().fold(0.0, |high: f64, (size, _)| high.max(*size));
        let (mut now, mut count) = sum(limit);
        if now <= eps || !high.is_finite() {
            return if high.is_finite() { 0.0 } else { f64::INFINITY };
        }
        if eps == 0.0 {
            return high;
        }
        for _ in 0..100 {
            if (now - eps).abs() <= eps * 1e-9 {
                break;
            }
            *(if now > eps { &mut low } else { &mut high }) = limit;
            let newton = limit + (now - eps) / f64::from(count);
            limit = if newton > low && newton < high { newton } else { f64::midpoint(low, high) };
            (now, count) = sum(limit);
        }
        limit
    }

    /// Whether `input` lies in the ball around `clean`, up to the rounding of its values, and in the valid range.
    #[must_use]
    pub fn holds(&self, clean: &[f32], input: &[f32]) -> bool {
        let largest = f64::from(self.low.abs().max(self.high.abs()).max(self.eps));
        let values = match self.norm {
            Norm::Linf => 1.0,
            Norm::L2 => (clean.len() as f64).sqrt(),
            Norm::L1 => clean.len() as f64,
        };
        let eps = f64::from(self.eps);
        let rounding =
            if self.eps == 0.0 { 0.0 } else { eps * 1e-6 + largest * f64::from(f32::EPSILON) * values };
        self.norm.distance(input, clean) <= eps + rounding
            && input.iter().all(|value| (self.low..=self.high).contains(value))
    }

    /// A random point of the ball around `clean`, cut to the valid range: uniform in the cube for L∞, and for the others a
    /// random direction and a random radius. (Of points uniform in a ball of many dimensions, almost all lie on its surface,
    /// from where short steps do not get across.)
    #[must_use]
    pub fn sample(&self, clean: &[f32], rng: &mut ChaCha8Rng) -> Vec<f32> {
        let mut change: Vec<f32> = match self.norm {
            Norm::Linf => clean.iter().map(|_| rng.random_range(-1.0..=1.0)).collect(),
            Norm::L2 => clean.iter().map(|_| normal(rng)).collect(),
            Norm::L1 => clean.iter().map(|_| laplace(rng)).collect(),
        };
        if self.norm != Norm::Linf {
            let length = self.norm.of(change.iter().copied()).max(f64::MIN_POSITIVE);
            let radius: f64 = rng.random();
            change.iter_mut().for_each(|value| *value *= (radius / length) as f32);
        }
        let mut input: Vec<f32> =
            clean.iter().zip(&change).map(|(clean, change)| clean + change * self.eps).collect();
        self.project(clean, &mut input);
        input
    }

    /// Whether every value of `inputs`, `features` to an example, is valid.
    pub(crate) fn check(&self, inputs: &[f32], features: usize) -> Result<(), RobustError> {
        check(inputs, features, [self.low, self.high])
    }
}

/// Whether every value of `inputs`, `features` to an example, lies in the range.
pub(crate) fn check(inputs: &[f32], features: usize, [low, high]: [f32; 2]) -> Result<(), RobustError> {
    match inputs.iter().position(|value| !(low..=high).contains(value)) {
        Some(at) => Err(RobustError::Invalid { example: at / features, value: inputs[at], low, high }),
        None => Ok(()),
    }
}

fn move_by(clean: &[f32], input: &mut [f32], change: impl Fn(f32) -> f32) {
    for (value, &clean) in input.iter_mut().zip(clean) {
        *value = clean + change(*value - clean);
    }
}

/// One draw of the standard normal distribution (Box and Muller).
pub(crate) fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let (radius, turn): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    ((-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * turn).cos()) as f32
}

/// One draw of the Laplace distribution of scale 1.
fn laplace(rng: &mut ChaCha8Rng) -> f32 {
    let size = -(1.0 - rng.random::<f64>()).ln();
    (if rng.random() { size } else { -size }) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn every_sample_and_projection_lies_in_the_ball_and_in_the_range() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let clean: Vec<f32> = (0..60).map(|i| (i % 11) as f32 / 10.0).collect();
        for norm in Norm::ALL {
            for eps in [0.0, 0.01, 0.3, 5.0] {
                let threat = Threat::new(norm, eps, [0.0, 1.0]).unwrap();
                for _ in 0..20 {
                    let far: Vec<f32> = clean.iter().map(|_| normal(&mut rng)).collect();
                    let mut near = far.clone();
                    threat.project(&clean, &mut near);
                    for input in [near, threat.sample(&clean, &mut rng)] {
                        let distance = norm.distance(&input, &clean);
                        assert!(threat.holds(&clean, &input), "{norm} {eps}: {distance}");
                        assert!(distance <= f64::from(eps) * (1.0 + 1e-6) + 60.0 * 6e-8);
                    }
                }
            }
        }
    }

    #[test]
    fn a_point_inside_stays_and_one_outside_comes_to_the_nearest() {
        let clean = [0.5f32; 3];
        for (norm, eps, outside, nearest) in [
            (Norm::Linf, 0.1, [0.9, 0.45, 0.5], [0.6, 0.45, 0.5]),
            (Norm::L2, 0.1, [0.5, 0.8, 0.9], [0.5, 0.56, 0.58]),
            // Sizes 0.4, 0.3 and 0.1 less 0.1 each are left with 0.5 in sum.
            (Norm::L1, 0.5, [0.9, 0.2, 0.6], [0.8, 0.3, 0.5]),
        ] {
            let threat = Threat::new(norm, eps, [0.0, 1.0]).unwrap();
            let mut input = outside;
            threat.project(&clean, &mut input);
            for (value, nearest) in input.iter().zip(nearest) {
                assert!((value - nearest).abs() < 1e-6, "{norm}: {input:?}");
            }
            let mut again = input;
            threat.project(&clean, &mut again);
            assert!(input.iter().zip(again).all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }

    #[test]
    fn what_the_range_takes_from_one_value_of_l1_goes_to_the_others() {
        let threat = Threat::new(Norm::L1, 0.5, [0.0, 1.0]).unwrap();
        let (clean, mut input) = ([0.9, 0.5, 0.5], [2.0, 1.1, 0.4]);
        threat.project(&clean, &mut input);
        // The first has room for 0.1; the second gets the other 0.4.
        for (value, nearest) in input.iter().zip([1.0, 0.9, 0.5]) {
            assert!((value - nearest).abs() < 1e-6, "{input:?}");
        }
    }

    #[test]
    fn no_ball_of_negative_radius_and_no_empty_range() {
        assert_eq!(Threat::new(Norm::L2, -0.1, [0.0, 1.0]), Err(RobustError::Radius(-0.1)));
        assert!(Threat::new(Norm::L2, f32::NAN, [0.0, 1.0]).is_err());
        assert!(Threat::new(Norm::L2, 0.1, [1.0, 1.0]).is_err());
    }
}
