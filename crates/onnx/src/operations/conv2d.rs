use crucible_models::{
    Activation,
    layers::{Conv2d, Conv2dConfig},
};

use super::activation;
use crate::{
    ExportError,
    site::{Held, Site},
    tensor,
};

/// A convolution, and its activation.
pub(super) fn write(
    site: &mut Site<'_>,
    layer: &Conv2d,
    activation: Activation,
) -> Result<Held, ExportError> {
    let Conv2dConfig { kernel, stride, padding, dilation, groups, .. } = *layer.config();
    let value = site.read(0)?;
    let weight = site.weight(layer.weight.val())?;
    let bias = site.bias(layer.bias.val())?;
    let [above, left] = padding;
    let settings = vec![
        tensor::ints("dilations", &dilation),
        tensor::int("group", groups),
        tensor::ints("kernel_shape", &kernel),
        tensor::ints("pads", &[above, left, above, left]),
        tensor::ints("strides", &stride),
    ];
    let result = site.main("Conv", &[&value, &weight, &bias], settings);
    let name = activation::after(site, result, activation)?;
    Ok(Held { name, shape: site.node().shape.clone() })
}
