//! A run folder as later verbs see it: the recipe, the network, and what it takes to use it.

use std::path::Path;

use burn::tensor::Device;
use crucible_data::{Dataset, Format, InputFormat, seed};
use crucible_models::{Architecture, InputShape, Network, weights};
use crucible_train::{RunFolder, TrainError, losses::LossConfig, run_folder::name};
use serde::{Deserialize, Serialize};

use crate::{
    error::CliError,
    recipe::{Recipe, Source},
};

/// Raised whenever `config.json` changes its meaning.
const VERSION: u32 = 1;

/// `config.json`: what it takes to build the network and to read its outputs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RunConfig {
    pub(crate) version: u32,
    pub(crate) architecture: Architecture,
    pub(crate) outputs: usize,
    pub(crate) loss: LossConfig,
    pub(crate) format: Format,
}

impl RunConfig {
    pub(crate) fn new(recipe: &Recipe, data: &Dataset) -> Result<Self, CliError> {
        let loss = recipe.train.loss.clone();
        let outputs = loss.loss().outputs(&data.format.task).map_err(TrainError::Loss)?;
        let (architecture, format) = (recipe.model.clone(), data.format.clone());
        Ok(Self { version: VERSION, architecture, outputs, loss, format })
    }

    pub(crate) fn input_shape(&self) -> InputShape {
        match &self.format.input {
            InputFormat::Image { channels, height, width, .. } => {
                InputShape::Image { channels: *channels, height: *height, width: *width }
            }
            table @ InputFormat::Table { .. } => {
                InputShape::Features { count: table.shape().iter().product() }
            }
        }
    }

    /// The network with its first weights, as drawn from the seed.
    pub(crate) fn fresh_network(&self, seed: u64, device: &Device) -> Result<Network, CliError> {
        let mut rng = seed::stream(seed, "weights", 0);
        Ok(self.architecture.init(self.input_shape(), self.outputs, &mut rng, device)?)
    }
}

/// A run that has weights to use.
pub(crate) struct Run {
    pub(crate) folder: RunFolder,
    pub(crate) config: RunConfig,
    pub(crate) network: Network,
    pub(crate) device: Device,
}

impl Run {
    /// Opens a run and loads its weights.
    pub(crate) fn open(path: &Path) -> Result<Self, CliError> {
        let folder = open_folder(path)?;
        let config: RunConfig = parse(&folder, name::CONFIG)?;
        let device = Device::flex();
        if !folder.has(name::MODEL) {
            let problem = format!(
                "it has no {} yet; finish it with `crucible train --resume {}`",
                name::MODEL,
                path.display()
            );
            return Err(CliError::NoRun { path: path.to_owned(), problem });
        }
        let file = folder.path(name::MODEL);
        let fail = |source| TrainError::Weights { path: file.clone(), source };
        let (state, _) = weights::from_safetensors(&folder.read(name::MODEL)?, "format").map_err(fail)?;
        let network = weights::assign(config.fresh_network(0, &device)?, &state).map_err(fail)?;
        Ok(Self { folder, config, network, device })
    }

    /// The recipe as it ran.
    pub(crate) fn recipe(&self) -> Result<Recipe, CliError> {
        Ok(Source::read(&self.folder.path(name::RECIPE))?.check(&[])?.value)
    }
}

/// Opens a folder that holds a run, finished or not.
pub(crate) fn open_folder(path: &Path) -> Result<RunFolder, CliError> {
    RunFolder::open(path).map_err(|error| match error {
        TrainError::File { source, .. } => {
            let problem = match source.kind() {
                std::io::ErrorKind::NotFound if path.exists() => format!("it holds no {}", name::RECIPE),
                _ => source.to_string(),
            };
            CliError::NoRun { path: path.to_owned(), problem }
        }
        error => error.into(),
    })
}

/// Reads a JSON file of the run.
pub(crate) fn parse<T: for<'de> Deserialize<'de>>(folder: &RunFolder, name: &str) -> Result<T, CliError> {
    let bytes = folder.read(name)?;
    let damaged = |error: serde_json::Error| TrainError::Damaged {
        path: folder.path(name),
        problem: error.to_string(),
    };
    Ok(serde_json::from_slice(&bytes).map_err(damaged)?)
}
