//! PyTorch's format: a zip archive with a pickle, which says what the tensors are called and where they lie in storages,
//! and one entry for each storage.
//!
//! Format: `torch/serialization.py` and `torch/_utils.py` of PyTorch.

mod archive;
mod machine;
mod pickle;
mod select;
mod stack;
mod view;

use std::collections::BTreeMap;

use archive::{Archive, PICKLE};
use pickle::{Pickle, Storage};
use view::View;

use super::{HostTensor, Opened, Source, error::OpenProblem, values};

/// Bytes of a pickle, some 200 a tensor.
const MAX_PICKLE: u64 = 64 << 20;

/// How often each value of the storages may be read, on average: tied weights are read twice, while a hostile file could
/// name a storage of gigabytes a thousand times.
const MAX_SHARING: u64 = 8;
/// Values that may be read however small the storages: a few expanded views are no attack.
const ALWAYS_READ: u64 = 1 << 20;

/// Reads the state dict of a file.
pub(crate) fn read(source: impl Source) -> Result<Opened, OpenProblem> {
    let mut archive = Archive::open(source)?;
    if archive.length(PICKLE) > Some(MAX_PICKLE) {
        return Err(OpenProblem::Refused(format!("its pickle is longer than {MAX_PICKLE} bytes")));
    }
    if archive.length("byteorder").is_some() && archive.read("byteorder")? != b"little" {
        return Err(OpenProblem::Refused(
            "its values are not in little-endian order; saved on another machine, they would be".to_owned(),
        ));
    }
    let bytes = archive.read(PICKLE)?;
    let pickle = machine::run(&bytes)?;
    let (tensors, mut left_out) = select::state_dict(&pickle)?;

    let mut by_storage: BTreeMap<usize, Vec<(&str, &View)>> = BTreeMap::new();
    for (name, view) in tensors {
        let storage = &pickle.storages[view.storage];
        match values::is_read(name, storage.dtype)? {
            true => by_storage.entry(view.storage).or_default().push((name, view)),
            false => _ = left_out.insert(name.to_owned(), format!("{:?}", storage.dtype)),
        }
    }
    check_sharing(&pickle, &by_storage)?;
    let mut opened = Opened { left_out, ..Opened::default() };
    for (index, views) in by_storage {
        read_storage(&mut archive, &pickle.storages[index], &views, &mut opened)?;
    }
    Ok(opened)
}

/// Bounds what the views of all storages together will take.
fn check_sharing(
    pickle: &Pickle<'_>,
    by_storage: &BTreeMap<usize, Vec<(&str, &View)>>,
) -> Result<(), OpenProblem> {
    let (mut wanted, mut there) = (0u64, 0u64);
    for (index, views) in by_storage {
        let length = pickle.storages[*index].length;
        there = there.saturating_add(length);
        for (_, view) in views {
            wanted = wanted.saturating_add(view.check(length)?);
        }
    }
    match wanted > there.saturating_mul(MAX_SHARING).max(ALWAYS_READ) {
        true => Err(OpenProblem::Refused(format!(
            "its tensors have {wanted} values, but their storages only {there}: views that repeat values so often are not \
             read; `tensor.clone()` makes them whole before they are saved"
        ))),
        false => Ok(()),
    }
}

/// Reads one storage, and all tensors that are views of it.
fn read_storage(
    archive: &mut Archive<impl Source>,
    storage: &Storage<'_>,
    views: &[(&str, &View)],
    opened: &mut Opened,
) -> Result<(), OpenProblem> {
    let entry = format!("data/{}", storage.key);
    let size = storage.dtype.bitsize() / 8;
    let length = archive.length(&entry);
    if length != storage.length.checked_mul(size as u64) {
        let there = length.map_or("no bytes".to_owned(), |length| format!("{length} bytes"));
        return Err(OpenProblem::Damaged(format!(
            "its pickle says that storage `{}` has {} values of {size} bytes, and {there} are there",
            storage.key, storage.length
        )));
    }
    let bytes = archive.read(&entry)?;
    for (name, view) in views {
        let count = view.check(storage.length)?;
        let shape = view.shape.iter().map(|&size| size as usize).collect();
        let range = if count == 0 { 0..0 } else { view.span() };
        let values = values::floats(name, storage.dtype, &bytes[range.start * size..range.end * size])?;
        let values = match count == 0 || view.is_contiguous() {
            true => values,
            false => view.gather(&values, count),
        };
        opened.state.insert((*name).to_owned(), HostTensor { shape, values });
    }
    Ok(())
}
