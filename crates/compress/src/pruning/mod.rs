//! Which weights of a network can go: one file a criterion, and the one list that names them.

mod magnitude;
mod masked;
mod structured;
mod two_four;

use std::collections::BTreeMap;

use crucible_models::{
    Graph,
    weights::{HostTensor, State},
};
use crucible_train::registry;

pub use magnitude::{Magnitude, Scope};
pub use masked::Masked;
pub use structured::{Norm, Shrunk, Structured, shrink};
pub use two_four::TwoFour;

use crate::{
    CompressError,
    parameters::{is_weighted, parameter},
};

/// For each parameter, by name, whether its weights stay, in the order of their tensor.
pub type Masks = BTreeMap<String, Vec<bool>>;

/// How the weights that go are chosen.
pub trait Criterion {
    /// Whether it can remove this share of the weights.
    ///
    /// # Errors
    ///
    /// Where it cannot.
    fn check(&self, _share: f64) -> Result<(), CompressError> {
        Ok(())
    }

    /// Whether it gets to its share in several rounds; otherwise in one.
    fn is_gradual(&self) -> bool {
        true
    }

    /// The masks of these tensors, whose first axis is the output, at a share that was checked.
    fn masks(&self, weights: &BTreeMap<&str, &HostTensor>, share: f64) -> Masks;
}

registry! {
    /// Any of the criteria.
    pub enum CriterionConfig: Criterion by criterion;

    /// The smallest weights go.
    Magnitude = "magnitude",
    /// Of each four neighbours the two smallest go.
    TwoFour = "two-four",
}

/// The names of the parameters that are pruned: the weights of fully connected layers and convolutions.
#[must_use]
pub fn prunable(graph: &Graph) -> Vec<String> {
    graph.nodes.iter().filter(|node| is_weighted(node)).map(|node| parameter(node, "weight")).collect()
}

/// Which weights of a network, whose graph and parameters these are, stay where `share` of them go.
///
/// # Errors
///
/// Where the share is not between 0 and 1, the criterion cannot reach it, or a weight is not finite.
pub fn masks(
    graph: &Graph,
    state: &State,
    criterion: &dyn Criterion,
    share: f64,
) -> Result<Masks, CompressError> {
    check_share(share)?;
    criterion.check(share)?;
    let names = prunable(graph);
    let weights: BTreeMap<&str, &HostTensor> =
        names.iter().filter_map(|name| Some((name.as_str(), state.get(name)?))).collect();
    let finite = |tensor: &HostTensor| tensor.values.iter().all(|value| value.is_finite());
    if let Some((name, _)) = weights.iter().find(|(_, tensor)| !finite(tensor)) {
        return Err(CompressError::NotFinite { what: (*name).to_owned() });
    }
    Ok(criterion.masks(&weights, share))
}

/// Sets the weights that go to zero.
pub fn apply(masks: &Masks, state: &mut State) {
    for (name, mask) in masks {
        let tensor = state.get_mut(name).into_iter().flat_map(|tensor| &mut tensor.values);
        tensor.zip(mask).filter(|(_, stays)| !**stays).for_each(|(value, _)| *value = 0.0);
    }
}

/// The masks that were applied to a state: its weights that are exactly zero have gone.
#[must_use]
pub fn masks_of_zeros(graph: &Graph, state: &State) -> Masks {
    let mask = |name: String| {
        let mask = state.get(&name)?.values.iter().map(|value| *value != 0.0).collect();
        Some((name, mask))
    };
    prunable(graph).into_iter().filter_map(mask).collect()
}

/// The share that is pruned after round `round` of `rounds`, from 1, on the way to `share`: fast at first, when there is
/// most to remove, as `share · (1 − (1 − round / rounds)³)`.
///
/// M. Zhu, S. Gupta: To prune, or not to prune, 2017, equation 1, from nothing pruned.
#[must_use]
pub fn share_after(share: f64, round: u32, rounds: u32) -> f64 {
    let left = 1.0 - f64::from(round.min(rounds)) / f64::from(rounds.max(1));
    share * (1.0 - left.powi(3))
}

fn check_share(share: f64) -> Result<(), CompressError> {
    if share > 0.0 && share < 1.0 { Ok(()) } else { Err(CompressError::Share(share)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(shape: &[usize], seed: usize) -> HostTensor {
        let count = shape.iter().product::<usize>();
        let values = (0..count).map(|i| ((i * 37 + seed) % 101) as f32 / 50.0 - 1.01).collect();
        HostTensor { shape: shape.to_vec(), values }
    }

    #[test]
    fn the_schedule_rises_to_its_share_ever_more_slowly() {
        let shares: Vec<f64> = (0..=5).map(|round| share_after(0.9, round, 5)).collect();
        assert_eq!((shares[0], shares[5]), (0.0, 0.9));
        let steps: Vec<f64> = shares.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.windows(2).all(|pair| pair[0] > pair[1] && pair[1] > 0.0), "{shares:?}");
        assert_eq!(share_after(0.5, 1, 1), 0.5);
    }

    #[test]
    fn the_share_is_met_and_the_smallest_go() {
        let (small, mut large) = (tensor(&[10, 10], 1), tensor(&[10, 20], 2));
        large.values.iter_mut().for_each(|value| *value *= 10.0);
        let weights = [("a", &small), ("b", &large)].into();
        let count = |mask: &[bool]| mask.iter().filter(|stays| !**stays).count();
        for share in [0.1, 0.5, 0.9] {
            let [global, layer] =
                [Scope::Global, Scope::Layer].map(|scope| Magnitude { scope }.masks(&weights, share));
            assert_eq!(count(&global["a"]) + count(&global["b"]), (300.0 * share) as usize);
            assert!(count(&global["a"]) > count(&layer["a"]), "{share}");
            assert_eq!(
                [count(&layer["a"]), count(&layer["b"])],
                [1, 2].map(|n| (100.0 * share) as usize * n)
            );
            let kept = small.values.iter().zip(&layer["a"]).filter(|(_, stays)| **stays);
            let least = kept.map(|(value, _)| value.abs()).fold(f32::MAX, f32::min);
            let gone = small.values.iter().zip(&layer["a"]).filter(|(_, stays)| !**stays);
            assert!(gone.into_iter().all(|(value, _)| value.abs() <= least));
        }
    }

    #[test]
    fn of_four_neighbours_in_a_row_two_stay() {
        let weight =
            HostTensor { shape: vec![2, 6], values: vec![1., 2., 3., 4., 5., 6., 4., 3., 2., 1., 0., 0.] };
        let masks = TwoFour::default().masks(&[("a", &weight)].into(), 0.5);
        let expected = [false, false, true, true, true, true, true, true, false, false, true, true];
        assert_eq!(masks["a"], expected);
        let error = TwoFour::default().check(0.9).unwrap_err().to_string();
        assert_eq!(error, "2:4 leaves two of four weights, a share of 0.5 pruned, not 0.9");
    }

    #[test]
    fn what_was_pruned_is_found_by_its_zeros_and_stays_pruned() {
        let mut state: State = [("a".to_owned(), tensor(&[10, 10], 3))].into();
        let criterion = Magnitude::default();
        let first = criterion.masks(&[("a", &state["a"])].into(), 0.5);
        apply(&first, &mut state);
        assert_eq!(state["a"].values.iter().filter(|value| **value == 0.0).count(), 50);
        let second = criterion.masks(&[("a", &state["a"])].into(), 0.8);
        assert!(first["a"].iter().zip(&second["a"]).all(|(first, second)| *first || !*second));
    }
}
