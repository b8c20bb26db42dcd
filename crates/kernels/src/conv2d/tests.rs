use super::*;
use burn::tensor::{Device, TensorData, Tolerance, module};

fn ramp<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let values: Vec<f32> =
        (0..count).map(|i| ((i * 37 + i / 7 * 13 + 11) % 101) as f32 / 50.0 - 1.0).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Output and every gradient, of ours or of Burn's own.
fn run(
    input: [usize; 4],
    weight: [usize; 4],
    function: impl Fn(Tensor<4>, Tensor<4>, Tensor<1>) -> Tensor<4>,
) -> [TensorData; 4] {
    let device = Device::flex().autodiff();
    let x = ramp(input, &device).require_grad();
    let w = (ramp(weight, &device) * 0.7).require_grad();
    let b = ramp([weight[0]], &device).require_grad();
    let output = function(x.clone(), w.clone(), b.clone());
    let grads = (output.clone() * (ramp(output.dims(), &device) + 0.3)).sum().backward();
    [
        output.into_data(),
        x.grad(&grads).unwrap().into_data(),
        w.grad(&grads).unwrap().into_data(),
        b.grad(&grads).unwrap().into_data(),
    ]
}

fn ours(input: [usize; 4], weight: [usize; 4], options: Conv2d, fused: Fused) -> [TensorData; 4] {
    run(input, weight, |x, w, b| conv2d(x, w, b, options, fused))
}

fn check(input: [usize; 4], weight: [usize; 4], options: Conv2d, fused: Fused) {
    let all_ours = ours(input, weight, options, fused);
    let plain = run(input, weight, |x, w, b| {
        let output = module::conv2d(x, w, Some(b), ConvOptions::from(options));
        if fused == Fused::None {
            return output;
        }
        // Where rounding decides on which side of zero a value lies, on the same side as ours.
        let ours = Tensor::<4>::from_data(all_ours[0].clone(), &output.device());
        output.mask_fill(ours.lower_equal_elem(0.0), 0.0)
    });
    let names = ["output", "input gradient", "weight gradient", "bias gradient"];
    for ((name, ours), plain) in names.iter().zip(&all_ours).zip(plain) {
        let (ours, plain) = (ours.try_to_vec::<f32>().unwrap(), plain.try_to_vec::<f32>().unwrap());
        assert_eq!(ours.len(), plain.len(), "{name} {input:?} {weight:?} {options:?}");
        let scale = plain.iter().fold(1.0_f32, |max, value| max.max(value.abs()));
        let error = ours.iter().zip(&plain).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(
            error <= 1e-5 * scale,
            "{name} {input:?} {weight:?} {options:?} {fused:?}: {error} of {scale}"
        );
    }
}

fn options(stride: [usize; 2], padding: [usize; 2], dilation: [usize; 2], groups: usize) -> Conv2d {
    Conv2d { stride, padding, dilation, groups }
}

#[test]
fn agrees_with_burn_over_strides_paddings_and_dilations() {
    for kernel in [[1, 1], [3, 3], [5, 3], [2, 2]] {
        for stride in [[1, 1], [2, 2], [3, 1], [2, 3]] {
            for padding in [[0, 0], [1, 1], [2, 0], [0, 3]] {
                for dilation in [[1, 1], [2, 1], [2, 2]] {
                    let options = options(stride, padding, dilation, 1);
                    let fused = if padding[0] == 1 { Fused::Relu } else { Fused::None };
                    check([2, 3, 11, 9], [5, 3, kernel[0], kernel[1]], options, fused);
                }
            }
        }
    }
}

#[test]
fn agrees_with_burn_over_channels_and_batches() {
    for (inputs, outputs) in [(1, 1), (1, 19), (2, 7), (3, 16), (17, 2), (5, 15), (19, 33), (8, 70)] {
        for batch in [1, 3, 18] {
            check(
                [batch, inputs, 6, 7],
                [outputs, inputs, 3, 3],
                options([1; 2], [1; 2], [1; 2], 1),
                Fused::Relu,
            );
        }
    }
}

