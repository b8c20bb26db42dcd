//! Training that makes a network robust, one file each, and the one list that names it.
//!
//! A defence is an [`Objective`] of the training loop: from a batch to what a step makes small.

mod crown_ibp;
mod fast;
mod interval;
mod pgd;
mod trades;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use crucible_models::{Classifier, Differentiable, Network, Scaling, WhiteBox};
use crucible_train::{Batch, Objective, PlainLoss};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crown_ibp::CrownIbp;
pub use fast::Fast;
pub use interval::Interval;
pub use pgd::AdversarialPgd;
pub use trades::Trades;

use crate::{Norm, RobustError, Threat, loss, walk::step};

/// One line a defence: its variant, whose name recipes use, and its configuration.
macro_rules! defences {
    ($($(#[$doc:meta])* $variant:ident($config:ty) = $name:literal,)*) => {
        /// The recipe's `[defence]` table.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "name")]
        pub enum DefenceConfig {
            $($(#[$doc])* #[serde(rename = $name)] $variant($config),)*
        }

        impl DefenceConfig {
            fn rule(&self) -> &dyn Rule {
                match self {
                    $(Self::$variant(rule) => rule,)*
                }
            }
        }
    };
}

defences! {
    /// Adversarial training: the loss at the worst point that projected gradient descent finds (Madry et al. 2018).
    Pgd(AdversarialPgd) = "pgd",
    /// Fast adversarial training: one step from a random start, guarded against its own overfitting.
    Fast(Fast) = "fast",
    /// TRADES: the plain loss, and how far the answer moves within the ball.
    Trades(Trades) = "trades",
    /// Interval bound propagation: the loss at bounds that no input in the ball can exceed; certifies.
    Interval(Interval) = "ibp",
    /// CROWN-IBP: the same with linear bounds in the place of intervals while the radius is small; certifies.
    CrownIbp(CrownIbp) = "crown-ibp",
}

/// How a defence makes the objective of a step.
trait Rule {
    /// The ball to defend.
    fn ball(&self) -> (Norm, f32);

    /// The share of the job over which the radius grows from 0.
    fn ramp(&self) -> f64;

    /// Whether it can train this network, of so many outputs; `input` is some input of it.
    fn check(&self, network: &Network, outputs: usize, input: Tensor<2>) -> Result<(), RobustError> {
        let _ = (network, outputs, input);
        Ok(())
    }

    fn loss(&self, threat: &Threat, scene: Scene<'_>, batch: Batch<'_>) -> Tensor<1>;
}

/// A defence that is ready: its settings, and how pixels become inputs.
#[derive(Debug, Clone)]
pub struct Defence {
    config: DefenceConfig,
    threat: Threat,
    scaling: Scaling,
    device: Device,
}

impl Defence {
    /// The defence of a network on `device` (without autodiff) whose inputs are `x · scale + offset` of values in `range`,
    /// which is also what its radius is measured in.
    ///
    /// # Errors
    ///
    /// Where the radius is negative or not finite, or the range empty.
    pub fn new(
        config: DefenceConfig,
        scaling: Scaling,
        range: [f32; 2],
        device: &Device,
    ) -> Result<Self, RobustError> {
        let (norm, eps) = config.rule().ball();
        let threat = Threat::new(norm, eps, range)?;
        Ok(Self { config, threat, scaling, device: device.clone() })
    }

    /// Whether the defence can train this network, of so many outputs.
    ///
    /// # Errors
    ///
    /// Where bounds are asked for and a layer passes none on, or there is one output for two classes.
    pub fn check(&self, network: &Network, outputs: usize) -> Result<(), RobustError> {
        let zeros = Tensor::zeros([1, self.scaling.scale.len()], &self.device);
        self.config.rule().check(network, outputs, zeros)
    }
}

impl Objective for Defence {
    fn loss(&self, batch: Batch<'_>) -> Tensor<1> {
        let rule = self.config.rule();
        let grown = if rule.ramp() > 0.0 { (batch.progress / rule.ramp()).min(1.0) } else { 1.0 };
        let threat = self.threat.with_eps(self.threat.eps() * grown as f32);
        let threat = threat.expect("a smaller radius is one, too");
        rule.loss(&threat, Scene::new(self, &batch), batch)
    }
}

/// A batch as an attacker sees it: plain arrays in the caller's units, and a view of the network as it is now.
struct Scene<'a> {
    view: WhiteBox<Network>,
    scaling: &'a Scaling,
    device: &'a Device,
    /// `[n, features]`.
    clean: Vec<f32>,
    /// The most likely class of each target.
    labels: Vec<u32>,
}

impl<'a> Scene<'a> {
    fn new(defence: &'a Defence, batch: &Batch<'_>) -> Self {
        let read = |tensor: &Tensor<2>| {
            tensor.clone().inner().into_data().try_to_vec::<f32>().expect("networks here hold f32")
        };
        let scaling = &defence.scaling;
        let [low, high] = defence.threat.range();
        let mut clean = read(&batch.inputs);
        scaling.undo(&mut clean);
        // Rounding may leave the range, which only an attack on values outside of it would notice.
        clean.iter_mut().for_each(|value| *value = value.clamp(low, high));
        let outputs = batch.targets.dims()[1];
        let labels = match outputs {
            1 => read(&batch.targets).iter().map(|target| u32::from(*target > 0.5)).collect(),
            _ => read(&batch.targets).chunks_exact(outputs).map(|row| loss::class(row) as u32).collect(),
        };
        let view = WhiteBox::new(&batch.network.valid(), scaling, outputs, &defence.device);
        Self { view, scaling, device: &defence.device, clean, labels }
    }

    /// Inputs in the caller's units as the network's, on the device with autodiff.
    fn tensor(&self, inputs: &[f32]) -> Tensor<2> {
        Tensor::from_inner(self.scaling.input(inputs, self.device))
    }

    /// The recipe's loss where the inputs are these, in the caller's units, in the place of the batch's own.
    fn loss_at(&self, inputs: &[f32], batch: Batch<'_>) -> Tensor<1> {
        let inputs = self.tensor(inputs);
        PlainLoss.loss(Batch { inputs, ..batch })
    }

    /// A random point of the ball around each input.
    fn random_start(&self, threat: &Threat, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let features = self.scaling.scale.len();
        self.clean.chunks_exact(features).flat_map(|clean| threat.sample(clean, rng)).collect()
    }

    /// Each example with its clean input.
    fn rows<'b>(&'b self, values: &'b mut [f32]) -> impl Iterator<Item = (&'b [f32], &'b mut [f32])> {
        let features = self.scaling.scale.len();
        self.clean.chunks_exact(features).zip(values.chunks_exact_mut(features))
    }

    /// Climbs from `start` along what `pull` makes of the logits, `steps` times by `length`, back into the ball each time.
    /// Unlike an attack it goes on where the network is fooled: training wants the worst, not the first.
    fn climb(
        &self,
        threat: &Threat,
        mut inputs: Vec<f32>,
        (steps, length): (u32, f32),
        pull: &mut dyn FnMut(usize, &[f32]) -> Vec<f32>,
    ) -> Vec<f32> {
        let features = self.scaling.scale.len();
        for _ in 0..steps {
            let gradient = self.view.pull_back(&inputs, pull).gradient;
            for ((clean, input), gradient) in self.rows(&mut inputs).zip(gradient.chunks_exact(features)) {
                step(threat.norm(), input, gradient, length);
                threat.project(clean, input);
            }
        }
        inputs
    }

    /// Weights of logits whose sum rises with the cross-entropy of the labels.
    fn rise(&self, first: usize, logits: &[f32]) -> Vec<f32> {
        let classes = self.view.classes();
        let mut weights = vec![0.0; logits.len()];
        let rows = logits.chunks_exact(classes).zip(weights.chunks_exact_mut(classes));
        for (label, (logits, weights)) in self.labels[first..].iter().zip(rows) {
            loss::cross_entropy(logits, *label as usize, weights);
        }
        weights
    }
}
