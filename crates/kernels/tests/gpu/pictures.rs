use burn::tensor::{Device, Tensor, TensorData};
use crucible_kernels::{
    AvgPool2d, Conv2d, Fused, MaxPool2d, avg_pool2d, conv_transpose2d, conv2d, conv2d_example_gradients,
    conv2d_weight_gradient, max_pool2d, max_pool2d_with,
};

use crate::{CLOSE, compare, outcome, read, wave};

const PLAIN: Conv2d = Conv2d { stride: [1; 2], padding: [0; 2], dilation: [1; 2], groups: 1 };

#[test]
fn conv2d_over_strides_paddings_dilations_and_groups() {
    let cases = [
        ([1, 1, 4, 4], [1, 1, 1, 1], PLAIN),
        ([2, 3, 8, 9], [5, 3, 3, 3], Conv2d { padding: [1; 2], ..PLAIN }),
        ([2, 3, 11, 9], [4, 3, 5, 3], Conv2d { stride: [2, 1], padding: [2, 0], ..PLAIN }),
        ([3, 2, 10, 12], [4, 2, 3, 2], Conv2d { stride: [2, 3], dilation: [2, 1], ..PLAIN }),
        ([2, 6, 7, 7], [4, 3, 3, 3], Conv2d { padding: [1; 2], groups: 2, ..PLAIN }),
        ([2, 4, 9, 8], [8, 1, 3, 3], Conv2d { stride: [2, 1], padding: [1; 2], groups: 4, ..PLAIN }),
    ];
    for (input, weight, options) in cases {
        for fused in [Fused::None, Fused::Relu] {
            compare(&format!("conv2d {fused:?} of {input:?} by {weight:?}, {options:?}"), CLOSE, |device| {
                let [x, w] =
                    [(input, 0.1), (weight, 1.0)].map(|(s, phase)| wave(s, phase, device).require_grad());
                let b = wave([weight[0]], 2.0, device).require_grad();
                let output = conv2d(x.clone(), w.clone(), b.clone(), options, fused);
                outcome(output, &[("input", &x), ("weight", &w), ("bias", &b)])
            });
        }
    }
}

#[test]
fn the_transpose_of_conv2d() {
    let strided = Conv2d { stride: [2; 2], padding: [1; 2], ..PLAIN };
    for (input, weight, options, size) in [
        ([2, 3, 7, 7], [3, 5, 4, 4], strided, [14, 15]),
        ([2, 4, 6, 5], [4, 2, 3, 3], Conv2d { padding: [1; 2], groups: 2, ..PLAIN }, [6, 5]),
    ] {
        compare(&format!("conv_transpose2d of {input:?} by {weight:?}, {options:?}"), CLOSE, |device| {
            let [x, w] =
                [(input, 0.1), (weight, 1.0)].map(|(s, phase)| wave(s, phase, device).require_grad());
            let output = conv_transpose2d(x.clone(), w.clone(), options, size);
            outcome(output, &[("input", &x), ("weight", &w)])
        });
    }
}

#[test]
fn gradients_of_conv2d_by_example_and_together() {
    let cases = [
        ([2, 3, 8, 9], [5, 3, 3, 3], Conv2d { padding: [1; 2], ..PLAIN }),
        ([3, 4, 10, 12], [4, 2, 3, 2], Conv2d { stride: [2, 3], dilation: [2, 1], groups: 2, ..PLAIN }),
    ];
    for (input, weight, options) in cases {
        for fused in [Fused::None, Fused::Relu] {
            compare(&format!("gradients of conv2d {fused:?} of {input:?}, {options:?}"), CLOSE, |device| {
                let [x, w] = [(input, 0.1), (weight, 1.0)].map(|(s, phase)| wave(s, phase, device).inner());
                let y = conv2d(x.clone(), w.clone(), wave([weight[0]], 2.0, device).inner(), options, fused);
                let grad = wave(y.dims(), 3.0, device).inner() + 0.5;
                let y = (fused == Fused::Relu).then_some(y);
                let rows = conv2d_example_gradients(x.clone(), weight, grad.clone(), y.clone(), options);
                let sum = conv2d_weight_gradient(x, w, grad, y, options);
                vec![
                    ("weight by example", read(rows.0)),
                    ("bias by example", read(rows.1)),
                    ("weight", read(sum.0)),
                    ("bias", read(sum.1)),
                ]
            });
        }
    }
}

/// Few distinct values, so that windows have ties.
fn picture(shape: [usize; 4], device: &Device) -> Tensor<4> {
    let values: Vec<f32> = (0..shape.iter().product()).map(|i| (i * 7919 % 11) as f32 - 5.0).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[test]
fn max_pool2d_over_windows_with_ties() {
    for size in [1, 2, 3] {
        compare(&format!("max_pool2d of {size}"), 0.0, |device| {
            let x = picture([2, 3, 7, 6], device).require_grad();
            outcome(max_pool2d(x.clone(), size), &[("input", &x)])
        });
    }
    let pool = |kernel, stride, padding, dilation| MaxPool2d { kernel, stride, padding, dilation };
    let cases = [
        ([2, 3, 9, 10], pool([3, 2], [1, 2], [1, 1], [1, 1])),
        ([1, 2, 8, 13], pool([3, 3], [2, 2], [1, 1], [1, 1])),
        ([2, 2, 9, 7], pool([2, 2], [3, 3], [0, 0], [1, 1])),
        ([1, 2, 12, 11], pool([3, 3], [1, 1], [2, 1], [2, 2])),
    ];
    for (shape, options) in cases {
        compare(&format!("max_pool2d_with of {shape:?}, {options:?}"), 1e-6, |device| {
            let x = picture(shape, device).require_grad();
            outcome(max_pool2d_with(x.clone(), options), &[("input", &x)])
        });
    }
}

#[test]
fn avg_pool2d_over_windows() {
    let pool = |kernel, stride, padding| AvgPool2d { kernel, stride, padding };
    let cases = [
        ([2, 3, 7, 6], AvgPool2d::tiles(2)),
        ([2, 3, 9, 10], pool([3, 2], [1, 1], [1, 0])),
        ([1, 2, 8, 13], pool([3, 3], [2, 2], [1, 1])),
        ([3, 1, 7, 6], pool([2, 3], [3, 5], [1, 1])),
    ];
    for (shape, options) in cases {
        compare(&format!("avg_pool2d of {shape:?}, {options:?}"), CLOSE, |device| {
            let x = wave(shape, 0.1, device).require_grad();
            outcome(avg_pool2d(x.clone(), options), &[("input", &x)])
        });
    }
}
