use safetensors::{Dtype, SafeTensors};

use crate::weights::{HostTensor, State, WeightsError};

/// The `f32` tensors of a safetensors file; those of integers, which are no weights, are left out.
///
/// # Errors
///
/// Where the bytes are not a whole safetensors file, or tensors are of other floats.
pub fn read_tensors(bytes: &[u8]) -> Result<State, WeightsError> {
    let file = SafeTensors::deserialize(bytes)?;
    let floats = file.iter().filter(|(_, view)| !is_integer(view.dtype()));
    let state = floats.map(|(name, view)| {
        if view.dtype() != Dtype::F32 {
            return Err(WeightsError::Type { name: name.to_owned(), dtype: view.dtype() });
        }
        let (values, _) = view.data().as_chunks::<4>();
        let values = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Ok((name.to_owned(), HostTensor { shape: view.shape().to_vec(), values }))
    });
    state.collect()
}

fn is_integer(dtype: Dtype) -> bool {
    use Dtype::{BOOL, I8, I16, I32, I64, U8, U16, U32, U64};
    matches!(dtype, BOOL | I8 | I16 | I32 | I64 | U8 | U16 | U32 | U64)
}
