use crucible_models::Activation;

use crate::{
    ExportError,
    proto::AttributeProto,
    quantize::quantize,
    site::{Held, Site},
    tensor,
};

/// The slope of leaky ReLU below zero.
const LEAK: f32 = 0.01;

/// An activation by itself: each value for itself, whatever the shape.
pub(super) fn write(site: &mut Site<'_>, activation: Activation) -> Result<Held, ExportError> {
    let held = site.held(0);
    let name = match operator(activation) {
        Some((operator, settings)) => site.main(operator, &[&held.name], settings),
        None => {
            let gate = site.step("Sigmoid", &[&held.name], Vec::new());
            site.main("Mul", &[&held.name, &gate], Vec::new())
        }
    };
    Ok(Held { name, ..held })
}

/// The activation after a layer's result, before which the result may be held in `u8`.
pub(super) fn after(
    site: &mut Site<'_>,
    result: String,
    activation: Activation,
) -> Result<String, ExportError> {
    let result = match site.quantization.before.get(&site.index) {
        Some(affine) => quantize(site.builder, &format!("{}/before", site.node().name), &result, *affine)?,
        None => result,
    };
    Ok(match operator(activation) {
        Some(("Identity", _)) => result,
        Some((operator, settings)) => site.step(operator, &[&result], settings),
        None => {
            let gate = site.step("Sigmoid", &[&result], Vec::new());
            site.step("Mul", &[&result, &gate], Vec::new())
        }
    })
}

/// ONNX's operator and its settings; `None` for SiLU, which is two.
fn operator(activation: Activation) -> Option<(&'static str, Vec<AttributeProto>)> {
    Some(match activation {
        Activation::Identity => ("Identity", Vec::new()),
        Activation::Relu => ("Relu", Vec::new()),
        Activation::LeakyRelu => ("LeakyRelu", vec![tensor::float("alpha", LEAK)]),
        // The exact one, unless told otherwise.
        Activation::Gelu => ("Gelu", Vec::new()),
        Activation::Silu => return None,
        Activation::Sigmoid => ("Sigmoid", Vec::new()),
        Activation::Tanh => ("Tanh", Vec::new()),
    })
}
