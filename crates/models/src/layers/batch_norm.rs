use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, Tensor};
use crucible_kernels::{batch_norm, batch_norm_train};

/// PyTorch's default.
const MOMENTUM: f64 = 0.1;

/// Batch normalization (Ioffe and Szegedy 2015) over `[batch, channels, positions]`.
///
/// As in PyTorch, a batch is normalized by its biased variance, while the running variance is unbiased.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale, `[channels]`.
    pub weight: Param<Tensor<1>>,
    /// Shift, `[channels]`.
    pub bias: Param<Tensor<1>>,
    /// The mean to evaluate with, `[channels]`.
    pub running_mean: RunningState<Tensor<1>>,
    /// The variance to evaluate with, `[channels]`.
    pub running_var: RunningState<Tensor<1>>,
    #[module(skip)]
    name: String,
}

impl BatchNorm {
    /// What is added to the variance: PyTorch's default.
    pub const EPSILON: f64 = 1e-5;

    /// Scale one, shift zero, running statistics of a standard normal.
    #[must_use]
    pub fn new(name: &str, channels: usize, device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(Tensor::ones([channels], device)),
            bias: Param::from_tensor(Tensor::zeros([channels], device)),
            running_mean: RunningState::new(Tensor::zeros([channels], device)),
            running_var: RunningState::new(Tensor::ones([channels], device)),
            name: name.to_owned(),
        }
    }

    /// The name of this site, such as `bn1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What evaluation multiplies the values of each channel by, and what it then adds, `[channels]` each.
    #[must_use]
    pub fn affine(&self) -> [Tensor<1>; 2] {
        let scale = self.weight.val() / (self.running_var.value_sync() + Self::EPSILON).sqrt();
        let offset = self.bias.val() - self.running_mean.value_sync() * scale.clone();
        [scale, offset]
    }

    /// Normalizes by the batch's statistics while `training` (and records them), else by the running ones.
    #[must_use]
    pub fn forward(&self, input: Tensor<3>, training: bool) -> Tensor<3> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let (mean, var) = (self.running_mean.value_sync(), self.running_var.value_sync());
        if !training {
            return batch_norm(input, weight, bias, mean, var, Self::EPSILON);
        }
        let [batch, _, positions] = input.dims();
        let count = (batch * positions) as f64;
        let unbiased = count / (count - 1.0).max(1.0);
        let result = batch_norm_train(input, weight, bias, Self::EPSILON);
        let blend = |running: Tensor<1>, batch: Tensor<1>| {
            (running.mul_scalar(1.0 - MOMENTUM) + batch.detach().mul_scalar(MOMENTUM)).detach()
        };
        // An update is pending until it is asked for, and visitors that save the network do not ask.
        let record = |running: &RunningState<Tensor<1>>, value| {
            running.update(value);
            let _ = running.value_sync();
        };
        record(&self.running_mean, blend(mean, result.mean));
        record(&self.running_var, blend(var, result.variance.mul_scalar(unbiased)));
        result.output
    }
}
