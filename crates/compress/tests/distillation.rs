//! Distillation against PyTorch, against a second implementation in float64 differentiated by central differences, and
//! against what must hold of any weight and temperature. `golden/distillation.py` wrote `golden/distillation.json`.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails by panicking")]

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use crucible_compress::{
    Answer, Compressed, DistillConfig, DistillError, DistillProblem, Distillation, FeaturesConfig,
    QuantizeConfig, quantize,
};
use crucible_models::{
    Architecture, InputShape, Network, Tapped, Training,
    weights::{self, Path},
};
use crucible_train::{Batch, Objective, PlainLoss, losses::LossConfig};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use serde_json::{Value as Json, json};

const H: f64 = 1e-5;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn tensor(values: &[f32], width: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len() / width, width]), device)
}

fn mlp(settings: Json, features: usize, outputs: usize, seed: u64) -> Network {
    let mut settings = settings;
    settings["name"] = "mlp".into();
    let architecture: Architecture = serde_json::from_value(settings).unwrap();
    let input = InputShape::Features { count: features };
    architecture.init(input, outputs, &mut rng(seed), &Device::flex()).unwrap()
}

fn loss(name: &str) -> LossConfig {
    serde_json::from_value(json!({ "name": name })).unwrap()
}

type Gradient = BTreeMap<String, Vec<f32>>;

/// An objective of a batch, and its gradient by name of parameter.
fn step(
    objective: &dyn Objective,
    network: &Network,
    loss: &LossConfig,
    [inputs, targets]: [(&[f32], usize); 2],
) -> (f32, Gradient) {
    struct Names<'a>(Path, &'a GradientsParams, Gradient);
    impl ModuleVisitor for Names<'_> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.0.enter(name, container);
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.exit();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.1.get::<D>(param.id) {
                self.2.insert(self.0.name(), gradient.into_data().try_to_vec().unwrap());
            }
        }
    }
    let device = Device::flex().autodiff();
    let network = network.clone().train();
    let batch = Batch {
        network: &network,
        inputs: tensor(inputs.0, inputs.1, &device),
        targets: tensor(targets.0, targets.1, &device),
        loss: loss.loss(),
        tap: &mut Training { rng: rng(8) },
        rng: &mut rng(9),
        progress: 0.5,
    };
    let value = objective.loss(batch);
    let gradients = GradientsParams::from_grads(value.backward(), &network);
    let mut names = Names(Path::default(), &gradients, Gradient::new());
    network.visit(&mut names);
    (value.into_scalar::<f32>(), names.2)
}

/// An objective whose student is `student`.
fn distillation<T: Tapped>(
    config: DistillConfig,
    answer: Answer,
    teacher: T,
    student: &Network,
    features: usize,
) -> Result<Distillation<T>, Vec<DistillProblem>> {
    Distillation::new(config, answer, teacher, student, features, &Device::flex())
}

fn config(temperature: f64, weight: f64) -> DistillConfig {
    DistillConfig { temperature, weight, ..DistillConfig::new("teacher") }
}

#[track_caller]
fn close(what: &str, actual: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1e-3_f64, |most, value| most.max(value.abs()));
    for (actual, expected) in actual.iter().zip(expected) {
        let error = (f64::from(*actual) - expected).abs() / largest;
        assert!(error < tolerance, "{what}: {actual} is not {expected}");
    }
}

#[derive(Deserialize)]
struct Case {
    loss: String,
    temperature: f64,
    weight: f64,
    student: Vec<Vec<f64>>,
    teacher: Vec<Vec<f64>>,
    targets: Vec<Vec<f32>>,
    value: f64,
    gradient: Vec<Vec<f64>>,
}

/// Rows as columns, one after another.
fn columns(rows: &[Vec<f64>]) -> Vec<f64> {
    (0..rows[0].len()).flat_map(|column| rows.iter().map(move |row| row[column])).collect()
}

