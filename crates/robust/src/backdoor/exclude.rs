//! What a group of examples would be taken for if it had not been learned from.

use crucible_measure::Proportion;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Inspection, highest, principal};
use crate::{Batch, backdoor::Suspect, loss::class};

/// Neighbours that are looked at, and the confidence of the interval of the share of examples that have none of theirs.
const NEIGHBOURS: usize = 5;
const CONFIDENCE: f64 = 0.95;

/// Examples that neighbours are looked for among, and examples that are asked about, at most.
const REFERENCES: usize = 5000;
const ASKED: usize = 40;

/// Values between two looks at whether a distance is too large already.
const BLOCK: usize = 112;

/// Dimensions that features are reduced to, and the share of a class's examples whose spread is the unit in them.
const DIMENSIONS: usize = 20;
const MAJORITY: f64 = 0.8;

/// A group of a class's examples.
struct Group {
    /// Which, rising.
    examples: Vec<usize>,
    /// How it stands out.
    words: String,
    /// How many examples the class has.
    of: usize,
    /// The share of the group that has no neighbour of its label outside of it.
    strangers: Proportion,
    /// The same of the rest of the class.
    rest: Proportion,
}

impl Group {
    /// How many more strangers there are in the group than in the rest, at the cautious end of the group's interval.
    fn score(&self) -> f64 {
        let rest = self.rest.successes as f64 / self.rest.trials.max(1) as f64;
        match self.strangers.trials {
            0 => 0.0,
            _ => (self.strangers.interval(CONFIDENCE).low - rest).max(0.0),
        }
    }
}

/// Bounds on what is looked at.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    /// The score of a flagged class at least.
    pub(super) score: f64,
    /// The share of a class that a group has at most.
    pub(super) largest: f64,
    /// Examples that a group has at least.
    pub(super) smallest: usize,
}

/// A way to single out a group of a class's examples: from their whitened features `[n, width]` to whether each is in it,
/// and how the group stands out in words.
pub(super) type SingleOut<'a> = &'a mut dyn FnMut(&[f64], usize, &mut ChaCha8Rng) -> (Vec<bool>, String);

/// The inspection by a way to single out a group of a class's examples.
///
/// Examples that the model does not take for their label are left out: they are hard or mislabelled, and no backdoor
/// works on them. A group is held to be poisoned where it would be taken for other classes without itself: what Chen et
/// al. 2018 call exclusionary reclassification, here by the nearest neighbours outside of the group in place of a network
/// that is trained anew.
pub(super) fn inspect(
    suspect: Suspect<'_>,
    batch: Batch<'_>,
    rule: Rule,
    rng: &mut ChaCha8Rng,
    single_out: SingleOut<'_>,
) -> Inspection {
    let model = suspect.features.expect("checked before a detector runs");
    let features = model.penultimate(batch.inputs);
    let width = features.len() / batch.len().max(1);
    let logits = model.logits(batch.inputs);
    let said: Vec<usize> = logits.chunks_exact(model.classes()).map(class).collect();
    let mut references: Vec<usize> = (0..batch.len()).collect();
    references.shuffle(rng);
    let mut result = Inspection::default();
    let mut found = Vec::new();
    for class in 0..model.classes() {
        let learned = |&i: &usize| batch.labels[i] as usize == class && said[i] == class;
        let examples: Vec<usize> = (0..batch.len()).filter(learned).collect();
        let (mut group, mut words) = (Vec::new(), String::new());
        let enough = examples.len() >= 2 * rule.smallest.max(1) && width > 0;
        if enough {
            let row = |index: &usize| &features[index * width..][..width];
            let rows: Vec<f64> = examples.iter().flat_map(row).map(|value| f64::from(*value)).collect();
            let (reduced, dimensions) = principal::reduce(&rows, width, DIMENSIONS, rng);
            if dimensions > 0 {
                let white = principal::whiten(&reduced, dimensions, MAJORITY);
                let (inside, how) = single_out(&white, dimensions, rng);
                let inside = examples.iter().zip(inside).filter(|(_, inside)| *inside);
                (group, words) = (inside.map(|(index, _)| *index).collect(), how);
            }
            if group.len() < rule.smallest || group.len() as f64 > rule.largest * examples.len() as f64 {
                group.clear();
            }
        }
        let others: Vec<usize> =
            examples.iter().filter(|index| group.binary_search(index).is_err()).copied().collect();
        let asked = if group.is_empty() { &[][..] } else { &others[..] };
        let group = Group {
            strangers: strangers(batch, &references, &group, &group),
            rest: strangers(batch, &references, asked, &group),
            examples: group,
            words,
            of: examples.len(),
        };
        result.scores.push(enough.then(|| group.score()));
        found.push(group);
    }
    let Some((class, score)) = highest(&result.scores) else {
        result.evidence = "no class has examples enough that the model takes for it".to_owned();
        return result;
    };
    let Group { examples, words, of, strangers, rest } = found.swap_remove(class);
    let Proportion { successes, trials } = strangers;
    let looks = format!(
        "{successes} of {trials} of them have no other example of it among their nearest neighbours, and {} of {} of the rest",
        rest.successes, rest.trials
    );
    if score >= rule.score {
        let n = examples.len();
        result.evidence =
            format!("{n} of the {of} examples of class {class} are a group of their own ({words}): {looks}");
        result.flagged = Some(class as u32);
        result.suspicious = examples;
    } else {
        result.evidence = "no class has a small group of examples that looks like other classes".to_owned();
        if trials > 0 {
            result.evidence += &format!("; at most, in class {class}, {looks}");
        }
    }
    result
}

