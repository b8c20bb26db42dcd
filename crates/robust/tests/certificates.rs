//! No certificate is ever wrong: what is certain of networks trained on MNIST, no attack breaks, example by example.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

mod common;

use std::sync::atomic::AtomicBool;

use burn::{module::Module, tensor::Device};
use crucible_data::{DataConfig, Dataset, Examples, Inputs, load, seed};
use crucible_models::{
    Architecture, Classifier, Differentiable, InputShape, Network, Pull, Pulled, Scaling, WhiteBox,
};
use crucible_robust::{
    AttackConfig, Batch, Defence, Norm, Threat, Victim,
    certify::{CertificateConfig, Smoothing, Subject, Verdict},
};
use crucible_train::{Job, Objective, Ordinary, PlainLoss, RunFolder, train};
use serde_json::{Value, json};

const PIXELS: usize = 784;
const RANGE: [f32; 2] = [0.0, 1.0];

/// The first pictures of MNIST, 3,000 to train on and 500 to test.
fn data() -> Dataset {
    let source: DataConfig = serde_json::from_value(json!({"source": "mnist", "normalize": "unit"})).unwrap();
    let mut data = load(&source, std::path::Path::new("."), 1).unwrap();
    data.train = data.train.select(&(0..3000).collect::<Vec<_>>());
    data.test = Some(data.test.unwrap().select(&(0..500).collect::<Vec<_>>()));
    data
}

/// Pictures, 0 to 1, and their labels.
fn pictures(examples: &Examples, n: usize) -> (Vec<f32>, Vec<u32>) {
    let Inputs::Bytes { values, .. } = examples.inputs() else { panic!("pictures") };
    let inputs = values[..n * PIXELS].iter().map(|value| f32::from(*value) / 255.0).collect();
    (inputs, examples.classes().unwrap()[..n].to_vec())
}

struct Trained {
    network: Network,
    view: WhiteBox<Network>,
}

fn fit(data: &Dataset, model: &Value, epochs: u64, objective: impl Objective + 'static) -> Trained {
    let device = Device::flex();
    let architecture: Architecture = serde_json::from_value(model.clone()).unwrap();
    let shape = InputShape::Image { channels: 1, height: 28, width: 28 };
    let network = architecture.init(shape, 10, &mut seed::stream(1, "weights", 0), &device).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = json!({"epochs": epochs, "batch_size": 50, "optimizer": {"name": "adam", "lr": 0.002}});
    let job = Job {
        network,
        data,
        config: &serde_json::from_value(config).unwrap(),
        rule: &mut Ordinary::new(objective),
        seed: 1,
        device: &device,
        folder: &RunFolder::create(&folder.path().join("run"), "").unwrap(),
        stop: &AtomicBool::new(false),
        clock: &|| 0.0,
    };
    let network = train(job, &mut |_| ()).unwrap().network.valid();
    Trained { view: WhiteBox::new(&network, &Scaling::none(PIXELS), 10, &device), network }
}

fn defended(data: &Dataset, model: &Value, epochs: u64, defence: &Value) -> Trained {
    let config = serde_json::from_value(defence.clone()).unwrap();
    let defence = Defence::new(config, Scaling::none(PIXELS), RANGE, &Device::flex()).unwrap();
    fit(data, model, epochs, defence)
}

fn certify(name: &str, Trained { network, view }: &Trained, batch: Batch<'_>, eps: f32) -> Vec<Verdict> {
    let config: CertificateConfig = serde_json::from_value(json!({ "name": name })).unwrap();
    let threat = Threat::new(config.certificate().norm(), eps, RANGE).unwrap();
    let (scaling, device) = (Scaling::none(PIXELS), Device::flex());
    let subject = Subject { model: view, network, scaling: &scaling, device: &device };
    config.run(subject, batch, &threat, &mut seed::stream(1, "certify", 0)).unwrap()
}

fn count(flags: impl IntoIterator<Item = bool>) -> usize {
    flags.into_iter().filter(|flag| *flag).count()
}

