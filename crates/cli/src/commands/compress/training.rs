//! Training of a network that is being compressed, in a run folder within the new run's.
//!
//! The starting weights are left in that folder before anything is trained, so that training that was stopped goes on.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use crucible_compress::pruning::Shrunk;
use crucible_data::Dataset;
use crucible_models::{
    Network,
    weights::{self, State},
};
use crucible_recipe::Checked;
use crucible_train::{RunFolder, StopReason, TrainError, UpdateRule, run_folder::name};

use super::plan::START;
use crate::{
    commands::train::Sitting,
    error::CliError,
    findings::Ending,
    output::Output,
    recipe::{Recipe, Source},
    run::RunConfig,
    transfer,
};

/// What all training of one new run shares.
pub(super) struct Training<'a> {
    /// The recipe of the run that is compressed.
    pub(super) source: &'a Source,
    pub(super) config: &'a RunConfig,
    /// The folder of the new run.
    pub(super) folder: &'a RunFolder,
    pub(super) data: &'a Dataset,
    pub(super) device: &'a Device,
    pub(super) stop: &'a AtomicBool,
    pub(super) output: &'a Output,
}

/// How training went.
pub(super) enum Trained {
    /// To its end, in this folder.
    End { ending: Ending, state: State, folder: RunFolder },
    /// It was stopped after so many steps.
    Stop { step: u64 },
}

/// What a rule is made for: the recipe as it trains, the configuration, and the starting network and its weights.
pub(super) struct Start<'a> {
    pub(super) recipe: &'a Checked<Recipe>,
    pub(super) config: &'a RunConfig,
    pub(super) network: &'a Network,
    pub(super) weights: &'a Shrunk,
}

/// A network of these weights.
pub(super) fn built(config: &RunConfig, network: &Shrunk, device: &Device) -> Result<Network, CliError> {
    let config = RunConfig { architecture: network.architecture.clone(), ..config.clone() };
    Ok(weights::assign(config.fresh_network(0, device)?, &network.state)?)
}

impl Training<'_> {
    /// Trains `network` in the folder `place` under the recipe with `overrides`, its seed moved by `shift`.
    pub(super) fn run(
        &self,
        place: &str,
        overrides: &[String],
        shift: u64,
        network: &Shrunk,
        rule: impl FnOnce(Start<'_>) -> Result<Box<dyn UpdateRule>, CliError>,
    ) -> Result<Trained, CliError> {
        let root: PathBuf = self.folder.path(place);
        let mut checked = self.source.check(overrides)?;
        let folder = match root.exists() {
            true => RunFolder::open(&root)?,
            false => RunFolder::create(&root, &checked.filled)?,
        };
        let read = |file| -> Result<State, CliError> {
            let fail = |source| TrainError::Weights { path: folder.path(file), source };
            Ok(weights::from_safetensors(&folder.read(file)?, "format").map_err(fail)?.0)
        };
        if let Ok(ending) = Ending::read(&folder) {
            return Ok(Trained::End { ending, state: read(name::MODEL)?, folder });
        }
        if !folder.has(START) {
            let start = weights::to_safetensors(&network.state, Some(("format", "pt".to_owned())));
            folder.write(START, &start)?;
        }
        let start = Shrunk { state: read(START)?, ..network.clone() };
        let settings = &mut checked.value;
        (settings.train.until, settings.train.early_stopping) = (None, None);
        // Not the order of examples that the network was trained in before.
        settings.seed = settings.seed.wrapping_add(shift);
        let config = RunConfig { architecture: start.architecture.clone(), ..self.config.clone() };
        let network = built(&config, &start, self.device)?;
        let rule = rule(Start { recipe: &checked, config: &config, network: &network, weights: &start })?;
        let (recipe, device, data) = (checked.value, self.device.clone(), self.data.clone());
        let start = transfer::Start { network, rule, features: None };
        let mut sitting = Sitting { recipe, data, config, start, folder, device };
        let outcome = sitting.train(self.stop, self.output)?;
        let folder = sitting.folder;
        if outcome.reason == StopReason::Interrupted {
            return Ok(Trained::Stop { step: outcome.steps });
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
        Ok(Trained::End { ending, state, folder })
    }
}
