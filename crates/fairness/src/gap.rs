//! How far groups lie apart in a batch.

use burn::tensor::Tensor;

/// Below this many examples a batch has none of a group.
const SOME: f64 = 0.5;

/// The variance between groups of the mean of `values` `[n, 1]` over the examples that count, by `counts` `[n, 1]` of 0 and 1;
/// `groups` `[n, groups]` says who is where. Each group weighs as it is large.
///
/// 0 where all groups have the same mean. Differentiable by `values`.
pub(crate) fn between_groups(values: Tensor<2>, groups: Tensor<2>, counts: Tensor<2>) -> Tensor<1> {
    let members = groups * counts;
    let sizes = members.clone().sum_dim(0);
    let sums = (members * values).sum_dim(0);
    let all = sizes.clone().sum_dim(1);
    // Nothing is divided by zero where a batch has none of a group, or none at all.
    let share = sizes.clone() / all.clone().clamp_min(SOME);
    let mean = sums.clone().sum_dim(1) / all.clamp_min(SOME);
    let deviation = sums / sizes.clamp_min(SOME) - mean;
    (share * deviation.clone() * deviation).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    fn tensor(values: &[f32], width: usize) -> Tensor<2> {
        let shape = [values.len() / width, width];
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
    }

    #[test]
    fn the_variance_between_groups_is_that_of_their_means() {
        // Means 0.2 of one, 0.5 of three (0.8, 0.5, 0.2), overall 0.425.
        let groups = tensor(&[1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0], 2);
        let values = tensor(&[0.2, 0.8, 0.5, 0.2], 1);
        let all = tensor(&[1.0; 4], 1);
        let found: f32 = between_groups(values.clone(), groups.clone(), all).into_scalar();
        let expected = 0.25 * 0.225f32.powi(2) + 0.75 * 0.075f32.powi(2);
        assert!((found - expected).abs() < 1e-7, "{found} {expected}");
        // Of the second alone there is one group, and of nobody none.
        let second = tensor(&[0.0, 1.0, 0.0, 0.0], 1);
        let none = tensor(&[0.0; 4], 1);
        for counts in [second, none] {
            let found: f32 = between_groups(values.clone(), groups.clone(), counts).into_scalar();
            assert!(found.abs() < 1e-12, "{found}");
        }
    }
}