/// A linear network that answers the i-th unit vector with the i-th row: its gradient is that by the logits.
fn that_answers(rows: &[Vec<f64>]) -> Network {
    let network = mlp(json!({"hidden": []}), rows.len(), rows[0].len(), 1);
    let mut state = weights::collect(&network);
    state.get_mut("fc1.weight").unwrap().values = columns(rows).iter().map(|value| *value as f32).collect();
    state.get_mut("fc1.bias").unwrap().values.fill(0.0);
    weights::assign(network, &state).unwrap()
}

#[test]
fn value_and_gradient_are_pytorchs() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("golden/distillation.json")).unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let (count, outputs, loss) = (case.student.len(), case.student[0].len(), loss(&case.loss));
        let units: Vec<f32> = (0..count * count).map(|i| f32::from(i / count == i % count)).collect();
        let student = that_answers(&case.student);
        let config = config(case.temperature, case.weight);
        let objective =
            distillation(config, Answer::of(&loss), that_answers(&case.teacher), &student, count).unwrap();
        let targets = case.targets.concat();
        let (value, gradient) = step(&objective, &student, &loss, [(&units, count), (&targets, outputs)]);
        close(&case.loss, &[value], &[case.value], 1e-6);
        close(&case.loss, &gradient["fc1.weight"], &columns(&case.gradient), 1e-5);
    }
}

/// A 4-5-3 network of tanh in float64: its hidden values and its logits for one input.
fn forward(state: &BTreeMap<String, Vec<f64>>, input: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let layer = |name: &str, input: &[f64]| -> Vec<f64> {
        let rows = state[&format!("{name}.weight")].chunks_exact(input.len());
        let sums = rows.map(|row| row.iter().zip(input).map(|(w, x)| w * x).sum::<f64>());
        sums.zip(&state[&format!("{name}.bias")]).map(|(sum, bias)| sum + bias).collect()
    };
    let hidden: Vec<f64> = layer("fc1", input).into_iter().map(f64::tanh).collect();
    let logits = layer("fc2", &hidden);
    (hidden, logits)
}

fn log_softmax(logits: &[f64], temperature: f64) -> Vec<f64> {
    let sum: f64 = logits.iter().map(|z| (z / temperature).exp()).sum();
    logits.iter().map(|z| z / temperature - sum.ln()).collect()
}

fn in_float64(network: &Network) -> BTreeMap<String, Vec<f64>> {
    let state = weights::collect(network).into_iter();
    state.map(|(name, tensor)| (name, tensor.values.iter().map(|v| f64::from(*v)).collect())).collect()
}

#[test]
fn with_a_hint_the_gradient_is_that_of_finite_differences() {
    let tanh = || json!({"hidden": [5], "activation": "tanh"});
    let (student, teacher) = (mlp(tanh(), 4, 3, 1), mlp(tanh(), 4, 3, 2));
    let mut draws = rng(3);
    let inputs: Vec<f32> = (0..24).map(|_| draws.random_range(-2.0..2.0)).collect();
    let targets: Vec<f32> = (0..18).map(|i| f32::from(i % 3 == i / 3 % 3)).collect();
    let (temperature, weight, hint) = (2.5, 0.7, 1.5);
    let features = FeaturesConfig { student: "fc1".to_owned(), teacher: "fc1".to_owned(), weight: hint };
    let config = DistillConfig { features: Some(features), ..config(temperature, weight) };

    let given = in_float64(&teacher);
    let reference = |state: &BTreeMap<String, Vec<f64>>| -> f64 {
        let examples = inputs.chunks_exact(4).zip(targets.chunks_exact(3));
        let sum: f64 = examples
            .map(|(input, target)| {
                let input: Vec<f64> = input.iter().map(|value| f64::from(*value)).collect();
                let [(wanted, teacher), (hidden, student)] = [&given, state].map(|net| forward(net, &input));
                let [p, q] = [&teacher, &student].map(|logits| log_softmax(logits, temperature));
                let soft: f64 = p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum();
                let hard: f64 =
                    log_softmax(&student, 1.0).iter().zip(target).map(|(q, t)| -q * f64::from(*t)).sum();
                let error: f64 = hidden.iter().zip(&wanted).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / 5.0;
                weight * temperature * temperature * soft + (1.0 - weight) * hard + hint * error
            })
            .sum();
        sum / 6.0
    };

    let objective = distillation(config, Answer::Softmax, teacher, &student, 4).unwrap();
    let (value, gradient) = step(&objective, &student, &loss("cross-entropy"), [(&inputs, 4), (&targets, 3)]);
    let mut state = in_float64(&student);
    close("value", &[value], &[reference(&state)], 1e-6);
    assert_eq!(gradient.len(), 4);
    for (name, gradient) in gradient {
        let slopes: Vec<f64> = (0..gradient.len())
            .map(|i| {
                let mut at = |shift: f64| {
                    state.get_mut(&name).unwrap()[i] += shift;
                    let value = reference(&state);
                    state.get_mut(&name).unwrap()[i] -= shift;
                    value
                };
                (at(H) - at(-H)) / (2.0 * H)
            })
            .collect();
        close(&name, &gradient, &slopes, 1e-5);
    }
}

