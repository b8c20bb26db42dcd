//! Reading goldens, and comparing with them.

use serde_json::Value;

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

pub(crate) fn labels(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// Equal to 1e-9, absolutely below 1 and relatively above.
#[track_caller]
pub(crate) fn assert_near(ours: f64, theirs: f64) {
    let off = (ours - theirs).abs();
    assert!(off <= 1e-9 * theirs.abs().max(1.0), "{ours} is not {theirs}, by {off:e}");
}

#[track_caller]
pub(crate) fn assert_all_near(ours: &[f64], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).for_each(|(ours, theirs)| assert_near(*ours, *theirs));
}
