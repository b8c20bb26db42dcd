//! A fully connected layer at each token of a sequence.

use burn::module::ParamId;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use crucible_kernels::transposed_products;

use super::{
    part::{Part, Rows, Way, way},
    values,
};

/// The weight `[out, in]`, by the layer's input `[n, t, in]` and the gradient of its output `[n, t, out]`.
pub(super) fn of_tokens(id: ParamId, input: Tensor<3>, slope: Tensor<3>) -> Box<dyn Part> {
    let ([count, tokens, inputs], [_, _, outputs]) = (input.dims(), slope.dims());
    let (weights, kept) = (outputs * inputs, tokens * (inputs + outputs));
    match way(weights, kept, tokens * weights, tokens * kept) {
        Way::Keep => {
            let rows = transposed_products(slope, input).reshape([count, weights]);
            Box::new(Rows { id, shape: vec![outputs, inputs], rows })
        }
        // Where a gradient does not fit, it costs more than the pairs.
        Way::Ghost | Way::Again => Box::new(Ghost { id, input, slope }),
    }
}

/// `‖Σ gₜ aₜᵀ‖² = Σ (aₛ·aₜ)(gₛ·gₜ)`.
struct Ghost {
    id: ParamId,
    input: Tensor<3>,
    slope: Tensor<3>,
}

impl Part for Ghost {
    fn squares(&self) -> Vec<f64> {
        paired(self.input.clone(), self.slope.clone())
    }

    fn add_up(self: Box<Self>, factors: Tensor<1>, gradients: &mut GradientsParams) {
        let ([count, tokens, inputs], [_, _, outputs]) = (self.input.dims(), self.slope.dims());
        let scaled = (self.slope * factors.reshape([count, 1, 1])).reshape([1, count * tokens, outputs]);
        let sum = transposed_products(scaled, self.input.reshape([1, count * tokens, inputs]));
        gradients.register::<2>(self.id, sum.squeeze_dim(0));
    }
}

/// `Σ (aₛ·aₜ)(gₛ·gₜ)` over all pairs of rows of each example: `[n, t, i]` and `[n, t, j]` to `[n]`. Rounding can make a
/// sum that cancels to nearly nothing negative, hence at least 0.
pub(super) fn paired(a: Tensor<3>, g: Tensor<3>) -> Vec<f64> {
    let [_, rows, _] = a.dims();
    let gram = |x: Tensor<3>| values(transposed_products(x.clone().swap_dims(1, 2), x.swap_dims(1, 2)));
    let (a, g) = (gram(a), gram(g));
    let pairs = rows * rows;
    let sum = |(a, g): (&[f32], &[f32])| -> f64 {
        a.iter().zip(g).map(|(a, g)| f64::from(*a) * f64::from(*g)).sum()
    };
    a.chunks_exact(pairs).zip(g.chunks_exact(pairs)).map(sum).map(|square| square.max(0.0)).collect()
}
