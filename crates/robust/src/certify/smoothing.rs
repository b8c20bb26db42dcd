//! Randomised smoothing: a classifier made certain by asking it about many noisy copies.

use crucible_measure::{argmax, clopper_pearson_lower, normal_quantile};
use crucible_models::Classifier;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Certificate, Subject, Verdict};
use crate::{Batch, Norm, RobustError, Threat, threat::normal};

/// The smoothed classifier's settings: the class that the model gives most often under Gaussian noise.
///
/// J. Cohen, E. Rosenfeld, Z. Kolter: Certified adversarial robustness via randomized smoothing, 2019.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Smoothing {
    /// Standard deviation σ of the noise, in the inputs' units.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub sigma: f64,
    /// Noisy copies that choose the class.
    #[schemars(range(min = 1))]
    pub select: u32,
    /// Noisy copies that bound its probability.
    #[schemars(range(min = 1))]
    pub estimate: u32,
    /// The chance α that a certificate is wrong.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub alpha: f64,
}

impl Default for Smoothing {
    fn default() -> Self {
        Self { sigma: 0.25, select: 100, estimate: 1000, alpha: 0.001 }
    }
}

impl Certificate for Smoothing {
    fn reads_layers(&self) -> bool {
        false
    }

    fn norm(&self) -> Norm {
        Norm::L2
    }

    fn check(&self) -> Result<(), RobustError> {
        let wrong = |name, value, needed| Err(RobustError::Setting { name, value, needed });
        if !(self.sigma.is_finite() && self.sigma > 0.0) {
            return wrong("sigma", self.sigma, "a positive number");
        }
        if self.select == 0 || self.estimate == 0 {
            return wrong(if self.select == 0 { "select" } else { "estimate" }, 0.0, "at least 1");
        }
        if !(self.alpha > 0.0 && self.alpha < 1.0) {
            return wrong("alpha", self.alpha, "between 0 and 1");
        }
        Ok(())
    }

    fn run(
        &self,
        subject: Subject<'_>,
        batch: Batch<'_>,
        threat: &Threat,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<Verdict>, RobustError> {
        let verdict = |(index, label): (usize, &u32)| {
            let Smoothed { class, radius } = self.certify(subject.model, batch.input(index), rng);
            Verdict { class, certain: class == Some(*label) && radius >= f64::from(threat.eps()) }
        };
        Ok(batch.labels.iter().enumerate().map(verdict).collect())
    }
}

/// What the smoothed classifier says of an input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Smoothed {
    /// Its class, or none where it abstains.
    pub class: Option<u32>,
    /// The radius in L2 within which the class cannot change, with confidence 1 − α; 0 where it abstains.
    pub radius: f64,
}

impl Smoothing {
    /// The class and the certified radius of one input: algorithm CERTIFY of the paper.
    #[must_use]
    pub fn certify(&self, model: &dyn Classifier, input: &[f32], rng: &mut ChaCha8Rng) -> Smoothed {
        let first = self.count(model, input, self.select, rng);
        let best = argmax(&first);
        let hits = self.count(model, input, self.estimate, rng)[best];
        let probability = clopper_pearson_lower(hits, u64::from(self.estimate), self.alpha);
        match probability > 0.5 {
            true => Smoothed { class: Some(best as u32), radius: self.sigma * normal_quantile(probability) },
            false => Smoothed { class: None, radius: 0.0 },
        }
    }

    /// How often each class is answered to `copies` noisy copies.
    fn count(&self, model: &dyn Classifier, input: &[f32], copies: u32, rng: &mut ChaCha8Rng) -> Vec<u64> {
        let mut counts = vec![0; model.classes()];
        let mut left = copies as usize;
        while left > 0 {
            let batch = left.min(256);
            left -= batch;
            let noisy: Vec<f32> = (0..batch)
                .flat_map(|_| input.iter())
                .map(|value| value + self.sigma as f32 * normal(rng))
                .collect();
            for logits in model.logits(&noisy).chunks_exact(model.classes()) {
                counts[argmax(logits)] += 1;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// All hits: p is the n-th root of α; the radii are those of the paper's formula.
    #[test]
    fn all_hits_give_the_published_radii() {
        for (trials, radius) in [(1_000, 2.463), (10_000, 3.199), (100_000, 3.811)] {
            let p = clopper_pearson_lower(trials, trials, 0.001);
            assert!((p - 0.001f64.powf(1.0 / trials as f64)).abs() < 1e-12);
            assert!((normal_quantile(p) - radius).abs() < 5e-4, "{trials}: {}", normal_quantile(p));
        }
    }

    /// `scipy.stats.beta.ppf(alpha, k, n - k + 1)`.
    #[test]
    fn the_bound_is_the_quantile_of_the_beta_distribution() {
        for (successes, trials, alpha, bound) in [
            (1, 10, 0.05, 0.005_116_196_891_823_701),
            (7, 10, 0.05, 0.393_375_783_894_587_66),
            (990, 1000, 0.001, 0.976_036_187_155_311_4),
        ] {
            let found = clopper_pearson_lower(successes, trials, alpha);
            assert!((found - bound).abs() < 1e-9, "{successes} of {trials}: {found}");
        }
        assert_eq!(clopper_pearson_lower(0, 10, 0.05), 0.0);
    }

    /// The sign of the first value.
    struct Sign;

    impl Classifier for Sign {
        fn features(&self) -> usize {
            2
        }

        fn classes(&self) -> usize {
            2
        }

        fn logits(&self, inputs: &[f32]) -> Vec<f32> {
            inputs.chunks_exact(2).flat_map(|x| [0.0, x[0]]).collect()
        }
    }

    /// The smoothed half-plane's true radius is the distance to its edge, and no certificate may exceed it.
    #[test]
    fn a_half_plane_is_certified_up_to_its_edge() {
        let smoothing = Smoothing { sigma: 0.5, estimate: 10_000, ..Smoothing::default() };
        for x in [-0.8f32, 0.3, 0.6] {
            let found = smoothing.certify(&Sign, &[x, 7.0], &mut ChaCha8Rng::seed_from_u64(1));
            assert_eq!(found.class, Some(u32::from(x > 0.0)));
            assert!(
                found.radius <= f64::from(x.abs()) && found.radius > 0.8 * f64::from(x.abs()),
                "{found:?}"
            );
        }
        let edge = smoothing.certify(&Sign, &[0.0, 1.0], &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(edge, Smoothed { class: None, radius: 0.0 });
    }
}
