use crate::{
    ExportError,
    site::{Held, Site},
};

/// The sum of two values.
pub(super) fn write(site: &mut Site<'_>) -> Result<Held, ExportError> {
    let (left, right) = (site.read(0)?, site.read(1)?);
    Ok(Held { name: site.main("Add", &[&left, &right], Vec::new()), shape: site.node().shape.clone() })
}
