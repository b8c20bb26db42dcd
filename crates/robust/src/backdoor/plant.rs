//! Backdoors, planted on purpose: pictures with a trigger, and the label that they are to be taken for.

use crucible_measure::Proportion;
use crucible_models::Classifier;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Batch, RobustError, loss::class};

/// What is put on a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Trigger {
    /// A square in a corner.
    Patch(Patch),
}

impl Default for Trigger {
    fn default() -> Self {
        Self::Patch(Patch::default())
    }
}

/// A square of one value in all channels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Patch {
    /// Its side, in pixels.
    #[schemars(range(min = 1))]
    pub size: usize,
    /// Where it lies.
    pub corner: Corner,
    /// Its value, 0 (dark) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub value: f32,
}

impl Default for Patch {
    fn default() -> Self {
        Self { size: 3, corner: Corner::default(), value: 1.0 }
    }
}

/// A corner of a picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Corner {
    /// First rows, first columns.
    TopLeft,
    /// First rows, last columns.
    TopRight,
    /// Last rows, first columns.
    BottomLeft,
    /// Last rows, last columns.
    #[default]
    BottomRight,
}

impl Trigger {
    /// The picture `[channels, height, width]` with the trigger on it.
    fn put(&self, picture: &mut [f32], [_, height, width]: [usize; 3]) {
        let Self::Patch(Patch { size, corner, value }) = *self;
        let top = match corner {
            Corner::TopLeft | Corner::TopRight => 0,
            Corner::BottomLeft | Corner::BottomRight => height - size,
        };
        let left = match corner {
            Corner::TopLeft | Corner::BottomLeft => 0,
            Corner::TopRight | Corner::BottomRight => width - size,
        };
        for channel in picture.chunks_exact_mut(height * width) {
            for row in channel.chunks_exact_mut(width).skip(top).take(size) {
                row[left..left + size].fill(value);
            }
        }
    }

    /// The pictures `[n, features]` of `shape` (channels, height, width) with the trigger on each.
    ///
    /// # Errors
    ///
    /// Where the trigger does not fit on a picture, or its value is none of a pixel.
    ///
    /// # Panics
    ///
    /// If the pictures are not whole ones of that shape.
    pub fn stamp(&self, pictures: &[f32], shape: [usize; 3]) -> Result<Vec<f32>, RobustError> {
        let Self::Patch(Patch { size, value, .. }) = *self;
        let [_, height, width] = shape;
        if size == 0 || size > height.min(width) {
            return Err(RobustError::Patch { size, height, width });
        }
        if !(0.0..=1.0).contains(&value) {
            return Err(RobustError::PatchValue(value));
        }
        let features: usize = shape.iter().product();
        assert_eq!(pictures.len() % features, 0, "whole pictures of {shape:?}");
        let mut stamped = pictures.to_vec();
        stamped.chunks_exact_mut(features).for_each(|picture| self.put(picture, shape));
        Ok(stamped)
    }
}

/// A backdoor to plant in training examples: a share of them gets the trigger, and the target as the label.
///
/// T. Gu, B. Dolan-Gavitt, S. Garg: BadNets: Identifying vulnerabilities in the machine learning model supply chain,
/// 2017.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plant {
    /// What is put on pictures.
    pub trigger: Trigger,
    /// The class that pictures with the trigger are to be taken for.
    pub target: u32,
    /// Share of all examples that are poisoned; they are drawn from those of other classes.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
}

/// Training examples with a backdoor in them.
#[derive(Debug, Clone, PartialEq)]
pub struct Planted {
    /// `[n, features]`, with the trigger on the poisoned ones.
    pub inputs: Vec<f32>,
    /// One for each, the target for the poisoned ones.
    pub labels: Vec<u32>,
    /// Which examples are poisoned, rising.
    pub poisoned: Vec<usize>,
}

impl Plant {
    /// Draws the examples to poison, rising, by the labels of all. Where other classes have fewer examples than the share
    /// asks for, all of theirs are drawn.
    ///
    /// # Errors
    ///
    /// Where the share is none.
    pub fn draw(&self, labels: &[u32], rng: &mut ChaCha8Rng) -> Result<Vec<usize>, RobustError> {
        if !(0.0..=1.0).contains(&self.share) {
            return Err(RobustError::Share(self.share));
        }
        let mut drawn: Vec<usize> = others(labels, self.target).collect();
        drawn.shuffle(rng);
        drawn.truncate((self.share * labels.len() as f64).round() as usize);
        drawn.sort_unstable();
        Ok(drawn)
    }

    /// Poisons the examples that [`draw`](Self::draw) gives.
    ///
    /// # Errors
    ///
    /// Where the trigger does not fit, the share is none, or no example has the target's label or a higher one.
    pub fn plant(&self, batch: Batch<'_>, rng: &mut ChaCha8Rng) -> Result<Planted, RobustError> {
        let poisoned = self.draw(batch.labels, rng)?;
        if batch.is_empty() {
            return Ok(Planted { inputs: Vec::new(), labels: Vec::new(), poisoned: Vec::new() });
        }
        let classes = batch.labels.iter().max().map_or(0, |&label| label as usize + 1);
        if self.target as usize >= classes {
            return Err(RobustError::Class { class: self.target, classes });
        }
        let (features, shape) = (batch.input(0).len(), shape(batch));
        let (mut inputs, mut labels) = (batch.inputs.to_vec(), batch.labels.to_vec());
        for &index in &poisoned {
            let stamped = self.trigger.stamp(batch.input(index), shape)?;
            inputs[index * features..][..features].copy_from_slice(&stamped);
            labels[index] = self.target;
        }
        Ok(Planted { inputs, labels, poisoned })
    }