#[test]
fn agrees_with_burn_over_groups() {
    for (groups, group_inputs, group_outputs) in
        [(2, 1, 1), (2, 3, 17), (3, 2, 9), (7, 1, 1), (5, 1, 3), (19, 1, 2), (2, 4, 12)]
    {
        for stride in [[1, 1], [2, 1]] {
            let input = [3, groups * group_inputs, 9, 8];
            let weight = [groups * group_outputs, group_inputs, 3, 3];
            check(input, weight, options(stride, [1, 1], [1, 1], groups), Fused::Relu);
        }
    }
}

#[test]
fn agrees_with_burn_over_sizes() {
    for [height, width] in [[1, 1], [7, 1], [1, 40], [4, 33], [50, 17], [3, 130]] {
        for (kernel, padding) in [([1, 1], [0, 0]), ([3, 3], [1, 1]), ([1, 1], [3, 3]), ([3, 1], [1, 0])] {
            check(
                [2, 2, height, width],
                [9, 2, kernel[0], kernel[1]],
                options([1; 2], padding, [1; 2], 1),
                Fused::None,
            );
        }
    }
    check([2, 3, 4, 4], [5, 3, 4, 4], options([1; 2], [0; 2], [1; 2], 1), Fused::Relu);
    check([2, 3, 5, 5], [5, 3, 2, 2], options([4; 2], [0; 2], [1; 2], 1), Fused::Relu);
    check([20, 8, 28, 28], [40, 8, 3, 3], options([1; 2], [0; 2], [1; 2], 1), Fused::Relu);
    check([2, 8, 60, 60], [64, 8, 3, 3], options([2; 2], [1; 2], [1; 2], 1), Fused::Relu);
}

/// Shapes that are computed in tiles of 4×4 outputs.
const TILED: [([usize; 4], usize, [usize; 2]); 6] = [
    ([4, 16, 6, 6], 16, [0, 0]),
    ([5, 17, 9, 7], 33, [1, 1]),
    ([18, 16, 5, 12], 40, [2, 0]),
    ([4, 32, 26, 26], 64, [0, 0]),
    // Several blocks of tiles for each image.
    ([4, 48, 40, 33], 24, [1, 2]),
    ([6, 20, 7, 90], 16, [1, 1]),
];

#[test]
fn agrees_with_burn_in_tiles() {
    for (input, outputs, padding) in TILED {
        let (weight, options) = ([outputs, input[1], 3, 3], options([1; 2], padding, [1; 2], 1));
        assert!(Winograd::new(&Sizes::new(input, weight, options)).is_some(), "{input:?}");
        check(input, weight, options, Fused::None);
        check(input, weight, options, Fused::Relu);
    }
}

/// What is not finite is as in a direct convolution, although tiles mix pixels that no output shares.
#[test]
fn what_is_not_finite_passes_through_tiles() {
    let device = Device::flex().autodiff();
    let (input, outputs, padding) = TILED[1];
    let options = options([1; 2], padding, [1; 2], 1);
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38] {
        let run = |function: &dyn Fn(Tensor<4>, Tensor<4>, Tensor<1>) -> Tensor<4>| {
            let place = Tensor::full([1, 1, 2, 1], value, &device);
            let x = ramp(input, &device).slice_assign([2..3, 3..4, 4..6, 5..6], place).require_grad();
            let w = ramp([outputs, input[1], 3, 3], &device).require_grad();
            let output = function(x.clone(), w.clone(), ramp([outputs], &device));
            let grads = output.clone().sum().backward();
            let [x, w] = [x, w].map(|t| t.grad(&grads).unwrap());
            [output, x, w].map(|t| t.into_data().try_to_vec::<f32>().unwrap())
        };
        let ours = run(&|x, w, b| conv2d(x, w, b, options, Fused::None));
        let plain = run(&|x, w, b| module::conv2d(x, w, Some(b), ConvOptions::from(options)));
        for (ours, plain) in ours.iter().zip(&plain) {
            let finite = plain.iter().filter(|value| value.is_finite());
            let scale = finite.fold(1.0_f32, |max, value| max.max(value.abs()));
            let agree =
                |a: f32, b: f32| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-5 * scale;
            assert!(ours.iter().zip(plain).all(|(a, b)| agree(*a, *b)), "{value}");
        }
        let all = ours.iter().flatten();
        assert!(all.clone().any(|value| !value.is_finite()) && all.clone().any(|value| value.is_finite()));
    }
}

