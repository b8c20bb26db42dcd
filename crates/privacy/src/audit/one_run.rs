//! Auditing by a single run of training with many canaries, each of which was trained on by the toss of a coin.
//!
//! T. Steinke, M. Nasr, M. Jagielski: Privacy auditing with one (1) training run, 2023 (arXiv:2305.08846), appendix D.

use super::{check_confidence, check_slack};
use crate::PrivacyError;

/// Guesses about which canaries a model was trained on, and how many were right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guesses {
    canaries: u64,
    made: u64,
    right: u64,
}

impl Guesses {
    /// Of `canaries` examples, each trained on with a probability of one half independently of the others, guesses about
    /// `made` of them, of which `right` were right. About the other canaries nothing was guessed.
    ///
    /// # Errors
    ///
    /// Where there are more guesses than canaries, or more right ones than guesses.
    pub fn new(canaries: u64, made: u64, right: u64) -> Result<Self, PrivacyError> {
        if right <= made && made <= canaries {
            Ok(Self { canaries, made, right })
        } else {
            Err(PrivacyError::Guesses { canaries, made, right })
        }
    }

    /// Guesses that the `made / 2` canaries of the highest `scores` were `members` and as many of the lowest were not.
    ///
    /// # Errors
    ///
    /// Where `made` is odd or more than the canaries, or a score is NaN.
    ///
    /// # Panics
    ///
    /// If there is not one member for each score.
    pub fn by_rank(scores: &[f64], members: &[bool], made: usize) -> Result<Self, PrivacyError> {
        assert_eq!(scores.len(), members.len(), "one membership for each canary's score");
        if made % 2 == 1 || made > scores.len() {
            return Err(PrivacyError::Sides { canaries: scores.len(), made });
        }
        if let Some(canary) = scores.iter().position(|score| score.is_nan()) {
            return Err(PrivacyError::Unranked(canary));
        }
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let (high, low) = (&order[..made / 2], &order[order.len() - made / 2..]);
        let right = high.iter().filter(|canary| members[**canary]).count()
            + low.iter().filter(|canary| !members[**canary]).count();
        Self::new(scores.len() as u64, made as u64, right as u64)
    }

    /// How many canaries there were.
    #[must_use]
    pub fn canaries(&self) -> u64 {
        self.canaries
    }

    /// How many guesses were made.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.made
    }

    /// How many guesses were right.
    #[must_use]
    pub fn right(&self) -> u64 {
        self.right
    }
}

/// The largest ε found that training with (ε, δ)-differential privacy, for this `delta`, is ruled out for with
/// `confidence`: 0 where none is.
///
/// # Errors
///
/// Where `delta` is not at least 0 and below 1, or `confidence` is not between 0 and 1.
pub fn one_run(guesses: Guesses, delta: f64, confidence: f64) -> Result<f64, PrivacyError> {
    check_slack(delta)?;
    check_confidence(confidence)?;
    let log_choose = log_choose(guesses.made);
    let ruled_out = |epsilon| chance(guesses, &log_choose, epsilon, delta) < 1.0 - confidence;
    let (mut low, mut high) = (0.0, 1.0);
    while ruled_out(high) {
        (low, high) = (high, high + 1.0);
    }
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        match ruled_out(middle) {
            true => low = middle,
            false => high = middle,
        }
    }
    Ok(low)
}

/// The probability, at most, of so many right guesses where training has (ε, δ)-differential privacy.
///
/// # Errors
///
/// Where `epsilon` is not a finite number of at least 0, or `delta` not at least 0 and below 1.
pub fn p_value(guesses: Guesses, epsilon: f64, delta: f64) -> Result<f64, PrivacyError> {
    check_slack(delta)?;
    if !(epsilon >= 0.0 && epsilon.is_finite()) {
        return Err(PrivacyError::Audited(epsilon));
    }
    Ok(chance(guesses, &log_choose(guesses.made), epsilon, delta))
}

fn chance(guesses: Guesses, log_choose: &[f64], epsilon: f64, delta: f64) -> f64 {
    let Guesses { canaries, made, right } = guesses;
    // A guess is right as often as randomised response tells the truth.
    let log_wrong = -epsilon - (-epsilon).exp().ln_1p();
    let log_right = -(-epsilon).exp().ln_1p();
    let mass = |k: u64| (log_choose[k as usize] + k as f64 * log_right + (made - k) as f64 * log_wrong).exp();
    let as_many: f64 = (right..=made).map(mass).sum();
    // What δ adds: of all i, the most that the probability of up to i fewer makes of each.
    let (mut most, mut fewer) = (0.0f64, 0.0);
    for i in 1..=right {
        fewer += mass(right - i);
        most = most.max(fewer / i as f64);
    }
    (as_many + most * delta * 2.0 * canaries as f64).min(1.0)
}

/// `[trials + 1]`: the logarithm of the number of ways to choose so many of `trials`.
fn log_choose(trials: u64) -> Vec<f64> {
    let steps = (0..trials).scan(0.0, |sum, k| {
        *sum += ((trials - k) as f64 / (k + 1) as f64).ln();
        Some(*sum)
    });
    std::iter::once(0.0).chain(steps).collect()
}
