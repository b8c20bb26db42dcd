use burn::tensor::{Tensor, activation::softmax};
use crucible_data::Task;
use crucible_kernels::softmax_cross_entropy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Loss, LossError};

/// `-Σₖ tₖ log softmax(z)ₖ`, averaged over the batch, in nats.
///
/// With smoothing s the target is `1 - s + s/K` for the true class and `s/K` for the others (Szegedy et al. 2016,
/// section 7), as in PyTorch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CrossEntropy {
    /// Share of the target mass spread over all classes.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub label_smoothing: f64,
}

impl Loss for CrossEntropy {
    fn outputs(&self, task: &Task) -> Result<usize, LossError> {
        match task {
            Task::Classification { classes } => Ok(classes.len()),
            Task::Regression { .. } => Err(LossError::NeedsClasses { loss: "cross-entropy" }),
        }
    }

    fn forward(&self, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
        self.each(outputs, targets).mean()
    }

    fn each(&self, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
        softmax_cross_entropy(outputs, targets)
    }

    fn predict(&self, outputs: Tensor<2>, _: &Task) -> Tensor<2> {
        softmax(outputs, 1)
    }

    fn encode_class(&self, class: u32, outputs: usize, out: &mut Vec<f32>) {
        let rest = self.label_smoothing / outputs as f64;
        let hit = 1.0 - self.label_smoothing + rest;
        out.extend((0..outputs).map(|output| if output == class as usize { hit } else { rest } as f32));
    }
}
