//! Networks that are smaller because they learned from a larger one's answers.

mod config;
mod error;
mod keep;

use burn::tensor::{
    Device, Tensor,
    activation::{sigmoid, softmax},
};
use crucible_models::{NoTap, Summary, Tapped, summarize};
use crucible_train::{
    Batch, Objective,
    losses::{BinaryCrossEntropy, CrossEntropy, Loss, LossConfig},
};

pub use config::{DistillConfig, FeaturesConfig};
pub use error::{DistillError, DistillProblem};
use keep::Keep;

/// What a network's outputs are, which decides how they are held against a teacher's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Logits of classes, one each.
    Softmax,
    /// One logit, of the second of two classes.
    Sigmoid,
    /// Numbers, or scores that are no logits.
    Values,
}

impl Answer {
    /// What a network that was trained with `loss` answers with.
    #[must_use]
    pub fn of(loss: &LossConfig) -> Self {
        match loss {
            LossConfig::CrossEntropy(_) => Self::Softmax,
            LossConfig::BinaryCrossEntropy(_) => Self::Sigmoid,
            LossConfig::Mse(_) | LossConfig::HalfMse(_) => Self::Values,
        }
    }

    /// How far a student's outputs are from a teacher's, both `[n, outputs]`; a scalar.
    ///
    /// For classes it is T² times the Kullback-Leibler divergence of the student's probabilities from the teacher's, both
    /// at temperature T, averaged over examples: T² undoes what dividing by T does to the size of gradients. For numbers it
    /// is the mean squared error.
    #[must_use]
    pub fn distance(self, student: Tensor<2>, teacher: Tensor<2>, temperature: f64) -> Tensor<1> {
        let (loss, probabilities): (&dyn Loss, fn(Tensor<2>) -> Tensor<2>) = match self {
            Self::Softmax => (&CrossEntropy { label_smoothing: 0.0 }, |logits| softmax(logits, 1)),
            Self::Sigmoid => (&BinaryCrossEntropy { label_smoothing: 0.0 }, sigmoid),
            Self::Values => return (student - teacher).square().mean(),
        };
        let [student, teacher] = [student, teacher].map(|logits| logits.div_scalar(temperature));
        let wanted = probabilities(teacher.clone());
        // The cross-entropy less what the teacher's own answer has of it.
        let least = loss.each(teacher, wanted.clone());
        (loss.each(student, wanted) - least).mean() * (temperature * temperature)
    }
}

/// Training by the answers of a teacher: `weight` times their [distance](Answer::distance) from the student's, the rest of
/// 1 times the recipe's loss, and the error of a hint where there is one.
///
/// The teacher answers anew at each step, without dropout and with batch norm's running statistics. One that computes in
/// integers teaches what they answer; where a hint is asked for, what the floats answer that they stand for.
#[derive(Debug)]
pub struct Distillation<T> {
    config: DistillConfig,
    answer: Answer,
    teacher: T,
}

impl<T: Tapped> Distillation<T> {
    /// The objective for `student`; the teacher is one without autodiff on `device`, that reads the same `features` values
    /// of an example and answers alike.
    ///
    /// # Errors
    ///
    /// All problems at once: numbers out of range, other numbers of outputs, layers that do not exist or are not equally
    /// wide.
    pub fn new(
        config: DistillConfig,
        answer: Answer,
        teacher: T,
        student: &impl Tapped,
        features: usize,
        device: &Device,
    ) -> Result<Self, Vec<DistillProblem>> {
        let mut problems = out_of_range(&config);
        let input = || Tensor::zeros([1, features], device);
        let [given, own] =
            [teacher.forward(input(), &mut NoTap).dims()[1], student.forward(input(), &mut NoTap).dims()[1]];
        if given != own {
            let error = DistillError::Outputs { teacher: given, student: own };
            problems.push(DistillProblem { key: "teacher", error });
        }
        if let Some(hint) = &config.features {
            let summaries = [summarize(&teacher, features, device), summarize(student, features, device)];
            problems.extend(hint_problems(hint, &summaries));
        }
        if problems.is_empty() { Ok(Self { config, answer, teacher }) } else { Err(problems) }
    }
}

