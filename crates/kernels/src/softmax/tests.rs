use super::*;
use crate::testing::{assert_close, assert_same_on_threads, values, wave};
use burn::tensor::{Device, activation};

fn ours<const D: usize>(log: bool, x: Tensor<D>) -> Tensor<D> {
    if log { log_softmax(x) } else { softmax(x) }
}

#[test]
fn agree_with_burn_over_shapes_and_sizes() {
    let device = Device::flex().autodiff();
    for log in [false, true] {
        for (shape, scale) in [
            ([0, 2, 3], 1.0),
            ([1, 1, 1], 1.0),
            ([1, 3, 10], 5.0),
            ([2, 5, 7], 50.0),
            ([3, 4, 33], 1.0),
            ([2, 40, 517], 10.0),
        ] {
            let [a, b, c] = shape;
            let whole = wave(shape, 0.3, &device) * scale;
            let transposed = wave([a, c, b], 0.3, &device).swap_dims(1, 2) * scale;
            let sliced = wave([a, b, c + 2], 0.3, &device).slice([0..a, 0..b, 1..c + 1]) * scale;
            for x in [whole, transposed, sliced] {
                let x = Tensor::from_inner(x.inner()).require_grad();
                let expected = if log {
                    activation::log_softmax(x.clone(), 2)
                } else {
                    activation::softmax(x.clone(), 2)
                };
                let actual = ours(log, x.clone());
                assert_close(actual.clone().inner(), expected.clone().inner(), 1e-5);
                let weight = wave(shape, 1.7, &device);
                let actual = x.grad(&(actual * weight.clone()).sum().backward()).unwrap();
                let expected = x.grad(&(expected * weight).sum().backward()).unwrap();
                assert_close(actual, expected, 1e-5);
            }
        }
    }
}

#[test]
fn agree_with_float64_for_large_values_and_long_rows() {
    let device = Device::flex().autodiff();
    for (columns, scale, offset) in [(13, 40.0, 1e4), (1000, 8.0, -300.0), (50_000, 3.0, 0.0)] {
        let x = (wave([1, columns], 0.2, &device) * (scale / 2.0) + offset).require_grad();
        let exact: Vec<f64> = values(x.clone().inner()).into_iter().map(f64::from).collect();
        let max = exact.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_sum = exact.iter().map(|x| (x - max).exp()).sum::<f64>().ln();
        let log: Vec<f64> = exact.iter().map(|x| x - max - log_sum).collect();
        for (actual, exact) in values(log_softmax(x.clone()).inner()).into_iter().zip(&log) {
            assert!((f64::from(actual) / exact - 1.0).abs() < 1e-5, "{actual} {exact}");
        }
        let output = softmax(x.clone());
        for (actual, exact) in values(output.clone().inner()).into_iter().zip(&log) {
            assert!((f64::from(actual) / exact.exp() - 1.0).abs() < 1e-5, "{actual} {exact}");
        }
        let weight = wave([1, columns], 2.0, &device);
        let w: Vec<f64> = values(weight.clone().inner()).into_iter().map(f64::from).collect();
        let along: f64 = w.iter().zip(&log).map(|(w, log)| w * log.exp()).sum();
        let exact: Vec<f64> = w.iter().zip(&log).map(|(w, log)| log.exp() * (w - along)).collect();
        let actual = values(x.grad(&(output * weight.clone()).sum().backward()).unwrap());
        assert!(crate::testing::error(&actual, &exact) < 1e-5);
        let sum: f64 = w.iter().sum();
        let exact: Vec<f64> = w.iter().zip(&log).map(|(w, log)| w - log.exp() * sum).collect();
        let actual = values(x.grad(&(log_softmax(x.clone()) * weight).sum().backward()).unwrap());
        assert!(crate::testing::error(&actual, &exact) < 1e-5);
    }
}

#[test]
fn nan_and_infinities_stay_in_their_rows() {
    let device = Device::flex();
    let low = f32::NEG_INFINITY;
    for columns in [3, 40] {
        for (special, rest) in [(f32::NAN, 0.0), (f32::INFINITY, 0.0), (low, low)] {
            for at in [0, 1, columns - 1] {
                let mut row = vec![rest; columns];
                row[at] = special;
                row.extend(vec![0.5; columns]);
                let x = Tensor::<1>::from_floats(&row[..], &device).reshape([2, columns]);
                for log in [false, true] {
                    let y = values(ours(log, x.clone()));
                    assert!(y[..columns].iter().all(|y| y.is_nan()), "{special} {rest} {log}");
                    assert!(y[columns..].iter().all(|y| y.is_finite()));
                }
            }
        }
    }
    let x = Tensor::<2>::from_floats([[low, 0.0, 0.0]], &device);
    assert_eq!(values(softmax(x.clone())), [0.0, 0.5, 0.5]);
    assert_eq!(values(log_softmax(x))[0], low);
}

#[test]
fn same_bytes_on_any_number_of_threads() {
    assert_same_on_threads(|| {
        let device = Device::flex().autodiff();
        let x = wave([300, 257], 0.4, &device).require_grad();
        let both = [false, true].map(|log| {
            let y = ours(log, x.clone());
            let grad = x.grad(&(y.clone() * wave([300, 257], 1.0, &device)).sum().backward()).unwrap();
            [values(y.inner()), values(grad)]
        });
        both.concat()
    });
}
