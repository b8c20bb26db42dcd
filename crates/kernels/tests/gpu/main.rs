//! Every operation on a GPU against the same call on the CPU, output and gradients.
//!
//! There an operation is made of Burn's, here of fused code: this finds one that was not given to the GPU, that Burn
//! cannot run there, or that means something else there. `.ci/nightly` runs it on a GPU in software.

mod layers;
mod pictures;
mod sequences;
mod training;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use burn::tensor::{Device, DeviceKind, DeviceType, Gradients, Tensor, TensorData};

/// What an operation found, each tensor by its name.
type Found = Vec<(&'static str, Read)>;

/// A tensor's shape and values. Read at once: the bytes that CubeCL 0.11 hands out were seen to change with a later
/// reading of another tensor.
struct Read {
    shape: Vec<usize>,
    values: Vec<f64>,
}

fn read<const D: usize>(tensor: Tensor<D>) -> Read {
    let shape = tensor.dims().to_vec();
    Read { shape, values: tensor.into_data().iter().collect() }
}

/// The default of most: sums in another order, and other approximations of `exp` and its like.
const CLOSE: f64 = 1e-5;

static GPU: LazyLock<Device> = LazyLock::new(|| {
    let found = Device::enumerate(DeviceType::Wgpu);
    assert!(found.iter().next().is_some(), "no GPU; for one in software, see `.ci/nightly`");
    let device = Device::wgpu(DeviceKind::DefaultDevice);
    println!("on {}", device.identity().expect("a device of its own").name);
    device
});

/// `run` on the GPU finds what it finds on the CPU, to `tolerance` times the largest value of each tensor.
fn compare(case: &str, tolerance: f64, run: impl Fn(&Device) -> Found) {
    let (expected, actual) = (run(&Device::flex().autodiff()), run(&GPU.clone().autodiff()));
    assert!(!expected.is_empty() && expected.len() == actual.len(), "{case}");
    for ((name, expected), (_, actual)) in expected.into_iter().zip(actual) {
        assert_eq!(actual.shape, expected.shape, "{case}: {name}");
        let error = error(&actual.values, &expected.values);
        println!("{case}: {name} {error:.1e}");
        assert!(error <= tolerance, "{case}: {name} is off by {error:.1e}");
    }
}

/// The largest difference, relative to the largest expected value; NaN where there is a NaN.
fn error(actual: &[f64], expected: &[f64]) -> f64 {
    let size = expected.iter().fold(0.0, |size: f64, value| size.max(value.abs()));
    assert!(size > 0.0 && expected.iter().all(|value| value.is_finite()), "nothing to compare with");
    let differences = actual.iter().zip(expected).map(|(actual, expected)| (actual - expected).abs());
    differences.fold(0.0, |most, difference| if difference <= most { most } else { difference }) / size
}

/// Values between −2 and 2 without a pattern that a kernel could profit from.
fn wave<const D: usize>(shape: [usize; D], phase: f32, device: &Device) -> Tensor<D> {
    let values: Vec<f32> =
        (0..shape.iter().product()).map(|i| (i as f32 * 0.7 + phase).sin() * 2.0).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Where a gradient may arrive.
trait Leaf {
    fn gradient(&self, gradients: &Gradients) -> Read;
}

impl<const D: usize> Leaf for Tensor<D> {
    fn gradient(&self, gradients: &Gradients) -> Read {
        read(self.grad(gradients).expect("a gradient"))
    }
}

/// An output, and what arrives at `leaves` where each of its elements has another weight.
fn outcome<const D: usize>(output: Tensor<D>, leaves: &[(&'static str, &dyn Leaf)]) -> Found {
    // Not around zero, so that sums of them do not cancel.
    let weights = wave(output.dims(), 3.0, &output.device()) + 0.5;
    let gradients = (output.clone() * weights).sum().backward();
    let arrived = leaves.iter().map(|(name, leaf)| (*name, leaf.gradient(&gradients)));
    [("output", read(output))].into_iter().chain(arrived).collect()
}

/// The words of a Rust file.
fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').collect()
}

#[test]
fn no_operation_is_left_out() {
    let exported = include_str!("../../src/lib.rs").lines().filter_map(|line| line.strip_prefix("pub use "));
    let names = exported.filter_map(|line| line.split_once("::")).flat_map(|(_, names)| words(names));
    let functions: BTreeSet<&str> = names.filter(|name| name.starts_with(char::is_lowercase)).collect();
    assert!(functions.len() > 15, "{functions:?}");
    let here = [
        include_str!("layers.rs"),
        include_str!("pictures.rs"),
        include_str!("sequences.rs"),
        include_str!("training.rs"),
    ];
    let called: BTreeSet<&str> =
        here.into_iter().flat_map(|text| text.split('(')).flat_map(last_word).collect();
    let missing: Vec<_> = functions.difference(&called).collect();
    assert!(missing.is_empty(), "not compared on a GPU: {missing:?}");
}

fn last_word(text: &str) -> Option<&str> {
    text.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next()
}
