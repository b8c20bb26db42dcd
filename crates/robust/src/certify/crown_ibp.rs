//! CROWN-IBP: interval bounds of every layer, and from them linear bounds of the outputs.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, SQRT_2};

use burn::tensor::{
    Int, Tensor,
    activation::{relu, sigmoid},
    ops::PadMode,
};
use crucible_models::{
    Activation, Tap, Tapped,
    layers::{
        AvgPool2d, BatchNorm, Conv2d, Dropout, Embedding, LayerNorm, Linear, MaxPool2d, Padding, Positions,
        SelfAttention,
    },
};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Certificate, NoBounds, Subject, Verdict, by_bounds,
    interval::{Intervals, activate, excess, halves, one_hot},
};
use crate::{Batch, Norm, RobustError, Threat};

/// The better of interval bounds and of one pass of linear bounds back from each difference of logits to the input, for
/// which each activation lies between two lines over its interval.
///
/// What would be decided by less than the rounding of float32 counts as not certain.
///
/// H. Zhang et al.: Towards stable and efficient training of verifiably robust neural networks, 2020, section 3.2; the
/// lines: H. Zhang et al.: Efficient neural network robustness certification with general activation functions, 2018.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CrownIbp {}

/// Examples in one pass, each with as many rows of coefficients as there are classes.
const BATCH: usize = 50;

impl Certificate for CrownIbp {
    fn norm(&self) -> Norm {
        Norm::Linf
    }

    fn run(
        &self,
        subject: Subject<'_>,
        batch: Batch<'_>,
        threat: &Threat,
        _: &mut ChaCha8Rng,
    ) -> Result<Vec<Verdict>, RobustError> {
        by_bounds(subject, batch, threat, BATCH, &|network, ends, labels| {
            let Worst { interval, linear } = worst_by_lines(network, ends, labels)?;
            Ok(interval.min_pair(linear))
        })
    }
}

/// For each class the most that its logit can exceed that of the example's label, `[n, classes]`, by either bound; 0 for
/// the label itself.
pub(crate) struct Worst {
    pub(crate) interval: Tensor<2>,
    pub(crate) linear: Tensor<2>,
}

/// Both bounds over the boxes from `low` to `high`, `[n, features]` each.
///
/// # Errors
///
/// Where a layer passes no bounds on, layers do not follow one another, or there is one output for two classes.
pub(crate) fn worst_by_lines(
    network: &dyn Tapped,
    [low, high]: [Tensor<2>; 2],
    labels: &[u32],
) -> Result<Worst, RobustError> {
    let (centre, radius) = ((low.clone() + high.clone()) * 0.5, (high - low) * 0.5);
    let input = Tensor::cat(vec![centre.clone(), radius.clone()], 0);
    let mut tap =
        Chain { intervals: Intervals::default(), back: Vec::new(), before: input.clone(), torn: None };
    let outputs = network.forward(input, &mut tap);
    tap.link("the outputs".to_owned(), outputs.clone());
    if let Some(missing) = tap.intervals.missing.or(tap.torn) {
        return Err(missing.into());
    }
    let classes = outputs.dims()[1];
    let interval = excess(outputs, tap.intervals.last, labels)?;
    let device = interval.device();
    // Row (i, k): the logit of class k less that of the label of example i.
    let label = one_hot(labels, classes, &device).unsqueeze_dim::<3>(1);
    let each = Tensor::<2>::eye(classes, &device).unsqueeze_dim::<3>(0);
    let start = Lines { slopes: each - label, shift: Tensor::zeros([labels.len(), classes], &device) };
    let Lines { slopes, shift } = tap.back.into_iter().rev().fold(start, |lines, back| back(lines));
    let linear = product(slopes.clone(), centre) + product(slopes.abs(), radius) + shift;
    Ok(Worst { interval, linear })
}

/// Upper bounds of differences of logits, linear in the values at some place of the network.
struct Lines {
    /// `[n, differences, features]`.
    slopes: Tensor<3>,
    /// `[n, differences]`.
    shift: Tensor<2>,
}

/// From bounds by a layer's output to bounds by its input.
type Back = Box<dyn FnOnce(Lines) -> Lines>;

