use super::*;
use crate::testing::{assert_close, assert_same_on_threads, error, values, wave};
use burn::tensor::{Device, module, ops::AvgPoolOptions};

const fn pool(kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> AvgPool2d {
    AvgPool2d { kernel, stride, padding }
}

const CASES: [([usize; 4], AvgPool2d); 11] = [
    ([0, 2, 4, 4], pool([2, 2], [2, 2], [0, 0])),
    ([1, 1, 1, 1], pool([1, 1], [1, 1], [0, 0])),
    ([2, 3, 5, 7], pool([2, 2], [2, 2], [0, 0])),
    ([2, 3, 9, 10], pool([3, 3], [3, 3], [0, 0])),
    ([2, 3, 9, 10], pool([3, 2], [1, 1], [1, 0])),
    ([1, 2, 8, 33], pool([3, 3], [2, 2], [1, 1])),
    ([3, 1, 7, 6], pool([2, 3], [3, 5], [1, 1])),
    ([2, 2, 5, 6], pool([5, 4], [1, 3], [2, 2])),
    ([1, 2, 2, 3], pool([4, 5], [2, 1], [2, 2])),
    ([8, 16, 24, 24], pool([2, 2], [2, 2], [0, 0])),
    ([4, 8, 28, 28], pool([5, 5], [1, 1], [2, 2])),
];

fn output_and_gradient(x: &Tensor<4>, options: AvgPool2d, weight: Option<&Tensor<4>>) -> [Tensor<4>; 2] {
    let y = avg_pool2d(x.clone(), options);
    let weight = weight.cloned().unwrap_or_else(|| wave(y.dims(), 1.0, &x.device()));
    let grad = x.grad(&(y.clone() * weight).sum().backward()).unwrap();
    [y.inner(), grad]
}

#[test]
fn agrees_with_burn_over_windows() {
    let device = Device::flex().autodiff();
    for (shape, options) in CASES {
        let [n, channels, height, width] = shape;
        let whole = wave(shape, 0.1, &device);
        let transposed = wave([n, channels, width, height], 0.1, &device).transpose();
        let part = wave([n + 1, channels, height, width + 3], 0.1, &device);
        let part = part.slice([1..n + 1, 0..channels, 0..height, 2..width + 2]);
        for x in [whole, transposed, part] {
            let x = Tensor::from_inner(x.inner()).require_grad();
            let [y, grad] = output_and_gradient(&x, options, None);
            let plain = AvgPoolOptions::new(options.kernel)
                .with_stride(options.stride)
                .with_padding(options.padding)
                .with_count_include_pad(true);
            let expected = module::avg_pool2d(x.clone(), plain);
            assert_close(y, expected.clone().inner(), 1e-6);
            let weight = wave(expected.dims(), 1.0, &device);
            let expected = x.grad(&(expected * weight).sum().backward()).unwrap();
            assert_close(grad, expected, 1e-5);
        }
    }
}

#[test]
fn agrees_with_float64() {
    let device = Device::flex().autodiff();
    for (shape, options) in CASES.into_iter().skip(1) {
        let [n, channels, height, width] = shape;
        let x = (wave(shape, 0.1, &device) * 1e6).require_grad();
        let windows = options.windows([height, width]);
        let [oh, ow] = windows.output;
        let weight = wave([n, channels, oh, ow], 1.0, &device);
        let [y, grad] = output_and_gradient(&x, options, Some(&weight)).map(values);
        let (x, weight) = (values(x.inner()), values(weight.inner()));
        let (mut exact_y, mut exact_grad) = (vec![0.0; y.len()], vec![0.0; x.len()]);
        let area = (options.kernel[0] * options.kernel[1]) as f64;
        for (i, y) in exact_y.iter_mut().enumerate() {
            let (plane, row, column) = (i / (oh * ow), i / ow % oh, i % ow);
            for (ky, kx) in
                windows.taps(0, row).flat_map(|ky| windows.taps(1, column).map(move |kx| (ky, kx)))
            {
                let pixel = windows.pixel(0, row, ky) * width + windows.pixel(1, column, kx);
                *y += f64::from(x[plane * height * width + pixel]) / area;
                exact_grad[plane * height * width + pixel] += f64::from(weight[i]) / area;
            }
        }
        assert!(error(&y, &exact_y) < 1e-5 && error(&grad, &exact_grad) < 1e-5, "{shape:?} {options:?}");
    }
}

#[test]
fn nan_stays_in_its_windows() {
    let device = Device::flex();
    let x = Tensor::<4>::from_floats([[[[f32::NAN, 1.0, 3.0, f32::INFINITY]]]], &device);
    let y = values(avg_pool2d(x.clone(), pool([1, 2], [1, 2], [0, 0])));
    assert!(y[0].is_nan() && y[1] == f32::INFINITY);
    let y = values(avg_pool2d(x, pool([1, 2], [1, 1], [0, 0])));
    assert!(y[0].is_nan() && y[1..] == [2.0, f32::INFINITY]);
}

#[test]
#[should_panic(expected = "avg_pool2d: windows of [3, 3]")]
fn a_window_larger_than_the_image_is_refused() {
    let _ = avg_pool2d(Tensor::zeros([1, 1, 2, 5], &Device::flex()), AvgPool2d::tiles(3));
}

#[test]
fn same_bytes_on_any_number_of_threads() {
    for options in [AvgPool2d::tiles(2), pool([3, 3], [2, 2], [1, 1])] {
        assert_same_on_threads(|| {
            let device = Device::flex().autodiff();
            let x = wave([16, 16, 24, 24], 0.1, &device).require_grad();
            output_and_gradient(&x, options, None).map(values).into()
        });
    }
}
