use crate::{
    ExportError,
    site::{Held, Site},
    tensor,
};

/// `MaxPool` or `AveragePool` over windows of `size` by `size` that do not overlap.
pub(super) fn write(site: &mut Site<'_>, operator: &str, size: usize) -> Result<Held, ExportError> {
    let value = site.read(0)?;
    let settings = vec![tensor::ints("kernel_shape", &[size; 2]), tensor::ints("strides", &[size; 2])];
    Ok(Held { name: site.main(operator, &[&value], settings), shape: site.node().shape.clone() })
}
