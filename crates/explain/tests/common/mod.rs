//! Networks and functions that the tests explain.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]
#![allow(dead_code, reason = "no test uses all of them")]

use burn::tensor::Device;
use crucible_explain::{Examples, Layers, Model, Need};
use crucible_models::{
    Architecture, Classifier, Differentiable, InputShape, Network, Pull, Pulled, Scaling, WhiteBox,
    weights::{self, State},
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde_json::json;

pub(crate) fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// A network with all that a method may ask of it.
pub(crate) struct Subject {
    pub(crate) network: Network,
    pub(crate) view: WhiteBox<Network>,
    pub(crate) device: Device,
    pub(crate) scaling: Scaling,
    pub(crate) outputs: usize,
    pub(crate) shape: InputShape,
}

impl Subject {
    pub(crate) fn new(
        architecture: &serde_json::Value,
        shape: InputShape,
        outputs: usize,
        weights: Option<&State>,
    ) -> Self {
        let scaling = Scaling::none(shape.features());
        Self::scaled(architecture, shape, outputs, weights, scaling)
    }

    pub(crate) fn scaled(
        architecture: &serde_json::Value,
        shape: InputShape,
        outputs: usize,
        weights: Option<&State>,
        scaling: Scaling,
    ) -> Self {
        let device = Device::flex();
        let architecture: Architecture = serde_json::from_value(architecture.clone()).unwrap();
        let mut network = architecture.init(shape, outputs, &mut rng(1), &device).unwrap();
        if let Some(weights) = weights {
            network = crucible_models::weights::assign(network, weights).unwrap();
        }
        let view = WhiteBox::new(&network, &scaling, outputs, &device);
        Self { network, view, device, scaling, outputs, shape }
    }

    pub(crate) fn model(&self) -> Model<'_> {
        let Self { network, device, scaling, outputs, .. } = self;
        Model::layered(&self.view, Layers { network, device, scaling, outputs: *outputs })
    }

    pub(crate) fn examples<'a>(
        &self,
        inputs: &'a [f32],
        targets: &'a [usize],
        background: &'a [f32],
    ) -> Examples<'a> {
        Examples { inputs, targets, shape: self.shape, background }
    }
}

type Score = fn(&[f32]) -> f32;
type Gradient = fn(&[f32]) -> Vec<f32>;

/// Two classes: the logits are `f` and zero. The gradient of `f` is `g`.
pub(crate) struct Function {
    pub(crate) features: usize,
    pub(crate) f: Score,
    pub(crate) g: Gradient,
}

impl Classifier for Function {
    fn features(&self) -> usize {
        self.features
    }

    fn classes(&self) -> usize {
        2
    }

    fn logits(&self, inputs: &[f32]) -> Vec<f32> {
        inputs.chunks_exact(self.features).flat_map(|x| [(self.f)(x), 0.0]).collect()
    }
}

impl Differentiable for Function {
    fn pull_back(&self, inputs: &[f32], pull: Pull<'_>) -> Pulled {
        let logits = self.logits(inputs);
        let weights = pull(0, &logits);
        let rows = inputs.chunks_exact(self.features).zip(weights.chunks_exact(2));
        let gradient = rows.flat_map(|(x, w)| (self.g)(x).into_iter().map(|g| g * w[0]).collect::<Vec<_>>());
        Pulled { gradient: gradient.collect(), logits }
    }
}

/// Values between 0 and 1.
pub(crate) fn wave(count: usize) -> Vec<f32> {
    (0..count).map(|i| 0.5 + 0.5 * (i as f32 * 0.7).sin()).collect()
}

const PICTURE: InputShape = InputShape::Image { channels: 1, height: 12, width: 12 };

/// A network that every method but the rollout can explain, and one for the rollout; `constant` sets the last layer's
/// weights to zero.
pub(crate) fn subject(need: Need, constant: bool) -> Subject {
    let (architecture, last) = if need == Need::Attention {
        let sizes = json!({"name": "transformer", "patch": 5, "width": 8, "heads": 2, "layers": 2, "feedforward": 12});
        (sizes, "head.weight")
    } else {
        (json!({"name": "lenet5", "activation": "relu"}), "fc3.weight")
    };
    let subject = Subject::new(&architecture, PICTURE, 3, None);
    let mut state: State = weights::collect(&subject.network);
    if constant {
        state.get_mut(last).unwrap().values.fill(0.0);
    }
    Subject::new(&architecture, PICTURE, 3, Some(&state))
}
