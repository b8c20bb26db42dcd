//! Reading what MNIST-C's own code and the libraries that it calls say of some pictures (`tests/golden/corruptions.py`).

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::Corrupt;
use super::canvas::Canvas;
use super::warp::Affine;

/// The cases of one name, at least one.
pub(super) fn cases(name: &str) -> Vec<Value> {
    let mut all: Value =
        serde_json::from_str(include_str!("../../tests/golden/corruptions.json")).expect("a golden is JSON");
    let cases = all[name].take();
    let Value::Array(cases) = cases else { panic!("no golden of {name}") };
    assert!(!cases.is_empty(), "no case of {name}");
    cases
}

pub(super) fn number(value: &Value) -> f64 {
    value.as_f64().expect("a golden is a number")
}

pub(super) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a golden is a list").iter().map(number).collect()
}

/// A picture of bytes, with its shape `[channels, height, width]`.
pub(super) fn canvas(value: &Value) -> Canvas {
    let shape: Vec<usize> = numbers(&value["shape"]).iter().map(|side| *side as usize).collect();
    let bytes: Vec<u8> = numbers(&value["values"]).iter().map(|byte| *byte as u8).collect();
    assert_eq!(bytes.len(), shape.iter().product::<usize>());
    Canvas::new([shape[1], shape[2]], &bytes)
}

/// Equal to the golden bytes, which were rounded from values of another precision.
#[track_caller]
pub(super) fn assert_near(found: &Canvas, out: &Value) {
    let theirs = numbers(out);
    assert_eq!(found.values.len(), theirs.len());
    for (at, (value, theirs)) in found.values.iter().zip(theirs).enumerate() {
        let ours = f64::from(value.clamp(0.0, 1.0)) * 255.0;
        assert!((ours - theirs).abs() <= 0.502, "value {at} is {ours}, not {theirs}");
    }
}

/// The corruption as MNIST-C ships it, without chance, gives the golden picture.
#[track_caller]
pub(super) fn assert_shipped(corruption: &dyn Corrupt, case: &Value) {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    assert_near(&corruption.apply(canvas(&case["picture"]), corruption.shipped(), &mut rng), &case["out"]);
}

/// A warp by what a case names gives its picture.
#[track_caller]
pub(super) fn assert_warps(name: &str, warp: impl Fn(&[f32]) -> Affine) {
    for case in cases(name) {
        let by: Vec<f32> = numbers(&case["by"]).iter().map(|by| *by as f32).collect();
        assert_near(&canvas(&case["picture"]).warp(warp(&by)), &case["out"]);
    }
}
