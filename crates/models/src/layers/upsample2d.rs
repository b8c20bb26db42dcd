use burn::tensor::{
    Tensor,
    module::interpolate,
    ops::{InterpolateMode, InterpolateOptions},
};

/// Pictures made larger by repeating pixels: PyTorch's `interpolate` with `mode="nearest"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upsample2d {
    name: String,
    size: [usize; 2],
}

impl Upsample2d {
    /// To pictures `size` high and wide.
    #[must_use]
    pub fn new(name: &str, size: [usize; 2]) -> Self {
        Self { name: name.to_owned(), size }
    }

    /// The name of this site, such as `upsample1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `[batch, channels, height, width]` to `[batch, channels, height', width']`.
    #[must_use]
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        interpolate(input, InterpolateOptions::new(InterpolateMode::Nearest).with_output_size(self.size))
    }
}
