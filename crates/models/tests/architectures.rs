//! What the architectures are made of, what they refuse, and the laws of their taps.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData, Tolerance};
use crucible_models::{
    Activation, Architecture, Graph, InputShape, Network, NoTap, Node, Observe, Operation, Plain, Tap,
    Tapped, Training, layers, summarize, weights,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

const MNIST: InputShape = InputShape::Image { channels: 1, height: 28, width: 28 };

fn architecture(value: &Value) -> Architecture {
    serde_json::from_value(value.clone()).unwrap()
}

fn build(value: &Value, input: InputShape, outputs: usize) -> Network {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    architecture(value).init(input, outputs, &mut rng, &Device::flex()).unwrap()
}

/// Why a network with ten outputs cannot be built.
#[track_caller]
fn refusal(value: Value, input: InputShape) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    architecture(&value).init(input, 10, &mut rng, &Device::flex()).unwrap_err().to_string()
}

/// Inputs from -1 to 1.
fn batch(count: usize, features: usize, device: &Device) -> Tensor<2> {
    let values: Vec<f32> = (0..count * features).map(|i| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0).collect();
    Tensor::from_data(TensorData::new(values, [count, features]), device)
}

/// One of each architecture, with everything that it can hold, and the names of its layers in the forward pass.
fn all() -> Vec<(Value, InputShape, &'static [&'static str])> {
    let rows = InputShape::Features { count: 6 };
    let picture = InputShape::Image { channels: 3, height: 14, width: 13 };
    vec![
        (json!({"name": "mlp", "hidden": []}), rows, &["fc1"]),
        (json!({"name": "mlp", "hidden": [5, 4], "activation": "tanh"}), rows, &["fc1", "fc2", "fc3"]),
        (
            json!({"name": "mlp", "hidden": [5, 4], "activation": "gelu", "dropout": 0.5, "batch_norm": true}),
            rows,
            &["fc1", "bn1", "act1", "drop1", "fc2", "bn2", "act2", "drop2", "fc3"],
        ),
        (json!({"name": "mlp", "hidden": [5]}), picture, &["fc1", "fc2"]),
        (json!({"name": "lenet5"}), picture, &["conv1", "pool1", "conv2", "pool2", "fc1", "fc2", "fc3"]),
        (json!({"name": "convnet"}), picture, &["conv1", "conv2", "fc1", "fc2"]),
        (
            json!({"name": "convnet", "activation": "silu", "hidden": [],
                "conv": [{"channels": 4, "kernel": 3, "padding": 1, "pool": 2}, {"channels": 5, "kernel": 2}]}),
            picture,
            &["conv1", "pool1", "conv2", "fc1"],
        ),
        (json!({"name": "cnn"}), picture, &["conv1", "conv2", "pool", "fc1", "fc2"]),
        (json!({"name": "cnn", "dropout": 0.25}), picture, &["conv1", "conv2", "pool", "drop", "fc1", "fc2"]),
        (
            json!({"name": "transformer", "width": 8, "heads": 2, "layers": 1, "feedforward": 12}),
            picture,
            &[
                "patches",
                "positions",
                "layers.0.norm1",
                "layers.0.self_attn.in_proj",
                "layers.0.self_attn",
                "layers.0.self_attn.out_proj",
                "layers.0.norm2",
                "layers.0.linear1",
                "layers.0.linear2",
                "norm",
                "head",
            ],
        ),
        (
            json!({"name": "transformer", "width": 6, "heads": 3, "layers": 1, "dropout": 0.2, "norm_first": false}),
            InputShape::Sequence { length: 5, width: 6 },
            &[
                "layers.0.self_attn.in_proj",
                "layers.0.self_attn",
                "layers.0.self_attn.out_proj",
                "layers.0.dropout1",
                "layers.0.norm1",
                "layers.0.linear1",
                "layers.0.dropout",
                "layers.0.linear2",
                "layers.0.dropout2",
                "layers.0.norm2",
                "head",
            ],
        ),
    ]
}