/// Each gradient alone is the one that is computed with the others.
#[test]
fn one_gradient_alone_is_the_same() {
    for (input, outputs, padding) in TILED {
        let weight = [outputs, input[1], 3, 3];
        let sizes = Sizes::new(input, weight, options([1; 2], padding, [1; 2], 1));
        let winograd = Winograd::new(&sizes).unwrap();
        let values = |shape: [usize; 4], step: usize| -> Vec<f32> {
            (0..shape.iter().product()).map(|i| (i * step % 1009) as f32 / 504.0 - 1.0).collect()
        };
        let (x, w) = (values(input, 37), values(weight, 91));
        let after = [input[0], outputs, sizes.output[0], sizes.output[1]];
        let (g, mask) = (values(after, 53), values(after, 71));
        let run = |wanted: [bool; 3]| winograd.backward(&x, &w, &g, Some(&mask), wanted).unwrap();
        let (by_input, by_weight, bias) = run([true; 3]);
        assert!(run([true, false, false]).0 == by_input);
        assert!(run([false, true, false]).1 == by_weight);
        assert!(run([false, false, true]).2 == bias);
    }
}

/// Thousands of like values, whose sum loses digits in float32 where each is added to it.
/// Against the gradient of a batch of one, which never goes through tiles.
#[test]
fn each_example_has_the_gradient_of_a_batch_of_one() {
    let device = Device::flex();
    let cases = [
        ([3, 1, 4, 4], [2, 1, 1, 1], options([1; 2], [0; 2], [1; 2], 1)),
        ([5, 3, 9, 8], [20, 3, 3, 3], options([2, 1], [1, 0], [1, 2], 1)),
        ([17, 2, 6, 6], [9, 2, 3, 3], options([1; 2], [1; 2], [1; 2], 1)),
        ([4, 6, 7, 9], [4, 3, 3, 2], options([1, 2], [2, 1], [2, 1], 2)),
        ([33, 8, 12, 12], [16, 1, 5, 5], options([2; 2], [2; 2], [1; 2], 8)),
        // In tiles.
        ([5, 16, 16, 16], [20, 16, 3, 3], options([1; 2], [0; 2], [1; 2], 1)),
        ([20, 17, 12, 13], [33, 17, 3, 3], options([1; 2], [1; 2], [1; 2], 1)),
    ];
    for (input, weight, options) in cases {
        for fused in [Fused::None, Fused::Relu] {
            let (x, w, b) = (ramp(input, &device), ramp(weight, &device), ramp([weight[0]], &device));
            let y = conv2d(x.clone(), w.clone(), b.clone(), options, fused);
            let grad = ramp(y.dims(), &device) + 0.3;
            let output = (fused == Fused::Relu).then(|| y.clone());
            // By the output in tiles, since rounding decides on which side of zero a value lies.
            let masked = match &output {
                Some(y) => grad.clone().mask_fill(y.clone().lower_equal_elem(0.0), 0.0),
                None => grad.clone(),
            };
            let run = || {
                let found =
                    conv2d_example_gradients(x.clone(), weight, grad.clone(), output.clone(), options);
                let sum = conv2d_weight_gradient(x.clone(), w.clone(), grad.clone(), output.clone(), options);
                let values = crate::testing::values::<2>;
                let sum = [crate::testing::values(sum.0), crate::testing::values(sum.1)];
                [vec![values(found.0), values(found.1)], sum.to_vec()].concat()
            };
            crate::testing::assert_same_on_threads(run);
            let found = run();
            let mut sums = [vec![0.0; w.shape().num_elements()], vec![0.0; weight[0]]];
            for image in 0..input[0] {
                let device = Device::flex().autodiff();
                let one = |x: &Tensor<4>| Tensor::from_inner(x.clone().narrow(0, image, 1));
                let (weight, bias) = (
                    Tensor::<4>::from_data(w.to_data(), &device).require_grad(),
                    Tensor::<1>::from_data(b.to_data(), &device).require_grad(),
                );
                let y = conv2d(one(&x), weight.clone(), bias.clone(), options, Fused::None);
                let grads = (y * one(&masked)).sum().backward();
                let gradients =
                    [weight.grad(&grads).unwrap().into_data(), bias.grad(&grads).unwrap().into_data()];
                for (place, gradient) in gradients.into_iter().enumerate() {
                    let exact: Vec<f64> = gradient.iter::<f32>().map(f64::from).collect();
                    let row = &found[place][image * exact.len()..][..exact.len()];
                    let error = crate::testing::error(row, &exact);
                    assert!(error < 1e-5, "{input:?} {weight:?} {options:?} {fused:?}: {error}");
                    sums[place].iter_mut().zip(exact).for_each(|(sum, value)| *sum += value);
                }
            }
            for (sum, exact) in found[2..].iter().zip(&sums) {
                let error = crate::testing::error(sum, exact);
                assert!(error < 1e-5, "{input:?} {options:?} {fused:?}: the sum is off by {error}");
            }
        }
    }
}

