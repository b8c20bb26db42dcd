//! Clipped sums against the truth: each example by itself through the trainer's own forward and backward pass, clipped
//! and added up in float64.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper of tests fails by panicking, and says how near it came"
)]

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use crucible_data::seed;
use crucible_models::{
    Activation, Architecture, InputShape, Network, Tap, Tapped, Training,
    layers::{BatchNorm, Conv2d, Conv2dConfig, Linear},
    weights::{self, Path},
};
use crucible_privacy::{
    PrivacyError,
    clipping::{ClippedSum, Clipping, check, clipped_sum},
};
use crucible_train::{
    losses::{CrossEntropy, HalfMse, Loss, Mse},
    transfer::{BitFit, FineTuning, Layers, Lora, Mode, Places},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Relative to the largest value of a parameter's gradient.
const TOLERANCE: f64 = 1e-5;

fn rng(name: &str) -> ChaCha8Rng {
    seed::stream(11, name, 0)
}

fn training() -> Training {
    Training { rng: rng("dropout") }
}

fn uniform<const D: usize>(shape: [usize; D], rng: &mut ChaCha8Rng) -> Tensor<D> {
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(-1.0..1.0)).collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex().autodiff())
}

/// Inputs, and as targets one of the outputs.
fn batch(count: usize, features: usize, outputs: usize) -> (Tensor<2>, Tensor<2>) {
    let targets = (0..count * outputs).map(|i| f32::from(i % outputs == i / outputs * 7 % outputs)).collect();
    let targets: TensorData = TensorData::new::<f32, _>(targets, [count, outputs]);
    (uniform([count, features], &mut rng("inputs")), Tensor::from_data(targets, &Device::flex().autodiff()))
}

type Gradient = BTreeMap<String, Vec<f64>>;

/// Gradients by the names of their parameters: of all that are tracked, and of no others.
fn named(network: &impl Module, gradients: &GradientsParams) -> Gradient {
    struct Names<'a>(Path, &'a GradientsParams, Gradient);
    impl ModuleVisitor for Names<'_> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.0.enter(name, container);
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.exit();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.1.get::<D>(param.id);
            assert_eq!(gradient.is_some(), param.is_require_grad(), "{}", self.0.name());
            let Some(gradient) = gradient else { return };
            assert_eq!(gradient.dims(), param.val().dims(), "{}", self.0.name());
            let values = gradient.into_data().iter::<f32>().map(f64::from).collect();
            self.2.insert(self.0.name(), values);
        }
    }
    let mut names = Names(Path::default(), gradients, Gradient::new());
    network.visit(&mut names);
    names.2
}

/// As the trainer finds it: the mean loss's gradient.
fn trainers(
    network: &(impl Module + Tapped),
    x: Tensor<2>,
    y: Tensor<2>,
    loss: &dyn Loss,
) -> (f64, Gradient) {
    let loss = loss.forward(network.forward(x, &mut training()), y);
    let gradients = GradientsParams::from_grads(loss.backward(), network);
    (f64::from(loss.into_scalar::<f32>()), named(network, &gradients))
}

fn square(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum()
}

/// The layer of a parameter, as PyTorch names both.
fn layer(name: &str) -> &str {
    // All of an adapter is one layer's.
    let name = name.split_once(".adapter.").map_or(name, |(layer, _)| layer);
    let packed = ["_weight", "_bias"].into_iter().find_map(|end| name.strip_suffix(end));
    packed
        .or_else(|| name.rsplit_once('.').filter(|(_, end)| ["weight", "bias"].contains(end)).map(|it| it.0))
        .unwrap_or(name)
}

/// Factors by layer, from the definitions.
fn factors(clipping: Clipping, gradient: &Gradient) -> BTreeMap<&str, f64> {
    let mut layers = BTreeMap::new();
    for (name, values) in gradient {
        *layers.entry(layer(name)).or_insert(0.0) += square(values);
    }
    let (count, norm) = (layers.len() as f64, layers.values().sum::<f64>().sqrt());
    let factor = |square: f64| match clipping {
        Clipping::Flat { norm: clip } => (clip / norm).min(1.0),
        Clipping::Automatic { norm: clip } => clip / (norm + 0.01),
        Clipping::PerLayer { norm: clip } => (clip / count.sqrt() / square.sqrt()).min(1.0),
    };
    layers.into_iter().map(|(layer, square)| (layer, factor(square))).collect()
}

