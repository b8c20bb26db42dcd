use super::*;
use burn::tensor::{
    Device, TensorData, Tolerance,
    activation::{gelu, relu},
    module::linear,
};

fn ramp<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|i| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Output and every gradient against Burn's own linear and ReLU.
fn check(n: usize, i: usize, o: usize, fused: Fused) {
    let device = Device::flex().autodiff();
    let x = ramp([n, i], &device).require_grad();
    let w = ramp([o, i], &device).require_grad();
    let b = ramp([o], &device).require_grad();
    let weights = ramp([n, o], &device) + 0.3;

    let plain = linear(x.clone(), w.clone().transpose(), Some(b.clone()));
    let plain = match fused {
        Fused::None => plain,
        Fused::Relu => relu(plain),
        Fused::Smooth(Smooth::Gelu) => gelu(plain),
        Fused::Smooth(_) => plain.tanh(),
    };
    let ours = affine(x.clone(), w.clone(), b.clone(), fused);
    let tolerance = Tolerance::<f32>::rel_abs(1e-5, 2e-5);
    ours.to_data().assert_approx_eq(&plain.to_data(), tolerance);

    let expected = (plain * weights.clone()).sum().backward();
    let actual = (ours * weights).sum().backward();
    x.grad(&actual).unwrap().to_data().assert_approx_eq(&x.grad(&expected).unwrap().to_data(), tolerance);
    w.grad(&actual).unwrap().to_data().assert_approx_eq(&w.grad(&expected).unwrap().to_data(), tolerance);
    b.grad(&actual).unwrap().to_data().assert_approx_eq(&b.grad(&expected).unwrap().to_data(), tolerance);
}

#[test]
fn agrees_with_burn_over_shapes() {
    for fused in [Fused::None, Fused::Relu, Fused::Smooth(Smooth::Gelu), Fused::Smooth(Smooth::Tanh)] {
        for (n, i, o) in
            [(1, 1, 1), (1, 7, 3), (5, 3, 2), (64, 33, 17), (3, 128, 65), (600, 5, 129), (600, 130, 450)]
        {
            check(n, i, o, fused);
        }
    }
}

/// A layer whose weights stay as they are passes the same gradient on, and a first layer has none to pass on.
#[test]
fn gradients_do_not_depend_on_which_are_wanted() {
    let device = Device::flex().autodiff();
    for fused in [Fused::None, Fused::Relu, Fused::Smooth(Smooth::Gelu)] {
        let gradients = |tracked: [bool; 3]| {
            let track = |tensor: Tensor<2>, wanted| if wanted { tensor.require_grad() } else { tensor };
            let x = track(ramp([7, 5], &device), tracked[0]);
            let w = track(ramp([4, 5], &device), tracked[1]);
            let b = ramp([4], &device);
            let b = if tracked[2] { b.require_grad() } else { b };
            let output = affine(x.clone(), w.clone(), b.clone(), fused);
            let found = (output * (ramp([7, 4], &device) + 0.3)).sum().backward();
            let values = |grad: Option<TensorData>| grad.map(|grad| grad.try_to_vec::<f32>().unwrap());
            [
                values(x.grad(&found).map(Tensor::into_data)),
                values(w.grad(&found).map(Tensor::into_data)),
                values(b.grad(&found).map(Tensor::into_data)),
            ]
        };
        let all = gradients([true; 3]);
        for wanted in 1..7 {
            let tracked = [0, 1, 2].map(|place| wanted >> place & 1 == 1);
            for ((found, all), tracked) in gradients(tracked).iter().zip(&all).zip(tracked) {
                assert_eq!(found.as_ref(), all.as_ref().filter(|_| tracked), "{fused:?}, {wanted:03b}");
            }
        }
    }
}

#[test]
fn takes_inputs_that_are_not_contiguous() {
    let device = Device::flex();
    let x = ramp([6, 4], &device);
    let w = ramp([3, 4], &device);
    let b = ramp([3], &device);
    let expected = affine(x.clone(), w.clone(), b.clone(), Fused::Relu);
    let strided = x.transpose().mul_scalar(1.0).transpose();
    let actual = affine(strided, w, b, Fused::Relu).into_data();
    actual.assert_approx_eq(&expected.into_data(), Tolerance::<f32>::absolute(1e-6));
}

#[test]
fn an_empty_batch_gives_an_empty_output() {
    let device = Device::flex();
    let out = affine(ramp([0, 4], &device), ramp([3, 4], &device), ramp([3], &device), Fused::Relu);
    assert_eq!(out.dims(), [0, 3]);
}

#[test]
fn nan_passes_through_the_relu() {
    let device = Device::flex();
    let x = Tensor::<2>::from_floats([[f32::NAN]], &device);
    let out =
        affine(x, Tensor::from_floats([[1.0]], &device), Tensor::from_floats([0.0], &device), Fused::Relu);
    assert!(out.into_scalar::<f32>().is_nan());
}