/// Counted by hand: weights and biases of each layer; multiply-adds are weights times output positions.
#[test]
fn parameters_and_multiply_adds_are_the_published_ones() {
    let cases = [
        // 784·128 + 128, 128·64 + 64, 64·10 + 10.
        (json!({"name": "mlp"}), 109_386, 100_352 + 8_192 + 640),
        // 6·25 + 6 at 28x28, 16·150 + 16 at 10x10, 400·120 + 120, 120·84 + 84, 84·10 + 10.
        (json!({"name": "lenet5"}), 61_706, 117_600 + 240_000 + 48_000 + 10_080 + 840),
        // 32·9 + 32 at 26x26, 64·288 + 64 at 24x24, 9216·128 + 128, 128·10 + 10.
        (json!({"name": "cnn"}), 1_199_882, 194_688 + 10_616_832 + 1_179_648 + 1_280),
        // 16·16 + 16 at 14x14, 32·256 + 32 at 7x7, 1568·100 + 100, 100·10 + 10.
        (json!({"name": "convnet"}), 166_406, 50_176 + 401_408 + 156_800 + 1_000),
        // 49 patches of 16·128 + 128, as many positions of 128, four layers of 198,272 (as PyTorch counts
        // `TransformerEncoderLayer(128, 4, 512)`), 2·128, 128·10 + 10; attention multiplies 2·49²·128 times a layer.
        (
            json!({"name": "transformer"}),
            2_176 + 6_272 + 4 * 198_272 + 256 + 1_290,
            49 * 2_048 + 4 * (49 * 196_608 + 614_656) + 1_280,
        ),
    ];
    for (value, parameters, multiply_adds) in cases {
        let summary = summarize(&build(&value, MNIST, 10), 784, &Device::flex());
        assert_eq!((summary.parameters, summary.multiply_adds), (parameters, multiply_adds), "{value}");
    }
}

#[test]
fn a_summary_counts_what_the_network_holds() {
    for (value, input, sites) in all() {
        let network = build(&value, input, 3);
        let summary = summarize(&network, input.features(), &Device::flex());
        let state = weights::collect(&network);
        let learnable = state.iter().filter(|(name, _)| !name.contains("running_"));
        let count: usize = learnable.map(|(_, tensor)| tensor.values.len()).sum();
        assert_eq!(summary.parameters, count as u64, "{value}");
        let names: Vec<&str> = summary.layers.iter().map(|layer| layer.name.as_str()).collect();
        assert_eq!(names, sites, "{value}");
        assert_eq!(summary.layers.last().unwrap().output, [3]);
    }
}

#[test]
fn the_shapes_along_the_way_are_the_papers() {
    let summary = summarize(&build(&json!({"name": "lenet5"}), MNIST, 10), 784, &Device::flex());
    let shapes: Vec<&[usize]> = summary.layers.iter().map(|layer| layer.output.as_slice()).collect();
    assert_eq!(shapes, [&[6, 28, 28][..], &[6, 14, 14], &[16, 10, 10], &[16, 5, 5], &[120], &[84], &[10]]);
    let summary = summarize(&build(&json!({"name": "cnn"}), MNIST, 10), 784, &Device::flex());
    let shapes: Vec<&[usize]> = summary.layers.iter().map(|layer| layer.output.as_slice()).collect();
    assert_eq!(shapes, [&[32, 26, 26][..], &[64, 24, 24], &[64, 12, 12], &[128], &[10]]);
}

#[test]
fn outputs_have_one_row_for_each_input() {
    for (value, input, _) in all() {
        let network = build(&value, input, 3);
        for count in [1, 4] {
            let x = batch(count, input.features(), &Device::flex());
            let outputs = network.forward(x, &mut NoTap);
            assert_eq!(outputs.dims(), [count, 3], "{value}");
            assert!(outputs.into_data().try_to_vec::<f32>().unwrap().iter().all(|v| v.is_finite()));
        }
    }
}

#[test]
fn every_parameter_gets_a_gradient() {
    for (value, input, _) in all() {
        let network = build(&value, input, 3).train();
        let x = batch(4, input.features(), &Device::flex().autodiff());
        let mut tap = Training { rng: ChaCha8Rng::seed_from_u64(3) };
        let outputs = network.forward(x, &mut tap);
        let gradients = GradientsParams::from_grads(outputs.square().sum().backward(), &network);
        let learnable = weights::collect(&network).keys().filter(|name| !name.contains("running_")).count();
        assert_eq!(gradients.len(), learnable, "{value}");
    }
}

