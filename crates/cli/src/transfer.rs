//! The recipe's `[transfer]` table: the network that training starts from, and what of it is trained on.

use std::path::PathBuf;

use burn::module::Module;
use burn::tensor::Device;
use crucible_data::{Dataset, InputFormat, Task};
use crucible_models::{
    Architecture, InputShape, Network,
    weights::{
        self,
        names::{self, Mapped},
    },
};
use crucible_recipe::{Places as Text, Problems};
use crucible_train::{
    UpdateRule, Wrapped,
    run_folder::name,
    transfer::{FineTuning, LinearProbe, Lora, Mode, Parameters, Places},
};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::CliError,
    pretrained,
    recipe::Recipe,
    rule::rule,
    run::{Run, RunConfig, shape},
};

/// Start from a network that was trained before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Transfer {
    /// The folder of its run, as whose pictures these are scaled; or weights from elsewhere: a safetensors or PyTorch file,
    /// or a folder with one, of an encoder of Hugging Face's also with its config.json and tokenizer.json. `hf:owner/name`
    /// is such a folder on Hugging Face's hub, which is fetched into the hub's cache, at `hf:owner/name@revision` if not at
    /// `main`. A run or such an encoder says what `[model]` is, where that names none, and brings the tokenizer of texts.
    pub(crate) from: PathBuf,
    /// The layer that tells classes apart, the last one.
    #[serde(default)]
    pub(crate) head: Head,
    /// What is trained on.
    #[serde(flatten)]
    pub(crate) mode: Mode,
}

/// What becomes of the last layer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Head {
    /// A fresh one takes its place.
    #[default]
    New,
    /// It is trained on, for as many classes as before.
    Keep,
}

/// A job that is ready to begin: what to train, on what, and by which rule.
pub(crate) struct Start {
    pub(crate) network: Network,
    pub(crate) rule: Box<dyn UpdateRule>,
    /// The features that a linear probe is trained on in the place of the data.
    pub(crate) features: Option<Dataset>,
}

/// What examples a linear probe is trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probed {
    /// Features, which are computed once.
    Features,
    /// The data themselves, through the whole network.
    Inputs,
}

/// The start of a recipe's training, whose text stands at `text`. All problems at once.
pub(crate) fn start(
    recipe: &Recipe,
    text: &Text,
    config: &RunConfig,
    seed: u64,
    data: &Dataset,
    probed: Probed,
    device: &Device,
) -> Result<Start, CliError> {
    check_lengths(recipe, text, config)?;
    let fresh = config.fresh_network(seed, device)?;
    let Some(transfer) = &recipe.transfer else {
        let rule = rule(recipe, text, config, &fresh, data, device)?;
        return Ok(Start { network: fresh, rule, features: None });
    };
    let features = config.input_shape().features();
    let places = Places::new(&fresh, features, device);
    let mut problems = transfer.problems(recipe, text, &places);
    if let Err(problem) = transfer.mode.way().adapted(fresh.clone(), &mut adapters_of(seed)) {
        problems.add(text, "transfer.targets", problem, None);
    }
    let source = transfer
        .weights(config, &fresh)
        .map_err(|problem| problems.add(text, "transfer.from", problem, None));
    problems.into_result().map_err(CliError::Recipe)?;
    let Ok(source) = source else { unreachable!("told above") };

    let started = transfer.started(source, fresh, &places)?;
    let way = transfer.mode.way();
    let network = way.adapted(started, &mut adapters_of(seed)).map_err(CliError::Usage)?;
    let places = Places::new(&network, features, device);
    if matches!(transfer.mode, Mode::Probe(_)) && probed == Probed::Features {
        return probe(recipe, text, config, network, &places, data, device);
    }
    let rule = rule(recipe, text, config, &network, data, device)?;
    let network = FineTuning::frozen(&transfer.mode, &places, network);
    let base = transfer.from.display().to_string();
    Ok(Start {
        network,
        rule: Box::new(Wrapped::new(rule, FineTuning::new(transfer.mode.clone(), places, &base))),
        features: None,
    })
}

/// What adapters draw from.
fn adapters_of(seed: u64) -> ChaCha8Rng {
    crucible_data::seed::stream(seed, "adapters", 0)
}

/// Refuses batches of examples of like length where all have the same.
fn check_lengths(recipe: &Recipe, text: &Text, config: &RunConfig) -> Result<(), CliError> {
    let mut problems = Problems::none(text);
    let is_text = matches!(config.format.input, InputFormat::Text { .. });
    if recipe.train.group_by_length == Some(true) && !is_text {
        let problem = "only texts differ in length, and the data are none";
        problems.add(text, "train.group_by_length", problem, Some("leave it out".to_owned()));
    }
    problems.into_result().map_err(CliError::Recipe)
}

/// A linear layer on the features of a network.
fn probe(
    recipe: &Recipe,
    text: &Text,
    config: &RunConfig,
    network: Network,
    places: &Places,
    data: &Dataset,
    device: &Device,
) -> Result<Start, CliError> {
    let features = LinearProbe::features(&network, data, device);
    let count = features.train.input_len();
    let linear = serde_json::json!({ "name": "mlp", "hidden": [] });
    let linear: Architecture = serde_json::from_value(linear).expect("an architecture without hidden layers");
    let mut rng = crucible_data::seed::stream(0, "weights", 0);
    let layer = linear.init(InputShape::Features { count }, config.outputs, &mut rng, device)?;
    let layer = weights::assign(layer, &LinearProbe::layer(&weights::collect(&network), places))?;
    let small = RunConfig { architecture: linear, format: features.format.clone(), ..config.clone() };
    let rule = rule(recipe, text, &small, &layer, &features, device)?;
    let rule = Box::new(Wrapped::new(rule, LinearProbe::new(network, places)));
    Ok(Start { network: layer, rule, features: Some(features) })
}

