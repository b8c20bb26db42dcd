//! Every loss's value and gradient against hand-computed numbers and against a second implementation in float64,
//! differentiated by central differences.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper of tests fails by panicking, and says how near it came"
)]

use burn::tensor::{Device, Tensor, TensorData};
use crucible_data::{Examples, Inputs, Targets, Task};
use crucible_train::losses::{Loss, LossConfig, encode_targets};
use serde_json::{Value, json};

/// Float32 carries 24 bits, 6e-8 of each value, and the losses here add up at most a hundred terms of size 1; the
/// differences in float64 err by about h² = 1e-10.
const TOLERANCE: f64 = 1e-5;
const H: f64 = 1e-5;

fn config(value: Value) -> LossConfig {
    serde_json::from_value(value).unwrap()
}

fn classes(count: usize) -> Task {
    Task::Classification { classes: (0..count).map(|class| class.to_string()).collect() }
}

fn regression(targets: usize) -> Task {
    let targets: Vec<String> = (0..targets).map(|target| target.to_string()).collect();
    let count = targets.len();
    Task::Regression { targets, mean: vec![0.0; count], std: vec![1.0; count] }
}

/// The loss, and its gradient by the outputs.
fn value_and_gradient(loss: &dyn Loss, outputs: &[f32], targets: &[f32], width: usize) -> (f64, Vec<f32>) {
    let device = Device::flex().autodiff();
    let tensor = |values: &[f32]| {
        Tensor::<2>::from_data(TensorData::new(values.to_vec(), [values.len() / width, width]), &device)
    };
    let outputs = tensor(outputs).require_grad();
    let value = loss.forward(outputs.clone(), tensor(targets));
    let gradient = outputs.grad(&value.backward()).unwrap();
    (f64::from(value.into_scalar::<f32>()), gradient.into_data().try_to_vec().unwrap())
}

/// The target rows of `labels`.
fn encoded(loss: &dyn Loss, labels: &[u32], width: usize) -> Vec<f32> {
    let inputs = Inputs::Floats(vec![0.0; labels.len()]);
    let examples = Examples::new(vec![1], inputs, Targets::Classes(labels.to_vec()));
    let indices: Vec<u32> = (0..labels.len() as u32).collect();
    encode_targets(loss, &examples, &indices, width)
}

