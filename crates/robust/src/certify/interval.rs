//! Interval bounds: what every value in a network can be, if every input is anywhere in its interval.

use burn::tensor::{Device, Int, Tensor, TensorData};
use crucible_models::{
    Activation, Scaling, Tap, Tapped,
    layers::{
        AvgPool2d, BatchNorm, Conv2d, Dropout, Embedding, LayerNorm, Linear, MaxPool2d, Padding, Positions,
        SelfAttention,
    },
};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Certificate, Subject, Verdict, by_bounds};
use crate::{Batch, Norm, RobustError, Threat};

/// Interval bounds of every layer.
///
/// What would be decided by less than the rounding of float32 counts as not certain.
///
/// S. Gowal et al.: On the effectiveness of interval bound propagation for training verifiably robust models, 2018.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ibp {}

/// Examples in one pass.
const BATCH: usize = 250;

impl Certificate for Ibp {
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
        by_bounds(subject, batch, threat, BATCH, &worst_logits)
    }
}

/// Why a network has no bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoBounds {
    /// A layer passes none on.
    #[error(
        "bounds do not pass through the layer `{layer}` ({kind}); they pass through linear layers, convolutions, pooling, \
         batch norm and activations"
    )]
    Layer {
        /// The layer's name.
        layer: String,
        /// What it is.
        kind: &'static str,
    },
    /// Between two layers something happens that linear bounds do not know of.
    #[error(
        "linear bounds go through layers one after another, and what reaches {place} is not what the layer before it \
         gives; use interval bounds"
    )]
    Torn {
        /// Where that was seen.
        place: String,
    },
}

/// The lowest and the highest that each output can be, `[n, outputs]` each.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// The lowest.
    pub low: Tensor<2>,
    /// The highest.
    pub high: Tensor<2>,
}

/// The bounds of a network's outputs over the boxes from `low` to `high`, `[n, features]` each.
///
/// # Errors
///
/// Where a layer passes no intervals on.
pub fn interval_bounds(network: &dyn Tapped, low: Tensor<2>, high: Tensor<2>) -> Result<Bounds, NoBounds> {
    let (bounds, _) = propagate(network, low, high)?;
    let (centre, radius) = halves(bounds);
    Ok(Bounds { low: centre.clone() - radius.clone(), high: centre + radius })
}

/// The logits at which the network does worst anywhere in the boxes: for each class the most that its logit can exceed
/// that of the example's label, and 0 for the label itself. The largest being 0 certifies an example.
///
/// Where the last layer is linear, its weights' differences are bounded as a whole, which is tighter than the bounds of
/// each output.
pub(crate) fn worst_logits(
    network: &dyn Tapped,
    [low, high]: [Tensor<2>; 2],
    labels: &[u32],
) -> Result<Tensor<2>, RobustError> {
    let (outputs, last) = propagate(network, low, high)?;
    excess(outputs, last, labels)
}

/// The worst logits of [`worst_logits`], from what a pass of [`Intervals`] left.
pub(super) fn excess(outputs: Tensor<2>, last: Last, labels: &[u32]) -> Result<Tensor<2>, RobustError> {
    if outputs.dims()[1] < 2 {
        return Err(RobustError::OneOutput);
    }
    let label = one_hot(labels, outputs.dims()[1], &outputs.device());
    let others = 1.0 - label.clone();
    let Some((layer, input)) = last else {
        let (centre, radius) = halves(outputs);
        let of_label = ((centre.clone() - radius.clone()) * label).sum_dim(1);
        return Ok((centre + radius - of_label) * others);
    };
    let (weight, bias) = (layer.weight.val(), layer.bias.val());
    let ([classes, features], [n, _]) = (weight.dims(), label.dims());
    let (centre, radius) = halves(input);
    // Row (i, k): the weights of class k less those of the label of example i.
    let of_label = label.clone().matmul(weight.clone()).reshape([n, 1, features]);
    let difference = weight.reshape([1, classes, features]) - of_label;
    let bias = bias.reshape([1, classes]);
    let shift = bias.clone() - (label * bias).sum_dim(1);
    let product = |difference: Tensor<3>, x: Tensor<2>| {
        difference.matmul(x.reshape([n, features, 1])).reshape([n, classes])
    };
    let worst = product(difference.clone(), centre) + product(difference.abs(), radius) + shift;
    Ok(worst * others)
}

