use super::*;
use crate::testing::{assert_close, assert_same_on_threads, error, values, wave};
use burn::tensor::{Device, module};

const EPSILON: f64 = 1e-5;

const SHAPES: [[usize; 3]; 9] = [
    [1, 1, 1],
    [2, 3, 1],
    [1, 2, 9],
    [64, 33, 1],
    [700, 64, 1],
    [3, 5, 4],
    [5, 7, 49],
    [7, 8, 1000],
    [40, 16, 100],
];

/// The whole of a tensor, a transposed one, and a part of one, each a leaf.
fn inputs([n, channels, positions]: [usize; 3], device: &Device) -> [Tensor<3>; 3] {
    let whole = wave([n, channels, positions], 0.3, device);
    let transposed = wave([channels, n, positions], 0.3, device).swap_dims(0, 1);
    let part =
        wave([n + 1, channels, positions + 2], 0.3, device).slice([1..n + 1, 0..channels, 1..positions + 1]);
    [whole, transposed, part].map(|x| Tensor::from_inner(x.inner()).require_grad())
}

fn parameters(channels: usize, device: &Device) -> [Tensor<1>; 2] {
    [1.0, 2.0].map(|phase| wave([channels], phase, device).require_grad())
}

#[test]
fn training_agrees_with_burn_over_shapes() {
    let device = Device::flex().autodiff();
    for shape in SHAPES {
        for x in inputs(shape, &device) {
            let [w, b] = parameters(shape[1], &device);
            let ours = batch_norm_train(x.clone(), w.clone(), b.clone(), EPSILON);
            let expected = module::batch_norm_train(x.clone(), w.clone(), b.clone(), EPSILON);
            assert_close(ours.mean.inner(), expected.mean.inner(), 1e-5);
            assert_close(ours.variance.inner(), expected.variance.inner(), 1e-5);
            assert_close(ours.output.clone().inner(), expected.output.clone().inner(), 1e-4);
            let weights = wave(shape, 3.0, &device);
            let actual = (ours.output * weights.clone()).sum().backward();
            let expected = (expected.output * weights).sum().backward();
            assert_close(x.grad(&actual).unwrap(), x.grad(&expected).unwrap(), 2e-4);
            assert_close(w.grad(&actual).unwrap(), w.grad(&expected).unwrap(), 2e-4);
            assert_close(b.grad(&actual).unwrap(), b.grad(&expected).unwrap(), 2e-4);
        }
    }
}

#[test]
fn evaluation_agrees_with_burn_over_shapes() {
    let device = Device::flex().autodiff();
    for shape in SHAPES.into_iter().chain([[0, 3, 1], [0, 3, 4]]) {
        for x in inputs(shape, &device) {
            let [w, b] = parameters(shape[1], &device);
            let (mean, var) = (wave([shape[1]], 0.4, &device), wave([shape[1]], 0.5, &device) + 2.5);
            let ours = batch_norm(x.clone(), w.clone(), b.clone(), mean.clone(), var.clone(), EPSILON);
            let expected = module::batch_norm(x.clone(), w.clone(), b.clone(), mean, var, EPSILON);
            assert_close(ours.clone().inner(), expected.clone().inner(), 1e-5);
            let weights = wave(shape, 3.0, &device);
            let actual = (ours * weights.clone()).sum().backward();
            let expected = (expected * weights).sum().backward();
            assert_close(x.grad(&actual).unwrap(), x.grad(&expected).unwrap(), 1e-5);
            assert_close(w.grad(&actual).unwrap(), w.grad(&expected).unwrap(), 1e-4);
            assert_close(b.grad(&actual).unwrap(), b.grad(&expected).unwrap(), 1e-4);
        }
    }
}

/// What float64 finds: output, mean, variance, and the gradients by input, weight and bias for the output's gradient.
fn exact(
    [n, channels, positions]: [usize; 3],
    x: &[f32],
    w: &[f32],
    b: &[f32],
    grad: &[f32],
) -> [Vec<f64>; 6] {
    let [mut y, mut dx] = [vec![0.0; x.len()], vec![0.0; x.len()]];
    let [mut means, mut variances, mut dw, mut db] = [(); 4].map(|()| vec![0.0; channels]);
    for c in 0..channels {
        let places: Vec<usize> =
            (0..n).flat_map(|i| (0..positions).map(move |p| (i * channels + c) * positions + p)).collect();
        let count = places.len() as f64;
        let mean = places.iter().map(|&i| f64::from(x[i])).sum::<f64>() / count;
        let variance = places.iter().map(|&i| (f64::from(x[i]) - mean).powi(2)).sum::<f64>() / count;
        let scale = 1.0 / (variance + EPSILON).sqrt();
        let normalized = |i: usize| (f64::from(x[i]) - mean) * scale;
        (means[c], variances[c]) = (mean, variance);
        db[c] = places.iter().map(|&i| f64::from(grad[i])).sum();
        dw[c] = places.iter().map(|&i| f64::from(grad[i]) * normalized(i)).sum();
        for &i in &places {
            y[i] = normalized(i) * f64::from(w[c]) + f64::from(b[c]);
            let rest = f64::from(grad[i]) - db[c] / count - normalized(i) * dw[c] / count;
            dx[i] = rest * scale * f64::from(w[c]);
        }
    }
    [y, means, variances, dx, dw, db]
}