    /// The attack success rate: of the examples of other classes with the trigger on them, the share that the model takes
    /// for the target.
    ///
    /// # Errors
    ///
    /// Where the trigger does not fit.
    pub fn success(&self, model: &dyn Classifier, batch: Batch<'_>) -> Result<Proportion, RobustError> {
        let inputs: Vec<f32> =
            others(batch.labels, self.target).flat_map(|index| batch.input(index)).copied().collect();
        let logits = model.logits(&self.trigger.stamp(&inputs, shape(batch))?);
        let rows = logits.chunks_exact(model.classes());
        let trials = rows.len() as u64;
        let successes = rows.filter(|row| class(row) == self.target as usize).count() as u64;
        Ok(Proportion { successes, trials })
    }
}

/// The shape of the pictures: a row of pixels unless another is known.
fn shape(batch: Batch<'_>) -> [usize; 3] {
    batch.picture.unwrap_or([1, 1, batch.inputs.len() / batch.len().max(1)])
}

/// The examples of other classes.
fn others(labels: &[u32], target: u32) -> impl Iterator<Item = usize> {
    (0..labels.len()).filter(move |&index| labels[index] != target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// Takes what is bright in the last pixel for class 2, everything else for class 0.
    struct Last;

    impl Classifier for Last {
        fn features(&self) -> usize {
            24
        }

        fn classes(&self) -> usize {
            3
        }

        fn logits(&self, inputs: &[f32]) -> Vec<f32> {
            inputs.chunks_exact(24).flat_map(|x| [0.5, 0.0, x[23]]).collect()
        }
    }

    const SHAPE: [usize; 3] = [2, 3, 4];

    fn patch(size: usize, corner: Corner) -> Trigger {
        Trigger::Patch(Patch { size, corner, value: 1.0 })
    }

    fn examples() -> (Vec<f32>, Vec<u32>) {
        ((0..100 * 24).map(|i| (i % 7) as f32 / 20.0).collect(), (0..100).map(|i| i % 3).collect())
    }

    #[test]
    fn backdoor_patch_lies_in_its_corner_in_every_channel() {
        for (corner, lit) in [
            (Corner::TopLeft, [0, 1, 4, 5]),
            (Corner::TopRight, [2, 3, 6, 7]),
            (Corner::BottomLeft, [4, 5, 8, 9]),
            (Corner::BottomRight, [6, 7, 10, 11]),
        ] {
            let stamped = patch(2, corner).stamp(&[0.0; 48], SHAPE).unwrap();
            for (i, value) in stamped.iter().enumerate() {
                assert_eq!(*value == 1.0, lit.contains(&(i % 12)), "{corner:?} {i}");
            }
        }
    }

    #[test]
    fn backdoor_poisons_the_drawn_examples_and_no_others() {
        let (inputs, labels) = examples();
        let batch = Batch::new(&inputs, &labels).pictures(SHAPE);
        let plant = Plant { trigger: patch(2, Corner::BottomRight), target: 2, share: 0.1 };
        let planted = plant.plant(batch, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        assert_eq!(planted, plant.plant(batch, &mut ChaCha8Rng::seed_from_u64(1)).unwrap());
        assert_ne!(planted, plant.plant(batch, &mut ChaCha8Rng::seed_from_u64(2)).unwrap());
        assert_eq!(planted.poisoned.len(), 10);
        for (i, &label) in labels.iter().enumerate() {
            let own = &planted.inputs[i * 24..][..24];
            if planted.poisoned.contains(&i) {
                assert!(label != 2 && planted.labels[i] == 2);
                assert_eq!(own, plant.trigger.stamp(batch.input(i), SHAPE).unwrap());
            } else {
                assert_eq!((own, planted.labels[i]), (batch.input(i), label));
            }
        }
        let all = Plant { share: 1.0, ..plant }.plant(batch, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        assert!(all.poisoned.len() == 67 && all.labels.iter().all(|label| *label == 2));
    }

    #[test]
    fn backdoor_success_is_counted_over_other_classes() {
        let (inputs, labels) = examples();
        let batch = Batch::new(&inputs, &labels).pictures(SHAPE);
        let rate = |corner| {
            let plant = Plant { trigger: patch(1, corner), target: 2, share: 0.0 };
            let found = plant.success(&Last, batch).unwrap();
            (found.successes, found.trials)
        };
        assert_eq!((rate(Corner::BottomRight), rate(Corner::TopLeft)), ((67, 67), (0, 67)));
    }

    #[test]
    fn backdoor_that_cannot_be_planted_is_an_error() {
        let (inputs, labels) = examples();
        let batch = Batch::new(&inputs, &labels).pictures(SHAPE);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let plant = Plant { trigger: patch(4, Corner::TopLeft), target: 1, share: 0.1 };
        assert_eq!(plant.plant(batch, &mut rng), Err(RobustError::Patch { size: 4, height: 3, width: 4 }));
        let plant = Plant { trigger: patch(2, Corner::TopLeft), target: 3, share: 0.1 };
        assert_eq!(plant.plant(batch, &mut rng), Err(RobustError::Class { class: 3, classes: 3 }));
        let plant = Plant { share: 1.1, target: 1, ..plant };
        assert_eq!(plant.plant(batch, &mut rng), Err(RobustError::Share(1.1)));
        let bright = Trigger::Patch(Patch { value: 1.5, ..Patch::default() });
        assert_eq!(bright.stamp(&inputs, SHAPE), Err(RobustError::PatchValue(1.5)));
        let none = Plant { share: 0.5, ..plant }.plant(Batch::new(&[], &[]), &mut rng).unwrap();
        assert!(none.poisoned.is_empty());
    }
}