/// A student with all that draws or keeps in training.
fn restless(seed: u64) -> Network {
    mlp(json!({"hidden": [6, 5], "dropout": 0.4, "batch_norm": true}), 4, 3, seed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn without_weight_it_is_the_plain_loss_to_the_last_bit(
        seed in any::<u64>(), temperature in 0.1f64..100.0, scale in 0.1f32..1e4, hint in any::<bool>(),
    ) {
        let (student, teacher) = (restless(seed), restless(seed ^ 1));
        let mut draws = rng(seed);
        let inputs: Vec<f32> = (0..32).map(|_| scale * draws.random_range(-1.0f32..1.0)).collect();
        let targets: Vec<f32> = (0..24).map(|i| f32::from(i % 3 == i / 3 % 3)).collect();
        let features = FeaturesConfig { student: "act1".to_owned(), teacher: "act1".to_owned(), weight: 0.0 };
        let config = DistillConfig { features: hint.then_some(features), ..config(temperature, 0.0) };
        let objective = distillation(config, Answer::Softmax, teacher, &student, 4).unwrap();
        let loss = loss("cross-entropy");
        let batch: [(&[f32], usize); 2] = [(&inputs, 4), (&targets, 3)];
        let found = step(&objective, &student, &loss, batch);
        let plain = step(&PlainLoss, &student, &loss, batch);
        prop_assert_eq!(found.0.to_bits(), plain.0.to_bits());
        prop_assert_eq!(found.1, plain.1);
    }

    #[test]
    fn a_distance_is_never_below_0_and_is_0_from_itself(
        logits in prop::collection::vec(-30.0f32..30.0, 12), other in prop::collection::vec(-30.0f32..30.0, 12),
        temperature in 0.1f64..100.0,
    ) {
        // Differences of sums of at most 30 / T are wrong by a few of their last bits.
        let slack = 1e-5 * (temperature * temperature).max(30.0 * temperature) as f32;
        for (answer, width) in [(Answer::Softmax, 3), (Answer::Sigmoid, 1), (Answer::Values, 2)] {
            let rows = |values: &[f32]| tensor(values, width, &Device::flex());
            let distance = |a, b| answer.distance(rows(a), rows(b), temperature).into_scalar::<f32>();
            let apart = distance(&logits, &other);
            prop_assert!(apart.is_finite() && apart >= -slack, "{answer:?}: {apart}");
            prop_assert!(distance(&logits, &logits).abs() <= slack, "{answer:?}");
        }
    }
}

#[test]
fn with_all_weight_targets_do_not_matter() {
    let (student, teacher) = (restless(1), restless(2));
    let objective = distillation(config(3.0, 1.0), Answer::Softmax, teacher, &student, 4).unwrap();
    let inputs: Vec<f32> = (0..32).map(|i| (i * 7 % 11) as f32 - 5.0).collect();
    let targets = |class: usize| (0..24).map(|i| f32::from(i % 3 == class)).collect::<Vec<f32>>();
    let loss = loss("cross-entropy");
    let [one, other] =
        [0, 1].map(|class| step(&objective, &student, &loss, [(&inputs, 4), (&targets(class), 3)]));
    assert_eq!(one, other);
}

#[test]
fn a_teacher_in_integers_teaches_what_they_answer() {
    let (student, teacher) = (mlp(json!({"hidden": [3]}), 4, 3, 1), mlp(json!({"hidden": [16]}), 4, 3, 2));
    let inputs: Vec<f32> = (0..32).map(|i| (i * 7 % 11) as f32 / 5.0 - 1.0).collect();
    let archive = quantize(&teacher, &inputs, 4, &QuantizeConfig::default(), &Device::flex()).unwrap();
    let compressed =
        Compressed::open(&archive, mlp(json!({"hidden": [16]}), 4, 3, 3), 4, &Device::flex()).unwrap();
    assert!(compressed.program().is_some());
    let targets: Vec<f32> = (0..24).map(|i| f32::from(i % 3 == 0)).collect();
    let batch: [(&[f32], usize); 2] = [(&inputs, 4), (&targets, 3)];
    let loss = loss("cross-entropy");
    let integers = distillation(config(4.0, 0.9), Answer::Softmax, compressed, &student, 4).unwrap();
    let floats = distillation(config(4.0, 0.9), Answer::Softmax, teacher, &student, 4).unwrap();
    let [(one, _), (other, _)] =
        [step(&integers, &student, &loss, batch), step(&floats, &student, &loss, batch)];
    assert!(one != other && (one - other).abs() < 0.05 * other.abs(), "{one} {other}");
}

#[test]
fn everything_wrong_is_told_at_once() {
    let (student, teacher) = (mlp(json!({"hidden": [3]}), 4, 3, 1), mlp(json!({"hidden": [5]}), 4, 2, 2));
    let features = |student: &str, teacher: &str, weight| {
        Some(FeaturesConfig { student: student.to_owned(), teacher: teacher.to_owned(), weight })
    };
    let told = |config: DistillConfig| -> Vec<(&'static str, String)> {
        let problems = distillation(config, Answer::Softmax, teacher.clone(), &student, 4).unwrap_err();
        problems.into_iter().map(|problem| (problem.key, problem.error.to_string())).collect()
    };
    let text = |key, words: &str| (key, words.to_owned());
    let outputs = || text("teacher", "the teacher has 2 outputs, and the student 3");
    assert_eq!(
        told(DistillConfig { features: features("fc9", "fc8", f64::NAN), ..config(0.0, 1.5) }),
        [
            text("temperature", "temperature is 0; it must be from 0.1 to 100"),
            text("weight", "weight is 1.5; it must be from 0 to 1"),
            text("features.weight", "features.weight is NaN; it must be finite and at least 0"),
            outputs(),
            text("features.teacher", "the teacher has no layer `fc8`; it has: fc1, fc2"),
            text("features.student", "the student has no layer `fc9`; it has: fc1, fc2"),
        ]
    );
    let widths =
        "the teacher's `fc1` has 5 outputs, and the student's `fc1` 3; a hint takes layers of equal width";
    assert_eq!(
        told(DistillConfig { features: features("fc1", "fc1", 1.0), ..config(4.0, 0.9) }),
        [outputs(), text("features", widths)]
    );
    for (temperature, weight) in
        [(f64::NAN, 0.5), (f64::INFINITY, 0.5), (100.1, 0.5), (4.0, -0.1), (4.0, f64::NAN)]
    {
        let problems = told(config(temperature, weight));
        assert_eq!(problems.len(), 2, "{problems:?}");
    }
    let error = DistillError::Outputs { teacher: 2, student: 3 };
    let problems = distillation(config(100.0, 1.0), Answer::Softmax, teacher, &student, 4).unwrap_err();
    assert_eq!(problems, [DistillProblem { key: "teacher", error }]);
}

#[test]
fn a_dropped_unit_is_no_hint() {
    let (student, teacher) = (restless(1), restless(2));
    let features = FeaturesConfig { student: "drop1".to_owned(), teacher: "act1".to_owned(), weight: 1.0 };
    let config = DistillConfig { features: Some(features), ..config(4.0, 0.9) };
    let problems = distillation(config, Answer::Softmax, teacher, &student, 4).unwrap_err();
    assert_eq!(
        problems[0].error.to_string(),
        "the student has no layer `drop1`; it has: fc1, bn1, act1, fc2, bn2, act2, fc3"
    );
}
