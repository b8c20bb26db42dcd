//! One layer of a chain, without the layers around it.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use crucible_models::{
    Activation,
    layers::{AvgPool2d, BatchNorm, Conv2d, Linear, MaxPool2d},
};

/// A layer as a function of flattened inputs.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Linear(Linear),
    Conv2d(Conv2d),
    BatchNorm(BatchNorm),
    MaxPool2d(MaxPool2d),
    AvgPool2d(AvgPool2d),
    Activation(Activation),
}

impl Op {
    /// `[n, in]`, in truth of the shape `dims` (with the batch), to `[n, out]`.
    pub(crate) fn forward(&self, input: Tensor<2>, dims: &[usize]) -> Tensor<2> {
        let four = || [dims[0], dims[1], dims[2], dims[3]];
        match self {
            Self::Linear(layer) => layer.forward(input, Activation::Identity),
            Self::Conv2d(layer) => flat(layer.forward(input.reshape(four()), Activation::Identity)),
            Self::BatchNorm(layer) => flat(layer.forward(input.reshape([dims[0], dims[1], dims[2]]), false)),
            Self::MaxPool2d(layer) => flat(layer.forward(input.reshape(four()))),
            Self::AvgPool2d(layer) => flat(layer.forward(input.reshape(four()))),
            Self::Activation(activation) => activation.forward(input),
        }
    }

    /// The gradient by the input of the sum of the outputs, each weighted by `weights` `[n, out]`.
    pub(crate) fn pull_back(&self, input: &Tensor<2>, dims: &[usize], weights: Tensor<2>) -> Tensor<2> {
        let leaf = Tensor::from_inner(input.clone()).require_grad();
        let output = self.tracked().forward(leaf.clone(), dims);
        let gradients = (output * Tensor::from_inner(weights)).sum().backward();
        leaf.grad(&gradients).unwrap_or_else(|| input.zeros_like())
    }

    /// The same layer with its weights and bias changed; layers without weights stay.
    pub(crate) fn map_weights(&self, weight: impl Fn(f32) -> f32, bias: impl Fn(f32) -> f32) -> Self {
        match self {
            Self::Linear(layer) => {
                let mut layer = layer.clone();
                layer.weight = changed(&layer.weight, weight);
                layer.bias = changed(&layer.bias, bias);
                Self::Linear(layer)
            }
            Self::Conv2d(layer) => {
                let mut layer = layer.clone();
                layer.weight = changed(&layer.weight, weight);
                layer.bias = changed(&layer.bias, bias);
                Self::Conv2d(layer)
            }
            other => other.clone(),
        }
    }

    /// On the device with autodiff, without gradients by weights.
    fn tracked(&self) -> Self {
        match self {
            Self::Linear(layer) => Self::Linear(layer.clone().train().no_grad()),
            Self::Conv2d(layer) => Self::Conv2d(layer.clone().train().no_grad()),
            Self::BatchNorm(layer) => Self::BatchNorm(layer.clone().train().no_grad()),
            other => other.clone(),
        }
    }
}

/// `[n, features]`.
pub(crate) fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<2> {
    let dims = tensor.dims();
    tensor.reshape([dims[0], dims[1..].iter().product()])
}

fn changed<const D: usize>(param: &Param<Tensor<D>>, change: impl Fn(f32) -> f32) -> Param<Tensor<D>> {
    let tensor = param.val();
    let mut data = tensor.to_data();
    data.as_mut_slice::<f32>().expect("networks here hold f32").iter_mut().for_each(|v| *v = change(*v));
    Param::from_tensor(Tensor::from_data(data, &tensor.device()))
}
