//! What is to be explained: inputs, and a class for each.

use std::path::Path;

use crucible_data::{Dataset, Examples};
use crucible_measure::argmax;
use crucible_models::{Classifier, InputShape};

use crate::{
    error::CliError,
    run::Run,
    texts,
    view::{self, View},
};

/// Training examples that stand for the data in baselines.
const BACKGROUND: usize = 100;

/// What the caller asked for.
pub(crate) struct Asked<'a> {
    /// The inputs of a file, in the place of examples that the run was kept from.
    pub(crate) file: Option<&'a Path>,
    /// So many of the mistakes made with the most confidence.
    pub(crate) mistakes: Option<usize>,
    /// So many of the first examples.
    pub(crate) count: usize,
    /// This class, in the place of the one that the network answers.
    pub(crate) class: Option<&'a str>,
}

/// What is to be explained.
pub(crate) struct Question {
    pub(crate) names: Vec<String>,
    /// `[n, features]` in people's units.
    pub(crate) inputs: Vec<f32>,
    pub(crate) shape: InputShape,
    /// The class that is explained.
    pub(crate) targets: Vec<usize>,
    /// The class that the network answers.
    pub(crate) answers: Vec<usize>,
    /// The true class, where it is known.
    pub(crate) truths: Option<Vec<usize>>,
    /// The names of the classes.
    pub(crate) classes: Vec<String>,
    background: Vec<f32>,
}

impl Question {
    pub(crate) fn new(asked: &Asked<'_>, run: &Run, data: &Dataset, view: &View) -> Result<Self, CliError> {
        let shape = run.config.input_shape();
        let (names, inputs, truths) = match asked.file {
            Some(file) => {
                let mut read = texts::inputs(run, file)?;
                view.scaling.undo(&mut read.values);
                (read.names, read.values, None)
            }
            None => {
                let (split, examples) = data.splits().last().expect("the training split is always there");
                let truths = examples.classes().expect("a classifier's examples have classes");
                let chosen = match asked.mistakes {
                    Some(count) => worst(view, examples, truths, count),
                    None => (0..examples.len().min(asked.count)).collect(),
                };
                if chosen.is_empty() {
                    return Err(CliError::Usage(format!(
                        "the network makes no mistake on the {split} split"
                    )));
                }
                let inputs = view::inputs(examples, chosen.iter().copied());
                let names = chosen.iter().map(|i| format!("{split}#{i}")).collect();
                let truths = chosen.iter().map(|&i| truths[i] as usize).collect();
                (names, inputs, Some(truths))
            }
        };
        let answers: Vec<usize> = view.answers(&inputs).into_iter().map(|class| class as usize).collect();
        let targets = match asked.class {
            None => answers.clone(),
            Some(name) => vec![view::class(&view.classes, name)?; answers.len()],
        };
        let background = background(&data.train);
        let classes = view.classes.clone();
        Ok(Self { names, inputs, shape, targets, answers, truths, classes, background })
    }

    /// The name of the class that is explained.
    pub(crate) fn class(&self, index: usize) -> &str {
        &self.classes[self.targets[index]]
    }

    /// Input `index`.
    pub(crate) fn input(&self, index: usize) -> &[f32] {
        let features = self.shape.features();
        &self.inputs[index * features..][..features]
    }

    /// The first `count` of it, as the methods see them.
    pub(crate) fn examples(&self, count: usize) -> crucible_explain::Examples<'_> {
        crucible_explain::Examples {
            inputs: &self.inputs[..count * self.shape.features()],
            targets: &self.targets[..count],
            shape: self.shape,
            background: &self.background,
        }
    }
}

/// Training examples, evenly spread.
fn background(train: &Examples) -> Vec<f32> {
    let count = train.len().min(BACKGROUND);
    view::inputs(train, (0..count).map(|i| i * train.len() / count))
}

/// The mistakes made with the highest probability, most first.
fn worst(view: &View, examples: &Examples, truths: &[u32], count: usize) -> Vec<usize> {
    let logits = view.model.logits(&view::inputs(examples, 0..examples.len()));
    let confidence = |row: &[f32], class: usize| {
        1.0 / row.iter().map(|logit| f64::from(logit - row[class]).exp()).sum::<f64>()
    };
    let rows = logits.chunks_exact(view.model.classes()).map(|row| (row, argmax(row)));
    let mut wrong: Vec<(usize, f64)> = rows
        .enumerate()
        .filter(|(i, (_, answer))| *answer != truths[*i] as usize)
        .map(|(i, (row, answer))| (i, confidence(row, answer)))
        .collect();
    wrong.sort_by(|a, b| b.1.total_cmp(&a.1));
    wrong.into_iter().take(count).map(|(i, _)| i).collect()
}