#[test]
fn what_is_not_finite_stays_with_its_example() {
    let device = Device::flex();
    let (input, weight) = ([6, 16, 16, 16], [16, 16, 3, 3]);
    let mut values = crate::testing::values(ramp(input, &device));
    values[3 * 16 * 256 + 5] = f32::INFINITY;
    let x = Tensor::from_data(TensorData::new(values, input), &device);
    let grad = ramp([6, 16, 14, 14], &device);
    let options = options([1; 2], [0; 2], [1; 2], 1);
    let (rows, _) = conv2d_example_gradients(x, weight, grad, None, options);
    for (image, row) in crate::testing::values(rows).chunks_exact(weight.iter().product()).enumerate() {
        assert_eq!(row.iter().all(|value| value.is_finite()), image != 3, "example {image}");
    }
}

#[test]
fn the_bias_of_many_pixels_keeps_its_digits() {
    let count = 4 * 200 * 200;
    let exact = f64::from(0.1_f32) * count as f64;
    // In tiles, along channels, and along pixels.
    for (inputs, outputs) in [(16, 16), (8, 16), (1, 3)] {
        let (input, weight) = ([4, inputs, 202, 202], [outputs, inputs, 3, 3]);
        let sizes = Sizes::new(input, weight, options([1; 2], [0; 2], [1; 2], 1));
        let (x, w) = (vec![0.0; input.iter().product()], vec![0.0; weight.iter().product()]);
        let (grad, wanted) = (vec![0.1; outputs * count], [false, true, true]);
        let tiled = Winograd::new(&sizes).map(|tiles| tiles.backward(&x, &w, &grad, None, wanted).unwrap());
        assert_eq!(tiled.is_some(), inputs == 16);
        let found = [tiled, Some(direct_gradients(sizes, &x, &w, &grad, None, wanted))];
        for (_, _, bias) in found.into_iter().flatten() {
            assert_eq!(bias.len(), outputs);
            assert!(bias.iter().all(|sum| (f64::from(*sum) - exact).abs() <= 1e-5 * exact), "{bias:?}");
        }
    }
}

#[test]
fn an_empty_batch_gives_an_empty_output_and_no_gradient() {
    let [output, x, w, b] = ours([0, 2, 5, 5], [3, 2, 3, 3], options([1; 2], [0; 2], [1; 2], 1), Fused::Relu);
    assert_eq!((output.shape().dims(), x.shape().dims()), ([0, 3, 3, 3], [0, 2, 5, 5]));
    assert!(w.iter::<f32>().chain(b.iter::<f32>()).all(|value| value == 0.0));
}

