//! A fully connected layer that reads one vector of each example.

use burn::module::ParamId;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use crucible_kernels::{row_norms, transposed_products};

use super::part::{Part, squared};

/// The weight `[out, in]`, by the layer's input `[n, in]` and the gradient of its output `[n, out]`: an example's
/// gradient is their outer product, as long as the product of their lengths (Goodfellow 2015, arXiv:1510.01799).
pub(super) struct Outer {
    pub(super) id: ParamId,
    pub(super) input: Tensor<2>,
    pub(super) slope: Tensor<2>,
}

impl Part for Outer {
    fn squares(&self) -> Vec<f64> {
        let [inputs, slopes] = [&self.input, &self.slope].map(|rows| squared(row_norms(rows.clone())));
        inputs.into_iter().zip(slopes).map(|(input, slope)| input * slope).collect()
    }

    fn add_up(self: Box<Self>, factors: Tensor<1>, gradients: &mut GradientsParams) {
        let scaled = self.slope * factors.unsqueeze_dim(1);
        let sum = transposed_products(scaled.unsqueeze(), self.input.unsqueeze());
        gradients.register::<2>(self.id, sum.squeeze_dim(0));
    }
}
