//! The model under audit, and its data.

use std::cell::OnceCell;
use std::path::Path;

use crucible_compress::Compressed;
use crucible_data::{Dataset, Examples, Task, seed};
use crucible_measure::Bootstrap;
use crucible_recipe::Checked;
use crucible_train::{RunFolder, evaluate, run_folder::name};
use rand_chacha::ChaCha8Rng;

use super::{Limits, Unmeasured, answers::Answers, finding::skip};
use crate::{
    error::CliError,
    findings::{self, CONFIDENCE},
    recipe::{Recipe, Source},
    run::Run,
    view::View,
};

/// Resamples of a bootstrap.
const RESAMPLES: usize = 1000;

/// The bootstrap of every check.
pub(crate) const BOOTSTRAP: Bootstrap = Bootstrap { resamples: RESAMPLES, confidence: CONFIDENCE };

/// The parts of a recipe that a measurement depends on.
const MEASURED: [&str; 9] =
    ["seed", "data", "model", "train", "defence", "fairness", "distill", "transfer", "poison"];

/// A model and its data, as checks see them.
pub(crate) struct Subject {
    model: Model,
    pub(crate) data: Dataset,
    pub(crate) seed: u64,
    /// What it is held against.
    pub(crate) limits: Limits,
    /// Where reports are written.
    pub(crate) folder: RunFolder,
    /// What it makes of the examples that it has not seen.
    unseen: OnceCell<Predictions>,
}

/// What is audited.
enum Model {
    /// A run, with its recipe as it ran.
    Run(Box<Run>, Box<Recipe>),
}

/// What a model makes of examples: probabilities of the classes, or (standardised) values.
#[derive(Debug, Clone)]
pub(crate) struct Predictions {
    /// `[examples, width]`.
    pub(crate) values: Vec<f32>,
    width: usize,
}

impl Subject {
    /// Opens a run; `set` overrides keys of its recipe, such as limits.
    pub(crate) fn open(path: &Path, set: &[String]) -> Result<Self, CliError> {
        let run = Run::open(path)?;
        let Checked { value: recipe, .. } = Source::of_run(&run.folder)?.check(set)?;
        let data = run.data(&recipe)?;
        Ok(Self {
            data,
            seed: recipe.seed,
            limits: recipe.audit.clone().unwrap_or_default(),
            folder: RunFolder::open(path)?,
            unseen: OnceCell::new(),
            model: Model::Run(Box::new(run), Box::new(recipe)),
        })
    }

    /// The run, where it is one.
    pub(crate) fn trained(&self) -> Option<&Run> {
        let Model::Run(run, _) = &self.model;
        Some(run)
    }

    /// The run, for a check that cannot do without.
    pub(crate) fn run(&self) -> Result<&Run, Unmeasured> {
        self.trained().map_or_else(|| skip(NO_RUN), Ok)
    }

    /// The recipe that the run was trained by, for a check that cannot do without.
    pub(crate) fn recipe(&self) -> Result<&Recipe, Unmeasured> {
        let Model::Run(_, recipe) = &self.model;
        Ok(recipe)
    }

    /// `mlp on mnist`
    pub(crate) fn title(&self) -> String {
        let Model::Run(run, recipe) = &self.model;
        findings::title(run, recipe)
    }

    /// All that the model and what is known of it consist of, as bytes.
    pub(crate) fn parts(&self) -> Result<Vec<Vec<u8>>, CliError> {
        let Model::Run(_, recipe) = &self.model;
        let recipe = serde_json::to_value(recipe).expect("plain data");
        let mut parts: Vec<Vec<u8>> = MEASURED.map(|key| recipe[key].to_string().into_bytes()).to_vec();
        for file in [name::CONFIG, name::MODEL, crucible_privacy::LEDGER] {
            parts.push(if self.folder.has(file) { self.folder.read(file)? } else { Vec::new() });
        }
        Ok(parts)
    }

