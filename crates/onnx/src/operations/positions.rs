use crucible_models::layers::Positions;

use crate::{
    ExportError,
    site::{Held, Site},
};

/// Learned positions, added to every sequence of the batch.
pub(super) fn write(site: &mut Site<'_>, layer: &Positions) -> Result<Held, ExportError> {
    let value = site.read(0)?;
    let weight = site.parameter("weight", layer.weight.val())?;
    Ok(Held { name: site.main("Add", &[&value, &weight], Vec::new()), shape: site.node().shape.clone() })
}
