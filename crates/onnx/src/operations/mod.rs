//! Crucible's operations in ONNX's operators, one file each.
//!
//! A function here reads with [`Site::read`], adds one operator with [`Site::main`] and what it needs besides with
//! [`Site::step`], and returns the value that it made.

mod activation;
mod add;
mod attention;
mod batch_norm;
mod conv2d;
mod layer_norm;
mod linear;
mod pool2d;
mod positions;
mod tokens;

use crucible_models::Operation;

use crate::{
    ExportError,
    site::{Held, Site},
};

/// Writes the node that a site stands at, and returns what it gives.
pub(crate) fn write(site: &mut Site<'_>) -> Result<Held, ExportError> {
    let node = site.node();
    match &node.operation {
        Operation::Linear(layer, activation) => linear::write(site, layer, *activation),
        Operation::Conv2d(layer, activation) => conv2d::write(site, layer, *activation),
        Operation::BatchNorm(layer) => batch_norm::write(site, layer),
        Operation::LayerNorm(layer) => layer_norm::write(site, layer),
        Operation::SelfAttention(layer) => attention::write(site, layer),
        Operation::Positions(layer) => positions::write(site, layer),
        Operation::MaxPool2d(layer) => pool2d::write(site, "MaxPool", layer.size()),
        Operation::AvgPool2d(layer) => pool2d::write(site, "AveragePool", layer.size()),
        Operation::Activation(activation) => activation::write(site, *activation),
        Operation::Add => add::write(site),
        Operation::Tokens => tokens::write(site),
        Operation::MeanTokens => tokens::write_mean(site),
        operation => {
            Err(ExportError::Unsupported { node: node.name.clone(), operation: format!("{operation:?}") })
        }
    }
}
