//! One file of the safetensors format: the length of a header, the header as JSON, and the values of all tensors.
//!
//! Format: <https://github.com/huggingface/safetensors#format>. The library checks that the tensors cover the values
//! without gaps or overlaps, and that their shapes are as large as their bytes; here it is given the header alone, so
//! that no more than one tensor's bytes are in memory beside the result.

use std::io::{Read, SeekFrom};

use safetensors::tensor::Metadata;

use super::{HostTensor, Opened, Source, error::OpenProblem, values};

/// Bytes of a header, some 100 a tensor. JSON grows in memory: this much takes up to half a gigabyte while it is read.
const MAX_HEADER: u64 = 16 << 20;

/// The key of Crucible's own metadata, and what only that of a compressed network says.
const OWN_KEY: &str = "crucible";
const COMPRESSED: &str = "arithmetic";

/// Reads all tensors of a file.
pub(crate) fn read(mut source: impl Source) -> Result<Opened, OpenProblem> {
    let (start, header) = header(&mut source)?;
    if is_compressed(&header) {
        return Err(OpenProblem::Compressed);
    }
    let mut opened = Opened::default();
    for name in header.offset_keys() {
        let info = header.info(&name).expect("a key of the header");
        if !values::is_read(&name, info.dtype)? {
            opened.left_out.insert(name, format!("{:?}", info.dtype));
            continue;
        }
        let (from, to) = info.data_offsets;
        source.seek(SeekFrom::Start(start + from as u64))?;
        let mut bytes = vec![0; to - from];
        source.read_exact(&mut bytes)?;
        let values = values::floats(&name, info.dtype, &bytes)?;
        opened.state.insert(name, HostTensor { shape: info.shape.clone(), values });
    }
    Ok(opened)
}

/// Where the values begin, and what the header says of them, which agrees with the file's length.
fn header(source: &mut impl Source) -> Result<(u64, Metadata), OpenProblem> {
    let damaged = |problem: String| Err(OpenProblem::Damaged(problem));
    let file = source.measure()?;
    let Some(rest) = file.checked_sub(8) else {
        return damaged(format!("a safetensors file begins with 8 bytes, and {file} are there"));
    };
    let mut length = [0; 8];
    source.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > rest {
        return damaged(format!("its header would be {length} bytes long, and {rest} follow"));
    }
    if length > MAX_HEADER {
        return Err(OpenProblem::Refused(format!(
            "its header is {length} bytes long, and more than {MAX_HEADER} are not read"
        )));
    }
    let mut json = Vec::new();
    source.by_ref().take(length).read_to_end(&mut json)?;
    let header: Metadata = match serde_json::from_slice(&json) {
        Ok(header) => header,
        Err(error) => return damaged(format!("its header is not that of a safetensors file: {error}")),
    };
    let (told, there) = (header.data_len() as u64, rest - length);
    match told == there {
        true => Ok((8 + length, header)),
        false => damaged(format!("its tensors are {told} bytes long, and {there} are there")),
    }
}

fn is_compressed(header: &Metadata) -> bool {
    let own = header.metadata().as_ref().and_then(|metadata| metadata.get(OWN_KEY));
    let own = own.and_then(|own| serde_json::from_str::<serde_json::Value>(own).ok());
    own.is_some_and(|own| own.get(COMPRESSED).is_some())
}
