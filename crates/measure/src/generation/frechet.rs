use crate::linear::{dot, scatter, semidefinite_factor, singular_values, squared_distance};
use crate::rows::Rows;

/// Mean and covariance of features, which the Fréchet distance compares.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    mean: Vec<f64>,
    /// U `[rank, features]` of the covariance UᵀU.
    factor: Vec<f64>,
}

impl Gaussian {
    /// Takes the mean and the unbiased covariance of `features` `[examples, features]`. There may be fewer examples than
    /// features: the distance is then between what is known, and far too large for what is not; compare sets of one size
    /// alone, for the distance falls as they grow.
    ///
    /// Takes some examples · features² operations. `None` of fewer than two examples, or where a value is not finite.
    pub fn fit(features: Rows<'_>) -> Option<Self> {
        let (width, count) = (features.width(), features.len());
        if count < 2 {
            return None;
        }
        let mut mean = vec![0.0; width];
        features.iter().for_each(|row| mean.iter_mut().zip(row).for_each(|(sum, x)| *sum += x));
        mean.iter_mut().for_each(|sum| *sum /= count as f64);
        let mut covariance = scatter(features, &mean);
        covariance.iter_mut().for_each(|sum| *sum /= (count - 1) as f64);
        Some(Self { mean, factor: semidefinite_factor(&covariance, width)? })
    }

    /// The squared Fréchet distance, |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½), which is called FID where the features are
    /// those of Inception; 0 between a set and itself.
    ///
    /// With Σ = UᵀU, the trace of (Σ₁Σ₂)^½ is the sum of the singular values of U₁U₂ᵀ, which need no square root of a
    /// matrix and nothing squared. Takes some features³ operations. `None` where these do not come to an end.
    ///
    /// Source: M. Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium",
    /// NeurIPS 2017; D. Dowson, B. Landau, "The Fréchet distance between multivariate normal distributions" (1982).
    ///
    /// # Panics
    ///
    /// If the other is of another number of features.
    pub fn frechet_distance(&self, other: &Self) -> Option<f64> {
        let width = self.mean.len();
        assert_eq!(width, other.mean.len(), "the same features");
        let rows = |gaussian: &Self| gaussian.factor.len() / width;
        let (own, others) = (self.factor.chunks_exact(width), other.factor.chunks_exact(width));
        let products = own.flat_map(|a| others.clone().map(move |b| dot(a, b))).collect();
        let shared: f64 = singular_values(products, rows(self), rows(other))?.iter().sum();
        let apart = squared_distance(&self.mean, &other.mean);
        let spread = dot(&self.factor, &self.factor) + dot(&other.factor, &other.factor);
        Some((apart + spread - 2.0 * shared).max(0.0))
    }
}