impl Transfer {
    /// The data as the network that training starts from reads them.
    pub(crate) fn scaled(&self, data: Dataset) -> Result<Dataset, CliError> {
        if !self.is_run() {
            return Ok(data);
        }
        let config = Run::open(&self.from)?.config;
        let [given, wanted] = [&data.format, &config.format].map(|format| shape(&format.input.shape()));
        let texts =
            [&data.format.input, &config.format.input].map(|input| matches!(input, InputFormat::Text { .. }));
        if texts == [true; 2] {
            let other = format!(
                "`transfer.from`: {} reads the tokens of another tokenizer than `data.tokenizer`; leave that out",
                self.from.display()
            );
            return data.scaled_as(&config.format.input).ok_or(CliError::Usage(other));
        }
        let other = format!(
            "`transfer.from`: one input of {} is {wanted}, with its columns and levels, and here {given}",
            self.from.display()
        );
        data.scaled_as(&config.format.input).ok_or(CliError::Usage(other))
    }

    /// What does not go with the rest of the recipe.
    fn problems(&self, recipe: &Recipe, text: &Text, places: &Places) -> Problems {
        let mut problems = Problems::none(text);
        if let Err(problem) = self.mode.way().check(places) {
            problems.add(text, "transfer.layers", problem, None);
        }
        if recipe.train.privacy.is_some() && matches!(self.mode, Mode::BitFit(_)) {
            let problem = "`train.privacy` clips gradients for whole layers, and `bit-fit` trains biases";
            let help = "take `probe`, `lora`, `layers` or `full`".to_owned();
            problems.add(text, "transfer.mode", problem, Some(help));
        }
        if let (Some(_), Mode::Lora(Lora { dora: true, .. })) = (&recipe.train.privacy, &self.mode) {
            let problem =
                "`train.privacy` has no rule for the gradients of the lengths of rows that `dora` trains";
            problems.add(text, "transfer.dora", problem, Some("take `lora` without it".to_owned()));
        }
        let other = [("defence", recipe.defence.is_some()), ("distill", recipe.distill.is_some())];
        for (table, _) in other.into_iter().filter(|(_, given)| *given && matches!(self.mode, Mode::Probe(_)))
        {
            let problem = "a linear probe is trained on features, and never sees the inputs that this needs";
            problems.add(text, table, problem, Some("take another `transfer.mode`".to_owned()));
        }
        problems
    }

    /// Whether training starts from a run, and not from weights from elsewhere.
    pub(crate) fn is_run(&self) -> bool {
        self.from.join(name::RECIPE).exists() || !self.from.exists()
    }

    /// The weights that training starts from, under this network's names.
    fn weights(&self, config: &RunConfig, network: &Network) -> Result<Mapped, String> {
        if !self.is_run() && pretrained::is_folder(&self.from) {
            let keeps = self.head == Head::Keep;
            let found = pretrained::weights(&self.from, &config.architecture, network, keeps);
            if let Some(state) = found.map_err(|error| error.to_string())? {
                return Ok(Mapped::ours(state));
            }
        }
        let state = if self.is_run() {
            let run = Run::open(&self.from).map_err(|error| error.to_string())?;
            self.fits(&run, config)?;
            weights::collect(run.network.network())
        } else {
            weights::open(&self.from).map_err(|error| error.to_string())?.state
        };
        names::mapped(state, &config.architecture).map_err(|error| error.to_string())
    }

    /// Whether a network can take a run's weights.
    fn fits(&self, run: &Run, config: &RunConfig) -> Result<(), String> {
        let here = &config.architecture;
        if run.config.architecture != *here {
            let [theirs, ours] = [&run.config.architecture, here]
                .map(|architecture| serde_json::to_string(architecture).expect("plain data"));
            return Err(format!(
                "its network is {theirs}, and `model` is {ours}; give `model` the same keys"
            ));
        }
        let count = |config: &RunConfig| match &config.format.task {
            Task::Classification { classes } => classes.len(),
            Task::Regression { targets, .. } => targets.len(),
        };
        if self.head == Head::Keep
            && (run.config.outputs, count(&run.config)) != (config.outputs, count(config))
        {
            let [theirs, ours] = [count(&run.config), count(config)];
            return Err(format!(
                "its last layer tells {theirs} classes apart, and here are {ours}; `transfer.head = \"new\"` makes another"
            ));
        }
        Ok(())
    }

    /// The network with these weights, but for a last layer that is new.
    fn started(&self, mut source: Mapped, fresh: Network, places: &Places) -> Result<Network, CliError> {
        if !self.mode.way().takes_over() {
            return Ok(fresh);
        }
        if self.head == Head::New {
            let is_head = |name: &str| places.get(name).is_some_and(|place| place.is_head);
            let own = weights::collect(&fresh);
            source.state.extend(own.into_iter().filter(|(name, _)| is_head(name)));
        }
        Ok(source.assign(fresh.valid())?)
    }

    /// How many parameters of a network are trained on, of how many.
    pub(crate) fn parameters(&self, network: &Network, features: usize, device: &Device) -> Parameters {
        // What is drawn does not matter.
        let adapted = self.mode.way().adapted(network.clone(), &mut adapters_of(0));
        let places = Places::new(adapted.as_ref().unwrap_or(network), features, device);
        Parameters::of(&self.mode, &places)
    }
}