struct Truth {
    sum: Gradient,
    norms: Vec<f64>,
    losses: Vec<f64>,
}

fn truth(
    network: &(impl Module + Tapped),
    (x, y): &(Tensor<2>, Tensor<2>),
    loss: &dyn Loss,
    clipping: Clipping,
) -> Truth {
    let mut truth = Truth { sum: Gradient::new(), norms: Vec::new(), losses: Vec::new() };
    for example in 0..x.dims()[0] {
        let one = |batch: &Tensor<2>| batch.clone().narrow(0, example, 1);
        let (value, gradient) = trainers(network, one(x), one(y), loss);
        truth.losses.push(value);
        truth.norms.push(gradient.values().map(|values| square(values)).sum::<f64>().sqrt());
        let factors = factors(clipping, &gradient);
        for (name, values) in &gradient {
            let sum = truth.sum.entry(name.clone()).or_insert_with(|| vec![0.0; values.len()]);
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += factors[layer(name)] * value);
        }
    }
    truth
}

#[track_caller]
fn close(case: &str, what: &str, actual: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(actual.len(), expected.len(), "{case}: {what}");
    let size = expected.iter().fold(1e-30, |size: f64, value| size.max(value.abs()));
    let error = actual.iter().zip(expected).map(|(a, e)| (a - e).abs() / size);
    let error = error.fold(0.0, |most, error| if error <= most { most } else { error });
    assert!(error <= TOLERANCE, "{case}: {what} is off by {error:.1e}");
    error
}