fn log_sum_exp(row: &[f64]) -> f64 {
    row.iter().map(|z| z.exp()).sum::<f64>().ln()
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// The published formulas, as they stand there; `outputs` and `targets` are `[batch, width]`.
fn reference(name: &str, outputs: &[f64], targets: &[f64], width: usize) -> f64 {
    let batch = (outputs.len() / width) as f64;
    let squares = || outputs.iter().zip(targets).map(|(y, t)| (y - t).powi(2)).sum::<f64>();
    match name {
        "cross-entropy" => {
            let rows = outputs.chunks(width).zip(targets.chunks(width));
            let row = |(z, t): (&[f64], &[f64])| -> f64 {
                z.iter().zip(t).map(|(z_k, t)| -t * (z_k - log_sum_exp(z))).sum()
            };
            rows.map(row).sum::<f64>() / batch
        }
        "binary-cross-entropy" => {
            let one = |(z, t): (&f64, &f64)| -(t * sigmoid(*z).ln() + (1.0 - t) * sigmoid(-z).ln());
            outputs.iter().zip(targets).map(one).sum::<f64>() / batch
        }
        "mse" => squares() / outputs.len() as f64,
        "half-mse" => squares() / (2.0 * batch),
        _ => unreachable!("{name}"),
    }
}

/// Value and gradient against the reference; targets are taken as they are, distributions or not.
fn check(value: &Value, outputs: &[f32], targets: &[f32], width: usize) {
    let (actual, gradient) = value_and_gradient(config(value.clone()).loss(), outputs, targets, width);
    let double = |values: &[f32]| -> Vec<f64> { values.iter().map(|&v| f64::from(v)).collect() };
    let (mut outputs, targets) = (double(outputs), double(targets));
    let name = value["name"].as_str().unwrap();
    let expected = reference(name, &outputs, &targets, width);
    let mut worst = (actual - expected).abs() / expected.abs().max(1.0);
    for i in 0..outputs.len() {
        let at = outputs[i];
        outputs[i] = at + H;
        let above = reference(name, &outputs, &targets, width);
        outputs[i] = at - H;
        let below = reference(name, &outputs, &targets, width);
        outputs[i] = at;
        let distance = (f64::from(gradient[i]) - (above - below) / (2.0 * H)).abs();
        worst = if distance.is_nan() { f64::INFINITY } else { worst.max(distance) };
    }
    println!("{worst:.1e}  {value}, {width} outputs");
    assert!(worst < TOLERANCE, "{value}: off by {worst:e}");
    // Each example by itself.
    let device = Device::flex();
    let tensor = |values: &[f64]| {
        let values = values.iter().map(|&v| v as f32).collect::<Vec<_>>();
        Tensor::<2>::from_data(TensorData::new(values, [targets.len() / width, width]), &device)
    };
    let each = config(value.clone()).loss().each(tensor(&outputs), tensor(&targets));
    let each = each.into_data().try_to_vec::<f32>().unwrap();
    let rows = outputs.chunks(width).zip(targets.chunks(width));
    assert_eq!(each.len(), rows.len());
    for (actual, (outputs, targets)) in each.into_iter().zip(rows) {
        let expected = reference(name, outputs, targets, width);
        let distance = (f64::from(actual) - expected).abs() / expected.abs().max(1.0);
        assert!(distance < TOLERANCE, "{value}: {actual} for an example, not {expected}");
    }
}

fn generic(count: usize, scale: f32) -> Vec<f32> {
    (0..count).map(|i| (((i * 53 + 7) % 89) as f32 / 44.0 - 1.0) * scale).collect()
}

#[test]
fn cross_entropy_with_and_without_smoothing() {
    for smoothing in [0.0, 0.1, 0.5] {
        for (batch, width, scale) in [(1, 2, 1.0), (5, 4, 3.0), (8, 10, 10.0)] {
            let value = json!({"name": "cross-entropy", "label_smoothing": smoothing});
            let labels: Vec<u32> = (0..batch).map(|row| (row * 7 % width) as u32).collect();
            let targets = encoded(config(value.clone()).loss(), &labels, width);
            check(&value, &generic(batch * width, scale), &targets, width);
        }
    }
}

#[test]
fn binary_cross_entropy_with_and_without_smoothing() {
    for smoothing in [0.0, 0.1] {
        let value = json!({"name": "binary-cross-entropy", "label_smoothing": smoothing});
        let targets = encoded(config(value.clone()).loss(), &[0, 1, 1, 0, 1, 0, 0], 1);
        check(&value, &generic(7, 5.0), &targets, 1);
    }
}

#[test]
fn squared_errors() {
    for name in ["mse", "half-mse"] {
        for (batch, width) in [(1, 1), (6, 1), (5, 3)] {
            let targets: Vec<f32> = generic(batch * width, 1.0).iter().map(|v| 0.3 - v * v).collect();
            check(&json!({"name": name}), &generic(batch * width, 2.0), &targets, width);
        }
    }
}

#[track_caller]
fn close(actual: f64, expected: f64) {
    assert!((actual - expected).abs() < 1e-6, "{actual}, not {expected}");
}

/// softmax(ln 1, ln 2, ln 3, ln 4) = 0.1, 0.2, 0.3, 0.4.
#[test]
fn cross_entropy_by_hand() {
    let logits = [1.0_f32.ln(), 2.0_f32.ln(), 3.0_f32.ln(), 4.0_f32.ln()];
    let of = |smoothing: f64, class: u32| {
        let config = config(json!({"name": "cross-entropy", "label_smoothing": smoothing}));
        value_and_gradient(config.loss(), &logits, &encoded(config.loss(), &[class], 4), 4)
    };
    // -ln 0.2, and p - t.
    let (value, gradient) = of(0.0, 1);
    close(value, 1.609_437_912);
    for (actual, expected) in gradient.iter().zip([0.1, -0.8, 0.3, 0.4]) {
        close(f64::from(*actual), expected);
    }
    // Targets 0.05, 0.85, 0.05, 0.05: -(0.05 ln 0.1 + 0.85 ln 0.2 + 0.05 ln 0.3 + 0.05 ln 0.4).
    let (value, gradient) = of(0.2, 1);
    close(value, 1.589_164_657);
    for (actual, expected) in gradient.iter().zip([0.05, -0.65, 0.25, 0.35]) {
        close(f64::from(*actual), expected);
    }
}

#[test]
fn the_other_losses_by_hand() {
    let bce = config(json!({"name": "binary-cross-entropy"}));
    // σ(0) = 1/2; σ(ln 3) = 3/4: -(ln 1/2 + ln 1/4) / 2 = 3/2 ln 2, and (σ - t) / 2.
    let (value, gradient) = value_and_gradient(bce.loss(), &[0.0, 3.0_f32.ln()], &[1.0, 0.0], 1);
    close(value, 1.039_720_771);
    close(f64::from(gradient[0]), -0.25);
    close(f64::from(gradient[1]), 0.375);

    // Differences 1, 2, 0, -1: squares add up to 6.
    let (outputs, targets) = ([1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 3.0, 5.0]);
    let (value, gradient) = value_and_gradient(config(json!({"name": "mse"})).loss(), &outputs, &targets, 2);
    close(value, 6.0 / 4.0);
    assert_eq!(gradient, [0.5, 1.0, 0.0, -0.5]);
    let half = config(json!({"name": "half-mse"}));
    let (value, gradient) = value_and_gradient(half.loss(), &outputs, &targets, 2);
    close(value, 6.0 / (2.0 * 2.0));
    assert_eq!(gradient, [0.5, 1.0, 0.0, -0.5]);
    // With three outputs the two forms differ by 3/2.
    let (value, _) = value_and_gradient(half.loss(), &[1.0, 2.0, 2.0], &[0.0; 3], 3);
    close(value, 4.5);
    let (value, _) =
        value_and_gradient(config(json!({"name": "mse"})).loss(), &[1.0, 2.0, 2.0], &[0.0; 3], 3);
    close(value, 3.0);
}

#[test]
fn targets_are_one_hot_or_smoothed() {
    let ce = config(json!({"name": "cross-entropy", "label_smoothing": 0.2}));
    assert_eq!(encoded(ce.loss(), &[2, 0], 4), [0.05, 0.05, 0.85, 0.05, 0.85, 0.05, 0.05, 0.05]);
    let bce = config(json!({"name": "binary-cross-entropy", "label_smoothing": 0.2}));
    assert_eq!(encoded(bce.loss(), &[1, 0], 1), [0.9, 0.1]);
    for name in ["cross-entropy", "mse", "half-mse"] {
        assert_eq!(encoded(config(json!({"name": name})).loss(), &[1, 2], 3), [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    }
    assert_eq!(encoded(config(json!({"name": "binary-cross-entropy"})).loss(), &[1, 0], 1), [1.0, 0.0]);
}

/// Where the textbook formulas overflow.
#[test]
fn huge_outputs_give_finite_losses_and_gradients() {
    let ce = config(json!({"name": "cross-entropy"}));
    let (value, gradient) = value_and_gradient(ce.loss(), &[1e4, -1e4, 0.0], &[0.0, 1.0, 0.0], 3);
    assert_eq!((value, gradient), (2e4, vec![1.0, -1.0, 0.0]));
    let bce = config(json!({"name": "binary-cross-entropy"}));
    let (value, gradient) = value_and_gradient(bce.loss(), &[500.0, -500.0], &[0.0, 1.0], 1);
    assert_eq!((value, gradient), (500.0, vec![0.5, -0.5]));
    let (value, gradient) = value_and_gradient(bce.loss(), &[500.0, -500.0], &[1.0, 0.0], 1);
    assert_eq!((value, gradient), (0.0, vec![0.0, 0.0]));
}

#[test]
fn predictions_are_distributions_or_values() {
    let scores = [0.3, -2.0, 5.0, 0.0, 0.0, 0.0];
    let predict = |name: &str, width: usize, task: &Task| -> Vec<f32> {
        let data = TensorData::new(scores.to_vec(), [6 / width, width]);
        let outputs = Tensor::<2>::from_data(data, &Device::flex());
        config(json!({"name": name})).loss().predict(outputs, task).into_data().try_to_vec().unwrap()
    };
    for (name, width, count) in
        [("cross-entropy", 3, 3), ("mse", 3, 3), ("half-mse", 3, 3), ("binary-cross-entropy", 1, 2)]
    {
        let predictions = predict(name, width, &classes(count));
        assert_eq!(predictions.len(), 6 / width * count);
        for row in predictions.chunks(count) {
            assert!(row.iter().all(|p| (0.0..=1.0).contains(p)), "{name}: {row:?}");
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{name}: {row:?}");
        }
        if width == 3 {
            assert!(predictions[3..].iter().all(|p| (p - 1.0 / 3.0).abs() < 1e-6), "{name}: {predictions:?}");
        }
    }
    assert_eq!(predict("mse", 2, &regression(2)), scores);
}

#[test]
fn a_loss_that_does_not_fit_the_task_names_one_that_does() {
    let outputs = |name: &str, task: &Task| {
        config(json!({"name": name})).loss().outputs(task).map_err(|e| e.to_string())
    };
    assert_eq!(outputs("cross-entropy", &classes(7)), Ok(7));
    assert_eq!(outputs("binary-cross-entropy", &classes(2)), Ok(1));
    assert_eq!(outputs("mse", &classes(7)), Ok(7));
    assert_eq!(outputs("half-mse", &regression(3)), Ok(3));
    assert_eq!(
        outputs("binary-cross-entropy", &classes(3)),
        Err("`binary-cross-entropy` is for two classes, but there are 3; use `cross-entropy`".to_owned())
    );
    for name in ["cross-entropy", "binary-cross-entropy"] {
        assert_eq!(
            outputs(name, &regression(1)),
            Err(format!("`{name}` is for classes, but the target is a number; use `mse`"))
        );
    }
}
