//! Initial weights, drawn on the host so that the same seed gives the same bytes on every device.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// PyTorch's default for linear and convolution layers, weights and biases alike: uniform over `±1/√fan_in`.
pub(crate) fn uniform_fan_in<const D: usize>(
    shape: [usize; D],
    fan_in: usize,
    rng: &mut ChaCha8Rng,
    device: &Device,
) -> Param<Tensor<D>> {
    uniform(shape, 1.0 / (fan_in.max(1) as f32).sqrt(), rng, device)
}

/// Uniform over `±bound`.
pub(crate) fn uniform<const D: usize>(
    shape: [usize; D],
    bound: f32,
    rng: &mut ChaCha8Rng,
    device: &Device,
) -> Param<Tensor<D>> {
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|_| rng.random_range(-bound..=bound)).collect();
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
}