/// 1 at each example's label, 0 elsewhere: `[n, classes]`.
pub(super) fn one_hot(labels: &[u32], classes: usize, device: &Device) -> Tensor<2> {
    let mut rows = vec![0.0f32; labels.len() * classes];
    labels.iter().enumerate().for_each(|(row, label)| rows[row * classes + *label as usize] = 1.0);
    Tensor::from_data(TensorData::new(rows, [labels.len(), classes]), device)
}

/// The lowest and the highest network inputs, `[n, features]` each, that an attacker may make of `inputs` in the L∞ ball
/// and the valid range; `scaling` makes the caller's values the network's.
pub(crate) fn boxes(inputs: &[f32], threat: &Threat, scaling: &Scaling, device: &Device) -> [Tensor<2>; 2] {
    let [low, high] = threat.range();
    let [a, b] = [-threat.eps(), threat.eps()].map(|by| {
        let moved: Vec<f32> = inputs.iter().map(|value| (value + by).clamp(low, high)).collect();
        scaling.input(&moved, device)
    });
    // A negative scale turns an interval around.
    [a.clone().min_pair(b.clone()), a.max_pair(b)]
}

/// The last linear layer of a network, and the intervals of its input.
pub(super) type Last = Option<(Linear, Tensor<2>)>;

/// Centres above radii, `[2n, …]`, of the outputs.
fn propagate(network: &dyn Tapped, low: Tensor<2>, high: Tensor<2>) -> Result<(Tensor<2>, Last), NoBounds> {
    let centre = (low.clone() + high.clone()) * 0.5;
    let radius = (high - low) * 0.5;
    let mut tap = Intervals::default();
    let outputs = network.forward(Tensor::cat(vec![centre, radius], 0), &mut tap);
    match tap.missing {
        Some(missing) => Err(missing),
        None => Ok((outputs, tap.last)),
    }
}

/// The two halves of a stack of centres and radii.
pub(super) fn halves<const D: usize>(stack: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
    let n = stack.dims()[0] / 2;
    (stack.clone().narrow(0, 0, n), stack.narrow(0, n, n))
}

/// Runs each layer on centres and radii in the place of values, so that no network knows of it: a batch of `2n` rows, the
/// centres first.
#[derive(Default)]
pub(super) struct Intervals {
    pub(super) missing: Option<NoBounds>,
    pub(super) last: Last,
}

impl Intervals {
    fn refuse<T>(&mut self, layer: &str, kind: &'static str, output: T) -> T {
        self.last = None;
        self.missing.get_or_insert(NoBounds::Layer { layer: layer.to_owned(), kind });
        output
    }
}

/// A monotone part of a layer: the function of both ends.
fn monotone<const D: usize>(stack: Tensor<D>, f: impl Fn(Tensor<D>) -> Tensor<D>) -> Tensor<D> {
    let (centre, radius) = halves(stack);
    join(f(centre.clone() - radius.clone()), f(centre + radius))
}

fn join<const D: usize>(low: Tensor<D>, high: Tensor<D>) -> Tensor<D> {
    let (centre, radius) = ((low.clone() + high.clone()) * 0.5, (high - low) * 0.5);
    Tensor::cat(vec![centre, radius], 0)
}

/// Where GELU and SiLU are least, and their values there: below it they fall, above it they rise.
fn lowest(activation: Activation) -> Option<(f64, f64)> {
    match activation {
        Activation::Gelu => Some((-0.751_791_524_693_564_5, -0.169_971_207_479_903_66)),
        Activation::Silu => Some((-1.278_464_542_761_074, -0.278_464_542_761_073_8)),
        _ => None,
    }
}

