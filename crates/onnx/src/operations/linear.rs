use crucible_models::{Activation, layers::Linear};

use super::activation;
use crate::{
    ExportError,
    site::{Held, Site},
    tensor,
};

/// A fully connected layer, and its activation.
///
/// Tokens are rows like any others: between two reshapes, which cost nothing, they are one matrix product with its
/// bias. ONNX Runtime computes that in integers as a whole; of a `MatMul` and an `Add`, only the first.
pub(super) fn write(
    site: &mut Site<'_>,
    layer: &Linear,
    activation: Activation,
) -> Result<Held, ExportError> {
    let node = site.node();
    let rows = site.read(0)?;
    let [_, inputs] = node.inputs[0].shape[..] else {
        let result = product(site, layer, &rows)?;
        let name = activation::after(site, result, activation)?;
        return Ok(Held { name, shape: node.shape.clone() });
    };
    let rows = site.reshape_to(&rows, &[-1, inputs as i64])?;
    let result = product(site, layer, &rows)?;
    let result = activation::after(site, result, activation)?;
    let sides: Vec<i64> = std::iter::once(-1).chain(node.shape.iter().map(|&side| side as i64)).collect();
    Ok(Held { name: site.reshape_to(&result, &sides)?, shape: node.shape.clone() })
}

/// The layer's result for rows `[rows, in]`.
fn product(site: &mut Site<'_>, layer: &Linear, rows: &str) -> Result<String, ExportError> {
    let weight = site.matrix(layer.weight.val())?;
    let bias = site.bias(layer.bias.val())?;
    let settings = vec![tensor::int("transB", usize::from(!weight.transposed))];
    if !weight.transposed {
        return Ok(site.main("Gemm", &[rows, &weight.name, &bias], settings));
    }
    // With its bias, ONNX Runtime would join it to a ReLU behind it, and multiply by four bits no more.
    let product = site.main("Gemm", &[rows, &weight.name], settings);
    Ok(site.step("Add", &[&product, &bias], Vec::new()))
}
