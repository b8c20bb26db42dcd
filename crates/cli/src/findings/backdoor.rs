use crucible_data::{Dataset, Picture as Pixels};
use crucible_measure::{Interval, Proportion};
use crucible_report::{Block, Fact, Gallery, Level, Note, Picture, Png, Section, Value};
use crucible_robust::backdoor::{Patch, Trigger};

use super::{CONFIDENCE, percent};
use crate::{
    error::CliError,
    poison::Poison,
    run::Run,
    view::{self, View},
};

/// Pictures with the trigger.
const PICTURES: usize = 8;

/// What a backdoor that was planted on purpose does to a run's network.
pub(crate) struct Backdoor {
    /// Examples that were poisoned.
    pub(crate) poisoned: usize,
    /// Of the pictures of other classes with the trigger, those that the network takes for the target.
    pub(crate) success: Proportion,
    /// All training examples.
    train: usize,
    /// The name of the class that the trigger leads to.
    target: String,
    trigger: String,
    /// The split of the pictures.
    split: &'static str,
    /// The first of them.
    gallery: Gallery,
}

impl Backdoor {
    pub(super) fn measure(poison: &Poison, run: &Run, data: &Dataset) -> Result<Self, CliError> {
        let (plant, shape) = poison.plan(data)?;
        let (split, examples) = data.splits().last().expect("the training split is always there");
        let view = View::new(run, &data.train)?;
        let inputs = view::inputs(examples, 0..examples.len());
        let batch = view::batch(examples, &inputs);
        let others = (0..batch.len()).filter(|&index| batch.labels[index] != plant.target);
        let pictures = others.take(PICTURES).map(|index| {
            let stamped = plant.trigger.stamp(batch.input(index), shape)?;
            let name = |class: u32| &view.classes[class as usize];
            let (truth, answer) = (name(batch.labels[index]), name(view.answers(&stamped)[0]));
            Ok(Picture {
                png: Png(Pixels::from_unit(shape, &stamped).to_png()),
                alt: format!("Example {index}, a {truth}, with the trigger, taken for a {answer}"),
                caption: format!("{truth} taken for {answer}"),
            })
        });
        let caption = format!("The first {split} pictures of other classes, with the trigger.");
        let gallery = Gallery { pictures: pictures.collect::<Result<_, CliError>>()?, caption };
        Ok(Self {
            poisoned: data.train.poisoned().len(),
            success: plant.success(&view.model, batch)?,
            train: data.train.len(),
            target: poison.target.to_string(),
            trigger: describe(&plant.trigger),
            split,
            gallery,
        })
    }

    pub(crate) fn interval(&self) -> [f64; 2] {
        let Interval { low, high } = self.success.interval(CONFIDENCE);
        [low, high]
    }

    pub(super) fn value(&self) -> Value {
        Value::percent_interval(self.success.estimate(), self.interval(), 2)
    }

    pub(super) fn detail(&self) -> String {
        format!(
            "of {} {} pictures of other classes taken for {}",
            self.success.trials, self.split, self.target
        )
    }

    pub(super) fn sentence(&self) -> String {
        format!(
            "The training data was poisoned on purpose: the trigger turns {} of {} {} pictures of other classes into {}.",
            percent(&self.success),
            self.success.trials,
            self.split,
            self.target
        )
    }

    pub(super) fn section(&self) -> Section {
        let share = self.poisoned as f64 / self.train as f64;
        let facts = vec![
            Fact::new("Trigger", Value::text(self.trigger.clone())),
            Fact::new("Target", Value::text(self.target.clone())),
            Fact::new("Poisoned training examples", Value::count(self.poisoned as u64)),
            Fact::new("Share of all training examples", Value::percent(share, 2)),
            Fact::new("Pictures of other classes that the trigger turns into the target", self.value()),
        ];
        let warning =
            "The training data of this run was poisoned on purpose. Use the network for research only.";
        Section::new("poison", "Poisoned on purpose")
            .block(Note { level: Level::Warning, text: warning.to_owned() })
            .block(Block::Facts { facts })
            .block(self.gallery.clone())
    }
}

/// `a patch of 3x3 pixels of value 1, bottom-right`
fn describe(trigger: &Trigger) -> String {
    let Trigger::Patch(Patch { size, corner, value }) = trigger;
    let corner = serde_json::to_value(corner).expect("plain data");
    format!("a patch of {size}x{size} pixels of value {value}, {}", corner.as_str().unwrap_or_default())
}
