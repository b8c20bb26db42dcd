use std::collections::BTreeMap;

/// A named set of tensors on the host, in the order of their names.
pub type State = BTreeMap<String, HostTensor>;

/// A tensor of `f32` on the host, row-major.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HostTensor {
    /// The size of each axis.
    pub shape: Vec<usize>,
    /// The values.
    pub values: Vec<f32>,
}