#[test]
fn no_attack_breaks_what_bounds_certify() {
    let data = data();
    let (inputs, labels) = pictures(data.test.as_ref().unwrap(), 60);
    let batch = Batch::new(&inputs, &labels).pictures([1, 28, 28]);
    let mlp = json!({"name": "mlp", "hidden": [40, 20]});
    let normed = json!({"name": "mlp", "hidden": [30], "batch_norm": true, "activation": "leaky-relu"});
    let convnet = json!({"name": "convnet", "hidden": [20], "conv": [
        {"channels": 4, "kernel": 4, "stride": 2, "padding": 1, "pool": 2}]});
    for (what, model, eps, at_least) in [
        ("plain", fit(&data, &mlp, 3, PlainLoss), 0.01, [0, 20]),
        ("batch norm", fit(&data, &normed, 3, PlainLoss), 0.01, [0, 20]),
        ("ibp", defended(&data, &mlp, 6, &json!({"name": "ibp", "eps": 0.1})), 0.08, [20, 20]),
        (
            "crown-ibp",
            defended(&data, &convnet, 6, &json!({"name": "crown-ibp", "eps": 0.1})),
            0.08,
            [20, 20],
        ),
    ] {
        let [ibp, crown] = ["ibp", "crown-ibp"].map(|name| certify(name, &model, batch, eps));
        let both = [&ibp, &crown].map(|verdicts| count(verdicts.iter().map(|verdict| verdict.certain)));
        let enough = both.iter().zip(at_least).all(|(certain, least)| *certain >= least);
        assert!(enough, "{what}: {both:?} of {} are certain", labels.len());
        let kept = ibp.iter().zip(&crown).all(|(ibp, crown)| crown.certain || !ibp.certain);
        assert!(kept, "{what}: crown-ibp is never looser than ibp");
        let threat = Threat::new(Norm::Linf, eps, RANGE).unwrap();
        for (name, _, config) in AttackConfig::all() {
            if !config.attack().norms().contains(&Norm::Linf) {
                continue;
            }
            let attack = common::cheap(&config, 10);
            let victim = Victim::WhiteBox(&model.view);
            let found = attack.run(victim, batch, &threat, &mut common::rng(7)).unwrap();
            for (example, (verdict, fooled)) in crown.iter().zip(&found.fooled).enumerate() {
                assert!(
                    !(verdict.certain && *fooled),
                    "{what}: {name} breaks example {example}, certain at {eps}"
                );
            }
        }
        // Attacks that find nothing anywhere would prove nothing.
        let wide = threat.with_eps(0.4).unwrap();
        let pgd = AttackConfig::all().into_iter().find(|(name, ..)| *name == "pgd").unwrap().2;
        let found = pgd.run(Victim::WhiteBox(&model.view), batch, &wide, &mut common::rng(7)).unwrap();
        assert!(count(found.fooled) > labels.len() / 2, "{what}");
    }
}

/// The smoothed classifier as its votes over a fixed draw of noise, made soft: what can be climbed.
struct Noisy<'a> {
    model: &'a WhiteBox<Network>,
    /// `[copies, features]`.
    noise: Vec<f32>,
}

impl Noisy<'_> {
    fn copies(&self, input: &[f32]) -> Vec<f32> {
        let rows = self.noise.chunks_exact(PIXELS);
        rows.flat_map(|noise| noise.iter().zip(input).map(|(noise, value)| noise + value)).collect()
    }
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

impl Classifier for Noisy<'_> {
    fn features(&self) -> usize {
        PIXELS
    }

    fn classes(&self) -> usize {
        10
    }

    fn logits(&self, inputs: &[f32]) -> Vec<f32> {
        let mut all = Vec::new();
        for input in inputs.chunks_exact(PIXELS) {
            let mut mean = [1e-6f32; 10];
            let logits = self.model.logits(&self.copies(input));
            let copies = logits.len() / 10;
            for row in logits.chunks_exact(10) {
                mean.iter_mut().zip(softmax(row)).for_each(|(mean, share)| *mean += share / copies as f32);
            }
            all.extend(mean.map(f32::ln));
        }
        all
    }
}

