//! Where a value that is not finite first stands.

use burn::tensor::Tensor;
use crucible_models::{Observe, Tap, Tapped, weights::State};

/// The first parameter with a value that is not finite.
pub(crate) fn bad_parameter(weights: &State) -> Option<&str> {
    weights
        .iter()
        .find(|(_, tensor)| tensor.values.iter().any(|v| !v.is_finite()))
        .map(|(name, _)| name.as_str())
}

/// Says where in the forward pass of `input` the first value that is not finite appears.
pub(crate) fn locate(network: &impl Tapped, weights: &State, input: Tensor<2>) -> String {
    if !finite(input.clone()) {
        return "the input itself holds a value that is not finite".to_owned();
    }
    locate_in(weights, |tap| drop(network.forward(input, tap)))
}

/// The same of any forward pass.
pub(crate) fn locate_in(weights: &State, forward: impl FnOnce(&mut dyn Tap)) -> String {
    let mut first = None;
    let mut tap = Observe(|site: &crucible_models::Site<'_>, output| {
        if first.is_none() && !finite(output) {
            first = Some(format!("the output of layer `{}` ({})", site.name, site.kind));
        }
    });
    forward(&mut tap);
    let place = first.unwrap_or_else(|| "the loss".to_owned());
    match bad_parameter(weights) {
        Some(name) => format!("{place} is not finite, nor is the parameter `{name}`"),
        None => format!("{place} is not finite"),
    }
}

fn finite(tensor: Tensor<2>) -> bool {
    // Zero times anything finite is zero; NaN and infinity survive as NaN.
    tensor.mul_scalar(0.0).sum().into_scalar::<f32>() == 0.0
}
