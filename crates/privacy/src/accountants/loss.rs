//! The distribution of the privacy loss, composed numerically.
//!
//! The loss of a step is the logarithm of the ratio of the densities of its outcome with and without an example; the loss
//! of many steps is the sum, whose distribution is a convolution, taken by fast Fourier transforms on a grid. Rounding a
//! step's loss to the grid and moving all of it by what that changes in the mean leaves independent errors of mean zero,
//! whose sum is small but for a probability that is known (Hoeffding): hence bounds from both sides.
//!
//! S. Gopi, Y. T. Lee, L. Wutschitz: Numerical composition of differential privacy, 2021 (arXiv:2106.02848).

use rustfft::{FftPlanner, num_complex::Complex};

use super::{
    normal::cdf,
    renyi::{divergence_of, orders, rdp},
};
use crate::{Phase, PrivacyError, phase::check_delta};

/// Between what ε lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// ε is at least this.
    pub lower: f64,
    /// ε is at most this: what may be promised.
    pub upper: f64,
}

/// Share of ε that the grid's rounding may change it by.
const PRECISION: f64 = 2e-3;

/// Share of δ that may be lost to what is cut off or rounded too far.
const LOST: f64 = 1e-3;

/// Points of the largest grid.
const LARGEST: usize = 1 << 22;

/// ε of all phases together for `delta`: bounds that lie within about half a percent of each other, but for the most
/// extreme settings.
///
/// Arithmetic in `f64` limits it: below a `delta` of about 1e-10 the upper bound becomes that by Rényi divergences.
///
/// # Errors
///
/// Where `delta` is no probability between 0 and 1.
pub fn pld(phases: &[Phase], delta: f64) -> Result<Bounds, PrivacyError> {
    check_delta(delta)?;
    let most = rdp(phases, delta)?;
    let phases: Vec<Phase> = phases.iter().copied().filter(|phase| phase.steps() > 0).collect();
    if phases.is_empty() || most == 0.0 {
        return Ok(Bounds { lower: 0.0, upper: 0.0 });
    }
    // A first look at how large it is tells how fine the grid must be.
    let first = both(&phases, delta, 0.02 * most);
    let bounds = both(&phases, delta, PRECISION * first.upper.min(most).max(1e-3 * most));
    Ok(Bounds { lower: bounds.lower.max(0.0), upper: bounds.upper.min(most).max(0.0) })
}

/// The larger of what adding and removing an example cost.
fn both(phases: &[Phase], delta: f64, error: f64) -> Bounds {
    let grid = Grid::new(phases, delta, error);
    let [a, b] = [Change::Remove, Change::Add].map(|change| grid.bounds(phases, change, delta));
    Bounds { lower: a.lower.max(b.lower), upper: a.upper.max(b.upper) }
}

/// What is told from what: the outcomes are those of the first.
#[derive(Clone, Copy)]
enum Change {
    /// With the example, from without it.
    Remove,
    /// Without the example, from with it.
    Add,
}

impl Change {
    /// The probabilities that a step's loss is at most `y`, and that it is more.
    fn shares(self, phase: &Phase, y: f64) -> [f64; 2] {
        let (noise, rate) = (phase.noise(), phase.rate());
        match self {
            Self::Remove => {
                let z = phase.place_of(y);
                [1.0, -1.0]
                    .map(|sign| (1.0 - rate) * cdf(sign * z / noise) + rate * cdf(sign * (z - 1.0) / noise))
            }
            Self::Add => {
                let z = phase.place_of(-y);
                [cdf(-z / noise), cdf(z / noise)]
            }
        }
    }

    /// The mean of a step's loss, by the trapezoidal rule.
    fn mean(self, phase: &Phase) -> f64 {
        let (noise, rate) = (phase.noise(), phase.rate());
        let step = (noise / 16.0).min(noise * noise / 4.0);
        let (first, last) = (-12.0 * noise, 1.0 + 12.0 * noise);
        let density = |z: f64| (-0.5 * (z / noise).powi(2)).exp();
        let terms = (0..=((last - first) / step).ceil() as usize).map(|i| {
            let z = first + i as f64 * step;
            match self {
                Self::Remove => ((1.0 - rate) * density(z) + rate * density(z - 1.0)) * phase.log_ratio(z),
                Self::Add => -density(z) * phase.log_ratio(z),
            }
        });
        terms.sum::<f64>() * step / (noise * (2.0 * std::f64::consts::PI).sqrt())
    }

    /// Between which losses all but a share of less than 1e-300 lie.
    fn range(self, phase: &Phase) -> [f64; 2] {
        let far = 38.0 * phase.noise();
        let [low, high] = [-far, 1.0 + far].map(|z| phase.log_ratio(z));
        match self {
            Self::Remove => [low, high],
            Self::Add => [-high, -low],
        }
    }
}