#[test]
fn impossible_sizes_are_refused_in_words() {
    let rows = InputShape::Features { count: 4 };
    let picture = |height, width| InputShape::Image { channels: 1, height, width };
    assert_eq!(
        refusal(json!({"name": "cnn"}), rows),
        "`cnn` reads pictures, but the data are table rows of 4 values; `mlp` reads both"
    );
    let texts = InputShape::Tokens { length: 600, vocabulary: 40_000 };
    for name in ["mlp", "cnn", "transformer"] {
        let words =
            "computes with its inputs, but the data are texts, the numbers of tokens; `bert` reads those";
        assert_eq!(refusal(json!({"name": name}), texts), format!("`{name}` {words}"));
    }
    assert_eq!(
        refusal(json!({"name": "bert"}), rows),
        "`bert` reads texts, the numbers of tokens, but the data are none; `mlp` reads any other input"
    );
    assert_eq!(
        refusal(json!({"name": "bert"}), texts),
        "texts of up to 600 tokens do not fit the 512 places of `bert`; cut them to 512"
    );
    assert_eq!(
        refusal(json!({"name": "bert", "positions": 602, "position_offset": 2}), texts),
        "the texts have 40000 kinds of tokens, but `bert` knows 30522: they are of another tokenizer"
    );
    assert_eq!(
        refusal(json!({"name": "bert", "heads": 7}), texts),
        "`bert` cannot divide a width of 384 among 7 heads; it must be a multiple"
    );
    assert_eq!(
        refusal(json!({"name": "lenet5"}), rows),
        "`lenet5` reads pictures, but the data are table rows of 4 values; `mlp` reads both"
    );
    assert_eq!(
        refusal(json!({"name": "cnn"}), picture(5, 5)),
        "`cnn` needs pictures of at least 6x6, but these are 5x5"
    );
    assert_eq!(
        refusal(json!({"name": "lenet5"}), picture(28, 5)),
        "`lenet5` needs pictures of at least 12x12, but these are 28x5"
    );
    assert_eq!(
        refusal(json!({"name": "mlp", "hidden": [0]}), MNIST),
        "layer 1 of `mlp` has no units; every width must be at least 1"
    );
    assert_eq!(
        refusal(json!({"name": "mlp", "hidden": [3, 0, 5]}), MNIST),
        "layer 2 of `mlp` has no units; every width must be at least 1"
    );
    assert_eq!(
        refusal(json!({"name": "mlp", "hidden": [4_294_967_295_u64]}), MNIST),
        "`mlp` would have 3410204032230 parameters; the limit is 1073741824"
    );
}

#[test]
fn sizes_beyond_any_integer_are_refused_too() {
    let hidden = vec![i64::MAX; 9];
    let error = refusal(json!({"name": "mlp", "hidden": hidden}), MNIST);
    assert!(error.contains("the limit is 1073741824"), "{error}");
}

/// The smallest picture that the error message names is enough, and one less in either direction is not.
#[test]
fn the_named_minimum_is_the_minimum() {
    for (name, minimum) in [("cnn", 6), ("lenet5", 12)] {
        let picture = |height, width| InputShape::Image { channels: 2, height, width };
        let value = json!({"name": name});
        let network = build(&value, picture(minimum, minimum), 10);
        let x = batch(2, 2 * minimum * minimum, &Device::flex());
        assert_eq!(network.forward(x, &mut NoTap).dims(), [2, 10]);
        for input in [picture(minimum - 1, minimum), picture(minimum, minimum - 1), picture(1, 1)] {
            assert!(refusal(value.clone(), input).contains("needs pictures of at least"), "{input:?}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    for (value, input, _) in all() {
        let bytes = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let network = architecture(&value).init(input, 3, &mut rng, &Device::flex()).unwrap();
            weights::to_safetensors(&weights::collect(&network), None)
        };
        assert_eq!(bytes(1), bytes(1), "{value}");
        assert_ne!(bytes(1), bytes(2), "{value}");
    }
}

/// PyTorch's default: uniform over ±1/√fan_in, so that the largest of many weights is just below that.
#[test]
fn initial_weights_fill_the_range_of_pytorch() {
    let state = weights::collect(&build(&json!({"name": "lenet5"}), MNIST, 10));
    for (name, fan_in) in [("conv1", 25.0_f32), ("conv2", 150.0), ("fc1", 400.0), ("fc2", 120.0)] {
        let values = &state[&format!("{name}.weight")].values;
        let bound = 1.0 / fan_in.sqrt();
        let largest = values.iter().fold(0.0_f32, |max, value| max.max(value.abs()));
        assert!(largest <= bound && largest > 0.95 * bound, "{name}: {largest} of {bound}");
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        // Four standard errors.
        assert!(mean.abs() < 4.0 * bound / (3.0 * values.len() as f32).sqrt(), "{name}: {mean}");
    }
}

#[test]
fn observing_changes_no_output() {
    for (value, input, sites) in all() {
        let network = build(&value, input, 3);
        let x = batch(4, input.features(), &Device::flex());
        let mut seen = Vec::new();
        let mut last = None;
        let mut tap = Observe(|site: &crucible_models::Site<'_>, output: Tensor<2>| {
            assert_eq!(output.dims(), [4, site.shape.iter().product()]);
            seen.push(site.name.to_owned());
            last = Some(output);
        });
        let observed = network.forward(x.clone(), &mut tap).into_data();
        observed.assert_eq(&network.forward(x, &mut NoTap).into_data(), true);
        last.unwrap().into_data().assert_eq(&observed, true);
        assert_eq!(seen, sites, "{value}");
    }
}

