//! ODIN: telling unusual inputs by how little a small push makes the network surer.

use crucible_measure::Rows;
use crucible_models::Differentiable;

/// Scores of inputs `[n, features]`, higher for what is unlike the training data: less the largest probability of the softmax
/// of logits over `temperature`, after each input was moved by `eps` in each value to make that probability larger. Usual
/// inputs gain more by the push than unusual ones.
///
/// Source: S. Liang, Y. Li, R. Srikant, "Enhancing the reliability of out-of-distribution image detection in neural
/// networks", ICLR 2018 (temperature 1,000; ε 0.0014 of standardised pixels).
///
/// # Panics
///
/// If the inputs are no whole examples.
#[must_use]
pub fn odin(model: &dyn Differentiable, inputs: &[f32], temperature: f64, eps: f32) -> Vec<f64> {
    let classes = model.classes();
    let mut pull = |_: usize, logits: &[f32]| -> Vec<f32> {
        // The gradient of log softmax(z/T) of the class that is most probable, by z.
        logits.chunks_exact(classes).flat_map(|row| log_gradient(row, temperature)).collect()
    };
    let pulled = model.pull_back(inputs, &mut pull);
    let pushed: Vec<f32> = inputs
        .iter()
        .zip(&pulled.gradient)
        .map(|(input, slope)| if *slope == 0.0 { *input } else { input + eps * slope.signum() })
        .collect();
    let logits = model.logits(&pushed);
    logits.chunks_exact(classes).map(|row| -largest(&softmax(row, temperature)).1).collect()
}

fn softmax(logits: &[f32], temperature: f64) -> Vec<f64> {
    let exact: Vec<f64> = logits.iter().map(|logit| f64::from(*logit)).collect();
    crucible_measure::softmax(Rows::new(&exact, exact.len()), temperature)
}

/// The place and the value of the largest, the first of equals.
fn largest(values: &[f64]) -> (usize, f64) {
    let place = crucible_measure::argmax(values);
    (place, values[place])
}

fn log_gradient(logits: &[f32], temperature: f64) -> Vec<f32> {
    let probabilities = softmax(logits, temperature);
    let (answer, _) = largest(&probabilities);
    let slope = |(class, p): (usize, &f64)| (f64::from(u8::from(class == answer)) - p) / temperature;
    probabilities.iter().enumerate().map(|(class, p)| slope((class, p)) as f32).collect()
}

#[cfg(test)]
mod tests {
    use crucible_models::{Classifier, Differentiable, Pull, Pulled};

    use super::*;

    /// Two classes over one value x, with the logits 0 and 3x.
    struct Line;

    impl Classifier for Line {
        fn features(&self) -> usize {
            1
        }

        fn classes(&self) -> usize {
            2
        }

        fn logits(&self, inputs: &[f32]) -> Vec<f32> {
            inputs.iter().flat_map(|x| [0.0, 3.0 * x]).collect()
        }
    }

    impl Differentiable for Line {
        fn pull_back(&self, inputs: &[f32], pull: Pull<'_>) -> Pulled {
            let logits = self.logits(inputs);
            let gradient = pull(0, &logits).chunks_exact(2).map(|weights| 3.0 * weights[1]).collect();
            Pulled { logits, gradient }
        }
    }

    #[test]
    fn inputs_are_pushed_to_where_the_answer_is_surer() {
        let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
        // Upwards where the second class is more probable, downwards where the first is.
        let found = odin(&Line, &[0.5, -0.25], 2.0, 0.125);
        let expected = [-sigmoid(3.0 * 0.625 / 2.0), -sigmoid(3.0 * 0.375 / 2.0)];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-7), "{found:?} {expected:?}");
        let still = odin(&Line, &[0.5], 1.0, 0.0);
        assert!((still[0] + sigmoid(1.5)).abs() < 1e-7);
    }
}
