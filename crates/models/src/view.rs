//! Views of a classifier over plain arrays: what attacks and attributions ask of a model.
//!
//! They are traits, so that a model from elsewhere can be asked the same questions, and so that a method can be tested
//! on a function whose answer is known by hand.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use crate::{Featured, NoTap, Penultimate, Tapped};

/// Black box: inputs in, one score per class out.
pub trait Classifier {
    /// Values of one input.
    fn features(&self) -> usize;

    /// Classes that are told apart.
    fn classes(&self) -> usize;

    /// The scores of inputs `[n, features]`, as `[n, classes]`: logits, or logarithms of probabilities. The softmax of
    /// a row gives the probabilities, and its largest value the class.
    fn logits(&self, inputs: &[f32]) -> Vec<f32>;
}

/// White box: a classifier that can be differentiated by its inputs.
pub trait Differentiable: Classifier {
    /// The logits `[n, classes]` of inputs `[n, features]`, and the gradient `[n, features]` by the inputs of the sum of
    /// all logits, each weighted as `pull` says when it sees them.
    ///
    /// `pull` is asked once for each batch, in order: it gets the number of examples before, and the batch's logits. With
    /// the gradient of a loss by the logits as the weights, the result is the gradient of the loss by the inputs.
    fn pull_back(&self, inputs: &[f32], pull: Pull<'_>) -> Pulled;
}

/// From the number of examples before a batch and its logits `[batch, classes]` to a weight for each of them.
pub type Pull<'a> = &'a mut dyn FnMut(usize, &[f32]) -> Vec<f32>;

/// What [`Differentiable::pull_back`] returns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pulled {
    /// `[n, classes]`.
    pub logits: Vec<f32>,
    /// `[n, features]`.
    pub gradient: Vec<f32>,
}

/// How what a caller speaks of (pixels from 0 to 1, say) becomes a network's input: `x · scale + offset`.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    /// One factor for each feature.
    pub scale: Vec<f32>,
    /// One summand for each feature.
    pub offset: Vec<f32>,
}

impl Scaling {
    /// Inputs as they are.
    #[must_use]
    pub fn none(features: usize) -> Self {
        Self { scale: vec![1.0; features], offset: vec![0.0; features] }
    }

    /// Makes the caller's values `[n, features]` the network's inputs.
    pub fn apply(&self, values: &mut [f32]) {
        self.each(values, |value, scale, offset| value * scale + offset);
    }

    /// Makes the network's inputs `[n, features]` the caller's values.
    pub fn undo(&self, inputs: &mut [f32]) {
        self.each(inputs, |input, scale, offset| (input - offset) / scale);
    }

    /// The caller's values `[n, features]` as the network's input on `device`.
    ///
    /// # Panics
    ///
    /// If there are no whole examples.
    #[must_use]
    pub fn input(&self, values: &[f32], device: &Device) -> Tensor<2> {
        let (mut inputs, features) = (values.to_vec(), self.scale.len());
        self.apply(&mut inputs);
        Tensor::from_data(TensorData::new(inputs, [values.len() / features, features]), device)
    }

    fn each(&self, values: &mut [f32], f: impl Fn(f32, f32, f32) -> f32) {
        for row in values.chunks_exact_mut(self.scale.len()) {
            for ((value, scale), offset) in row.iter_mut().zip(&self.scale).zip(&self.offset) {
                *value = f(*value, *scale, *offset);
            }
        }
    }
}

/// Examples in one forward pass.
const BATCH: usize = 256;

/// A network in evaluation, seen from its inputs: no gradient by a weight is ever computed.
#[derive(Debug, Clone)]
pub struct WhiteBox<N> {
    plain: N,
    tracked: N,
    device: Device,
    scaling: Scaling,
    classes: usize,
    one_score: bool,
}

impl<N: Tapped + Module> WhiteBox<N> {
    /// The view of a network on `device`, both without autodiff, that has `outputs` of logits: one for each class, or a
    /// single one, whose sigmoid is the probability of the second of two classes.
    ///
    /// # Panics
    ///
    /// If the scaling's lengths differ.
    #[must_use]
    pub fn new(network: &N, scaling: &Scaling, outputs: usize, device: &Device) -> Self {
        assert_eq!(scaling.scale.len(), scaling.offset.len(), "a factor and a summand for each feature");
        Self {
            plain: network.valid(),
            tracked: network.clone().train().no_grad(),
            device: device.clone(),
            scaling: scaling.clone(),
            classes: outputs.max(2),
            one_score: outputs == 1,
        }
    }

    /// Inputs `[n, features]` in batches, as the network's.
    fn batches<'a>(&'a self, inputs: &'a [f32]) -> impl Iterator<Item = Tensor<2>> + 'a {
        inputs.chunks(BATCH * self.features()).map(|part| self.scaling.input(part, &self.device))
    }

    fn scores(&self, outputs: Tensor<2>) -> Vec<f32> {
        let values = outputs.into_data().try_to_vec::<f32>().expect("networks here hold f32");
        if self.one_score { values.into_iter().flat_map(|value| [0.0, value]).collect() } else { values }
    }

