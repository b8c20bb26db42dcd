//! Robust accuracy over the radius of the ball.

use crucible_measure::Proportion;
use rand_chacha::ChaCha8Rng;

use crate::{AttackConfig, Batch, RobustError, Threat, Victim, Warning, found::standing};

/// What an attack leaves of a model's accuracy at one radius.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The radius ε.
    pub eps: f32,
    /// Whether each example is fooled within it.
    pub fooled: Vec<bool>,
    /// Examples that passed forward through the model for this radius alone.
    pub forwards: u64,
    /// Examples that passed backward.
    pub backwards: u64,
    /// What makes the result worth less than it seems.
    pub warnings: Vec<Warning>,
}

impl Point {
    /// Share of examples that the model still gets right.
    #[must_use]
    pub fn robust(&self) -> Proportion {
        standing(&self.fooled)
    }
}

/// Runs one attack at each radius of `eps`, from the smallest up, and returns them in that order. What fools the model within
/// one radius does so within every larger one, so that only the other examples are attacked there: the curve never rises.
///
/// A universal attack, whose change belongs to the whole batch, runs on all of it each time.
///
/// # Errors
///
/// As of [`AttackConfig::run`], and for an impossible radius.
///
/// # Panics
///
/// As [`AttackConfig::run`].
pub fn curve(
    config: &AttackConfig,
    victim: Victim<'_>,
    batch: Batch<'_>,
    threat: &Threat,
    eps: &[f32],
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Point>, RobustError> {
    let mut threats = eps.iter().map(|eps| threat.with_eps(*eps)).collect::<Result<Vec<_>, _>>()?;
    threats.sort_by(|a, b| a.eps().total_cmp(&b.eps()));
    let mut fooled = vec![false; batch.len()];
    let mut points = Vec::with_capacity(threats.len());
    for threat in threats {
        let shared = config.attack().shared();
        let open: Vec<usize> = (0..batch.len()).filter(|&index| shared || !fooled[index]).collect();
        let (inputs, labels) = batch.select(&open);
        let part = Batch { inputs: &inputs, labels: &labels, ..batch };
        let result = config.run(victim, part, &threat, rng)?;
        open.iter().zip(&result.fooled).for_each(|(&index, now)| fooled[index] = *now);
        points.push(Point {
            eps: threat.eps(),
            fooled: fooled.clone(),
            forwards: result.forwards,
            backwards: result.backwards,
            warnings: result.warnings,
        });
    }
    Ok(points)
}

/// Of each class's examples, the share that the model still gets right.
///
/// # Panics
///
/// If a label is not below `classes`.
#[must_use]
pub fn by_class(fooled: &[bool], labels: &[u32], classes: usize) -> Vec<Proportion> {
    let mut shares = vec![Proportion { successes: 0, trials: 0 }; classes];
    for (fooled, label) in fooled.iter().zip(labels) {
        let share = &mut shares[*label as usize];
        share.trials += 1;
        share.successes += u64::from(!fooled);
    }
    shares
}