fn double(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

const FORMS: [fn(f64) -> Clipping; 3] =
    [|norm| Clipping::Flat { norm }, |norm| Clipping::Automatic { norm }, |norm| Clipping::PerLayer { norm }];

/// Every form of clipping against the truth, and no clipping against the trainer's gradient of the whole batch.
fn verify(
    case: &str,
    network: impl Module + Tapped,
    features: usize,
    outputs: usize,
    count: usize,
    loss: &dyn Loss,
) {
    let network = network.train();
    let data = batch(count, features, outputs);
    let run = |clipping| -> ClippedSum {
        clipped_sum(&network, data.0.clone(), data.1.clone(), loss, clipping, &mut training()).unwrap()
    };
    let infinite = run(Clipping::Flat { norm: f64::INFINITY });
    let sum = named(&network, &infinite.gradients);
    if count == 0 {
        assert!(infinite.norms.is_empty() && infinite.losses.is_empty());
        assert!(sum.values().flatten().all(|value| *value == 0.0), "{case}");
        return;
    }
    let (_, mean) = trainers(&network, data.0.clone(), data.1.clone(), loss);
    let mut worst = 0.0f64;
    for (name, mean) in mean {
        let expected: Vec<f64> = mean.iter().map(|value| value * count as f64).collect();
        worst = worst.max(close(case, &format!("{name} without clipping"), &sum[&name], &expected));
    }
    // About half of the examples are longer.
    let mut norms = double(&infinite.norms);
    norms.sort_by(f64::total_cmp);
    for form in FORMS {
        let clipping = form(norms[count / 2] * 0.9);
        let (found, truth) = (run(clipping), truth(&network, &data, loss, clipping));
        let case = format!("{case}, {clipping:?}");
        worst = worst.max(close(&case, "norms", &double(&found.norms), &truth.norms));
        close(&case, "losses", &double(&found.losses), &truth.losses);
        let sum = named(&network, &found.gradients);
        assert_eq!(sum.len(), truth.sum.len());
        for (name, expected) in &truth.sum {
            worst = worst.max(close(&case, name, &sum[name], expected));
        }
    }
    println!("{worst:.1e}  {case}");
}

fn network(architecture: &Value, shape: InputShape, outputs: usize) -> Network {
    let architecture: Architecture = serde_json::from_value(architecture.clone()).unwrap();
    architecture.init(shape, outputs, &mut rng("weights"), &Device::flex()).unwrap()
}

fn image(channels: usize, height: usize, width: usize) -> InputShape {
    InputShape::Image { channels, height, width }
}

const COUNTS: [usize; 4] = [0, 1, 5, 64];

fn verify_all(architecture: &Value, shape: InputShape, outputs: usize, counts: &[usize]) {
    for count in counts {
        let network = network(architecture, shape, outputs);
        let case = format!("{architecture} of {shape:?}, batch of {count}");
        verify(&case, network, shape.features(), outputs, *count, &CrossEntropy::default());
    }
}

#[test]
fn mlp_with_each_activation() {
    for activation in ["identity", "relu", "leaky-relu", "gelu", "silu", "sigmoid", "tanh"] {
        let architecture = json!({ "name": "mlp", "hidden": [17, 9], "activation": activation });
        verify_all(&architecture, InputShape::Features { count: 23 }, 5, &COUNTS);
    }
    verify_all(&json!({ "name": "mlp", "hidden": [] }), InputShape::Features { count: 3 }, 2, &COUNTS);
    for loss in [&Mse::default() as &dyn Loss, &HalfMse::default()] {
        let network = network(&json!({ "name": "mlp" }), InputShape::Features { count: 7 }, 3);
        verify("mlp, squared error", network, 7, 3, 5, loss);
    }
}

#[test]
fn networks_of_convolutions() {
    verify_all(&json!({ "name": "lenet5" }), image(1, 28, 28), 10, &COUNTS);
    verify_all(&json!({ "name": "cnn" }), image(1, 28, 28), 10, &[0, 1, 5]);
    verify_all(&json!({ "name": "cnn" }), image(3, 12, 11), 4, &[64]);
    let conv = |channels: usize, kernel: usize, stride: usize, padding: usize, pool: usize| json!({ "channels": channels, "kernel": kernel, "stride": stride, "padding": padding, "pool": pool });
    for activation in ["relu", "gelu", "leaky-relu", "tanh"] {
        let convolutions = json!([conv(5, 4, 2, 1, 1), conv(7, 3, 1, 1, 2), conv(20, 3, 1, 0, 1)]);
        let architecture =
            json!({ "name": "convnet", "conv": convolutions, "hidden": [11], "activation": activation });
        verify_all(&architecture, image(2, 16, 15), 6, &COUNTS);
    }
}

#[test]
fn transformers() {
    // Many tokens beside their width, and few.
    for (patch, width) in [(2, 8), (7, 32)] {
        for (norm_first, activation) in [(true, "gelu"), (false, "relu"), (true, "silu")] {
            let architecture = json!({
                "name": "transformer", "patch": patch, "width": width, "heads": 2, "layers": 2, "feedforward": 3 * width,
                "norm_first": norm_first, "activation": activation,
            });
            verify_all(&architecture, image(1, 14, 14), 3, &COUNTS);
            verify_all(&architecture, InputShape::Sequence { length: 6, width }, 3, &[5]);
        }
    }
}

/// A convolution of any form, and what makes a loss of it.
#[derive(Module, Debug)]
struct OneConvolution {
    conv: Conv2d,
    head: Linear,
    #[module(skip)]
    size: [usize; 2],
    #[module(skip)]
    activation: Activation,
}

impl Tapped for OneConvolution {
    fn forward(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
        let [height, width] = self.size;
        let input = input.reshape([-1, self.conv.config().inputs as i32, height as i32, width as i32]);
        let x = tap.conv2d(&self.conv, input, self.activation);
        tap.linear(&self.head, x.flatten(1, 3), Activation::Identity)
    }
}

#[test]
fn convolutions_of_any_form() {
    let rng = &mut rng("forms");
    let plain = Conv2dConfig::square;
    // Few positions of many channels, and a wide kernel: pairs of positions, and gradients computed twice.
    let mut cases = vec![
        (plain(8, 16, 3), [4, 4]),
        (Conv2dConfig { groups: 2, ..plain(16, 32, 3) }, [4, 5]),
        (plain(4, 4, 5).padding(2), [5, 5]),
        (Conv2dConfig { groups: 2, stride: [1, 2], ..plain(8, 8, 7).padding(3) }, [6, 7]),
        (plain(16, 16, 3).padding(1), [9, 9]),
    ];
    while cases.len() < 40 {
        let mut pair = |most: usize| [rng.random_range(1..=most), rng.random_range(1..=most)];
        let ([groups, _], [ins, outs], kernel) = (pair(3), pair(5), pair(4));
        let (stride, padding, dilation, size) =
            (pair(3), pair(3).map(|padding| padding - 1), pair(2), pair(12));
        let config = Conv2dConfig {
            inputs: ins * groups,
            outputs: outs * groups,
            kernel,
            stride,
            padding,
            dilation,
            groups,
        };
        if config.output_size(size).is_some() {
            cases.push((config, size));
        }
    }
    for (number, (config, size)) in cases.into_iter().enumerate() {
        let activation = [Activation::Relu, Activation::Identity, Activation::Sigmoid][number % 3];
        let device = Device::flex();
        let features = config.outputs * config.output_size(size).unwrap().iter().product::<usize>();
        let conv = Conv2d::new("conv", config, &mut seed::stream(1, "conv", 0), &device);
        let head = Linear::new("head", features, 3, &mut seed::stream(1, "head", 0), &device);
        let network = OneConvolution { conv, head, size, activation };
        let count = COUNTS[1 + number % 3];
        let case = format!("{config:?} of {size:?}, {activation:?}, batch of {count}");
        verify(&case, network, config.inputs * size[0] * size[1], 3, count, &CrossEntropy::default());
    }
}

/// Where every example draws its own mask, the truth is the trainer's gradient.
#[test]
fn what_is_not_trained_has_no_part_in_it() {
    let transformer = json!({"name": "transformer", "width": 8, "heads": 2, "layers": 2, "feedforward": 12});
    let networks = [
        (json!({"name": "mlp", "hidden": [9, 7]}), InputShape::Features { count: 6 }, "fc2"),
        (json!({"name": "cnn"}), image(1, 12, 11), "conv2"),
        (transformer, image(1, 8, 8), "layers.1"),
    ];
    for (architecture, shape, layer) in networks {
        let mode = Mode::Layers(Layers { layers: vec![layer.to_owned()] });
        for count in [0, 1, 5] {
            let network = network(&architecture, shape, 3);
            let places = Places::new(&network, shape.features(), &Device::flex());
            let frozen = FineTuning::frozen(&mode, &places, network);
            let case = format!("{layer} of {architecture}, batch of {count}");
            verify(&case, frozen, shape.features(), 3, count, &CrossEntropy::default());
        }
    }
    let network = network(&json!({"name": "mlp", "hidden": [9]}), InputShape::Features { count: 6 }, 3);
    let (mode, (x, y)) = (Mode::BitFit(BitFit {}), batch(5, 6, 3));
    let places = Places::new(&network, 6, &Device::flex());
    let frozen = FineTuning::frozen(&mode, &places, network).train();
    let (loss, clipping) = (CrossEntropy::default(), Clipping::Flat { norm: 1.0 });
    let error = clipped_sum(&frozen, x, y, &loss, clipping, &mut training()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "of the parameters of `fc1` some are trained; gradients are clipped for whole layers"
    );
}

/// A network with adapters that change something, what is not trained frozen.
fn adapted(architecture: &Value, shape: InputShape, lora: Lora) -> Network {
    let mode = Mode::Lora(lora);
    let network =
        mode.way().adapted(network(architecture, shape, 3), &mut ChaCha8Rng::seed_from_u64(5)).unwrap();
    let mut state = weights::collect(&network);
    for (name, tensor) in state.iter_mut().filter(|(name, _)| name.ends_with(".up")) {
        let wave = |i: usize| ((i * 7 + name.len()) % 11) as f32 / 11.0 - 0.4;
        tensor.values = (0..tensor.values.len()).map(wave).collect();
    }
    let network = weights::assign(network, &state).unwrap();
    let places = Places::new(&network, shape.features(), &Device::flex());
    FineTuning::frozen(&mode, &places, network)
}

#[test]
fn adapters_are_clipped_with_the_last_layer() {
    let transformer = json!({"name": "transformer", "width": 8, "heads": 2, "layers": 2, "feedforward": 12});
    let all = Lora { targets: vec!["all-linear".to_owned()], rank: 3, ..Lora::default() };
    let networks = [
        (json!({"name": "mlp", "hidden": [9, 7]}), InputShape::Features { count: 6 }, Lora::default()),
        (json!({"name": "cnn"}), image(1, 12, 11), Lora { rank: 2, ..Lora::default() }),
        (transformer.clone(), image(1, 8, 8), Lora::default()),
        (transformer, image(1, 8, 8), all),
    ];
    for (architecture, shape, lora) in networks {
        for count in [0, 1, 5] {
            let network = adapted(&architecture, shape, lora.clone());
            let case = format!("adapters of {architecture}, batch of {count}");
            verify(&case, network, shape.features(), 3, count, &CrossEntropy::default());
        }
    }
    let lora = Lora { dora: true, ..Lora::default() };
    let network = adapted(&json!({"name": "mlp", "hidden": [9]}), InputShape::Features { count: 6 }, lora);
    let error = check(&network).unwrap_err().to_string();
    assert!(error.contains("fc1.adapter.parts.0") && error.contains("DoRA"), "{error}");
}

#[test]
fn dropout_draws_the_masks_of_training() {
    let architectures = [
        (json!({ "name": "mlp", "dropout": 0.4 }), InputShape::Features { count: 9 }),
        (
            json!({ "name": "transformer", "width": 8, "heads": 2, "layers": 1, "dropout": 0.3 }),
            image(1, 12, 12),
        ),
    ];
    let lora = Lora { dropout: 0.4, rank: 2, ..Lora::default() };
    let adapters = architectures.clone().map(|(architecture, shape)| {
        (adapted(&architecture, shape, lora.clone()), format!("adapters of {architecture}"), shape)
    });
    let plain = architectures
        .map(|(architecture, shape)| (network(&architecture, shape, 3), architecture.to_string(), shape));
    for (network, case, shape) in plain.into_iter().chain(adapters) {
        let network = network.train();
        let (x, y) = batch(12, shape.features(), 3);
        let loss = CrossEntropy::default();
        let flat = Clipping::Flat { norm: f64::INFINITY };
        let found = clipped_sum(&network, x.clone(), y.clone(), &loss, flat, &mut training()).unwrap();
        let sum = named(&network, &found.gradients);
        for (name, mean) in trainers(&network, x, y, &loss).1 {
            let expected: Vec<f64> = mean.iter().map(|value| value * 12.0).collect();
            close(&case, &name, &sum[&name], &expected);
        }
    }
}

#[test]
fn the_same_bytes_on_any_number_of_threads() {
    let architectures = [
        (json!({ "name": "mlp" }), image(1, 28, 28)),
        (json!({ "name": "cnn" }), image(1, 20, 20)),
        (json!({ "name": "transformer", "width": 32, "layers": 1 }), image(1, 28, 28)),
        (json!({ "name": "transformer", "width": 64, "patch": 7, "layers": 1 }), image(1, 28, 28)),
    ];
    for (architecture, shape) in architectures {
        let network = network(&architecture, shape, 10).train();
        let (x, y) = batch(33, shape.features(), 10);
        let run = || {
            let (loss, clipping) = (CrossEntropy::default(), Clipping::Flat { norm: 0.5 });
            clipped_sum(&network, x.clone(), y.clone(), &loss, clipping, &mut training()).unwrap()
        };
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let found = pool.install(run);
            (named(&network, &found.gradients), found.norms, found.losses)
        };
        assert!(on(1) == on(2), "{architecture}");
    }
}