impl<T: Tapped> Objective for Distillation<T> {
    fn loss(&self, batch: Batch<'_>) -> Tensor<1> {
        let Batch { network, inputs, targets, loss, tap, .. } = batch;
        let weight = self.config.weight;
        let (answer, given, hint) = match &self.config.features {
            None => {
                let given = (weight > 0.0).then(|| self.teacher.forward(inputs.clone().inner(), &mut NoTap));
                (network.forward(inputs, tap), given, None)
            }
            Some(features) => {
                let (mut of, mut by) =
                    (Keep::new(&features.student, Some(tap)), Keep::new(&features.teacher, None));
                let given = self.teacher.forward(inputs.clone().inner(), &mut by);
                let answer = network.forward(inputs, &mut of);
                let error = (of.kept() - Tensor::from_inner(by.kept())).square().mean();
                (answer, Some(given), Some(error * features.weight))
            }
        };
        // What has no weight is left out, not multiplied by 0: with the weight 0 this is the plain loss to the last bit.
        let plain = (weight < 1.0).then(|| loss.forward(answer.clone(), targets));
        let distance = given
            .filter(|_| weight > 0.0)
            .map(|given| self.answer.distance(answer, Tensor::from_inner(given), self.config.temperature));
        let learned = match (distance, plain) {
            (Some(distance), Some(plain)) => distance * weight + plain * (1.0 - weight),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => unreachable!("one of the weights is not 0"),
        };
        hint.into_iter().fold(learned, |sum, error| sum + error)
    }
}

fn out_of_range(config: &DistillConfig) -> Vec<DistillProblem> {
    let hint = config.features.as_ref().map_or(0.0, |features| features.weight);
    [
        ("temperature", config.temperature, 0.1..=100.0, "from 0.1 to 100"),
        ("weight", config.weight, 0.0..=1.0, "from 0 to 1"),
        ("features.weight", hint, 0.0..=f64::MAX, "finite and at least 0"),
    ]
    .into_iter()
    .filter(|(_, value, allowed, _)| !allowed.contains(value))
    .map(|(key, value, _, range)| DistillProblem {
        key,
        error: DistillError::Range { what: key, value, range },
    })
    .collect()
}

/// What is wrong with a hint between the teacher's and the student's layers.
fn hint_problems(hint: &FeaturesConfig, [teacher, student]: &[Summary; 2]) -> Vec<DistillProblem> {
    let found = [
        width(teacher, "teacher", "features.teacher", &hint.teacher),
        width(student, "student", "features.student", &hint.student),
    ];
    match found {
        [Ok(teacher_width), Ok(student_width)] if teacher_width != student_width => {
            let (teacher, student) = (hint.teacher.clone(), hint.student.clone());
            let error = DistillError::Widths { teacher, teacher_width, student, student_width };
            vec![DistillProblem { key: "features", error }]
        }
        found => found.into_iter().filter_map(Result::err).collect(),
    }
}

/// How many values a layer gives for one example.
fn width(
    summary: &Summary,
    whose: &'static str,
    key: &'static str,
    name: &str,
) -> Result<usize, DistillProblem> {
    // A unit that is dropped at random is nothing to imitate.
    let layers = || summary.layers.iter().filter(|layer| layer.kind != "Dropout");
    match layers().find(|layer| layer.name == name) {
        Some(layer) => Ok(layer.output.iter().product()),
        None => {
            let layers = layers().map(|layer| layer.name.clone()).collect();
            let error = DistillError::NoLayer { whose, name: name.to_owned(), layers };
            Err(DistillProblem { key, error })
        }
    }
}
