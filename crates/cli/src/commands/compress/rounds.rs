//! Rounds of pruning and training, each in a run folder of its own, until they are done.
//!
//! A round leaves its starting weights in its folder before it trains. What is pruned is found anew from their zeros, so
//! that a round that was stopped goes on.

use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use crucible_compress::{
    CompressError,
    pruning::{Masked, Shrunk, masks_of_zeros},
};
use crucible_data::Dataset;
use crucible_models::{
    Graph, Network,
    weights::{self, State},
};
use crucible_train::{RunFolder, StopReason, TrainError, run_folder::name};

use super::plan::{Prune, START};
use crate::{
    commands::train::Sitting,
    error::CliError,
    findings::{Ending, pruning::Round},
    output::Output,
    recipe::Source,
    rule::rule,
    run::RunConfig,
};

/// What all rounds share.
pub(super) struct Rounds<'a> {
    pub(super) plan: &'a Prune,
    /// The recipe of the run that is pruned.
    pub(super) source: &'a Source,
    pub(super) config: &'a RunConfig,
    /// The folder of the new run.
    pub(super) folder: &'a RunFolder,
    pub(super) data: &'a Dataset,
    pub(super) device: &'a Device,
    pub(super) stop: &'a AtomicBool,
    pub(super) output: &'a Output,
}

/// Trained rounds and the network after them, or where training was stopped.
pub(super) enum Reached {
    End(Shrunk, Vec<Round>),
    Stop { round: u32, step: u64 },
}

/// The graph of a network with these weights.
pub(super) fn graph(config: &RunConfig, network: &Shrunk, device: &Device) -> Result<Graph, CliError> {
    let features = config.input_shape().features();
    let network = built(config, network, device)?;
    Ok(Graph::trace(&network, features, device).map_err(CompressError::from)?)
}

fn built(config: &RunConfig, network: &Shrunk, device: &Device) -> Result<Network, CliError> {
    let config = RunConfig { architecture: network.architecture.clone(), ..config.clone() };
    Ok(weights::assign(config.fresh_network(0, device)?, &network.state)?)
}

/// The place of a round's folder in the run's.
pub(super) fn place(round: u32) -> String {
    format!("prune/round-{round}")
}

/// The recipe's words for this architecture.
pub(super) fn model(network: &Shrunk) -> String {
    let json = serde_json::to_value(&network.architecture).expect("plain data");
    format!("model={}", inline(&json))
}

/// A value as TOML on one line.
fn inline(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Array(items) => {
            format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", "))
        }
        serde_json::Value::Object(map) => {
            let pairs: Vec<String> =
                map.iter().map(|(key, value)| format!("{key} = {}", inline(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

impl Rounds<'_> {
    /// What a round's recipe changes.
    fn overrides(&self, network: &Shrunk) -> Vec<String> {
        let mut overrides = self.plan.overrides();
        if network.architecture != self.config.architecture {
            overrides.push(model(network));
        }
        overrides
    }

    /// All rounds that are not done yet, from the network of the run that is pruned.
    pub(super) fn run(&self, mut network: Shrunk) -> Result<Reached, CliError> {
        let mut rounds = Vec::new();
        for round in 1..=self.plan.rounds {
            network = self.plan.step(&network, &graph(self.config, &network, self.device)?, round)?;
            let share = self.plan.share_after(round);
            let (mut loss, mut accuracy) = (None, None);
            if self.plan.epochs > 0 {
                self.output.line(format!(
                    "Round {round} of {}: {:.1}% pruned, training what is left",
                    self.plan.rounds,
                    100.0 * share
                ));
                let (ending, state) = match self.train(round, &network)? {
                    Ok(trained) => trained,
                    Err(step) => return Ok(Reached::Stop { round, step }),
                };
                network.state = state;
                let last = ending.epochs.last();
                loss = last.map(|epoch| epoch.loss);
                accuracy = last.and_then(|epoch| epoch.test_accuracy.or(epoch.validation_accuracy));
            }
            rounds.push(Round { share, loss, accuracy });
        }
        Ok(Reached::End(network, rounds))
    }

    /// Trains a pruned network in the round's folder: how that ended, or the step that it was stopped at.
    fn train(&self, round: u32, network: &Shrunk) -> Result<Result<(Ending, State), u64>, CliError> {
        let root = self.folder.path(&place(round));
        let checked = self.source.check(&self.overrides(network))?;
        let folder = match root.exists() {
            true => RunFolder::open(&root)?,
            false => RunFolder::create(&root, &checked.filled)?,
        };
        let read = |file| -> Result<State, CliError> {
            let fail = |source| TrainError::Weights { path: folder.path(file), source };
            Ok(weights::from_safetensors(&folder.read(file)?, "format").map_err(fail)?.0)
        };
        if let Ok(ending) = Ending::read(&folder) {
            return Ok(Ok((ending, read(name::MODEL)?)));
        }
        if !folder.has(START) {
            folder
                .write(START, &weights::to_safetensors(&network.state, Some(("format", "pt".to_owned()))))?;
        }
        let start = Shrunk { state: read(START)?, ..network.clone() };
        let mut recipe = checked.value;
        (recipe.train.until, recipe.train.early_stopping) = (None, None);
        // Not the order of examples that the round before had.
        recipe.seed = recipe.seed.wrapping_add(u64::from(round));
        let config = RunConfig { architecture: start.architecture.clone(), ..self.config.clone() };
        let masks = masks_of_zeros(&graph(&config, &start, self.device)?, &start.state);
        let network = built(&config, &start, self.device)?;
        let rule = rule(&recipe, &checked.places, &config, &network, self.data, self.device)?;
        let rule = Box::new(Masked::new(rule, &masks, self.device));
        let (device, data) = (self.device.clone(), self.data.clone());
        let mut sitting = Sitting { recipe, data, config, network, rule, folder, device };
        let outcome = sitting.train(self.stop, self.output)?;
        let folder = sitting.folder;
        if outcome.reason == StopReason::Interrupted {
            return Ok(Err(outcome.steps));
        }
        let state = weights::collect(&outcome.network);
        let ending = Ending {
            reason: outcome.reason,
            best_epoch: outcome.best_epoch,
            steps: outcome.steps,
            seconds: outcome.seconds,
            epochs: outcome.epochs,
            peak_memory: None,
        };
        ending.write(&folder)?;
        Ok(Ok((ending, state)))
    }
}