#[test]
fn takes_inputs_that_are_not_contiguous() {
    let device = Device::flex();
    let (x, w, b) = (ramp([2, 3, 6, 7], &device), ramp([4, 3, 3, 2], &device), ramp([4], &device));
    let options = options([1; 2], [1; 2], [1; 2], 1);
    let expected = conv2d(x.clone(), w.clone(), b.clone(), options, Fused::Relu);
    let strided = |t: Tensor<4>| t.swap_dims(1, 3).mul_scalar(1.0).swap_dims(1, 3);
    let actual = conv2d(strided(x), strided(w), b, options, Fused::Relu);
    actual.into_data().assert_approx_eq(&expected.into_data(), Tolerance::<f32>::absolute(1e-6));
}

#[test]
fn nan_passes_through() {
    let device = Device::flex();
    let x = ramp([1, 1, 5, 5], &device)
        .slice_assign([0..1, 0..1, 0..1, 0..1], Tensor::full([1; 4], f32::NAN, &device));
    let output = conv2d(
        x,
        ramp([1, 1, 3, 3], &device),
        ramp([1], &device),
        options([1; 2], [0; 2], [1; 2], 1),
        Fused::Relu,
    );
    let output: Vec<f32> = output.into_data().try_to_vec().unwrap();
    assert_eq!(
        output.iter().map(|value| value.is_nan()).collect::<Vec<_>>(),
        [true, false, false, false, false, false, false, false, false]
    );
}

#[test]
fn the_error_against_double_precision_is_that_of_one_sum() {
    for (input, weight, stride) in [
        ([2, 32, 14, 14], [64, 32, 3, 3], 1),
        ([1, 3, 20, 20], [8, 3, 5, 5], 2),
        ([1, 70, 5, 5], [9, 70, 3, 3], 1),
        ([4, 64, 14, 14], [32, 64, 3, 3], 1),
    ] {
        let device = Device::flex();
        let (x, w, b) = (ramp(input, &device), ramp(weight, &device), ramp([weight[0]], &device));
        let options = options([stride; 2], [1; 2], [1; 2], 1);
        let output = conv2d(x.clone(), w.clone(), b.clone(), options, Fused::None);
        let [n, oc, oh, ow] = output.dims();
        let [x, w, b, output] = [x.into_data(), w.into_data(), b.into_data(), output.into_data()]
            .map(|t| t.try_to_vec::<f32>().unwrap());
        let [_, ic, h, width] = input;
        let [_, _, kh, kw] = weight;
        for (place, value) in output.iter().enumerate() {
            let (image, channel, y, column) =
                (place / (oc * oh * ow), place / (oh * ow) % oc, place / ow % oh, place % ow);
            let (mut sum, mut size) = (f64::from(b[channel]), f64::from(b[channel].abs()));
            for tap in 0..ic * kh * kw {
                let (c, ky, kx) = (tap / (kh * kw), tap / kw % kh, tap % kw);
                let (row, col) = (y * stride + ky, column * stride + kx);
                if row >= 1 && row <= h && col >= 1 && col <= width {
                    let pixel = f64::from(x[((image * ic + c) * h + row - 1) * width + col - 1]);
                    let product = pixel * f64::from(w[channel * ic * kh * kw + tap]);
                    (sum, size) = (sum + product, size + product.abs());
                }
            }
            assert!((f64::from(*value) - sum).abs() <= 1e-5 * size, "{value} for {sum}");
        }
        assert_eq!(output.len(), n * oc * oh * ow);
    }
}

#[test]
fn the_same_bytes_again_and_on_one_thread() {
    let shapes = [
        ([18, 4, 16, 16], [32, 4, 3, 3]),
        ([2, 8, 30, 30], [24, 8, 3, 3]),
        ([18, 16, 16, 16], [32, 16, 3, 3]),
    ];
    for (input, weight) in shapes {
        let run = || ours(input, weight, options([1; 2], [1; 2], [1; 2], 1), Fused::Relu);
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let (first, second, third) = (run(), run(), one.install(run));
        for ((first, second), third) in first.iter().zip(&second).zip(&third) {
            assert_eq!(first.as_bytes(), second.as_bytes());
            assert_eq!(first.as_bytes(), third.as_bytes());
        }
    }
}
