//! A run folder as later verbs see it: the recipe, the network, and what it takes to use it.

use std::path::Path;

use burn::tensor::Device;
use crucible_compress::{Archive, Compressed, OpenError};
use crucible_data::{Dataset, Format, InputFormat, Task, seed};
use crucible_models::{Architecture, InputShape, Network, weights};
use crucible_privacy::shadows;
use crucible_recipe::Checked;
use crucible_train::{RunFolder, TrainError, losses::LossConfig, run_folder::name};
use serde::{Deserialize, Serialize};

use crate::{
    commands::compress::PLAN,
    error::CliError,
    recipe::{Recipe, Source},
};

/// Raised whenever `config.json` changes its meaning.
const VERSION: u32 = 1;

/// `config.json`: what it takes to build the network and to read its outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

    /// The configuration that a run was made with; its parts agree.
    pub(crate) fn read(folder: &RunFolder) -> Result<Self, CliError> {
        let config: Self = parse(folder, name::CONFIG)?;
        let damaged = |problem| TrainError::Damaged { path: folder.path(name::CONFIG), problem };
        if config.version != VERSION {
            let problem = format!("its version is {}, and this program reads {VERSION}", config.version);
            return Err(damaged(problem).into());
        }
        let task = &config.format.task;
        let whole = match task {
            Task::Classification { .. } => true,
            Task::Regression { targets, mean, std } => [mean.len(), std.len()] == [targets.len(); 2],
        };
        if !whole || config.loss.loss().outputs(task) != Ok(config.outputs) {
            let problem = format!("its {} outputs do not fit its task and loss", config.outputs);
            return Err(damaged(problem).into());
        }
        Ok(config)
    }

    pub(crate) fn write(&self, folder: &RunFolder) -> Result<(), CliError> {
        Ok(folder.write(name::CONFIG, &serde_json::to_vec_pretty(self).expect("plain data"))?)
    }

    /// Refuses data that are not those which the run was made with: the weights mean nothing to them.
    pub(crate) fn check_data(&self, folder: &RunFolder, data: &Dataset) -> Result<(), CliError> {
        let problem = if self.format.input.shape() != data.format.input.shape() {
            let [then, now] = [&self.format, &data.format].map(|format| shape(&format.input.shape()));
            format!("one input is {now}, and was {then}")
        } else if self.format.task.outputs() != data.format.task.outputs() {
            let [then, now] = [&self.format, &data.format].map(|format| format.task.outputs());
            format!("the target has {now} classes, and had {then}")
        } else if self.format != data.format {
            match self.format.input {
                InputFormat::Text { .. } => "the classes, the column or the tokenizer differ",
                _ => "columns, classes, means or deviations of the training split differ",
            }
            .to_owned()
        } else {
            return Ok(());
        };
        Err(CliError::OtherData { name: data.name.clone(), config: folder.path(name::CONFIG), problem })
    }

    pub(crate) fn input_shape(&self) -> InputShape {
        match &self.format.input {
            InputFormat::Image { channels, height, width, .. } => {
                InputShape::Image { channels: *channels, height: *height, width: *width }
            }
            table @ InputFormat::Table { .. } => {
                InputShape::Features { count: table.shape().iter().product() }
            }
            InputFormat::Text { max_tokens, vocabulary, .. } => {
                InputShape::Tokens { length: *max_tokens, vocabulary: *vocabulary }
            }
        }
    }

    /// The network with its first weights, as drawn from the seed.
    pub(crate) fn fresh_network(&self, seed: u64, device: &Device) -> Result<Network, CliError> {
        let mut rng = seed::stream(seed, "weights", 0);
        Ok(self.architecture.init(self.input_shape(), self.outputs, &mut rng, device)?)
    }

    /// The network with the weights of a folder, compressed or not.
    pub(crate) fn trained_network(
        &self,
        folder: &RunFolder,
        device: &Device,
    ) -> Result<Compressed, CliError> {
        let (bytes, network) = (folder.read(name::MODEL)?, self.fresh_network(0, device)?);
        if !Archive::is_one(&bytes) {
            let fail = |source| TrainError::Weights { path: folder.path(name::MODEL), source };
            let (state, _) = weights::from_safetensors(&bytes, "format").map_err(fail)?;
            return Ok(Compressed::floats(weights::assign(network, &state).map_err(fail)?));
        }
        let fail = |source: OpenError| CliError::Archive { path: folder.path(name::MODEL), source };
        let archive = Archive::from_bytes(&bytes).map_err(|error| fail(error.into()))?;
        Compressed::open(&archive, network, self.input_shape().features(), device).map_err(fail)
    }
}

