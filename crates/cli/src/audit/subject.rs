//! The model under audit, and its data.

use std::cell::OnceCell;
use std::path::Path;

use crucible_compress::Compressed;
use crucible_data::{Dataset, Examples, Task, seed};
use crucible_measure::Bootstrap;
use crucible_recipe::Checked;
use crucible_train::{Evaluation, evaluate};
use rand_chacha::ChaCha8Rng;

use super::{Limits, Unmeasured, answers::Answers, finding::skip};
use crate::{
    error::CliError,
    findings::CONFIDENCE,
    recipe::{Recipe, Source},
    run::Run,
    view::View,
};

/// Resamples of a bootstrap.
const RESAMPLES: usize = 1000;

/// A run and its data, as checks see them.
pub(crate) struct Subject {
    pub(crate) run: Run,
    /// The recipe as it ran, with the limits of this audit.
    pub(crate) recipe: Recipe,
    pub(crate) data: Dataset,
    held_out: OnceCell<Evaluation>,
}

impl Subject {
    /// Opens a run; `set` overrides keys of its recipe, such as limits.
    pub(crate) fn open(path: &Path, set: &[String]) -> Result<Self, CliError> {
        let run = Run::open(path)?;
        let Checked { value: recipe, .. } = Source::of_run(&run.folder)?.check(set)?;
        let data = run.data(&recipe)?;
        Ok(Self { run, recipe, data, held_out: OnceCell::new() })
    }

    /// What it is held against.
    pub(crate) fn limits(&self) -> Limits {
        self.recipe.audit.clone().unwrap_or_default()
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
        match &self.run.config.format.task {
            Task::Classification { classes } => Ok(classes),
            Task::Regression { .. } => skip("the network predicts numbers, and this check is about classes"),
        }
    }

    /// What the network makes of the examples that it has not seen.
    pub(crate) fn evaluation(&self) -> Result<&Evaluation, Unmeasured> {
        let (_, examples) = self.held_out()?;
        Ok(self.held_out.get_or_init(|| self.evaluate(examples)))
    }

    /// What the network makes of any examples of its data's kind.
    pub(crate) fn evaluate(&self, examples: &Examples) -> Evaluation {
        self.evaluate_of(&self.run.network, examples)
    }

    fn evaluate_of(&self, network: &Compressed, examples: &Examples) -> Evaluation {
        let config = &self.run.config;
        evaluate(network, examples, config.loss.loss(), &config.format.task, &self.run.device)
    }

    /// What the network answers on the examples that it has not seen.
    pub(crate) fn answers(&self) -> Result<Answers, Unmeasured> {
        self.classes()?;
        Ok(answers(self.evaluation()?, self.held_out()?.1))
    }

    /// What the network answers on any examples of its data's kind.
    pub(crate) fn answers_on(&self, examples: &Examples) -> Result<Answers, Unmeasured> {
        self.classes()?;
        Ok(answers(&self.evaluate(examples), examples))
    }

    /// What another network of the same architecture answers.
    pub(crate) fn answers_of(
        &self,
        network: &Compressed,
        examples: &Examples,
    ) -> Result<Answers, Unmeasured> {
        self.classes()?;
        Ok(answers(&self.evaluate_of(network, examples), examples))
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
        Ok(View::new(&self.run, &self.data.train)?)
    }

    /// A generator of a check's own.
    pub(crate) fn rng(&self, purpose: &str) -> ChaCha8Rng {
        seed::stream(self.recipe.seed, &format!("audit/{purpose}"), 0)
    }
}

/// The bootstrap of every check.
pub(crate) const BOOTSTRAP: Bootstrap = Bootstrap { resamples: RESAMPLES, confidence: CONFIDENCE };

fn answers(evaluation: &Evaluation, examples: &Examples) -> Answers {
    let labels = examples.classes().expect("a classifier's examples have classes");
    let probabilities = evaluation.predictions.iter().copied().map(f64::from).collect();
    Answers::new(probabilities, evaluation.width, labels.iter().map(|label| *label as usize).collect())
}
