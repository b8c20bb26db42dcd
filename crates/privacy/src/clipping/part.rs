//! The gradients of one parameter by all examples, in any form that has their norms and their weighted sum.

use burn::module::ParamId;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use crucible_kernels::{row_norms, transposed_products};

use super::{register, values};

pub(super) trait Part {
    /// The squares of the norms, by example.
    fn squares(&self) -> Vec<f64>;

    /// Registers the sum with these factors `[n]`.
    fn add_up(self: Box<Self>, factors: Tensor<1>, gradients: &mut GradientsParams);
}

/// The gradients themselves, `[n, values]`.
pub(super) struct Rows {
    pub(super) id: ParamId,
    pub(super) shape: Vec<usize>,
    pub(super) rows: Tensor<2>,
}

impl Part for Rows {
    fn squares(&self) -> Vec<f64> {
        squared(row_norms(self.rows.clone()))
    }

    fn add_up(self: Box<Self>, factors: Tensor<1>, gradients: &mut GradientsParams) {
        let ([count], [_, length]) = (factors.dims(), self.rows.dims());
        let sum = transposed_products(factors.reshape([1, count, 1]), self.rows.reshape([1, count, length]));
        register(gradients, self.id, &self.shape, sum.reshape([length]));
    }
}

/// The squares of norms, in float64.
pub(super) fn squared(norms: Tensor<1>) -> Vec<f64> {
    values(norms).into_iter().map(|norm| f64::from(norm).powi(2)).collect()
}

/// How the gradients of a weight that many positions of an example share are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Computed, and kept for the sum.
    Keep,
    /// Norms from products of positions among each other, and then the sum.
    Ghost,
    /// Computed for their norms some examples at a time, and then the sum.
    Again,
}

/// What costs the fewest multiply-adds of those that fit in the memory that the layer's input and output take.
///
/// By example: `weights` is how many values a gradient has, `kept` how many input and output have, `product` the cost of
/// a gradient, and `pairs` that of the products of all pairs of positions.
pub(super) fn way(weights: usize, kept: usize, product: usize, pairs: usize) -> Way {
    if weights <= kept {
        Way::Keep
    } else if pairs <= product {
        Way::Ghost
    } else {
        Way::Again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_way_that_fits_is_taken() {
        // 28x28 pictures of 32 channels by 3x3 to 64: as many weights as half of the pixels.
        assert_eq!(way(18_432, 58_496, 576 * 18_432, 576 * 576 * 352), Way::Keep);
        // 4x4 pixels of 256 channels by 3x3 to 256.
        assert_eq!(way(589_824, 8192, 16 * 589_824, 256 * 2560), Way::Ghost);
        // The same of 24x24 pixels.
        assert_eq!(way(589_824, 294_912, 576 * 589_824, 576 * 576 * 2560), Way::Again);
    }
}
