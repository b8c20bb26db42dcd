use burn::tensor::Tensor;
use crucible_data::Task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Loss, LossError, normalize_scores};

/// `1/(mk) Σ‖ŷ − y‖²` over m examples and k outputs: PyTorch's `MSELoss`. Classes become one-hot rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mse {}

impl Loss for Mse {
    fn outputs(&self, task: &Task) -> Result<usize, LossError> {
        Ok(task.outputs())
    }

    fn forward(&self, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
        (outputs - targets).square().mean()
    }

    fn each(&self, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
        (outputs - targets).square().mean_dim(1).squeeze_dim(1)
    }

    fn predict(&self, outputs: Tensor<2>, task: &Task) -> Tensor<2> {
        normalize_scores(outputs, task)
    }
}