/// The share of examples that have no neighbour of their label outside of a group, by the distance of inputs.
fn strangers(batch: Batch<'_>, references: &[usize], asked: &[usize], group: &[usize]) -> Proportion {
    let outside = references.iter().filter(|index| group.binary_search(index).is_err());
    let outside: Vec<usize> = outside.take(REFERENCES).copied().collect();
    let step = asked.len().div_ceil(ASKED).max(1);
    let mut result = Proportion { successes: 0, trials: 0 };
    for &index in asked.iter().step_by(step) {
        // The nearest so far, rising by distance.
        let mut near: Vec<(f32, u32)> = Vec::with_capacity(NEIGHBOURS + 1);
        for &other in outside.iter().filter(|&&other| other != index) {
            let bound = near.get(NEIGHBOURS - 1).map_or(f32::INFINITY, |(farthest, _)| *farthest);
            if let Some(distance) = distance(batch.input(index), batch.input(other), bound) {
                let at = near.partition_point(|(nearer, _)| *nearer <= distance);
                near.insert(at, (distance, batch.labels[other]));
                near.truncate(NEIGHBOURS);
            }
        }
        if near.is_empty() {
            continue;
        }
        let own = near.iter().any(|(_, label)| *label == batch.labels[index]);
        result.successes += u64::from(!own);
        result.trials += 1;
    }
    result
}

/// The squared Euclidean distance, summed up in lanes; none once it is no less than `bound`.
fn distance(a: &[f32], b: &[f32], bound: f32) -> Option<f32> {
    let mut lanes = [0.0f32; 8];
    for (a, b) in a.chunks(BLOCK).zip(b.chunks(BLOCK)) {
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
        for (a, b) in a.iter().zip(b) {
            for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
                *lane += (a - b) * (a - b);
            }
        }
        lanes[0] += a_rest.iter().zip(b_rest).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        if lanes.iter().sum::<f32>() >= bound {
            return None;
        }
    }
    Some(lanes.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn backdoor_group_is_asked_about_by_its_neighbours_outside() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let labels: Vec<u32> = (0..60).map(|i| u32::from(!(6..30).contains(&i))).collect();
        // Six examples that lie among class 0 and are labelled 1.
        let place = |i: usize| if i < 30 { 0.1 } else { 0.9 };
        let inputs: Vec<f32> = (0..60).flat_map(|i| [place(i), i as f32 * 1e-3, 0.0]).collect();
        let batch = Batch::new(&inputs, &labels);
        let mut references: Vec<usize> = (0..60).collect();
        references.shuffle(&mut rng);
        let found = |group: &[usize]| strangers(batch, &references, group, group);
        assert_eq!(found(&[0, 1, 2, 3, 4, 5]), Proportion { successes: 6, trials: 6 });
        assert_eq!(found(&[40, 41, 50]), Proportion { successes: 0, trials: 3 });
    }

    #[test]
    fn backdoor_distance_is_squared_over_all_values_up_to_a_bound() {
        let (a, b): (Vec<f32>, Vec<f32>) = ((0..19).map(|i| i as f32).collect(), vec![1.0; 19]);
        let expected = (0..19).map(|i| (i as f32 - 1.0).powi(2)).sum::<f32>();
        assert_eq!(distance(&a, &b, f32::INFINITY), Some(expected));
        assert_eq!(distance(&a, &b, expected), None);
    }
}