/// A run that has weights to use.
pub(crate) struct Run {
    pub(crate) folder: RunFolder,
    pub(crate) config: RunConfig,
    pub(crate) network: Compressed,
    pub(crate) device: Device,
}

impl Run {
    /// Opens a run and loads its weights.
    pub(crate) fn open(path: &Path) -> Result<Self, CliError> {
        let folder = open_folder(path)?;
        let device = Device::flex();
        if !folder.has(name::MODEL) {
            let how = match folder.has(PLAN) {
                true => "the `crucible compress` that began it".to_owned(),
                false => format!("`crucible train --resume {}`", path.display()),
            };
            let problem = format!("it has no {} yet; finish it with {how}", name::MODEL);
            return Err(CliError::NoRun { path: path.to_owned(), problem });
        }
        let config = RunConfig::read(&folder)?;
        let network = config.trained_network(&folder, &device)?;
        Ok(Self { folder, config, network, device })
    }

    /// The recipe as it ran.
    pub(crate) fn recipe(&self) -> Result<Recipe, CliError> {
        Ok(self.checked()?.value)
    }

    /// The recipe as it ran, and where its keys stand.
    pub(crate) fn checked(&self) -> Result<Checked<Recipe>, CliError> {
        Source::of_run(&self.folder)?.check(&[])
    }

    /// The recipe's data, if they are still those that the run was made with.
    pub(crate) fn data(&self, recipe: &Recipe) -> Result<Dataset, CliError> {
        let mut data = recipe.load()?;
        if recipe.transfer.is_some() {
            // As the network that training started from had them.
            data = data.clone().scaled_as(&self.config.format.input).unwrap_or(data);
        }
        self.config.check_data(&self.folder, &data)?;
        Ok(data)
    }
}

/// `1x28x28`
pub(crate) fn shape(sides: &[usize]) -> String {
    sides.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}

/// Opens a folder that holds a run of its own, finished or not, of a network that answers.
pub(crate) fn open_folder(path: &Path) -> Result<RunFolder, CliError> {
    let folder = open_any(path)?;
    if Source::of_run(&folder)?.is_gan() {
        return Err(CliError::Generator { path: path.to_owned() });
    }
    Ok(folder)
}

/// Opens a folder that holds a run of its own, finished or not.
pub(crate) fn open_any(path: &Path) -> Result<RunFolder, CliError> {
    let folder = RunFolder::open(path).map_err(|error| match error {
        TrainError::File { source, .. } => {
            let problem = match source.kind() {
                std::io::ErrorKind::NotFound if path.exists() => format!("it holds no {}", name::RECIPE),
                _ => source.to_string(),
            };
            CliError::NoRun { path: path.to_owned(), problem }
        }
        error => error.into(),
    })?;
    if folder.read(name::RECIPE)?.starts_with(shadows::MARK.as_bytes()) {
        let problem = "it holds a shadow model, whose data only the run that it is a shadow of knows; `crucible privacy \
                       attack` with that run goes on with it"
            .to_owned();
        return Err(CliError::NoRun { path: path.to_owned(), problem });
    }
    Ok(folder)
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