#[test]
fn batch_norm_is_refused_with_all_places_and_a_way_out() {
    let config = json!({ "name": "mlp", "hidden": [4, 4], "batch_norm": true });
    let network = network(&config, InputShape::Features { count: 3 }, 2).train();
    let (x, y) = batch(4, 3, 2);
    let flat = Clipping::Flat { norm: 1.0 };
    let error = clipped_sum(&network, x, y, &CrossEntropy::default(), flat, &mut training()).unwrap_err();
    assert_eq!(Err(error.clone()), check(&network));
    let why = "an example's gradient depends on the rest of its batch; take layer norm in its place, or none";
    assert_eq!(
        error.to_string(),
        format!(
            "gradients cannot be clipped by example:\n  `bn1` (BatchNorm): {why}\n  `bn2` (BatchNorm): {why}"
        )
    );
}

/// A layer that runs twice, and one that holds a weight of its own.
#[derive(Module, Debug)]
struct Odd {
    twice: Linear,
    own: Option<Own>,
}

#[derive(Module, Debug)]
struct Own {
    weight: Param<Tensor<1>>,
}

impl Tapped for Odd {
    fn forward(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
        let x = tap.linear(&self.twice, input, Activation::Tanh);
        tap.linear(&self.twice, x, Activation::Identity)
    }
}