/// The errors of output, mean, variance and the three gradients.
fn errors(shape: [usize; 3], offset: f32) -> [f64; 6] {
    let device = Device::flex().autodiff();
    let x = (wave(shape, 0.3, &device) + offset).require_grad();
    let [w, b] = parameters(shape[1], &device);
    let weights = wave(shape, 3.0, &device);
    let found = batch_norm_train(x.clone(), w.clone(), b.clone(), EPSILON);
    let grads = (found.output.clone() * weights.clone()).sum().backward();
    let actual = [
        values(found.output.inner()),
        values(found.mean.inner()),
        values(found.variance.inner()),
        values(x.grad(&grads).unwrap()),
        values(w.grad(&grads).unwrap()),
        values(b.grad(&grads).unwrap()),
    ];
    let [x, weights] = [x, weights].map(|tensor| values(tensor.inner()));
    let exact = exact(shape, &x, &values(w.inner()), &values(b.inner()), &weights);
    std::array::from_fn(|i| error(&actual[i], &exact[i]))
}

#[test]
fn agrees_with_float64() {
    for shape in [[64, 33, 1], [700, 64, 1], [5, 7, 49], [7, 8, 1000]] {
        let errors = errors(shape, 0.0);
        assert!(errors.iter().all(|error| *error < 1e-5), "{shape:?} {errors:?}");
    }
}

#[test]
fn data_far_from_zero_keeps_its_digits() {
    for shape in [[700, 64, 1], [7, 8, 1000]] {
        let [output, mean, variance, by_input, by_weight, by_bias] = errors(shape, 1000.0);
        assert!(mean < 1e-7 && variance < 1e-5 && by_bias < 1e-5, "{mean} {variance} {by_bias}");
        // The mean itself is rounded to float32: by up to 3e-5 at 1000, where the deviation is about 1.4.
        let errors = [output, by_input, by_weight];
        assert!(errors.iter().all(|error| *error < 5e-5), "{errors:?}");
    }
}

#[test]
fn one_value_a_constant_and_nan() {
    let device = Device::flex();
    let (w, b) = (Tensor::<1>::ones([2], &device), Tensor::<1>::full([2], 3.0, &device));
    let one = batch_norm_train(Tensor::full([1, 2, 1], 7.0, &device), w.clone(), b.clone(), EPSILON);
    assert_eq!(values(one.output), [3.0, 3.0]);
    assert_eq!((values(one.mean), values(one.variance)), (vec![7.0; 2], vec![0.0; 2]));
    for positions in [1, 5] {
        let constant = Tensor::full([4, 2, positions], 0.1, &device);
        let constant = batch_norm_train(constant, w.clone(), b.clone(), EPSILON);
        assert!(values(constant.output).iter().all(|y| *y == 3.0));
        assert_eq!(values(constant.variance), [0.0; 2]);
        for special in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let x = wave([3, 2, positions], 0.0, &device)
                .slice_assign([1..2, 0..1, 0..1], Tensor::full([1, 1, 1], special, &device));
            let found = batch_norm_train(x, w.clone(), b.clone(), EPSILON);
            let output = values(found.output.swap_dims(0, 1));
            let half = 3 * positions;
            assert!(
                output[..half].iter().all(|y| y.is_nan()) && output[half..].iter().all(|y| y.is_finite())
            );
            assert!(values(found.variance)[0].is_nan());
        }
    }
    let empty = batch_norm_train(Tensor::zeros([0, 2, 3], &device), w, b, EPSILON);
    assert_eq!(empty.output.dims(), [0, 2, 3]);
    assert!(values(empty.mean)[0].is_nan());
}

#[test]
fn same_bytes_on_any_number_of_threads() {
    for shape in [[700, 257, 1], [33, 8, 1000]] {
        assert_same_on_threads(|| {
            let device = Device::flex().autodiff();
            let x = wave(shape, 0.3, &device).require_grad();
            let [w, b] = parameters(shape[1], &device);
            let found = batch_norm_train(x.clone(), w.clone(), b.clone(), EPSILON);
            let grads = (found.output.clone() * wave(shape, 3.0, &device)).sum().backward();
            vec![
                values(found.output.inner()),
                values(found.mean.inner()),
                values(found.variance.inner()),
                values(x.grad(&grads).unwrap()),
                values(w.grad(&grads).unwrap()),
                values(b.grad(&grads).unwrap()),
            ]
        });
    }
}
