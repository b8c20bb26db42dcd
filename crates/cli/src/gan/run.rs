//! The run folder of a generator.

use std::path::Path;

use burn::tensor::Device;
use crucible_data::{Dataset, Format, Task, seed};
use crucible_models::{Generator, GeneratorConfig, generators::Drawing, weights};
use crucible_train::{RunFolder, StopReason, TrainError, adversarial::PairRecord, run_folder::name};
use serde::{Deserialize, Serialize};

use super::GanRecipe;
use crate::{
    error::CliError,
    recipe::Source,
    run::{open_any, parse},
};

/// Raised whenever the file changes its meaning.
const VERSION: u32 = 1;
const SUMMARY: &str = "summary.json";

/// `config.json` of a generator: what it takes to build the network and to ask it for pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GanConfigFile {
    version: u32,
    pub(crate) generator: GeneratorConfig,
    pub(crate) drawing: Drawing,
    /// What the pictures are like that it was trained on.
    pub(crate) format: Format,
}

impl GanConfigFile {
    pub(crate) fn new(recipe: &GanRecipe, drawing: Drawing, data: &Dataset) -> Self {
        let generator = recipe.gan.generator.clone();
        Self { version: VERSION, generator, drawing, format: data.format.clone() }
    }

    pub(crate) fn read(folder: &RunFolder) -> Result<Self, CliError> {
        let config: Self = parse(folder, name::CONFIG)?;
        let damaged = |problem| TrainError::Damaged { path: folder.path(name::CONFIG), problem };
        if config.version != VERSION {
            let problem = format!("its version is {}, and this program reads {VERSION}", config.version);
            return Err(damaged(problem).into());
        }
        let Drawing { channels, size, latent, classes } = config.drawing;
        let whole = config.format.input.shape() == [channels, size, size]
            && latent > 0
            && classes.is_none_or(|classes| classes == config.format.task.outputs());
        if !whole {
            return Err(damaged("its parts do not fit each other".to_owned()).into());
        }
        Ok(config)
    }

    pub(crate) fn write(&self, folder: &RunFolder) -> Result<(), CliError> {
        Ok(folder.write(name::CONFIG, &serde_json::to_vec_pretty(self).expect("plain data"))?)
    }

    /// Refuses pictures of another kind than those that training began with.
    pub(crate) fn check_data(&self, folder: &RunFolder, data: &Dataset) -> Result<(), CliError> {
        if self.format == data.format {
            return Ok(());
        }
        let problem = "the pictures' shape or their classes differ".to_owned();
        Err(CliError::OtherData { name: data.name.clone(), config: folder.path(name::CONFIG), problem })
    }

    /// Names of the classes that pictures may be asked for.
    pub(crate) fn classes(&self) -> Option<&[String]> {
        match &self.format.task {
            Task::Classification { classes } if self.drawing.classes.is_some() => Some(classes),
            _ => None,
        }
    }
}

/// How training of a pair ended; `summary.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GanEnding {
    pub(crate) reason: StopReason,
    pub(crate) steps: u64,
    pub(crate) seconds: f64,
    /// Bytes, where the system told.
    pub(crate) peak_memory: Option<u64>,
    pub(crate) epochs: Vec<PairRecord>,
}

impl GanEnding {
    pub(crate) fn read(folder: &RunFolder) -> Result<Self, CliError> {
        parse(folder, SUMMARY)
    }

    pub(crate) fn write(&self, folder: &RunFolder) -> Result<(), CliError> {
        Ok(folder.write(SUMMARY, &serde_json::to_vec_pretty(self).expect("plain data"))?)
    }
}

/// A run that has a generator to use.
pub(crate) struct GanRun {
    pub(crate) folder: RunFolder,
    pub(crate) config: GanConfigFile,
    pub(crate) generator: Generator,
    pub(crate) device: Device,
}

impl GanRun {
    /// Opens a run and loads its generator.
    pub(crate) fn open(path: &Path) -> Result<Self, CliError> {
        let folder = open_folder(path)?;
        if !folder.has(name::MODEL) {
            let problem = format!(
                "it has no {} yet; finish it with `crucible train --resume {}`",
                name::MODEL,
                path.display()
            );
            return Err(CliError::NoRun { path: path.to_owned(), problem });
        }
        let (config, device) = (GanConfigFile::read(&folder)?, Device::flex());
        let network = config.generator.init(config.drawing, &mut seed::stream(0, "weights", 0), &device)?;
        let fail = |source| TrainError::Weights { path: folder.path(name::MODEL), source };
        let (state, _) = weights::from_safetensors(&folder.read(name::MODEL)?, "format").map_err(fail)?;
        let generator = weights::assign(network, &state).map_err(fail)?;
        Ok(Self { folder, config, generator, device })
    }

    /// The recipe as it ran.
    pub(crate) fn recipe(&self) -> Result<GanRecipe, CliError> {
        Ok(Source::of_run(&self.folder)?.check_gan(&[])?.value)
    }
}

/// Whether a folder is the run of a generator.
pub(crate) fn holds_generator(path: &Path) -> bool {
    RunFolder::open(path).is_ok_and(|folder| Source::of_run(&folder).is_ok_and(|source| source.is_gan()))
}

/// Opens the run folder of a generator, finished or not.
pub(crate) fn open_folder(path: &Path) -> Result<RunFolder, CliError> {
    let folder = open_any(path)?;
    if !Source::of_run(&folder)?.is_gan() {
        let problem = format!(
            "it holds a network that answers, and no generator; `crucible predict {} FILE` asks it",
            path.display()
        );
        return Err(CliError::NoGenerator { path: path.to_owned(), problem });
    }
    Ok(folder)
}