/// For each row of slopes `[n, differences, features]` the product with the example's `values` `[n, features]`.
fn product(slopes: Tensor<3>, values: Tensor<2>) -> Tensor<2> {
    let ([n, rows, features], [_, _]) = (slopes.dims(), values.dims());
    slopes.matmul(values.reshape([n, features, 1])).reshape([n, rows])
}

/// Runs intervals forward, and keeps for each layer the way back.
struct Chain {
    intervals: Intervals,
    /// From the input on.
    back: Vec<Back>,
    /// What the last layer gave, flat.
    before: Tensor<2>,
    torn: Option<NoBounds>,
}

impl Chain {
    /// Sees that what reaches a layer is what the layer before gave: linear bounds go back through one layer after
    /// another, and would be wrong of a network that does something else between.
    fn link<const D: usize>(&mut self, place: String, input: Tensor<D>) {
        let (input, before) = (flat(input), self.before.clone());
        let same = input.dims() == before.dims() && {
            // Not where both are NaN: that is no matter of the order of layers.
            let differs = (input - before).abs().greater_elem(0.0);
            !differs.any().into_scalar::<bool>()
        };
        if !same {
            self.torn.get_or_insert(NoBounds::Torn { place });
        }
    }

    fn keep<const D: usize>(
        &mut self,
        output: Tensor<D>,
        back: impl FnOnce(Lines) -> Lines + 'static,
    ) -> Tensor<D> {
        self.before = flat(output.clone());
        self.back.push(Box::new(back));
        output
    }

    /// An activation: between two lines at each value.
    fn bend<const D: usize>(&mut self, activation: Activation, input: Tensor<D>) -> Tensor<D> {
        if activation == Activation::Identity {
            return input;
        }
        let (centre, radius) = halves(flat(input.clone()));
        let Between { slopes: [below, above], shifts: [under, over] } =
            Between::of(activation, centre.clone() - radius.clone(), centre + radius);
        self.intervals.last = None;
        let output = activate(activation, input);
        self.keep(output, |Lines { slopes, shift }| {
            let (rising, falling) = signs(slopes);
            let shift = shift + product(rising.clone(), over) + product(falling.clone(), under);
            let slopes = rising * above.unsqueeze_dim(1) + falling * below.unsqueeze_dim(1);
            Lines { slopes, shift }
        })
    }
}

fn flat<const D: usize>(values: Tensor<D>) -> Tensor<2> {
    let rows = values.dims()[0];
    let features = values.dims()[1..].iter().product();
    values.reshape([rows, features])
}

/// The positive and the negative part.
fn signs<const D: usize>(values: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
    let positive = relu(values.clone());
    (positive.clone(), values - positive)
}

/// The line below an activation and the line above it, over the interval of each value, `[n, features]`.
struct Between {
    slopes: [Tensor<2>; 2],
    shifts: [Tensor<2>; 2],
}

impl Between {
    fn of(activation: Activation, low: Tensor<2>, high: Tensor<2>) -> Self {
        match activation {
            Activation::Relu => Self::hinge(0.0, low, high),
            Activation::LeakyRelu => Self::hinge(0.01, low, high),
            _ => Self::parallel(activation, low, high),
        }
    }

    /// Of `max(x, slope · x)`: above the chord; below the steeper arm where the interval reaches farther up than down,
    /// else the flatter.
    fn hinge(slope: f64, low: Tensor<2>, high: Tensor<2>) -> Self {
        let (up, down) = (relu(high), relu(-low));
        // A chord that is flatter, through the same upper end, is above the function, too.
        let length = (up.clone() + down.clone()).clamp_min(1e-6);
        let above = (up.clone() + down.clone() * slope) / length;
        let over = up.clone() * (1.0 - above.clone());
        let below = up.greater(down).float() * (1.0 - slope) + slope;
        let under = below.zeros_like();
        Self { slopes: [below, above], shifts: [under, over] }
    }