/// Points `index · step`, a circle of them: the second half stands for negative losses.
struct Grid {
    step: f64,
    points: usize,
    /// By how much the sum of all steps' losses may be wrong.
    error: f64,
    /// The probability that it is more, or that a loss lies beyond the grid.
    lost: f64,
}

impl Grid {
    fn new(phases: &[Phase], delta: f64, error: f64) -> Self {
        let lost = LOST * delta;
        let steps: f64 = phases.iter().map(|phase| phase.steps() as f64).sum();
        // No step's loss and no sum of them is larger, but for half of what may be lost; nor smaller.
        let each = (lost / (8.0 * (steps + 1.0))).ln();
        let reach = orders().map(|order| divergence_of(phases, order) - each / (order - 1.0));
        let reach = reach.fold(f64::INFINITY, f64::min) + error;
        // How many steps of the grid the sum may be off.
        let off = steps.min((0.5 * steps * (4.0 / lost).ln()).sqrt());
        let points = (2.0 * reach * off / error).max(64.0);
        let points = if points > LARGEST as f64 { LARGEST } else { (points as usize).next_power_of_two() };
        let step = (error / off).max(2.0 * reach / points as f64);
        Self { step, points, error: step * off, lost }
    }

    fn bounds(&self, phases: &[Phase], change: Change, delta: f64) -> Bounds {
        let (masses, shift) = self.compose(phases, change);
        Bounds {
            lower: self.epsilon(&masses, shift, delta + self.lost) - self.error,
            upper: self.epsilon(&masses, shift, delta - self.lost) + self.error,
        }
    }

    /// The loss of all steps, and by how much it has to be moved.
    fn compose(&self, phases: &[Phase], change: Change) -> (Vec<f64>, f64) {
        let mut planner = FftPlanner::new();
        let forward = planner.plan_fft_forward(self.points);
        let mut product: Option<Vec<Complex<f64>>> = None;
        let mut shift = 0.0;
        for phase in phases {
            let (masses, moved) = self.discretize(phase, change);
            shift += phase.steps() as f64 * moved;
            let mut values: Vec<_> = masses.into_iter().map(|mass| Complex::new(mass, 0.0)).collect();
            forward.process(&mut values);
            for value in &mut values {
                *value = power(*value, phase.steps());
            }
            product = Some(match product {
                None => values,
                Some(before) => before.iter().zip(&values).map(|(a, b)| a * b).collect(),
            });
        }
        let mut values = product.unwrap_or_default();
        planner.plan_fft_inverse(self.points).process(&mut values);
        let scale = 1.0 / self.points as f64;
        (values.iter().map(|value| (value.re * scale).max(0.0)).collect(), shift)
    }

    /// A step's loss on the grid, and by how much it has to be moved to keep its mean.
    fn discretize(&self, phase: &Phase, change: Change) -> (Vec<f64>, f64) {
        let mut masses = vec![0.0; self.points];
        let half = (self.points / 2) as f64;
        let [low, high] =
            change.range(phase).map(|loss| (loss / self.step).round().clamp(1.0 - half, half - 1.0));
        let (mut sum, mut mean) = (0.0, 0.0);
        let mut before = change.shares(phase, (low - 0.5) * self.step);
        for index in low as i64..=high as i64 {
            let after = change.shares(phase, (index as f64 + 0.5) * self.step);
            // Whichever has more digits.
            let mass = if after[0] < 0.5 { after[0] - before[0] } else { before[1] - after[1] };
            let mass = mass.max(0.0);
            masses[index.rem_euclid(self.points as i64) as usize] = mass;
            (sum, mean) = (sum + mass, mean + mass * index as f64);
            before = after;
        }
        masses.iter_mut().for_each(|mass| *mass /= sum);
        (masses, change.mean(phase) - mean / sum * self.step)
    }

    /// The least ε for which the loss's distribution gives at most `delta`.
    fn epsilon(&self, masses: &[f64], shift: f64, delta: f64) -> f64 {
        if delta <= 0.0 {
            return f64::INFINITY;
        }
        let half = self.points / 2;
        let down = (-self.step).exp();
        // Above the point under consideration: the mass, and the mass times e to the distance.
        let (mut above, mut weighted) = (0.0, 0.0);
        let order = (0..self.points).rev().map(|i| (i + half) % self.points);
        for index in order {
            let signed = if index < half { index as f64 } else { index as f64 - self.points as f64 };
            if above - weighted > delta {
                // Between this point and the last.
                return signed * self.step + shift + ((above - delta) / weighted).ln();
            }
            (above, weighted) = (above + masses[index], (weighted + masses[index]) * down);
        }
        f64::NEG_INFINITY
    }
}

/// `value` to the power of `exponent`.
fn power(value: Complex<f64>, exponent: u64) -> Complex<f64> {
    let (mut result, mut base, mut rest) = (Complex::new(1.0, 0.0), value, exponent);
    while rest > 0 {
        if rest & 1 == 1 {
            result *= base;
        }
        base *= base;
        rest >>= 1;
    }
    result
}
