use burn::tensor::{
    Tensor,
    activation::{log_sigmoid, sigmoid},
};
use crucible_data::Task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Loss, LossError};

/// `-(t log σ(z) + (1 - t) log σ(-z))`, averaged over the batch, in nats; one output z for two classes, t = 1 for the
/// second.
///
/// With smoothing s the target is `1 - s/2` for the second class and `s/2` for the first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BinaryCrossEntropy {
    /// Share of the target mass spread over both classes.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub label_smoothing: f64,
}

impl Loss for BinaryCrossEntropy {
    fn outputs(&self, task: &Task) -> Result<usize, LossError> {
        match task {
            Task::Classification { classes } if classes.len() == 2 => Ok(1),
            Task::Classification { classes } => Err(LossError::NeedsTwoClasses { classes: classes.len() }),
            Task::Regression { .. } => Err(LossError::NeedsClasses { loss: "binary-cross-entropy" }),
        }
    }

    fn forward(&self, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
        self.each(outputs, targets).mean()
    }

    fn each(&self, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
        // log σ(-z) = log σ(z) - z, so that -(t log σ(z) + (1-t) log σ(-z)) = (1-t) z - log σ(z).
        let inverse = targets.neg() + 1.0;
        (inverse * outputs.clone() - log_sigmoid(outputs)).squeeze_dim(1)
    }

    fn predict(&self, outputs: Tensor<2>, _: &Task) -> Tensor<2> {
        let second = sigmoid(outputs.clone());
        Tensor::cat(vec![sigmoid(outputs.neg()), second], 1)
    }

    fn encode_class(&self, class: u32, _: usize, out: &mut Vec<f32>) {
        let target = if class == 1 { 1.0 - self.label_smoothing / 2.0 } else { self.label_smoothing / 2.0 };
        out.push(target as f32);
    }
}
