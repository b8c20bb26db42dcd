//! What the two sides make small, one file each, and the one list that names them.

mod hinge;
mod least_squares;
mod non_saturating;
mod wasserstein;

use burn::tensor::Tensor;

pub use hinge::Hinge;
pub use least_squares::LeastSquares;
pub use non_saturating::NonSaturating;
pub use wasserstein::Wasserstein;

/// What discriminator and generator make small, of scores `[batch, 1]` that are high for pictures that look real.
pub trait Contest: Sync {
    /// The discriminator's loss over real and generated pictures; a scalar.
    fn discriminator(&self, real: Tensor<2>, fake: Tensor<2>) -> Tensor<1>;

    /// The generator's loss over its pictures; a scalar.
    fn generator(&self, fake: Tensor<2>) -> Tensor<1>;

    /// The score between real and generated; none where scores have no zero.
    fn boundary(&self) -> Option<f64>;
}

crate::registry! {
    /// The recipe's `[gan.objective]` table.
    pub enum ObjectiveConfig: Contest by objective;
    /// The discriminator's probability that a picture is real, by its logarithm; the generator's in the form that does not saturate (Goodfellow et al. 2014).
    NonSaturating = "non-saturating",
    /// Squared distance of scores from 1 and from 0 (Mao et al. 2017).
    LeastSquares = "least-squares",
    /// Scores beyond 1 and −1 are good enough (Lim and Ye 2017).
    Hinge = "hinge",
    /// The difference of mean scores, for a discriminator that a penalty or clipping keeps smooth (Arjovsky et al. 2017).
    Wasserstein = "wasserstein",
}

impl Default for ObjectiveConfig {
    fn default() -> Self {
        Self::NonSaturating(NonSaturating {})
    }
}
