use super::*;
use crate::testing::{assert_same_on_threads, error, values, wave};
use burn::tensor::{Device, TensorData, module, ops::MaxPoolOptions};

fn picture(shape: [usize; 4], device: &Device) -> Tensor<4> {
    // Few distinct values, so that windows have ties.
    let values: Vec<f32> = (0..shape.iter().product()).map(|i| (i * 7919 % 11) as f32 - 5.0).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[test]
fn agrees_with_burn_over_shapes_and_ties() {
    let device = Device::flex().autodiff();
    for (shape, size) in [
        ([0, 2, 4, 4], 2),
        ([1, 1, 1, 1], 1),
        ([2, 3, 5, 7], 2),
        ([3, 2, 9, 10], 3),
        ([8, 16, 24, 24], 2),
        ([1, 2, 6, 4], 4),
    ] {
        let [n, channels, height, width] = shape;
        let strided = picture([n, channels, width, height], &device).transpose();
        for x in [picture(shape, &device), strided] {
            let x = x.require_grad();
            let ours = max_pool2d(x.clone(), size);
            let plain = module::max_pool2d(x.clone(), MaxPoolOptions::new([size; 2]));
            ours.to_data().assert_eq(&plain.to_data(), true);
            let weight = picture(ours.dims(), &device) + 0.25;
            let actual = x.grad(&(ours * weight.clone()).sum().backward()).unwrap();
            let expected = x.grad(&(plain * weight).sum().backward()).unwrap();
            actual.to_data().assert_eq(&expected.to_data(), true);
        }
    }
}

#[test]
fn nan_wins() {
    let device = Device::flex();
    let x = Tensor::<4>::from_floats([[[[1.0, f32::NAN], [3.0, 2.0]]]], &device);
    assert!(max_pool2d(x, 2).into_scalar::<f32>().is_nan());
}

const fn pool(
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
) -> MaxPool2d {
    MaxPool2d { kernel, stride, padding, dilation }
}

const CASES: [([usize; 4], MaxPool2d); 11] = [
    ([0, 2, 5, 4], pool([3, 3], [2, 2], [1, 1], [1, 1])),
    ([1, 1, 1, 1], pool([1, 1], [2, 2], [0, 0], [1, 1])),
    ([1, 1, 1, 1], pool([3, 3], [2, 2], [1, 1], [1, 1])),
    ([2, 3, 5, 7], pool([2, 2], [1, 1], [0, 0], [1, 1])),
    ([2, 3, 9, 10], pool([3, 2], [1, 2], [1, 1], [1, 1])),
    ([1, 2, 8, 33], pool([3, 3], [2, 2], [1, 1], [1, 1])),
    ([3, 1, 17, 16], pool([2, 3], [3, 5], [1, 1], [2, 3])),
    ([2, 2, 5, 6], pool([5, 4], [1, 3], [2, 2], [1, 1])),
    ([2, 2, 9, 7], pool([2, 2], [3, 3], [0, 0], [1, 1])),
    ([1, 2, 20, 21], pool([3, 3], [1, 1], [2, 1], [2, 2])),
    ([8, 16, 24, 24], pool([3, 3], [2, 2], [1, 1], [1, 1])),
];

fn output_and_gradient(x: &Tensor<4>, options: MaxPool2d) -> [Tensor<4>; 2] {
    let y = max_pool2d_with(x.clone(), options);
    let weight = wave(y.dims(), 1.0, &x.device());
    let grad = x.grad(&(y.clone() * weight).sum().backward()).unwrap();
    [y.inner(), grad]
}

#[test]
fn windows_of_any_kind_agree_with_burn() {
    let device = Device::flex().autodiff();
    for (shape, options) in CASES {
        let [n, channels, height, width] = shape;
        let strided = picture([n, channels, width, height], &device).transpose();
        let part = picture([n + 1, channels, height, width + 3], &device);
        let part = part.slice([1..n + 1, 0..channels, 0..height, 2..width + 2]);
        for x in [picture(shape, &device), wave(shape, 0.1, &device) * 1e30, strided, part] {
            let x = Tensor::from_inner(x.inner()).require_grad();
            let [y, grad] = output_and_gradient(&x, options);
            let plain = MaxPoolOptions::new(options.kernel)
                .with_stride(options.stride)
                .with_padding(options.padding)
                .with_dilation(options.dilation);
            let expected = module::max_pool2d(x.clone(), plain);
            y.into_data().assert_eq(&expected.clone().inner().into_data(), true);
            let weight = wave(expected.dims(), 1.0, &device);
            let expected = x.grad(&(expected * weight).sum().backward()).unwrap();
            crate::testing::assert_close(grad, expected, 1e-6);
        }
    }
}

#[test]
fn agrees_with_float64() {
    let device = Device::flex().autodiff();
    for (shape, options) in CASES {
        let [n, channels, height, width] = shape;
        let x = picture(shape, &device).require_grad();
        let windows = options.windows([height, width]);
        let [oh, ow] = windows.output;
        let [y, grad] = output_and_gradient(&x, options).map(values);
        let (x, weight) = (values(x.inner()), values(wave([n, channels, oh, ow], 1.0, &device).inner()));
        let (mut exact_y, mut exact_grad) = (Vec::new(), vec![0.0; x.len()]);
        for (i, weight) in weight.iter().enumerate() {
            let (plane, row, column) = (i / (oh * ow) * height * width, i / ow % oh, i % ow);
            let mut best: Option<usize> = None;
            for ky in 0..options.kernel[0] {
                for kx in 0..options.kernel[1] {
                    let place = |axis: usize, window: usize, tap: usize| {
                        (window * options.stride[axis] + tap * options.dilation[axis])
                            .checked_sub(options.padding[axis])
                            .filter(|pixel| *pixel < [height, width][axis])
                    };
                    if let (Some(py), Some(px)) = (place(0, row, ky), place(1, column, kx)) {
                        let pixel = plane + py * width + px;
                        best = Some(best.map_or(pixel, |best| if x[pixel] > x[best] { pixel } else { best }));
                    }
                }
            }
            let best = best.expect("a pixel in each window");
            exact_y.push(f64::from(x[best]));
            exact_grad[best] += f64::from(*weight);
        }
        assert!(error(&y, &exact_y) == 0.0 && error(&grad, &exact_grad) < 1e-5, "{shape:?} {options:?}");
    }
}

#[test]
fn nan_wins_and_the_gradient_goes_to_the_first_maximum() {
    let device = Device::flex().autodiff();
    let low = f32::NEG_INFINITY;
    let options = pool([2, 2], [1, 1], [1, 1], [1, 1]);
    let x = Tensor::<4>::from_floats([[[[1.0, f32::NAN], [3.0, 2.0]]]], &device).require_grad();
    let y = max_pool2d_with(x.clone(), options);
    let grad = values(x.grad(&y.clone().sum().backward()).unwrap());
    assert_eq!(grad, [1.0, 4.0, 3.0, 1.0]);
    let y = values(y.inner());
    assert!(
        [1, 2, 4, 5].iter().all(|&i| y[i].is_nan())
            && [y[0], y[3], y[6], y[7], y[8]] == [1.0, 3.0, 3.0, 3.0, 2.0]
    );
    // Nothing but −∞: the padding is no pixel.
    let x = Tensor::<4>::full([1, 1, 2, 2], low, &device).require_grad();
    let y = max_pool2d_with(x.clone(), options);
    let grad = values(x.grad(&y.clone().sum().backward()).unwrap());
    assert_eq!(grad, [4.0, 2.0, 2.0, 1.0]);
    assert!(values(y.inner()).iter().all(|y| *y == low));
}

#[test]
fn a_window_without_a_pixel_is_minus_infinity() {
    let device = Device::flex().autodiff();
    let x = Tensor::<4>::ones([1, 1, 1, 1], &device).require_grad();
    let y = max_pool2d_with(x.clone(), pool([2, 2], [1, 1], [2, 2], [3, 3]));
    let grad = values(x.grad(&(y.clone() * 2.0).sum().backward()).unwrap());
    let y = values(y.inner());
    let low = f32::NEG_INFINITY;
    assert_eq!((y, grad), (vec![low; 4], vec![0.0]));
}

#[test]
#[should_panic(expected = "max_pool2d: windows of [3, 3]")]
fn a_window_larger_than_the_picture_is_refused() {
    let _ = max_pool2d(Tensor::zeros([1, 1, 2, 5], &Device::flex()), 3);
}

#[test]
fn same_bytes_on_any_number_of_threads() {
    for options in [MaxPool2d::tiles(2), pool([3, 3], [2, 2], [1, 1], [1, 1])] {
        assert_same_on_threads(|| {
            let device = Device::flex().autodiff();
            let x = wave([16, 16, 24, 24], 0.1, &device).require_grad();
            output_and_gradient(&x, options).map(values).into()
        });
    }
}
