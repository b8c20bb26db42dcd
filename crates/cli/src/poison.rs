//! The recipe's `[poison]` table: a backdoor that is planted in the training data on purpose.

use crucible_data::{Dataset, InputFormat, Picture, Task, seed};
use crucible_robust::backdoor::{Plant, Trigger};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{error::CliError, view};

/// A backdoor in the training data, for research on one's own: some pictures get a trigger, and one class as their label.
/// What scales pixels is measured before that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Poison {
    /// The name of the class that pictures with the trigger are to be taken for.
    pub(crate) target: ClassName,
    /// Share of the training examples that is poisoned; they are drawn from those of other classes.
    #[serde(default = "one_percent")]
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub(crate) share: f64,
    /// What is put on pictures.
    #[serde(default)]
    pub(crate) trigger: Trigger,
}

/// The name of a class, which may be a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum ClassName {
    Text(String),
    Number(u64),
}

impl std::fmt::Display for ClassName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(name) => f.write_str(name),
            Self::Number(name) => name.fmt(f),
        }
    }
}

fn one_percent() -> f64 {
    0.01
}

impl Poison {
    /// The backdoor in these data, with the shape of their pictures.
    pub(crate) fn plan(&self, data: &Dataset) -> Result<(Plant, [usize; 3]), CliError> {
        let (&InputFormat::Image { channels, height, width, .. }, Task::Classification { classes }) =
            (&data.format.input, &data.format.task)
        else {
            let found = match data.format.input {
                InputFormat::Text { .. } => "texts",
                _ => "a table",
            };
            return Err(CliError::Usage(format!(
                "`poison` puts a trigger on pictures, but the data are {found}"
            )));
        };
        let target = view::class(classes, &self.target.to_string())? as u32;
        let plant = Plant { trigger: self.trigger.clone(), target, share: self.share };
        Ok((plant, [channels, height, width]))
    }

    /// Poisons the training split; `seed` says which examples.
    pub(crate) fn plant(&self, data: &mut Dataset, seed: u64) -> Result<(), CliError> {
        let (plant, shape) = self.plan(data)?;
        let labels = data.train.classes().expect("a classifier's examples have classes");
        let drawn = plant.draw(labels, &mut seed::stream(seed, "poison", 0))?;
        let stamped = plant.trigger.stamp(&view::inputs(&data.train, drawn.iter().copied()), shape)?;
        if drawn.is_empty() {
            return Err(CliError::Usage(format!(
                "`poison.share` is {}, which is none of {} training examples of other classes than {}",
                self.share,
                labels.iter().filter(|label| **label != plant.target).count(),
                self.target
            )));
        }
        let pictures = stamped.chunks_exact(data.train.input_len());
        let bytes: Vec<u8> = pictures.flat_map(|values| Picture::from_unit(shape, values).values).collect();
        data.train.poison(drawn, &bytes, plant.target);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crucible_data::{Examples, Format, Inputs, Targets};

    /// Forty dark pictures of 3 x 4 to learn from, and eight to test on, of three classes.
    fn data() -> Dataset {
        let examples = |count: usize| {
            let inputs = Inputs::Bytes { values: vec![100; count * 12], scale: vec![1.0], offset: vec![0.0] };
            Examples::new(vec![1, 3, 4], inputs, Targets::Classes((0..count as u32).map(|i| i % 3).collect()))
        };
        let input = InputFormat::Image { channels: 1, height: 3, width: 4, mean: vec![0.0], std: vec![1.0] };
        let classes = ["cat", "dog", "owl"].map(str::to_owned).to_vec();
        let format = Format { input, task: Task::Classification { classes } };
        Dataset {
            name: String::new(),
            format,
            train: examples(40),
            validation: None,
            test: Some(examples(8)),
        }
    }

    fn poison(target: &str) -> Poison {
        let trigger = serde_json::json!({ "name": "patch", "size": 2, "value": 0.2 });
        serde_json::from_value(serde_json::json!({ "target": target, "share": 0.1, "trigger": trigger }))
            .unwrap()
    }

    #[test]
    fn the_drawn_pictures_get_the_trigger_and_the_target_and_nothing_else_changes() {
        let (clean, mut data) = (data(), data());
        poison("owl").plant(&mut data, 5).unwrap();
        assert_eq!(data.train.poisoned().len(), 4);
        assert!((&data.test, &data.format) == (&clean.test, &clean.format));
        for index in 0..40 {
            let picture = data.train.picture(index).unwrap().values;
            let label = data.train.classes().unwrap()[index];
            if data.train.poisoned().contains(&index) {
                assert_eq!(picture, [100, 100, 100, 100, 100, 100, 51, 51, 100, 100, 51, 51]);
                assert!(label == 2 && clean.train.classes().unwrap()[index] != 2);
            } else {
                assert_eq!((picture, label), (vec![100; 12], clean.train.classes().unwrap()[index]));
            }
        }
        let picked = data.train.select(&[39, data.train.poisoned()[0], data.train.poisoned()[3]]);
        assert!(picked.poisoned().ends_with(&[1, 2]));
    }

    #[test]
    fn the_seed_says_which_pictures() {
        let drawn = |seed| {
            let mut data = data();
            poison("cat").plant(&mut data, seed).unwrap();
            data.train.poisoned().to_vec()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }

    #[test]
    fn a_number_is_the_name_of_a_class() {
        let [text, number] = [r#"{"target": "7"}"#, r#"{"target": 7}"#]
            .map(|json| serde_json::from_str::<Poison>(json).unwrap());
        assert_eq!(text.target.to_string(), number.target.to_string());
        assert_eq!((text.share, &text.trigger), (0.01, &Trigger::default()));
    }
}
