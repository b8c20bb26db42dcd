//! Generators and discriminators beside PyTorch's, and what can be computed of them.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData, Tolerance};
use crucible_models::{
    Discriminates, Discriminator, DiscriminatorConfig, Generates, GeneratorConfig, ModelError, NoTap,
    Tangent, Training,
    discriminators::{self, Gaze, Normalization},
    generators::{self, Drawing, Upsampling},
    layers::{GanLinear, Reparametrized},
    weights::{self, State},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

fn golden(key: &str) -> Value {
    let text = include_str!("golden/gan.json");
    serde_json::from_str::<Value>(text).unwrap()[key].clone()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn wave(count: usize, phase: f64) -> Vec<f32> {
    (0..count).map(|i| (0.7 * i as f64 + phase).sin() as f32).collect()
}

fn tensor<const D: usize>(shape: [usize; D], phase: f64, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(wave(shape.iter().product(), phase), shape), device)
}

fn classes(of: &[i32], device: &Device) -> Option<Tensor<2, Int>> {
    Some(Tensor::from_data(TensorData::new(of.to_vec(), [of.len(), 1]), device))
}

/// Weights by the formula of `golden/gan.py`.
fn filled<M: Module>(network: M) -> M {
    let mut state: State = weights::collect(&network);
    for (place, (name, tensor)) in state.iter_mut().enumerate() {
        let size = tensor.values.len();
        let mut values: Vec<f32> = wave(size, place as f64).iter().map(|value| 0.3 * value).collect();
        if name.ends_with("running_var") || (name.contains("bn") && name.ends_with("weight")) {
            values.iter_mut().for_each(|value| *value += 1.0);
        } else if name.ends_with(".u") || name.ends_with(".v") {
            let norm = values.iter().map(|value| value * value).sum::<f32>().sqrt();
            values.iter_mut().for_each(|value| *value /= norm);
        }
        tensor.values = values;
    }
    weights::assign(network, &state).unwrap()
}

fn assert_close(actual: Tensor<2>, expected: &[f32]) {
    let shape = actual.dims();
    let expected = TensorData::new(expected.to_vec(), shape);
    actual.into_data().assert_approx_eq(&expected, Tolerance::<f32>::rel_abs(1e-4, 2e-5));
}

#[test]
fn generators_make_what_pytorch_makes() {
    let device = Device::flex();
    let drawing = Drawing { channels: 2, size: 9, latent: 5, classes: Some(3) };
    for (key, upsampling) in [("transposed", Upsampling::Transposed), ("nearest", Upsampling::Nearest)] {
        let config = generators::DcganConfig { channels: 6, embedding: 4, upsampling };
        let network = filled(GeneratorConfig::Dcgan(config).init(drawing, &mut rng(), &device).unwrap());
        let pictures =
            network.forward(tensor([3, 5], 0.5, &device), classes(&[2, 0, 1], &device), &mut NoTap);
        assert_close(pictures, &numbers(&golden(key)));
    }
}

fn discriminator(normalization: Normalization, device: &Device) -> Discriminator {
    let config = discriminators::DcganConfig { channels: 5, normalization };
    let gaze = Gaze { channels: 1, size: 8, classes: Some(3) };
    DiscriminatorConfig::Dcgan(config).init(gaze, &mut rng(), device).unwrap()
}

#[test]
fn discriminators_judge_as_pytorch_does() {
    let device = Device::flex();
    let network = filled(discriminator(Normalization::Spectral, &device));
    let scores = network.forward(tensor([4, 64], 0.2, &device), classes(&[0, 2, 1, 1], &device), &mut NoTap);
    assert_close(scores, &numbers(&golden("discriminator")));
}

#[test]
fn spectral_norm_is_measured_and_differentiated_as_in_pytorch() {
    let device = Device::flex();
    let options = Reparametrized { deviation: None, bias: false, spectral: true };
    let layer = GanLinear::new("fc", [6, 4], options, &mut rng(), &device);
    let mut state = weights::collect(&layer);
    state.get_mut("weight").unwrap().values = wave(24, 1.0);
    let u = wave(4, 2.0);
    let norm = u.iter().map(|value| value * value).sum::<f32>().sqrt();
    state.get_mut("spectral.u").unwrap().values = u.iter().map(|value| value / norm).collect();
    let layer = weights::assign(layer, &state).unwrap().train();
    let device = device.autodiff();
    let mut last = None;
    for _ in 0..3 {
        let y = layer.forward(tensor([2, 6], 3.0, &device), true);
        last = Some((y.clone(), (y * tensor([2, 4], 4.0, &device)).sum().backward()));
    }
    let (output, gradients) = last.unwrap();
    let expected = golden("power_iteration");
    assert_close(output.inner(), &numbers(&expected["output"]));
    assert_close(layer.weight.val().grad(&gradients).unwrap(), &numbers(&expected["gradient"]));
    // The state is what a checkpoint keeps, and evaluation goes on from it.
    let kept = weights::collect(&layer.valid());
    assert_ne!(kept["spectral.u"], state["spectral.u"]);
}

#[test]
fn a_direction_is_carried_as_the_gradient_says() {
    let device = Device::flex();
    let gaze = Gaze { channels: 1, size: 8, classes: Some(3) };
    let residual =
        DiscriminatorConfig::Residual(discriminators::ResidualConfig { channels: 4, spectral: true });
    let residual = residual.init(gaze, &mut rng(), &device).unwrap();
    let networks = [
        discriminator(Normalization::Spectral, &device),
        discriminator(Normalization::None, &device),
        filled(discriminator(Normalization::Batch, &device)),
        residual,
    ];
    for network in networks {
        let (x, v) = (tensor([3, 64], 0.2, &device), tensor([3, 64], 1.2, &device));
        let plain = network.forward(x.clone(), classes(&[0, 2, 1], &device), &mut NoTap);
        let both = Tensor::cat(vec![x.clone(), v.clone()], 0);
        let both = network.forward(both, classes(&[0, 2, 1, 0, 2, 1], &device), &mut Tangent);
        let values: Vec<f32> = both.into_data().try_to_vec().unwrap();
        assert_close(plain, &values[..3]);
        let leaf = Tensor::from_inner(x).require_grad();
        let tracked = network.clone().train();
        let scores =
            tracked.forward(leaf.clone(), classes(&[0, 2, 1], &device.clone().autodiff()), &mut NoTap);
        let gradient = leaf.grad(&scores.sum().backward()).unwrap();
        assert_close((gradient * v).sum_dim(1), &values[3..]);
    }
}

#[test]
fn sizes_are_those_of_pytorchs_example() {
    let device = Device::flex();
    let drawing = Drawing { channels: 3, size: 64, latent: 100, classes: None };
    let generator = GeneratorConfig::default().init(drawing, &mut rng(), &device).unwrap();
    assert_eq!(generator.num_params(), 3_576_704 + 2 * 960, "running statistics count here");
    let config = discriminators::DcganConfig { channels: 64, normalization: Normalization::Batch };
    let gaze = Gaze { channels: 3, size: 64, classes: None };
    let discriminator = DiscriminatorConfig::Dcgan(config).init(gaze, &mut rng(), &device).unwrap();
    assert_eq!(discriminator.num_params(), 2_765_568 + 2 * 896);
}

#[test]
fn any_square_size_fits_and_what_cannot_be_is_said() {
    let device = Device::flex();
    for size in [4, 5, 7, 8, 13, 28, 30, 33] {
        for channels in [1, 3] {
            let drawing = Drawing { channels, size, latent: 3, classes: None };
            let gaze = Gaze { channels, size, classes: None };
            let generators = [
                GeneratorConfig::Dcgan(generators::DcganConfig { channels: 2, ..Default::default() }),
                GeneratorConfig::Dcgan(generators::DcganConfig {
                    channels: 2,
                    upsampling: Upsampling::Nearest,
                    ..Default::default()
                }),
                GeneratorConfig::Residual(generators::ResidualConfig { channels: 2, embedding: 2 }),
            ];
            for config in generators {
                let network = config.init(drawing, &mut rng(), &device).unwrap();
                let mut tap = Training { rng: rng() };
                let pictures = network.forward(tensor([2, 3], 0.1, &device), None, &mut tap);
                assert_eq!(pictures.dims(), [2, drawing.features()]);
                let judges = [
                    DiscriminatorConfig::Dcgan(discriminators::DcganConfig {
                        channels: 2,
                        ..Default::default()
                    }),
                    DiscriminatorConfig::Residual(discriminators::ResidualConfig {
                        channels: 2,
                        spectral: false,
                    }),
                ];
                for judge in judges {
                    let judge = judge.init(gaze, &mut rng(), &device).unwrap();
                    assert_eq!(judge.forward(pictures.clone(), None, &mut tap).dims(), [2, 1]);
                }
            }
        }
    }
    let drawing = Drawing { channels: 1, size: 3, latent: 3, classes: None };
    let error = GeneratorConfig::default().init(drawing, &mut rng(), &device).unwrap_err();
    assert_eq!(error, ModelError::TooSmall { architecture: "dcgan", minimum: 4, height: 3, width: 3 });
}
