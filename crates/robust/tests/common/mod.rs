//! Models whose every answer can be checked by hand, and attacks cheap enough to try them all.

#![allow(dead_code, reason = "each test program uses a part")]

use crucible_models::{Classifier, Differentiable, Pull, Pulled};
use crucible_robust::{Adversarial, AttackConfig, Batch, Norm, Threat, Victim};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

pub(crate) fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

pub(crate) fn uniform(n: usize, low: f32, high: f32, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..n).map(|_| rng.random_range(low..high)).collect()
}

/// `W x + b`.
pub(crate) struct Linear {
    pub(crate) features: usize,
    /// `[classes, features]`.
    pub(crate) weights: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

impl Linear {
    pub(crate) fn random(features: usize, classes: usize, seed: u64) -> Self {
        let mut rng = rng(seed);
        let weights = uniform(features * classes, -1.0, 1.0, &mut rng);
        Self { features, weights, bias: uniform(classes, -0.1, 0.1, &mut rng) }
    }

    pub(crate) fn row(&self, class: usize) -> &[f32] {
        &self.weights[class * self.features..][..self.features]
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Classifier for Linear {
    fn features(&self) -> usize {
        self.features
    }

    fn classes(&self) -> usize {
        self.bias.len()
    }

    fn logits(&self, inputs: &[f32]) -> Vec<f32> {
        let scores = |x| (0..self.bias.len()).map(move |class| dot(self.row(class), x) + self.bias[class]);
        inputs.chunks_exact(self.features).flat_map(scores).collect()
    }
}

impl Differentiable for Linear {
    fn pull_back(&self, inputs: &[f32], pull: Pull<'_>) -> Pulled {
        let logits = self.logits(inputs);
        let weights = if inputs.is_empty() { Vec::new() } else { pull(0, &logits) };
        let column = |w: &[f32], i: usize| (0..w.len()).map(|class| w[class] * self.row(class)[i]).sum();
        let rows = weights.chunks_exact(self.classes());
        let gradient = rows.flat_map(|w| (0..self.features).map(move |i| column(w, i))).collect();
        Pulled { logits, gradient }
    }
}

/// `V tanh(W x + b) + c`.
pub(crate) struct Tanh {
    pub(crate) first: Linear,
    pub(crate) second: Linear,
}

impl Tanh {
    pub(crate) fn random(features: usize, hidden: usize, classes: usize, seed: u64) -> Self {
        let mut first = Linear::random(features, hidden, seed);
        first.weights.iter_mut().for_each(|weight| *weight *= 2.0);
        // Centred on the middle of the range from 0 to 1.
        for unit in 0..hidden {
            first.bias[unit] -= 0.5 * first.row(unit).iter().sum::<f32>();
        }
        Self { first, second: Linear::random(hidden, classes, seed + 1) }
    }
}

impl Classifier for Tanh {
    fn features(&self) -> usize {
        self.first.features
    }

    fn classes(&self) -> usize {
        self.second.classes()
    }

    fn logits(&self, inputs: &[f32]) -> Vec<f32> {
        let hidden: Vec<f32> = self.first.logits(inputs).into_iter().map(f32::tanh).collect();
        self.second.logits(&hidden)
    }
}

impl Differentiable for Tanh {
    fn pull_back(&self, inputs: &[f32], pull: Pull<'_>) -> Pulled {
        let hidden: Vec<f32> = self.first.logits(inputs).into_iter().map(f32::tanh).collect();
        let second = self.second.pull_back(&hidden, pull);
        let slopes =
            second.gradient.iter().zip(&hidden).map(|(gradient, tanh)| gradient * (1.0 - tanh * tanh));
        let slopes: Vec<f32> = slopes.collect();
        let first = self.first.pull_back(inputs, &mut |_, _| slopes.clone());
        Pulled { logits: second.logits, gradient: first.gradient }
    }
}

/// Says nothing but that it does not know.
pub(crate) struct Nan(pub(crate) usize);

impl Classifier for Nan {
    fn features(&self) -> usize {
        self.0
    }

    fn classes(&self) -> usize {
        4
    }

    fn logits(&self, inputs: &[f32]) -> Vec<f32> {
        vec![f32::NAN; inputs.len() / self.0 * 4]
    }
}

impl Differentiable for Nan {
    fn pull_back(&self, inputs: &[f32], pull: Pull<'_>) -> Pulled {
        let logits = self.logits(inputs);
        pull(0, &logits);
        Pulled { logits, gradient: vec![f32::NAN; inputs.len()] }
    }
}

pub(crate) fn class(logits: &[f32]) -> u32 {
    (1..logits.len()).fold(0, |best, class| if logits[class] > logits[best] { class } else { best }) as u32
}

/// What the model says of each input.
pub(crate) fn says(model: &dyn Classifier, inputs: &[f32]) -> Vec<u32> {
    model.logits(inputs).chunks_exact(model.classes()).map(class).collect()
}

/// Examples with the model's own answers as labels, but for every fifth, which it gets wrong.
pub(crate) fn examples(model: &dyn Classifier, n: usize, seed: u64) -> (Vec<f32>, Vec<u32>) {
    let inputs = uniform(n * model.features(), 0.0, 1.0, &mut rng(seed));
    let classes = model.classes() as u32;
    let labels = says(model, &inputs).into_iter().enumerate();
    let labels = labels.map(|(i, label)| if i % 5 == 4 { (label + 1) % classes } else { label }).collect();
    (inputs, labels)
}

/// The attack with these steps (queries, where it counts those), and little of what else takes time.
pub(crate) fn cheap(config: &AttackConfig, steps: u32) -> AttackConfig {
    let mut settings = serde_json::to_value(config).expect("settings are JSON");
    let mut set = |key: &str, value: Value| {
        if let Some(setting) = settings.get_mut(key) {
            *setting = value;
        }
    };
    set("steps", json!(steps));
    set("searches", json!(4));
    set("changes", json!(20));
    if config.name() != "hopskipjump" {
        set("queries", json!(steps));
    }
    serde_json::from_value(settings).expect("settings of an attack")
}

/// Every attack with every norm that it knows.
pub(crate) fn attacks() -> Vec<(AttackConfig, Norm)> {
    let all = AttackConfig::all().into_iter().map(|(_, _, config)| config);
    all.flat_map(|config| config.attack().norms().iter().map(move |norm| (config.clone(), *norm))).collect()
}

/// Runs an attack in the range from 0 to 1.
pub(crate) fn run(
    config: &AttackConfig,
    model: &dyn Differentiable,
    (inputs, labels): (&[f32], &[u32]),
    (norm, eps): (Norm, f32),
    seed: u64,
) -> Adversarial {
    let threat = Threat::new(norm, eps, [0.0, 1.0]).expect("a ball");
    let batch = Batch::new(inputs, labels);
    config
        .run(Victim::WhiteBox(model), batch, &threat, &mut rng(seed))
        .expect("a white box and valid examples")
}
