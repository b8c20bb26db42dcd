//! Tensors of Burn's CPU backend as slices, and back.

use burn::tensor::{DType, Shape};
use burn_flex::{FlexTensor, Layout};

/// Row-major and the whole of its storage; the tensor itself where it is that already, so that what nobody else holds
/// can be written over.
pub(crate) fn contiguous(tensor: FlexTensor) -> FlexTensor {
    let whole = tensor.is_contiguous() && tensor.storage::<f32>().len() == tensor.layout().num_elements();
    if whole { tensor } else { tensor.to_contiguous() }
}

/// The values of a [`contiguous`] tensor.
pub(crate) fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("made contiguous before")
}

/// `values` as a tensor.
pub(crate) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    let layout = Layout::contiguous(shape.into());
    debug_assert_eq!(layout.num_elements(), values.len());
    FlexTensor::new(burn::tensor::Bytes::from_elems(values), layout, DType::F32)
}

/// Room for an output that is written whole.
pub(crate) fn buffer(length: usize) -> Vec<f32> {
    vec![0.0; length]
}
