use crucible_models::layers::LayerNorm;

use crate::{
    ExportError,
    site::{Held, Site},
    tensor,
};

/// Layer normalization over the last axis.
pub(super) fn write(site: &mut Site<'_>, layer: &LayerNorm) -> Result<Held, ExportError> {
    let value = site.read(0)?;
    let weight = site.parameter("weight", layer.weight.val())?;
    let bias = site.parameter("bias", layer.bias.val())?;
    let settings = vec![tensor::axis(-1), tensor::float("epsilon", layer.epsilon() as f32)];
    let name = site.main("LayerNormalization", &[&value, &weight, &bias], settings);
    Ok(Held { name, shape: site.node().shape.clone() })
}