pub(super) fn activate<const D: usize>(activation: Activation, stack: Tensor<D>) -> Tensor<D> {
    let Some((at, least)) = lowest(activation) else {
        return match activation {
            Activation::Identity => stack,
            _ => monotone(stack, |x| activation.forward(x)),
        };
    };
    let (centre, radius) = halves(stack);
    let (low, high) = (centre.clone() - radius.clone(), centre + radius);
    let [of_low, of_high] = [low.clone(), high.clone()].map(|x| activation.forward(x));
    let across = low.lower_elem(at).bool_and(high.greater_elem(at));
    let below = of_low.clone().min_pair(of_high.clone()).mask_fill(across, least);
    join(below, of_low.max_pair(of_high))
}

impl Tap for Intervals {
    fn linear(&mut self, layer: &Linear, input: Tensor<2>, activation: Activation) -> Tensor<2> {
        self.last = (activation == Activation::Identity).then(|| (layer.clone(), input.clone()));
        let (centre, radius) = halves(input);
        let centre = layer.forward(centre, Activation::Identity);
        let radius = radius.matmul(layer.weight.val().abs().transpose());
        activate(activation, Tensor::cat(vec![centre, radius], 0))
    }

    fn conv2d(&mut self, layer: &Conv2d, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        self.last = None;
        let (centre, radius) = halves(input);
        let centre = layer.forward(centre, Activation::Identity);
        let bias = layer.bias.val().zeros_like();
        let radius = layer.forward_with(radius, layer.weight.val().abs(), bias);
        activate(activation, Tensor::cat(vec![centre, radius], 0))
    }

    fn batch_norm(&mut self, layer: &BatchNorm, input: Tensor<3>) -> Tensor<3> {
        self.last = None;
        // An affine function of each value, rising or falling: the same at both ends, and the ends in order.
        let (centre, radius) = halves(input);
        let ends = [centre.clone() - radius.clone(), centre + radius].map(|x| layer.forward(x, false));
        let [a, b] = ends;
        join(a.clone().min_pair(b.clone()), a.max_pair(b))
    }

    fn max_pool2d(&mut self, layer: &MaxPool2d, input: Tensor<4>) -> Tensor<4> {
        self.last = None;
        monotone(input, |x| layer.forward(x))
    }

    fn avg_pool2d(&mut self, layer: &AvgPool2d, input: Tensor<4>) -> Tensor<4> {
        self.last = None;
        layer.forward(input)
    }

    fn activation(&mut self, _: &str, activation: Activation, input: Tensor<2>) -> Tensor<2> {
        self.last = None;
        activate(activation, input)
    }

    fn dropout(&mut self, _: &Dropout, input: Tensor<2>) -> Tensor<2> {
        input
    }

    fn linear_tokens(&mut self, layer: &Linear, input: Tensor<3>, activation: Activation) -> Tensor<3> {
        let output = layer.forward_tokens(input, activation);
        self.refuse(layer.name(), "linear layer at each token", output)
    }

    fn embedding(&mut self, layer: &Embedding, tokens: Tensor<2, Int>) -> Tensor<3> {
        let output = layer.forward(tokens);
        self.refuse(layer.name(), "token embedding", output)
    }

    fn self_attention(
        &mut self,
        layer: &SelfAttention,
        packed: Tensor<3>,
        padding: Option<&Padding>,
    ) -> Tensor<3> {
        let output = layer.attend(packed, padding);
        self.refuse(layer.name(), "attention", output)
    }

    fn layer_norm(&mut self, layer: &LayerNorm, input: Tensor<3>) -> Tensor<3> {
        let output = layer.forward(input);
        self.refuse(layer.name(), "layer norm", output)
    }