/// Traced on inputs of its own, a graph computes what the network computes on others.
#[test]
fn a_traced_graph_is_the_network() {
    let device = Device::flex();
    for (value, input, names) in all() {
        let (network, features) = (build(&value, input, 3), input.features());
        let graph = Graph::trace(&network, features, &device).unwrap();
        let is_layer = |name: &&str| !["add", "tokens", "mean"].iter().any(|kind| name.starts_with(kind));
        let traced: Vec<&str> = graph.nodes.iter().map(|node| node.name.as_str()).filter(is_layer).collect();
        let kept: Vec<&str> = names.iter().filter(|name| !name.contains("drop")).copied().collect();
        assert_eq!(traced, kept, "{value}");
        let x = batch(3, features, &device);
        let mut seen = 0;
        let output = graph.forward(x.clone(), |_, value| {
            seen += 1;
            value
        });
        assert_eq!(seen, graph.nodes.len() + 1);
        let split = graph.split_activations();
        let again = split.forward(x.clone(), |_, value| value).into_data();
        again.assert_approx_eq::<f32>(&output.clone().into_data(), Tolerance::absolute(1e-6));
        let fused = |node: &Node| matches!(&node.operation, Operation::Linear(_, a) | Operation::Conv2d(_, a) if *a != Activation::Identity);
        assert!(!split.nodes.iter().any(fused), "{value}");
        output.into_data().assert_eq(&network.forward(x, &mut NoTap).into_data(), true);
    }
}

#[test]
fn what_is_computed_outside_the_tap_is_named() {
    struct Doubled(Network);

    impl Tapped for Doubled {
        fn forward(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
            self.0.forward(input * 2.0, tap)
        }
    }

    let network = build(&json!({"name": "mlp"}), InputShape::Features { count: 6 }, 3);
    let error = Graph::trace(&Doubled(network), 6, &Device::flex()).unwrap_err();
    assert_eq!(error.to_string(), "the network computes what fc1 reads outside its tap");
}

#[test]
fn training_without_dropout_and_batch_norm_is_evaluation() {
    for (value, input, sites) in all() {
        if sites.iter().any(|site| site.starts_with("bn") || site.contains("drop")) {
            continue;
        }
        let network = build(&value, input, 3);
        let x = batch(4, input.features(), &Device::flex());
        let mut tap = Training { rng: ChaCha8Rng::seed_from_u64(3) };
        let trained = network.forward(x.clone(), &mut tap).into_data();
        trained.assert_eq(&network.forward(x, &mut NoTap).into_data(), true);
    }
}

#[test]
fn training_with_dropout_depends_on_the_stream_and_nothing_else() {
    let value = json!({"name": "mlp", "hidden": [40, 40], "dropout": 0.5});
    let network = build(&value, InputShape::Features { count: 6 }, 3);
    let x = batch(4, 6, &Device::flex());
    let outputs = |seed| {
        let mut tap = Training { rng: ChaCha8Rng::seed_from_u64(seed) };
        network.forward(x.clone(), &mut tap).into_data().try_to_vec::<f32>().unwrap()
    };
    assert_eq!(outputs(1), outputs(1));
    assert_ne!(outputs(1), outputs(2));
}

#[test]
fn only_training_moves_the_running_statistics() {
    let value = json!({"name": "mlp", "hidden": [5], "batch_norm": true});
    let network = build(&value, InputShape::Features { count: 6 }, 3);
    let x = batch(8, 6, &Device::flex());
    let before = weights::collect(&network);
    let _ = network.forward(x.clone(), &mut NoTap);
    let _ = network.forward(x.clone(), &mut Observe(|_: &crucible_models::Site<'_>, _| {}));
    assert_eq!(weights::collect(&network), before);
    let _ = network.forward(x, &mut Training { rng: ChaCha8Rng::seed_from_u64(3) });
    let after = weights::collect(&network);
    assert_ne!(after["bn1.running_mean"], before["bn1.running_mean"]);
    assert_eq!(after["fc1.weight"], before["fc1.weight"]);
}

/// A tap that replaces the output of one site by zeros, and counts the sites that it meets.
struct Silence<'a> {
    site: &'a str,
    met: usize,
}

impl Silence<'_> {
    fn pass<const D: usize>(&mut self, name: &str, output: Tensor<D>) -> Tensor<D> {
        if name == self.site {
            self.met += 1;
            return output.zeros_like();
        }
        output
    }
}

