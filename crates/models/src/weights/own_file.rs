use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::{HostTensor, State, WeightsError};

/// A state as the bytes of a safetensors file; the same state gives the same bytes.
#[must_use]
pub fn to_safetensors(state: &State, metadata: Option<(&str, String)>) -> Vec<u8> {
    let bytes: Vec<(&String, &HostTensor, Vec<u8>)> = state
        .iter()
        .map(|(name, tensor)| (name, tensor, tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let views = bytes.iter().map(|(name, tensor, bytes)| {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes);
        (name.as_str(), view.expect("as many bytes as the shape has values"))
    });
    // One key only: the library writes metadata in the order of a hash map.
    let metadata = metadata.map(|(key, value)| [(key.to_owned(), value)].into());
    safetensors::serialize(views, metadata).expect("valid views make a valid file")
}

/// The tensors of a safetensors file, and its metadata under `key`.
///
/// # Errors
///
/// Where the bytes are not a whole safetensors file of `f32` tensors.
pub fn from_safetensors(bytes: &[u8], key: &str) -> Result<(State, Option<String>), WeightsError> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let metadata = header.metadata().as_ref().and_then(|map| map.get(key).cloned());
    let file = SafeTensors::deserialize(bytes)?;
    let state = file.iter().map(|(name, view)| {
        if view.dtype() != Dtype::F32 {
            return Err(WeightsError::Type { name: name.to_owned(), dtype: view.dtype() });
        }
        let values =
            view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        Ok((name.to_owned(), HostTensor { shape: view.shape().to_vec(), values }))
    });
    Ok((state.collect::<Result<_, _>>()?, metadata))
}
