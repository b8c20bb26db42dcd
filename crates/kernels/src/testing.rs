//! What the tests of several operations share.

use burn::tensor::{Device, Tensor, TensorData, Tolerance};

/// Values between −2 and 2 without a pattern that a kernel could profit from.
pub(crate) fn wave<const D: usize>(shape: [usize; D], phase: f32, device: &Device) -> Tensor<D> {
    let values: Vec<f32> =
        (0..shape.iter().product()).map(|i| (i as f32 * 0.7 + phase).sin() * 2.0).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("float32")
}

/// Close to each other: relatively, and near zero absolutely.
pub(crate) fn assert_close<const D: usize>(actual: Tensor<D>, expected: Tensor<D>, tolerance: f64) {
    let tolerance = Tolerance::<f32>::rel_abs(tolerance, tolerance);
    actual.into_data().assert_approx_eq(&expected.into_data(), tolerance);
}

/// The largest difference, relative to the largest of the exact values.
pub(crate) fn error(actual: &[f32], exact: &[f64]) -> f64 {
    assert_eq!(actual.len(), exact.len());
    let size = exact.iter().fold(f64::MIN_POSITIVE, |size, x| size.max(x.abs()));
    let differences = actual.iter().zip(exact).map(|(actual, exact)| (f64::from(*actual) - exact).abs());
    differences.fold(0.0, f64::max) / size
}

/// The bytes that `f` returns are the same on one thread and on two.
pub(crate) fn assert_same_on_threads(f: impl Fn() -> Vec<Vec<f32>> + Sync) {
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        pool.install(&f).into_iter().map(bits).collect::<Vec<_>>()
    };
    assert!(on(1) == on(2), "other bytes on two threads than on one");
}