impl Tap for Silence<'_> {
    fn linear(&mut self, layer: &layers::Linear, input: Tensor<2>, activation: Activation) -> Tensor<2> {
        self.pass(layer.name(), layer.forward(input, activation))
    }

    fn linear_tokens(
        &mut self,
        layer: &layers::Linear,
        input: Tensor<3>,
        activation: Activation,
    ) -> Tensor<3> {
        self.pass(layer.name(), layer.forward_tokens(input, activation))
    }

    fn self_attention(
        &mut self,
        layer: &layers::SelfAttention,
        packed: Tensor<3>,
        padding: Option<&layers::Padding>,
    ) -> Tensor<3> {
        self.pass(layer.name(), layer.attend(packed, padding))
    }

    fn layer_norm(&mut self, layer: &layers::LayerNorm, input: Tensor<3>) -> Tensor<3> {
        self.pass(layer.name(), layer.forward(input))
    }

    fn positions(&mut self, layer: &layers::Positions, input: Tensor<3>) -> Tensor<3> {
        self.pass(layer.name(), layer.forward(input))
    }

    fn conv2d(&mut self, layer: &layers::Conv2d, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        self.pass(layer.name(), layer.forward(input, activation))
    }

    fn batch_norm(&mut self, layer: &layers::BatchNorm, input: Tensor<3>) -> Tensor<3> {
        self.pass(layer.name(), layer.forward(input, false))
    }

    fn max_pool2d(&mut self, layer: &layers::MaxPool2d, input: Tensor<4>) -> Tensor<4> {
        self.pass(layer.name(), layer.forward(input))
    }

    fn avg_pool2d(&mut self, layer: &layers::AvgPool2d, input: Tensor<4>) -> Tensor<4> {
        self.pass(layer.name(), layer.forward(input))
    }

    fn activation(&mut self, name: &str, activation: Activation, input: Tensor<2>) -> Tensor<2> {
        self.pass(name, activation.forward(input))
    }

    fn dropout(&mut self, layer: &layers::Dropout, input: Tensor<2>) -> Tensor<2> {
        self.pass(layer.name(), input)
    }
}

/// The kernels against Burn's own operations, through every network.
#[test]
fn plain_operations_give_the_same_outputs_and_gradients() {
    for (value, input, _) in all() {
        let network = build(&value, input, 3).train();
        let run = |tap: &mut dyn Tap| {
            let x = batch(4, input.features(), &Device::flex().autodiff()).require_grad();
            let outputs = network.forward(x.clone(), tap);
            let gradient = x.grad(&outputs.clone().square().sum().backward()).unwrap();
            [outputs.to_data(), gradient.to_data()]
        };
        let training = || Training { rng: ChaCha8Rng::seed_from_u64(3) };
        for (fused, plain) in run(&mut training()).iter().zip(run(&mut Plain(training()))) {
            fused.assert_approx_eq::<f32>(&plain, Tolerance::rel_abs(1e-4, 1e-5));
        }
    }
}

/// The forward pass goes on with what the tap returns: two inputs become alike behind a site that gives zeros.
#[test]
fn what_a_tap_returns_is_what_the_next_layer_gets() {
    for (value, input, sites) in all() {
        let network = build(&value, input, 3);
        let x = batch(2, input.features(), &Device::flex());
        let rows =
            |tap: &mut dyn Tap| network.forward(x.clone(), tap).into_data().try_to_vec::<f32>().unwrap();
        let plain = rows(&mut NoTap);
        assert_ne!(plain[..3], plain[3..], "{value}");
        for site in sites {
            let mut tap = Silence { site, met: 0 };
            let silenced = rows(&mut tap);
            assert_eq!(tap.met, 1, "{value}: {site}");
            if site.starts_with("layers.") {
                // Beside it, the input itself is passed on.
                assert_ne!(silenced, plain, "{value}: {site}");
            } else {
                assert_eq!(silenced[..3], silenced[3..], "{value}: {site}");
            }
        }
    }
}
