//! Few values for many weights.

use crucible_models::weights::HostTensor;

/// The most rounds of k-means; on weights of a layer it settles far earlier.
const ROUNDS: usize = 100;

/// The tensor with every nonzero value replaced by the nearest of at most `2^bits` shared ones, and those, ascending. Zeros
/// stay zero.
///
/// K-means from centroids that lie evenly between the least and the largest value, which leaves the few large weights, that
/// matter most, centroids of their own (S. Han, H. Mao, W. J. Dally: Deep Compression, 2016, section 3).
///
/// # Panics
///
/// Where `bits` is not 1 to 8.
#[must_use]
pub fn share(tensor: &HostTensor, bits: u8) -> (HostTensor, Vec<f32>) {
    assert!((1..=8).contains(&bits), "{bits} bits");
    let mut sorted: Vec<f32> = tensor.values.iter().copied().filter(|value| *value != 0.0).collect();
    sorted.sort_by(f32::total_cmp);
    let codebook = k_means(&sorted, 1 << bits);
    let nearest = |value: &f32| if *value == 0.0 { 0.0 } else { codebook[nearest(&codebook, *value)] };
    let values = tensor.values.iter().map(nearest).collect();
    (HostTensor { shape: tensor.shape.clone(), values }, codebook)
}

/// The place of the shared value nearest to `value`.
pub(crate) fn nearest(codebook: &[f32], value: f32) -> usize {
    let above = codebook.partition_point(|shared| *shared < value);
    match (above.checked_sub(1), codebook.get(above)) {
        (Some(below), Some(next)) if value - codebook[below] <= next - value => below,
        (Some(below), None) => below,
        _ => above,
    }
}

/// At most `count` centroids of ascending values, those of no value left out.
fn k_means(sorted: &[f32], count: usize) -> Vec<f32> {
    let (Some(low), Some(high)) = (sorted.first(), sorted.last()) else { return Vec::new() };
    let (low, high) = (f64::from(*low), f64::from(*high));
    let place = |i: usize| low + (high - low) * i as f64 / (count - 1) as f64;
    let mut centroids: Vec<f64> = (0..count).map(place).collect();
    let mut ends = Vec::new();
    for _ in 0..ROUNDS {
        // A cluster of sorted values ends halfway to the next centroid.
        let halfway = centroids.windows(2).map(|pair| f64::midpoint(pair[0], pair[1]));
        let next: Vec<usize> =
            halfway.map(|end| sorted.partition_point(|value| f64::from(*value) <= end)).collect();
        if next == ends {
            break;
        }
        ends = next;
        for (centroid, cluster) in centroids.iter_mut().zip(clusters(sorted, &ends)) {
            if !cluster.is_empty() {
                *centroid = cluster.iter().map(|value| f64::from(*value)).sum::<f64>() / cluster.len() as f64;
            }
        }
    }
    let used = centroids.iter().zip(clusters(sorted, &ends)).filter(|(_, cluster)| !cluster.is_empty());
    let mut codebook: Vec<f32> = used.map(|(centroid, _)| *centroid as f32).filter(|c| *c != 0.0).collect();
    codebook.dedup();
    // Values whose mean is zero must not become zeros, which are weights that have gone.
    if codebook.is_empty() { vec![*sorted.last().expect("not empty")] } else { codebook }
}

fn clusters<'a>(sorted: &'a [f32], ends: &'a [usize]) -> impl Iterator<Item = &'a [f32]> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let ends = ends.iter().copied().chain([sorted.len()]);
    starts.zip(ends).map(|(start, end)| &sorted[start..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn values_are_few_and_zeros_stay(values in proptest::collection::vec(-2.0f32..2.0, 1..200), bits in 1u8..=8, gap in 1usize..5) {
            let values: Vec<f32> = values.iter().enumerate().map(|(i, v)| if i % gap == 0 { 0.0 } else { *v }).collect();
            let tensor = HostTensor { shape: vec![values.len()], values };
            let (shared, codebook) = share(&tensor, bits);
            prop_assert!(codebook.len() <= 1 << bits);
            let distinct: BTreeSet<u32> = shared.values.iter().filter(|v| **v != 0.0).map(|v| v.to_bits()).collect();
            prop_assert!(distinct.iter().all(|bits| codebook.contains(&f32::from_bits(*bits))));
            for (before, after) in tensor.values.iter().zip(&shared.values) {
                prop_assert_eq!(*before == 0.0, *after == 0.0);
            }
        }
    }

    #[test]
    fn clusters_far_apart_are_found() {
        let values = vec![-1.0, -1.02, -0.98, 0.0, 0.5, 0.52, 2.0, 2.0, 0.0, -1.0];
        let (shared, codebook) = share(&HostTensor { shape: vec![10], values: values.clone() }, 2);
        assert!(codebook.len() == 3 && (codebook[1] - 0.51).abs() < 1e-6, "{codebook:?}");
        let off = shared.values.iter().zip(&values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 0.021, "{off}");
    }
}
