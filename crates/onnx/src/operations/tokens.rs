use crate::{
    ExportError,
    site::{Held, Site},
    tensor,
};

/// The pixels of a picture as a sequence: `[batch, channels, height, width]` to `[batch, height · width, channels]`.
pub(super) fn write(site: &mut Site<'_>) -> Result<Held, ExportError> {
    let value = site.read(0)?;
    let [channels, height, width] = [0, 1, 2].map(|axis| site.node().inputs[0].shape[axis]);
    let pixels = site.reshape(&value, &[channels, height * width])?;
    let name = site.main("Transpose", &[&pixels], vec![tensor::ints("perm", &[0, 2, 1])]);
    Ok(Held { name, shape: vec![height * width, channels] })
}

/// The mean over a sequence: `[batch, tokens, features]` to `[batch, features]`.
pub(super) fn write_mean(site: &mut Site<'_>) -> Result<Held, ExportError> {
    let value = site.read(0)?;
    let axes = site.constant("axes", tensor::int64(&[1]))?;
    let name = site.main("ReduceMean", &[&value, &axes], vec![tensor::int("keepdims", 0)]);
    Ok(Held { name, shape: site.node().shape.clone() })
}