    /// The examples that the model has not seen: those of the test split, else of the validation split.
    pub(crate) fn held_out(&self) -> Result<(&'static str, &Examples), Unmeasured> {
        match self.data.splits().last() {
            Some((name, examples)) if name != "train" => Ok((name, examples)),
            _ => skip(
                "the data have no split that the network was not trained on; set `data.test` and train anew",
            ),
        }
    }

    /// The names of the classes.
    pub(crate) fn classes(&self) -> Result<&[String], Unmeasured> {
        match &self.data.format.task {
            Task::Classification { classes } => Ok(classes),
            Task::Regression { .. } => skip("the network predicts numbers, and this check is about classes"),
        }
    }

    /// What the model makes of the examples that it has not seen.
    pub(crate) fn predictions(&self) -> Result<&Predictions, Unmeasured> {
        let (_, examples) = self.held_out()?;
        Ok(self.unseen.get_or_init(|| self.predict(examples)))
    }

    /// What the model makes of any examples of its data's kind.
    fn predict(&self, examples: &Examples) -> Predictions {
        let Model::Run(run, _) = &self.model;
        predict(run, &run.network, examples)
    }

    /// What the model answers on the examples that it has not seen.
    pub(crate) fn answers(&self) -> Result<Answers, Unmeasured> {
        self.classes()?;
        Ok(answers(self.predictions()?, self.held_out()?.1))
    }

    /// What the model answers on any examples of its data's kind.
    pub(crate) fn answers_on(&self, examples: &Examples) -> Result<Answers, Unmeasured> {
        self.classes()?;
        Ok(answers(&self.predict(examples), examples))
    }

    /// What another network of the run's architecture answers.
    pub(crate) fn answers_of(
        &self,
        network: &Compressed,
        examples: &Examples,
    ) -> Result<Answers, Unmeasured> {
        self.classes()?;
        Ok(answers(&predict(self.run()?, network, examples), examples))
    }

    /// Answers on unseen examples to calibrate by, answers on others to measure on, and which the first ones are: those of
    /// the validation split, else every other one.
    pub(crate) fn calibration(&self) -> Result<(Answers, Answers, &'static str), Unmeasured> {
        let all = self.answers()?;
        if let (Some(validation), Some(_)) = (&self.data.validation, &self.data.test) {
            return Ok((self.answers_on(validation)?, all, "those of the validation split"));
        }
        let half = |first: usize| all.select(&(first..all.len()).step_by(2).collect::<Vec<_>>());
        Ok((half(0), half(1), "every other unseen one, which are not measured on"))
    }

    /// The network as attacks see it.
    pub(crate) fn view(&self) -> Result<View, Unmeasured> {
        self.classes()?;
        if self.data.train.excerpts().is_some() {
            return skip(
                "this check changes inputs a little, and tokens of texts cannot be changed a little",
            );
        }
        Ok(View::new(self.run()?, &self.data.train)?)
    }

    /// A generator of a check's own.
    pub(crate) fn rng(&self, purpose: &str) -> ChaCha8Rng {
        seed::stream(self.seed, &format!("audit/{purpose}"), 0)
    }
}

/// Why a check says nothing of a model from elsewhere.
const NO_RUN: &str =
    "this check looks into the network or how it was trained, and of this model only answers are known";

fn predict(run: &Run, network: &Compressed, examples: &Examples) -> Predictions {
    let config = &run.config;
    let found = evaluate(network, examples, config.loss.loss(), &config.format.task, &run.device);
    Predictions { values: found.predictions, width: found.width }
}

fn answers(found: &Predictions, examples: &Examples) -> Answers {
    let labels = examples.classes().expect("a classifier's examples have classes");
    let probabilities = found.values.iter().copied().map(f64::from).collect();
    Answers::new(probabilities, found.width, labels.iter().map(|label| *label as usize).collect())
}
