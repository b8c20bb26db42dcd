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

impl HostTensor {
    /// The tensor cut along its first axis into parts of the same size.
    pub(crate) fn parts(&self, count: usize) -> impl Iterator<Item = Self> {
        let shape = [&[self.shape[0] / count], &self.shape[1..]].concat();
        let parts = self.values.chunks_exact(self.values.len() / count);
        parts.map(move |values| Self { shape: shape.clone(), values: values.to_vec() })
    }
}
