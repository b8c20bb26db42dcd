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

/// Normal with mean 0 and this standard deviation, by the method of Box and Muller.
pub(crate) fn normal<const D: usize>(
    shape: [usize; D],
    deviation: f64,
    rng: &mut ChaCha8Rng,
    device: &Device,
) -> Param<Tensor<D>> {
    let count: usize = shape.iter().product();
    let draw = |_| {
        // Above 0, so that its logarithm is finite.
        let (radius, angle) = (1.0 - rng.random::<f64>(), std::f64::consts::TAU * rng.random::<f64>());
        (deviation * (-2.0 * radius.ln()).sqrt() * angle.cos()) as f32
    };
    let values: Vec<f32> = (0..count).map(draw).collect();
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_normal_draw_has_its_moments_and_its_tails() {
        let weight = normal([100, 200], 0.02, &mut ChaCha8Rng::seed_from_u64(1), &Device::flex());
        let values = weight.val().into_data().try_to_vec::<f32>().unwrap();
        let count = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
        let deviation = (values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / count).sqrt();
        assert!(mean.abs() < 4.0 * 0.02 / count.sqrt(), "{mean}");
        assert!((deviation / 0.02 - 1.0).abs() < 0.02, "{deviation}");
        let beyond = values.iter().filter(|v| v.abs() > 0.02 * 1.96).count() as f64 / count;
        assert!((0.045..0.055).contains(&beyond), "{beyond}");
    }
}