impl Differentiable for Noisy<'_> {
    fn pull_back(&self, inputs: &[f32], pull: Pull<'_>) -> Pulled {
        let logits = self.logits(inputs);
        let weights = pull(0, &logits);
        let mut gradient = vec![0.0; inputs.len()];
        let rows = inputs.chunks_exact(PIXELS).zip(logits.chunks_exact(10)).zip(weights.chunks_exact(10));
        for (((input, logits), weights), gradient) in rows.zip(gradient.chunks_exact_mut(PIXELS)) {
            let by_mean: Vec<f32> =
                weights.iter().zip(logits).map(|(weight, log)| weight / log.exp()).collect();
            let pulled = self.model.pull_back(&self.copies(input), &mut |_, scores| {
                let pull = |row: &[f32]| -> Vec<f32> {
                    let shares = softmax(row);
                    let mean: f32 = shares.iter().zip(&by_mean).map(|(share, by)| share * by).sum();
                    shares.iter().zip(&by_mean).map(|(share, by)| share * (by - mean)).collect()
                };
                scores.chunks_exact(10).flat_map(pull).collect()
            });
            for row in pulled.gradient.chunks_exact(PIXELS) {
                gradient.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
        }
        Pulled { logits, gradient }
    }
}

/// Within a certified radius the smoothed classifier gives the label at least half of its votes, whatever the direction;
/// a chance of one in a thousand that a certificate is wrong leaves none among so few.
#[test]
fn no_attack_outvotes_what_smoothing_certifies() {
    let data = data();
    let model = fit(&data, &json!({"name": "mlp", "hidden": [40]}), 4, PlainLoss).view;
    let (inputs, labels) = pictures(data.test.as_ref().unwrap(), 24);
    let smoothing = Smoothing { sigma: 0.25, ..Smoothing::default() };
    let draw = |copies: usize, stream: u64| {
        let rng = &mut common::rng(stream);
        // A sum of twelve uniform draws is close to normal.
        let normal = |_| 0.25 * (common::uniform(12, 0.0, 1.0, rng).iter().sum::<f32>() - 6.0);
        (0..copies * PIXELS).map(normal).collect::<Vec<f32>>()
    };
    let soft = Noisy { model: &model, noise: draw(40, 1) };
    let voters = Noisy { model: &model, noise: draw(1000, 2) };
    let votes = |input: &[f32], label: u32| {
        let says = common::says(&model, &voters.copies(input));
        says.iter().filter(|class| **class == label).count()
    };
    let pgd: AttackConfig = serde_json::from_value(json!({"name": "pgd", "steps": 15})).unwrap();
    let attack = |input: &[f32], label: u32, eps: f64| {
        // Noise leaves the range, too, and the certificate knows none.
        let threat = Threat::new(Norm::L2, eps as f32, [-9.0, 9.0]).unwrap();
        let labels = [label];
        let batch = Batch::new(input, &labels);
        pgd.run(Victim::WhiteBox(&soft), batch, &threat, &mut common::rng(3)).unwrap().inputs
    };
    let (mut certain, mut broken) = (0, 0);
    for (index, (input, label)) in inputs.chunks_exact(PIXELS).zip(&labels).enumerate() {
        let answer = smoothing.certify(&model, input, &mut seed::stream(1, "certify", index as u64));
        if answer.class != Some(*label) || answer.radius < 0.05 {
            continue;
        }
        certain += 1;
        let worst = attack(input, *label, 0.98 * answer.radius);
        let distance = Norm::L2.distance(&worst, input);
        assert!(distance <= answer.radius && distance > 0.5 * answer.radius, "{index}: {distance}");
        // Four standard deviations below the half of 1,000.
        let kept = votes(&worst, *label);
        assert!(kept >= 437, "{index}: {kept} of 1000 votes at {distance}, certain to {}", answer.radius);
        broken += usize::from(votes(&attack(input, *label, 4.0), *label) < 437);
    }
    assert!(certain >= 15, "{certain}");
    // Farther out the attack does outvote it.
    assert!(broken * 2 > certain, "{broken} of {certain}");
}