#[test]
fn layers_that_have_no_rule_are_refused() {
    let device = Device::flex();
    let twice = Linear::new("twice", 3, 3, &mut rng("weights"), &device);
    let odd = Odd { twice, own: None }.train();
    assert_eq!(check(&odd), Ok(()));
    let run = |odd: &Odd| {
        let ((x, y), flat) = (batch(4, 3, 3), Clipping::Flat { norm: 1.0 });
        clipped_sum(odd, x, y, &Mse::default(), flat, &mut training()).map(|_| ()).unwrap_err()
    };
    assert_eq!(run(&odd), PrivacyError::Repeated("twice".to_owned()));
    let own = Own { weight: Param::from_tensor(Tensor::ones([3], &device)) };
    let odd = Odd { own: Some(own), ..odd };
    let PrivacyError::Unsupported(refused) = run(&odd) else { panic!("supported") };
    assert_eq!((refused.len(), refused[0].layer.as_str(), refused[0].kind.as_str()), (1, "own", "Own"));
    // Outside a network too.
    assert!(check(&BatchNorm::new("bn", 3, &device)).is_err());
}

#[test]
fn what_cannot_be_clipped_is_an_error() {
    let network = network(&json!({ "name": "mlp" }), InputShape::Features { count: 3 }, 2).train();
    let (x, y) = batch(4, 3, 2);
    let run = |x: Tensor<2>, clipping| {
        let y = y.clone();
        clipped_sum(&network, x, y, &CrossEntropy::default(), clipping, &mut training()).map(|_| ())
    };
    for clipping in [0.0, -1.0, f64::NAN].into_iter().flat_map(|norm| FORMS.map(|form| form(norm))) {
        assert!(matches!(run(x.clone(), clipping), Err(PrivacyError::Clip(_))), "{clipping:?}");
    }
    assert!(run(x.clone(), Clipping::Automatic { norm: f64::INFINITY }).is_err());
    for value in [f32::NAN, f32::INFINITY] {
        let bad = Tensor::from_floats([[value; 3]], &x.device());
        let x = Tensor::cat(vec![x.clone().narrow(0, 0, 2), bad, x.clone().narrow(0, 0, 1)], 0);
        let error = run(x, Clipping::Flat { norm: 1.0 }).unwrap_err();
        assert!(matches!(error, PrivacyError::NotFinite { example: 2, .. }), "{error}");
    }
}

/// A network that is right about everything has gradients of zero, which no form divides by.
#[test]
fn gradients_of_zero_stay_zero() {
    let network =
        network(&json!({ "name": "mlp", "hidden": [] }), InputShape::Features { count: 2 }, 2).train();
    let (x, _) = batch(3, 2, 2);
    let y = network.forward(x.clone(), &mut training()).detach();
    for form in FORMS {
        let found = clipped_sum(&network, x.clone(), y.clone(), &Mse::default(), form(1.0), &mut training());
        let found = found.unwrap();
        assert_eq!(found.norms, [0.0; 3]);
        assert!(named(&network, &found.gradients).values().flatten().all(|value| *value == 0.0));
    }
}