    fn pull_back_batch(&self, input: Tensor<2>, pull: Pull<'_>, all: &mut Pulled) {
        let device = self.device.clone().autodiff();
        let leaf = Tensor::from_inner(input).require_grad();
        let outputs = self.tracked.forward(leaf.clone(), &mut NoTap);
        let shape = outputs.dims();
        let logits = self.scores(outputs.clone().inner());
        let mut weights = pull(all.logits.len() / self.classes, &logits);
        assert_eq!(weights.len(), logits.len(), "one weight for each logit");
        if self.one_score {
            weights = weights.chunks_exact(2).map(|pair| pair[1]).collect();
        }
        let weights = Tensor::<2>::from_data(TensorData::new(weights, shape), &device);
        let gradients = (outputs * weights).sum().backward();
        let gradient = leaf.grad(&gradients).unwrap_or_else(|| leaf.inner().zeros_like());
        let gradient = gradient.into_data().try_to_vec::<f32>().expect("networks here hold f32");
        let scales = self.scaling.scale.iter().cycle();
        all.logits.extend(logits);
        all.gradient.extend(gradient.iter().zip(scales).map(|(gradient, scale)| gradient * scale));
    }
}

impl<N: Tapped + Module> Classifier for WhiteBox<N> {
    fn features(&self) -> usize {
        self.scaling.scale.len()
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn logits(&self, inputs: &[f32]) -> Vec<f32> {
        self.batches(inputs).flat_map(|input| self.scores(self.plain.forward(input, &mut NoTap))).collect()
    }
}

impl<N: Tapped + Module> Featured for WhiteBox<N> {
    /// The input of the last fully connected layer; the outputs of a network that has none.
    fn penultimate(&self, inputs: &[f32]) -> Vec<f32> {
        let mut features = Vec::new();
        for input in self.batches(inputs) {
            let mut tap = Penultimate::default();
            let outputs = self.plain.forward(input, &mut tap);
            let seen = tap.0.unwrap_or(outputs).into_data();
            features.extend(seen.try_to_vec::<f32>().expect("networks here hold f32"));
        }
        features
    }
}

impl<N: Tapped + Module> Differentiable for WhiteBox<N> {
    fn pull_back(&self, inputs: &[f32], pull: Pull<'_>) -> Pulled {
        let mut all = Pulled::default();
        for input in self.batches(inputs) {
            self.pull_back_batch(input, pull, &mut all);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, InputShape, architectures::MlpConfig};
    use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

    fn view(outputs: usize, scaling: &Scaling) -> WhiteBox<crate::Network> {
        let (mut rng, device) = (ChaCha8Rng::seed_from_u64(1), Device::flex());
        let config = MlpConfig { activation: crate::Activation::Tanh, ..MlpConfig::default() };
        let shape = InputShape::Features { count: scaling.scale.len() };
        let network = Architecture::Mlp(config).init(shape, outputs, &mut rng, &device).unwrap();
        WhiteBox::new(&network, scaling, outputs, &device)
    }

    /// Values between −1 and 1.
    fn wave(n: usize) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * 0.7).sin()).collect()
    }

    #[test]
    fn the_gradient_is_that_of_the_weighted_logits_over_many_batches() {
        for outputs in [1, 3] {
            let scaling = Scaling { scale: vec![0.5, 2.0, -1.0, 1.0], offset: vec![0.0, 0.1, 0.2, -0.3] };
            let (view, n) = (view(outputs, &scaling), BATCH + 7);
            let (inputs, classes) = (wave(n * 4), view.classes());
            let weights = wave(n * classes);
            let mut seen = Vec::new();
            let pulled = view.pull_back(&inputs, &mut |first, logits| {
                seen.push(first);
                weights[first * classes..][..logits.len()].to_vec()
            });
            assert_eq!(seen, [0, BATCH]);
            assert_eq!(pulled.logits, view.logits(&inputs));
            let sum = |inputs: &[f32]| -> f64 {
                view.logits(inputs).iter().zip(&weights).map(|(l, w)| f64::from(*l) * f64::from(*w)).sum()
            };
            for i in [0, 5, 4 * BATCH + 2] {
                let at = |step: f32| {
                    let mut moved = inputs.clone();
                    moved[i] += step;
                    sum(&moved)
                };
                let expected = (at(0.01) - at(-0.01)) / 0.02;
                assert!((f64::from(pulled.gradient[i]) - expected).abs() < 2e-3, "{i}: {expected}");
            }
        }
    }

    #[test]
    fn one_score_stands_for_two_classes() {
        let view = view(1, &Scaling::none(4));
        let logits = view.logits(&wave(8));
        assert_eq!((view.classes(), logits.len(), logits[0], logits[2]), (2, 4, 0.0, 0.0));
        assert_ne!(logits[1], logits[3]);
    }

    #[test]
    fn the_last_layer_makes_the_logits_of_the_penultimate_features() {
        let (view, n) = (view(3, &Scaling::none(4)), BATCH + 3);
        let (inputs, width) = (wave(n * 4), 64);
        let features = view.penultimate(&inputs);
        assert_eq!(features.len(), n * width);
        let state = crate::weights::collect(&view.plain);
        let (weight, bias) = (&state["fc3.weight"].values, &state["fc3.bias"].values);
        let logits = view.logits(&inputs);
        for (features, logits) in features.chunks(width).zip(logits.chunks(3)) {
            for (class, logit) in logits.iter().enumerate() {
                let row = weight[class * width..][..width].iter();
                let expected = row.zip(features).map(|(w, x)| w * x).sum::<f32>() + bias[class];
                assert!((logit - expected).abs() < 1e-5, "{logit} {expected}");
            }
        }
    }

    #[test]
    fn no_inputs_no_answers() {
        let view = view(3, &Scaling::none(4));
        assert!(view.logits(&[]).is_empty());
        assert_eq!(view.pull_back(&[], &mut |_, _| unreachable!()), Pulled::default());
    }
}