    /// Of a smooth function: both lines as steep as it is where it is least steep. Less that line, it never falls, and is
    /// least at the lower end of the interval, and most at the upper.
    fn parallel(activation: Activation, low: Tensor<2>, high: Tensor<2>) -> Self {
        let slope = least_slope(activation, low.clone(), high.clone());
        let shifts = [low, high].map(|end| activation.forward(end.clone()) - slope.clone() * end);
        Self { slopes: [slope.clone(), slope], shifts }
    }
}

/// The least slope of a smooth activation between `low` and `high`: at one of the ends, or where GELU and SiLU fall most.
fn least_slope(activation: Activation, low: Tensor<2>, high: Tensor<2>) -> Tensor<2> {
    let at_ends = slope(activation, low.clone()).min_pair(slope(activation, high.clone()));
    let (at, least) = match activation {
        Activation::Gelu => (-SQRT_2, -0.128_904_145_185_154_8),
        Activation::Silu => (-2.399_357_283_669_738, -0.099_839_320_128_866_94),
        _ => return at_ends,
    };
    at_ends.mask_fill(low.lower_elem(at).bool_and(high.greater_elem(at)), least)
}

/// The derivative of a smooth activation.
fn slope(activation: Activation, x: Tensor<2>) -> Tensor<2> {
    match activation {
        Activation::Sigmoid => {
            let y = sigmoid(x);
            y.clone() * (1.0 - y)
        }
        Activation::Silu => {
            let y = sigmoid(x.clone());
            y.clone() * (x * (1.0 - y) + 1.0)
        }
        Activation::Tanh => {
            let y = x.tanh();
            1.0 - y.clone() * y
        }
        Activation::Gelu => {
            let density = (x.clone() * x.clone() * -0.5).exp() * (0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
            ((x.clone() * FRAC_1_SQRT_2).erf() + 1.0) * 0.5 + x * density
        }
        Activation::Identity | Activation::Relu | Activation::LeakyRelu => {
            unreachable!("made of straight arms")
        }
    }
}

/// The values of windows `[rows, channels, height, width]`, each at every place of its window, and 0 beside the windows.
fn spread(values: Tensor<4>, size: usize, [height, width]: [usize; 2]) -> Tensor<4> {
    let [rows, channels, down, across] = values.dims();
    let values = values.reshape([rows * channels, down, 1, across, 1]).expand([
        rows * channels,
        down,
        size,
        across,
        size,
    ]);
    let values = values.reshape([rows, channels, down * size, across * size]);
    let beside = (0, width - across * size, 0, height - down * size);
    if beside == (0, 0, 0, 0) { values } else { values.pad(beside, PadMode::Constant(0.0)) }
}

/// The places in each window of `[n, channels, height, width]`, last: `[n, channels, height', width', size²]`.
fn windows(values: Tensor<4>, size: usize) -> Tensor<5> {
    let [n, channels, height, width] = values.dims();
    let (down, across) = (height / size, width / size);
    let values = values.narrow(2, 0, down * size).narrow(3, 0, across * size);
    let values = values.reshape([n, channels, down, size, across, size]).permute([0, 1, 2, 4, 3, 5]);
    values.reshape([n, channels, down, across, size * size])
}

/// Back from the windows' places to `[n, channels, height, width]`, 0 beside the windows.
fn unfold(values: Tensor<5>, size: usize, [height, width]: [usize; 2]) -> Tensor<4> {
    let [n, channels, down, across, _] = values.dims();
    let values = values.reshape([n, channels, down, across, size, size]).permute([0, 1, 2, 4, 3, 5]);
    let values = values.reshape([n, channels, down * size, across * size]);
    values.pad((0, width - across * size, 0, height - down * size), PadMode::Constant(0.0))
}

/// The rows of slopes as pictures, `[n · differences, channels, height, width]`.
fn pictures(slopes: Tensor<3>, [channels, height, width]: [usize; 3]) -> Tensor<4> {
    let [n, rows, _] = slopes.dims();
    slopes.reshape([n * rows, channels, height, width])
}

/// And back.
fn rows(pictures: Tensor<4>, n: usize) -> Tensor<3> {
    let [all, channels, height, width] = pictures.dims();
    pictures.reshape([n, all / n, channels * height * width])
}

/// What `constants`, one for each channel, add: `[n, differences]` from slopes `[n, differences, channels · positions]`.
fn by_channel(slopes: Tensor<3>, constants: Tensor<1>) -> Tensor<2> {
    let ([n, rows, features], [channels]) = (slopes.dims(), constants.dims());
    let sums = slopes.reshape([n * rows, channels, features / channels]).sum_dim(2);
    sums.reshape([n * rows, channels]).matmul(constants.reshape([channels, 1])).reshape([n, rows])
}

impl Tap for Chain {
    fn linear(&mut self, layer: &Linear, input: Tensor<2>, activation: Activation) -> Tensor<2> {
        self.link(format!("the layer `{}`", layer.name()), input.clone());
        let output = self.intervals.linear(layer, input, Activation::Identity);
        let (weight, bias) = (layer.weight.val(), layer.bias.val());
        let output = self.keep(output, |Lines { slopes, shift }| {
            let ([n, rows, outputs], [_, inputs]) = (slopes.dims(), weight.dims());
            let shift = shift + by_channel(slopes.clone(), bias);
            let slopes = slopes.reshape([n * rows, outputs]).matmul(weight).reshape([n, rows, inputs]);
            Lines { slopes, shift }
        });
        self.bend(activation, output)
    }

    fn conv2d(&mut self, layer: &Conv2d, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        self.link(format!("the layer `{}`", layer.name()), input.clone());
        let [_, _, height, width] = input.dims();
        let output = self.intervals.conv2d(layer, input, Activation::Identity);
        let ([_, channels, down, across], layer) = (output.dims(), layer.clone());
        let output = self.keep(output, move |Lines { slopes, shift }| {
            let n = shift.dims()[0];
            let shift = shift + by_channel(slopes.clone(), layer.bias.val());
            let slopes = layer.transposed(pictures(slopes, [channels, down, across]), [height, width]);
            Lines { slopes: rows(slopes, n), shift }
        });
        self.bend(activation, output)
    }

    fn batch_norm(&mut self, layer: &BatchNorm, input: Tensor<3>) -> Tensor<3> {
        self.link(format!("the layer `{}`", layer.name()), input.clone());
        let output = self.intervals.batch_norm(layer, input);
        let [scale, offset] = layer.affine();
        self.keep(output, |Lines { slopes, shift }| {
            let ([n, rows, features], [channels]) = (slopes.dims(), scale.dims());
            let shift = shift + by_channel(slopes.clone(), offset);
            let slopes =
                slopes.reshape([n * rows, channels, features / channels]) * scale.reshape([1, channels, 1]);
            Lines { slopes: slopes.reshape([n, rows, features]), shift }
        })
    }

    /// Above: the window's largest value, where one is larger than all others can be, else the most that any can be. Below:
    /// the value whose least is the largest.
    fn max_pool2d(&mut self, layer: &MaxPool2d, input: Tensor<4>) -> Tensor<4> {
        self.link(format!("the layer `{}`", layer.name()), input.clone());
        let (size, [_, channels, height, width]) = (layer.size(), input.dims());
        let (centre, radius) = halves(input.clone());
        let low = windows(centre.clone() - radius.clone(), size);
        let high = windows(centre + radius, size);
        let places = Tensor::<1, Int>::arange(0..(size * size) as i64, &low.device()).reshape([
            1,
            1,
            1,
            1,
            size * size,
        ]);
        let chosen = low.clone().argmax(4).equal(places.expand(low.dims()));
        let others = high.clone().mask_fill(chosen.clone(), f32::NEG_INFINITY).max_dim(4);
        let sure = flat(low.max_dim(4).greater_equal(others).float());
        let most = flat(high.max_dim(4)) * (1.0 - sure.clone());
        let chosen = flat(unfold(chosen.float(), size, [height, width]));
        let output = self.intervals.max_pool2d(layer, input);
        let [_, _, down, across] = output.dims();
        self.keep(output, move |Lines { slopes, shift }| {
            let n = shift.dims()[0];
            let (rising, falling) = signs(slopes);
            let shift = shift + product(rising.clone(), most);
            let through = falling + rising * sure.unsqueeze_dim(1);
            let through = spread(pictures(through, [channels, down, across]), size, [height, width]);
            Lines { slopes: rows(through, n) * chosen.unsqueeze_dim(1), shift }
        })
    }

    fn avg_pool2d(&mut self, layer: &AvgPool2d, input: Tensor<4>) -> Tensor<4> {
        self.link(format!("the layer `{}`", layer.name()), input.clone());
        let (size, [_, channels, height, width]) = (layer.size(), input.dims());
        let output = self.intervals.avg_pool2d(layer, input);
        let [_, _, down, across] = output.dims();
        self.keep(output, move |Lines { slopes, shift }| {
            let n = shift.dims()[0];
            let slopes = spread(pictures(slopes, [channels, down, across]), size, [height, width]);
            Lines { slopes: rows(slopes, n) / (size * size) as f64, shift }
        })
    }

    fn activation(&mut self, name: &str, activation: Activation, input: Tensor<2>) -> Tensor<2> {
        self.link(format!("the layer `{name}`"), input.clone());
        self.bend(activation, input)
    }

    fn dropout(&mut self, layer: &Dropout, input: Tensor<2>) -> Tensor<2> {
        self.intervals.dropout(layer, input)
    }

    fn linear_tokens(&mut self, layer: &Linear, input: Tensor<3>, activation: Activation) -> Tensor<3> {
        self.intervals.linear_tokens(layer, input, activation)
    }

    fn embedding(&mut self, layer: &Embedding, tokens: Tensor<2, Int>) -> Tensor<3> {
        self.intervals.embedding(layer, tokens)
    }

    fn self_attention(
        &mut self,
        layer: &SelfAttention,
        packed: Tensor<3>,
        padding: Option<&Padding>,
    ) -> Tensor<3> {
        self.intervals.self_attention(layer, packed, padding)
    }

    fn layer_norm(&mut self, layer: &LayerNorm, input: Tensor<3>) -> Tensor<3> {
        self.intervals.layer_norm(layer, input)
    }

    fn positions(&mut self, layer: &Positions, input: Tensor<3>) -> Tensor<3> {
        self.intervals.positions(layer, input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::{
        module::Param,
        tensor::{Device, TensorData},
    };
    use crucible_models::{
        Architecture, Classifier, Differentiable, InputShape, Network, Scaling, WhiteBox, weights,
    };
    use rand::{RngExt, SeedableRng};
    use serde_json::{Value, json};

    fn rng(seed: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(seed)
    }

    fn tensor(values: &[f32], device: &Device) -> Tensor<2> {
        Tensor::<1>::from_data(TensorData::from(values), device).unsqueeze()
    }

    fn values(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    fn network(value: &Value, input: InputShape, classes: usize) -> Network {
        let architecture: Architecture = serde_json::from_value(value.clone()).unwrap();
        architecture.init(input, classes, &mut rng(5), &Device::flex()).unwrap()
    }

    /// Bounds around one input, by intervals and by lines.
    fn around(network: &dyn Tapped, input: &[f32], eps: f32, label: u32) -> [Vec<f32>; 2] {
        let ends = [-eps, eps].map(|by| {
            let moved: Vec<f32> = input.iter().map(|value| value + by).collect();
            tensor(&moved, &Device::flex())
        });
        let Worst { interval, linear } = worst_by_lines(network, ends, &[label]).unwrap();
        [interval, linear].map(values)
    }

    /// Fractions from −1 to 1, as in `golden/crown_ibp.py`.
    fn numbers(count: usize, salt: usize) -> Vec<f64> {
        (0..count).map(|i| (((i * i * 7 + i * 29 + salt * 13) % 101) as f64 - 50.0) / 50.0).collect()
    }

    /// The network with the weights of `golden/crown_ibp.py`.
    fn filled(network: Network) -> Network {
        let mut state = weights::collect(&network);
        for (place, (name, tensor)) in state.iter_mut().enumerate() {
            let fan_in: usize = tensor.shape[1..].iter().product();
            let divisor = if tensor.shape.len() > 1 { (fan_in as f64).sqrt().ceil() } else { 2.0 };
            let shift = if name.ends_with("running_var") { 1.5 } else { 0.0 };
            let numbers = numbers(tensor.values.len(), place);
            tensor.values = numbers.iter().map(|value| ((value + shift) / divisor) as f32).collect();
        }
        weights::assign(network, &state).unwrap()
    }

    /// Against an implementation in float64 that takes every layer for a matrix.
    #[test]
    fn both_bounds_are_those_of_numpy() {
        let cases: Vec<Value> =
            serde_json::from_str(include_str!("../../tests/golden/crown_ibp.json")).unwrap();
        assert_eq!(cases.len(), 22);
        for case in cases {
            let features = case["features"].as_u64().unwrap() as usize;
            let input = match case["side"].as_u64() {
                Some(side) => InputShape::Image { channels: 1, height: side as usize, width: side as usize },
                None => InputShape::Features { count: features },
            };
            let network = filled(network(&case["model"], input, 3));
            let centre: Vec<f32> = numbers(features, 3).iter().map(|value| *value as f32).collect();
            let ours = around(&network, &centre, case["eps"].as_f64().unwrap() as f32, 1);
            for (ours, name) in ours.iter().zip(["interval", "linear"]) {
                for (class, bound) in ours.iter().enumerate() {
                    let expected = case[name][class].as_f64().unwrap();
                    let near = (f64::from(*bound) - expected).abs() < 1e-5 * (1.0 + expected.abs());
                    assert!(
                        near,
                        "{} {} {name} {class}: {bound}, not {expected}",
                        case["model"], case["eps"]
                    );
                }
            }
        }
    }

    /// `h = max(0, x)`, logits `h` and `0.2 − h / 2`.
    #[test]
    fn one_relu_is_bounded_as_by_hand() {
        let input = InputShape::Features { count: 1 };
        let network = network(&json!({"name": "mlp", "hidden": [1]}), input, 2);
        let mut state = weights::collect(&network);
        for (name, values) in
            [("fc1.weight", vec![1.0]), ("fc1.bias", vec![0.0]), ("fc2.weight", vec![1.0, -0.5])]
        {
            state.get_mut(name).unwrap().values = values;
        }
        state.get_mut("fc2.bias").unwrap().values = vec![0.0, 0.2];
        let network = weights::assign(network, &state).unwrap();
        for (centre, eps, label, interval, linear) in [
            // x from −1 to 2: h ≤ 2/3 (x + 1), so that 3/2 h − 0.2 ≤ 2.8.
            (0.5, 1.5, 1, [2.8, 0.0], [2.8, 0.0]),
            // And h ≥ x, so that 0.2 − 3/2 h ≤ 1.7, where the interval of h from 0 says more.
            (0.5, 1.5, 0, [0.0, 0.2], [0.0, 1.7]),
            // x from −2 to 1: h ≥ 0.
            (-0.5, 1.5, 0, [0.0, 0.2], [0.0, 0.2]),
            // x from 1 to 2: h = x. x from −2 to −1: h = 0.
            (1.5, 0.5, 0, [0.0, -1.3], [0.0, -1.3]),
            (-1.5, 0.5, 1, [-0.2, 0.0], [-0.2, 0.0]),
        ] {
            let found = around(&network, &[centre], eps, label);
            for (found, expected) in found.iter().zip([interval, linear]) {
                let near = found.iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-6);
                assert!(near, "{centre} ± {eps}, {label}: {found:?}, not {expected:?}");
            }
        }
    }

    const PICTURE: InputShape = InputShape::Image { channels: 1, height: 12, width: 12 };
    const PIXELS: usize = 144;

    fn networks() -> Vec<Value> {
        let activations = ["relu", "leaky-relu", "gelu", "silu", "sigmoid", "tanh"];
        let mlps = activations.map(|name| json!({"name": "mlp", "hidden": [20, 9], "activation": name}));
        let mut all = mlps.to_vec();
        all.push(json!({"name": "mlp", "hidden": [20, 20, 20], "batch_norm": true, "dropout": 0.5}));
        all.extend([json!({"name": "convnet"}), json!({"name": "lenet5"}), json!({"name": "cnn"})]);
        all.push(json!({"name": "lenet5", "activation": "relu"}));
        all.push(json!({"name": "convnet", "activation": "gelu", "conv": [
            {"channels": 3, "kernel": 3, "padding": 1, "pool": 5}, {"channels": 4, "kernel": 2}]}));
        all
    }

    /// Every class's excess over the label, pushed up by the sign of its gradient from a random corner of the ball.
    fn climb(
        model: &WhiteBox<Network>,
        input: &[f32],
        eps: f32,
        label: usize,
        rng: &mut ChaCha8Rng,
    ) -> Vec<f32> {
        let classes = model.classes();
        let mut most = vec![f32::NEG_INFINITY; classes];
        for class in 0..classes {
            let mut moved: Vec<f32> =
                input.iter().map(|value| value + if rng.random() { eps } else { -eps }).collect();
            for _ in 0..8 {
                let pulled = model.pull_back(&moved, &mut |_, logits| {
                    let mut pull = vec![0.0; logits.len()];
                    pull[class] += 1.0;
                    pull[label] -= 1.0;
                    pull
                });
                for (other, most) in most.iter_mut().enumerate() {
                    *most = most.max(pulled.logits[other] - pulled.logits[label]);
                }
                for ((moved, value), slope) in moved.iter_mut().zip(input).zip(&pulled.gradient) {
                    *moved = (*moved + eps * 0.5 * slope.signum()).clamp(value - eps, value + eps);
                }
            }
        }
        most
    }

    #[test]
    fn no_input_of_a_ball_exceeds_the_bounds() {
        for value in networks() {
            // Weights that let activations cross.
            let network = filled(network(&value, PICTURE, 4));
            let model = WhiteBox::new(&network, &Scaling::none(PIXELS), 4, &Device::flex());
            let rng = &mut rng(2);
            for eps in [0.0, 0.005, 0.05, 0.5] {
                for label in 0..2 {
                    let input: Vec<f32> = (0..PIXELS).map(|_| rng.random_range(-1.0..1.0)).collect();
                    let [interval, linear] = around(&network, &input, eps, label);
                    let most = climb(&model, &input, eps, label as usize, rng);
                    for ((most, interval), linear) in most.iter().zip(&interval).zip(&linear) {
                        let slack = 1e-5 * (1.0 + most.abs());
                        assert!(most - slack <= *linear, "{value} {eps}: {most} found, {linear} by lines");
                        assert!(most - slack <= *interval, "{value} {eps}: {most} found, {interval}");
                        let exact = (most - linear).abs() <= 2.0 * slack;
                        assert!(eps > 0.0 || exact, "{value}: {linear} at a point of {most}");
                    }
                }
            }
        }
    }

    #[test]
    fn lines_are_tighter_than_intervals_where_many_layers_follow() {
        for value in networks() {
            let network = filled(network(&value, PICTURE, 4));
            let input: Vec<f32> = numbers(PIXELS, 1).iter().map(|value| *value as f32).collect();
            let [interval, linear] = around(&network, &input, 0.01, 0);
            let [interval, linear] = [interval, linear].map(|bounds| bounds.iter().sum::<f32>());
            assert!(linear < interval, "{value}: {linear} by lines, {interval} by intervals");
        }
    }

    /// `(w − v)·x + ε |w − v|₁ + b − c` is the most that two linear functions can differ by.
    #[test]
    fn a_network_without_activations_is_bounded_exactly() {
        let network = network(&json!({"name": "mlp", "hidden": []}), PICTURE, 4);
        let state = weights::collect(&network);
        let (weight, bias) = (&state["fc1.weight"].values, &state["fc1.bias"].values);
        let (input, eps) = (numbers(PIXELS, 1), 0.1f64);
        let centre: Vec<f32> = input.iter().map(|value| *value as f32).collect();
        let [_, linear] = around(&network, &centre, eps as f32, 1);
        for class in [0, 2, 3] {
            let difference =
                (0..PIXELS).map(|i| f64::from(weight[class * PIXELS + i]) - f64::from(weight[PIXELS + i]));
            let product: f64 = difference.clone().zip(&input).map(|(w, x)| w * x).sum();
            let expected = product + eps * difference.map(f64::abs).sum::<f64>() + f64::from(bias[class])
                - f64::from(bias[1]);
            assert!((f64::from(linear[class]) - expected).abs() < 1e-5, "{class}: {expected}");
        }
        assert_eq!(linear[1], 0.0);
    }

    /// Two layers, and something between them that no tap sees.
    struct Two {
        layers: [Linear; 2],
        activation: Activation,
        before: fn(Tensor<2>) -> Tensor<2>,
        after: fn(Tensor<2>, Tensor<2>) -> Tensor<2>,
    }

    impl Two {
        fn plain(activation: Activation, device: &Device) -> Self {
            let rng = &mut rng(3);
            let layers = ["first", "second"].map(|name| Linear::new(name, 4, 4, rng, device));
            Self { layers, activation, before: |x| x, after: |_, y| y }
        }
    }

    impl Tapped for Two {
        fn forward(&self, input: Tensor<2>, tap: &mut dyn Tap) -> Tensor<2> {
            let hidden = tap.linear(&self.layers[0], input, self.activation);
            let output = tap.linear(&self.layers[1], (self.before)(hidden.clone()), Activation::Identity);
            (self.after)(hidden, output)
        }
    }

    #[test]
    fn layers_that_do_not_follow_one_another_are_refused() {
        let (low, high) = (tensor(&[0.1; 4], &Device::flex()), tensor(&[0.2; 4], &Device::flex()));
        let plain = || Two::plain(Activation::Relu, &Device::flex());
        worst_by_lines(&plain(), [low.clone(), high.clone()], &[0]).unwrap();
        for (network, place) in [
            (Two { before: |x| x * 2.0, ..plain() }, "the layer `second`"),
            (Two { before: |x| x.flip([1]), ..plain() }, "the layer `second`"),
            (Two { after: |x, y| x + y, ..plain() }, "the outputs"),
        ] {
            let error = worst_by_lines(&network, [low.clone(), high.clone()], &[0]).err();
            assert_eq!(error, Some(NoBounds::Torn { place: place.to_owned() }.into()));
        }
        let network = network(
            &json!({"name": "transformer", "width": 8, "heads": 2, "layers": 1, "patch": 4}),
            PICTURE,
            4,
        );
        let zeros = Tensor::zeros([1, PIXELS], &Device::flex());
        let error = worst_by_lines(&network, [zeros.clone(), zeros], &[0]).err();
        let kind = "learned positions";
        assert_eq!(error, Some(NoBounds::Layer { layer: "positions".to_owned(), kind }.into()));
    }

    /// What training follows: the gradient of the bounds by the first layer's weights, against differences.
    #[test]
    fn the_bounds_have_gradients() {
        let device = Device::flex().autodiff();
        let ends = [-0.3, 0.4].map(|by| tensor(&[0.5 + by, by, 0.1 + by, by - 0.4], &device));
        let probe = tensor(&[0.3, 0.0, 1.0, -0.6], &device);
        for activation in [Activation::Relu, Activation::LeakyRelu, Activation::Tanh, Activation::Gelu] {
            let plain = Two::plain(activation, &device);
            let start = plain.layers[0].weight.val();
            let at = |weight: Tensor<2>| {
                let mut network = Two::plain(activation, &device);
                network.layers[0].weight = Param::from_tensor(weight);
                let worst = worst_by_lines(&network, ends.clone(), &[1]).unwrap();
                (worst.linear * probe.clone()).sum()
            };
            let leaf = start.clone().detach().require_grad();
            let gradients = at(leaf.clone()).backward();
            let gradient = values(leaf.grad(&gradients).unwrap());
            let start = values(start);
            for place in 0..start.len() {
                let moved = |by: f32| {
                    let mut weight = start.clone();
                    weight[place] += by;
                    at(tensor(&weight, &device).reshape([4, 4])).into_scalar::<f32>()
                };
                let slope = (moved(0.005) - moved(-0.005)) / 0.01;
                assert!(
                    (gradient[place] - slope).abs() < 5e-3,
                    "{activation:?} {place}: {slope}, {gradient:?}"
                );
            }
        }
    }
}
