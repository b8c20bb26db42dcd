use std::collections::BTreeMap;

use crucible_models::weights::HostTensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Criterion, Masks};
use crate::CompressError;

/// Of each four neighbours along a row's inputs the two largest stay, and of a last group of fewer at most two: the
/// pattern that sparse tensor cores multiply (A. Mishra et al.: Accelerating sparse deep neural networks, 2021).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TwoFour {}

impl Criterion for TwoFour {
    fn check(&self, share: f64) -> Result<(), CompressError> {
        if share == 0.5 { Ok(()) } else { Err(CompressError::TwoFourShare(share)) }
    }

    fn is_gradual(&self) -> bool {
        false
    }

    fn masks(&self, weights: &BTreeMap<&str, &HostTensor>, _share: f64) -> Masks {
        let mask = |tensor: &HostTensor| {
            let inputs = tensor.shape[1..].iter().product::<usize>().max(1);
            let rows = tensor.values.chunks(inputs);
            rows.flat_map(|row| row.chunks(4).flat_map(two_largest)).collect()
        };
        weights.iter().map(|(name, tensor)| ((*name).to_owned(), mask(tensor))).collect()
    }
}

/// Whether each value is among the two largest; of equals the earlier are.
fn two_largest(group: &[f32]) -> Vec<bool> {
    let before = |i: usize, j: usize| {
        let (a, b) = (group[i].abs(), group[j].abs());
        a > b || (a == b && i < j)
    };
    let all = 0..group.len();
    all.clone().map(|i| all.clone().filter(|j| before(*j, i)).count() < 2).collect()
}
