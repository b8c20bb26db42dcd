//! A convolution of any stride, padding, dilation and groups.

use burn::module::ParamId;
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use crucible_kernels::{Conv2d as Options, conv2d_example_gradients, conv2d_weight_gradient, row_norms};
use crucible_models::layers::Conv2dConfig;

use super::{
    part::{Part, Rows, Way, squared, way},
    tokens::paired,
    values,
};

/// What a pass leaves of a convolution: its parameters, its input `[n, in, height, width]`, the gradient of its output
/// `[n, out, height', width']`, and where a `ReLU` followed within, that output.
pub(super) struct Convolved {
    pub(super) ids: [ParamId; 2],
    pub(super) config: Conv2dConfig,
    /// Its values are not read.
    pub(super) weight: Tensor<4>,
    pub(super) input: Tensor<4>,
    pub(super) slope: Tensor<4>,
    pub(super) output: Option<Tensor<4>>,
}

impl Convolved {
    /// Weight and bias.
    pub(super) fn parts(self) -> Vec<Box<dyn Part>> {
        let Conv2dConfig { inputs, outputs, kernel, groups, .. } = self.config;
        let ([_, _, height, width], [_, _, rows, columns]) = (self.input.dims(), self.slope.dims());
        let (weights, positions) = (self.weight.shape().num_elements(), rows * columns);
        let kept = inputs * height * width + outputs * positions;
        // The groups' products add up to that of all channels.
        let pairs = positions * positions * (inputs * kernel[0] * kernel[1] + outputs);
        match way(weights, kept, positions * weights, pairs) {
            Way::Keep => {
                let (weight, bias) = self.each(0, self.input.dims()[0]);
                let [by_weight, by_bias] = self.ids;
                let shape = self.weight.dims().to_vec();
                vec![
                    Box::new(Rows { id: by_weight, shape, rows: weight }),
                    Box::new(Rows { id: by_bias, shape: vec![outputs], rows: bias }),
                ]
            }
            Way::Ghost => vec![Box::new(Ghost { of: self, groups })],
            Way::Again => {
                let at_once = (self.input.dims()[0] * kept / weights).max(1);
                vec![Box::new(Again { of: self, at_once })]
            }
        }
    }

    /// The gradients of `count` examples from `first` on, as rows.
    fn each(&self, first: usize, count: usize) -> (Tensor<2>, Tensor<2>) {
        let part = |tensor: &Tensor<4>| tensor.clone().narrow(0, first, count);
        let output = self.output.as_ref().map(part);
        let (input, slope) = (part(&self.input), part(&self.slope));
        conv2d_example_gradients(input, self.weight.dims(), slope, output, options(&self.config))
    }

    /// The gradient of the sum before the `ReLU`.
    fn slope_inside(&self) -> Tensor<4> {
        let slope = self.slope.clone();
        match &self.output {
            Some(output) => slope.mask_fill(output.clone().lower_equal_elem(0.0), 0.0),
            None => slope,
        }
    }

    fn add_up(self, factors: Tensor<1>, gradients: &mut GradientsParams) {
        let [count] = factors.dims();
        let scaled = self.slope * factors.reshape([count, 1, 1, 1]);
        let (weight, bias) =
            conv2d_weight_gradient(self.input, self.weight, scaled, self.output, options(&self.config));
        gradients.register(self.ids[0], weight);
        gradients.register(self.ids[1], bias);
    }
}

fn options(config: &Conv2dConfig) -> Options {
    let Conv2dConfig { stride, padding, dilation, groups, .. } = *config;
    Options { stride, padding, dilation, groups }
}

/// Each example's gradient as long as it takes to measure it.
struct Again {
    of: Convolved,
    /// Examples whose gradients exist together.
    at_once: usize,
}

impl Part for Again {
    fn squares(&self) -> Vec<f64> {
        let count = self.of.input.dims()[0];
        let some = |first: usize| {
            let (weight, bias) = self.of.each(first, self.at_once.min(count - first));
            let [weight, bias] = [weight, bias].map(|rows| squared(row_norms(rows)));
            weight.into_iter().zip(bias).map(|(weight, bias)| weight + bias).collect::<Vec<_>>()
        };
        (0..count).step_by(self.at_once).flat_map(some).collect()
    }

    fn add_up(self: Box<Self>, factors: Tensor<1>, gradients: &mut GradientsParams) {
        self.of.add_up(factors, gradients);
    }
}

/// As of a linear layer at each window, an example at a time.
struct Ghost {
    of: Convolved,
    groups: usize,
}

impl Part for Ghost {
    fn squares(&self) -> Vec<f64> {
        let slope = self.of.slope_inside();
        let [count, outputs, rows, columns] = slope.dims();
        let [groups, positions] = [self.groups, rows * columns];
        let bias = slope.clone().reshape([count, outputs, positions]).sum_dim(2).squeeze_dim(2);
        let bias = squared(row_norms(bias));
        let example = |(example, bias): (usize, f64)| {
            let slope = slope.clone().narrow(0, example, 1);
            let slope = slope.reshape([groups, outputs / groups, positions]).swap_dims(1, 2);
            let windows =
                windows(self.of.input.clone().narrow(0, example, 1), &self.of.config, [rows, columns]);
            paired(windows, slope).into_iter().sum::<f64>() + bias
        };
        bias.into_iter().enumerate().map(example).collect()
    }

    fn add_up(self: Box<Self>, factors: Tensor<1>, gradients: &mut GradientsParams) {
        self.of.add_up(factors, gradients);
    }
}

/// What each output of one example reads, `[groups, height' · width', in / groups · kh · kw]`.
fn windows(input: Tensor<4>, config: &Conv2dConfig, [rows, columns]: [usize; 2]) -> Tensor<3> {
    let Conv2dConfig { kernel: [kh, kw], stride, padding, dilation, groups, .. } = *config;
    let ([_, channels, height, width], device) = (input.dims(), input.device());
    let input = values(input);
    let length = channels / groups * kh * kw;
    let mut found = vec![0.0; groups * rows * columns * length];
    for (place, value) in found.iter_mut().enumerate() {
        let (window, tap) = (place / length, place % length);
        let (group, row, column) = (window / (rows * columns), window / columns % rows, window % columns);
        let (channel, u, v) = (group * (channels / groups) + tap / (kh * kw), tap / kw % kh, tap % kw);
        let y = (row * stride[0] + u * dilation[0]).wrapping_sub(padding[0]);
        let x = (column * stride[1] + v * dilation[1]).wrapping_sub(padding[1]);
        if y < height && x < width {
            *value = input[(channel * height + y) * width + x];
        }
    }
    Tensor::from_data(TensorData::new(found, [groups, rows * columns, length]), &device)
}
