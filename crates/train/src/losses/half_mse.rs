use burn::tensor::Tensor;
use crucible_data::Task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Loss, LossError, normalize_scores};

/// `1/(2m) Σ‖ŷ − y‖²` over m examples: the article's form, k/2 times [`Mse`](super::Mse) for k outputs. Classes
/// become one-hot rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HalfMse {}

impl Loss for HalfMse {
    fn outputs(&self, task: &Task) -> Result<usize, LossError> {
        Ok(task.outputs())
    }

    fn forward(&self, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
        let batch = outputs.dims()[0] as f64;
        (outputs - targets).square().sum().div_scalar(2.0 * batch)
    }

    fn each(&self, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
        (outputs - targets).square().sum_dim(1).squeeze_dim(1).div_scalar(2.0)
    }

    fn predict(&self, outputs: Tensor<2>, task: &Task) -> Tensor<2> {
        normalize_scores(outputs, task)
    }
}
