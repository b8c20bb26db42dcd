//! An adapter beside a fully connected layer whose own weight is frozen.

use burn::tensor::Tensor;
use crucible_models::layers::Adapter;

use super::{part::Part, tokens::of_tokens};

/// The thin matrices, by what they read `[n, t, in]` and the gradient of the layer's output `[n, t, out]`: both are layers
/// at each token, the first with the gradient that the second passes on.
pub(super) fn of_adapter(adapter: &Adapter, input: &Tensor<3>, slope: &Tensor<3>) -> Vec<Box<dyn Part>> {
    let [count, tokens, inputs] = input.dims();
    let rows = input.clone().reshape([count * tokens, inputs]);
    let mut parts = Vec::new();
    for part in &adapter.parts {
        let (down, up) = (part.down.val().inner(), part.up.val().inner());
        let [outputs, rank] = up.dims();
        let slope = slope.clone().narrow(2, part.part() * outputs, outputs) * adapter.config().scale();
        let thin = rows.clone().matmul(down.transpose()).reshape([count, tokens, rank]);
        let passed = slope.clone().reshape([count * tokens, outputs]).matmul(up);
        parts.push(of_tokens(part.up.id, thin, slope));
        parts.push(of_tokens(part.down.id, input.clone(), passed.reshape([count, tokens, rank])));
    }
    parts
}
