use crucible_models::layers::BatchNorm;

use crate::{
    ExportError,
    site::{Held, Site},
    tensor,
};

/// Batch normalization by running statistics.
pub(super) fn write(site: &mut Site<'_>, layer: &BatchNorm) -> Result<Held, ExportError> {
    let held = site.held(0);
    let shape = &site.node().inputs[0].shape;
    // Pictures stay pictures: a reshape would keep the normalization from being folded into a convolution.
    let (value, shape) = match held.shape.first() == shape.first() {
        true => (held.name, held.shape),
        false => (site.read(0)?, shape.clone()),
    };
    let weight = site.parameter("weight", layer.weight.val())?;
    let bias = site.parameter("bias", layer.bias.val())?;
    let mean = site.parameter("running_mean", layer.running_mean.value_sync())?;
    let var = site.parameter("running_var", layer.running_var.value_sync())?;
    let settings = vec![tensor::float("epsilon", BatchNorm::EPSILON as f32)];
    let name = site.main("BatchNormalization", &[&value, &weight, &bias, &mean, &var], settings);
    Ok(Held { name, shape })
}