    fn positions(&mut self, layer: &Positions, input: Tensor<3>) -> Tensor<3> {
        let output = layer.forward(input);
        self.refuse(layer.name(), "learned positions", output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crucible_models::{Architecture, InputShape, Network, NoTap};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use serde_json::{Value, json};

    const PICTURE: InputShape = InputShape::Image { channels: 1, height: 12, width: 12 };

    fn network(value: &Value) -> Network {
        let architecture: Architecture = serde_json::from_value(value.clone()).unwrap();
        architecture.init(PICTURE, 4, &mut ChaCha8Rng::seed_from_u64(5), &Device::flex()).unwrap()
    }

    fn random(n: usize, rng: &mut ChaCha8Rng) -> Tensor<2> {
        let values: Vec<f32> = (0..n * 144).map(|_| rng.random_range(-1.0..1.0)).collect();
        Tensor::from_data(TensorData::new(values, [n, 144]), &Device::flex())
    }

    fn values(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    fn networks() -> Vec<Value> {
        let activations = ["relu", "leaky-relu", "gelu", "silu", "sigmoid", "tanh"];
        let mlps = activations.map(|name| json!({"name": "mlp", "hidden": [20, 9], "activation": name}));
        let mut all = mlps.to_vec();
        all.push(json!({"name": "mlp", "hidden": [20], "batch_norm": true, "dropout": 0.5}));
        all.extend([json!({"name": "convnet"}), json!({"name": "lenet5"}), json!({"name": "cnn"})]);
        all.push(json!({"name": "convnet", "activation": "gelu",
            "conv": [{"channels": 3, "kernel": 3, "padding": 1, "pool": 2}]}));
        all
    }

    #[test]
    fn no_input_of_a_box_leaves_its_bounds() {
        for value in networks() {
            let (network, mut rng) = (network(&value), ChaCha8Rng::seed_from_u64(2));
            for radius in [0.0, 0.02, 0.5] {
                let centre = random(3, &mut rng);
                let Bounds { low, high } =
                    interval_bounds(&network, centre.clone() - radius, centre.clone() + radius).unwrap();
                let (low, high) = (values(low), values(high));
                for draw in 0..30 {
                    // Corners, where linear functions have their extremes, and points within.
                    let direction = random(3, &mut rng);
                    let direction = if draw % 2 == 0 { direction.sign() } else { direction };
                    let outputs = values(network.forward(centre.clone() + direction * radius, &mut NoTap));
                    for ((output, low), high) in outputs.iter().zip(&low).zip(&high) {
                        let slack = 1e-5 * (1.0 + output.abs());
                        assert!(low - slack <= *output && *output <= high + slack, "{value} {radius}");
                    }
                    if radius == 0.0 {
                        assert!(low.iter().zip(&high).all(|(low, high)| high - low < 1e-6), "{value}");
                    }
                }
            }
        }
    }

    /// `w·x ± ε |w|₁` is what a linear function can be.
    #[test]
    fn a_linear_network_is_bounded_exactly() {
        let (network, mut rng) =
            (network(&json!({"name": "mlp", "hidden": []})), ChaCha8Rng::seed_from_u64(2));
        let (x, eps) = (random(1, &mut rng), 0.1f64);
        let state = crucible_models::weights::collect(&network);
        let (weight, bias) = (&state["fc1.weight"].values, &state["fc1.bias"].values);
        let worst = values(worst_logits(&network, [x.clone() - eps, x.clone() + eps], &[1]).unwrap());
        let x = values(x);
        for class in [0, 2, 3] {
            let difference =
                (0..144).map(|i| f64::from(weight[class * 144 + i]) - f64::from(weight[144 + i]));
            let product: f64 = difference.clone().zip(&x).map(|(w, x)| w * f64::from(*x)).sum();
            let expected = product + eps * difference.map(f64::abs).sum::<f64>() + f64::from(bias[class])
                - f64::from(bias[1]);
            assert!((f64::from(worst[class]) - expected).abs() < 1e-5, "{class}: {expected}");
        }
        assert_eq!(worst[1], 0.0);
    }

    #[test]
    fn a_layer_without_bounds_is_named() {
        let network =
            network(&json!({"name": "transformer", "width": 8, "heads": 2, "layers": 1, "patch": 4}));
        let zeros = Tensor::zeros([1, 144], &Device::flex());
        let error = interval_bounds(&network, zeros.clone(), zeros).unwrap_err();
        assert_eq!(error, NoBounds::Layer { layer: "positions".to_owned(), kind: "learned positions" });
    }
}
