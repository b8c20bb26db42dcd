//! What was asked for, where it takes training, and one step of pruning.

use std::path::{Path, PathBuf};

use crucible_compress::{
    QuantizeConfig,
    pruning::{CriterionConfig, Shrunk, Structured, apply, masks, share_after, shrink},
};
use crucible_models::{Architecture, Graph};
use crucible_train::RunFolder;
use serde::{Deserialize, Serialize};

use super::Args;
use crate::{
    error::CliError,
    findings::{self, Ending},
    run::{Run, RunConfig, parse},
    settings::{choose, override_settings},
};

/// The plan of a run that was compressed by training, or is being; where it is, `train --resume` would train another network.
pub(crate) const PLAN: &str = "compress/plan.json";

/// The weights that training begins with.
pub(crate) const START: &str = "start.safetensors";

/// Raised whenever a plan changes its meaning.
const VERSION: u32 = 2;

/// `compress/plan.json`: who goes on with it must ask for the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Plan {
    version: u32,
    source: PathBuf,
    pub(super) integers: Option<Integers>,
    pub(super) prune: Option<Prune>,
    /// Bits of shared values.
    pub(super) share: Option<u8>,
    pub(super) code: bool,
}

/// Which integers, and how the network is trained with them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Integers {
    pub(super) config: QuantizeConfig,
    /// Examples that activations are seen on.
    pub(super) examples: u32,
    pub(super) budget: Option<Budget>,
    /// Epochs of training that knows of the integers.
    pub(super) epochs: u64,
    pub(super) lr: Option<f64>,
}

/// How long layers get more bits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Budget {
    /// As long as the file is at most this share of the floats'.
    Size(f64),
    /// Until accuracy falls by so many points at most.
    Drop(f64),
}

/// What goes, and how the rest is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Prune {
    pub(super) share: f64,
    pub(super) what: What,
    pub(super) rounds: u32,
    pub(super) epochs: u64,
    pub(super) lr: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum What {
    Weights(CriterionConfig),
    Channels(Structured),
}

impl Plan {
    pub(super) fn new(args: &Args, path: &Path) -> Result<Self, CliError> {
        if args.int8 || args.int4 {
            let words = if args.int8 { "--int8" } else { "--int4" };
            return Err(CliError::Usage(format!(
                "{words} goes with neither --prune, --share nor --code; prune first, and compress the pruned run with {words}"
            )));
        }
        let prune = args.prune.map(|share| Prune::new(args, share)).transpose()?;
        let (share, code) = (args.share, args.code);
        Ok(Self { prune, share, code, ..Self::empty(path)? })
    }

    fn empty(path: &Path) -> Result<Self, CliError> {
        let absolute = |source| CliError::File { action: "find", path: path.to_owned(), source };
        let source = std::path::absolute(path).map_err(absolute)?;
        Ok(Self { version: VERSION, source, integers: None, prune: None, share: None, code: false })
    }

    /// That of a network in integers.
    pub(super) fn integers(integers: Integers, path: &Path) -> Result<Self, CliError> {
        Ok(Self { integers: Some(integers), ..Self::empty(path)? })
    }

    /// The folder of the new run, made, or gone on with where the same was asked for and is not done: where the report has
    /// no section `section` yet.
    pub(super) fn begin(
        &self,
        out: &Path,
        section: &str,
        recipe: &str,
        before: &Run,
        architecture: &Architecture,
    ) -> Result<RunFolder, CliError> {
        let begun = RunFolder::open(out).ok().filter(|folder| folder.has(PLAN));
        let folder = match begun.filter(|folder| !folder.has(&findings::kept(section))) {
            Some(folder) => {
                let begun: Self = parse(&folder, PLAN)?;
                if begun != *self {
                    return Err(CliError::Usage(format!(
                        "{} was begun with other words: {}; go on with those, or choose another --out",
                        out.display(),
                        begun.describe()
                    )));
                }
                folder
            }
            None => RunFolder::create(out, recipe)?,
        };
        folder.write(PLAN, &serde_json::to_vec_pretty(self).expect("plain data"))?;
        RunConfig { architecture: architecture.clone(), ..before.config.clone() }.write(&folder)?;
        if let Ok(ending) = Ending::read(&before.folder) {
            ending.write(&folder)?;
        }
        Ok(folder)
    }

    /// In words that the report shows.
    pub(super) fn describe(&self) -> String {
        let Self { integers, prune, share, code, .. } = self;
        match integers {
            Some(integers) => serde_json::json!(integers),
            None => serde_json::json!({ "prune": prune, "share": share, "code": code }),
        }
        .to_string()
    }
}

impl Prune {
    fn new(args: &Args, share: f64) -> Result<Self, CliError> {
        let what = match args.structured {
            true => What::Channels(override_settings(&Structured::default(), &args.set)?),
            false => What::Weights(choose("criterion", &CriterionConfig::all(), &args.criterion, &args.set)?),
        };
        let gradual = match &what {
            What::Weights(config) => {
                config.criterion().check(share)?;
                config.criterion().is_gradual()
            }
            What::Channels(_) => false,
        };
        let rounds = match (gradual, args.rounds) {
            (true, rounds) => rounds.unwrap_or(3),
            (false, None | Some(1)) => 1,
            (false, Some(_)) => {
                let problem =
                    "--rounds is for single weights; whole channels and 2:4 are removed in one round";
                return Err(CliError::Usage(problem.to_owned()));
            }
        };
        let epochs = args.epochs.unwrap_or(2);
        Ok(Self { share, what, rounds, epochs, lr: learning_rate(args)? })
    }

    /// What the recipe of a round changes.
    pub(super) fn overrides(&self) -> Vec<String> {
        overrides(self.epochs, self.lr)
    }

    /// The share that is pruned after a round, from 1.
    pub(super) fn share_after(&self, round: u32) -> f64 {
        share_after(self.share, round, self.rounds)
    }

    /// The network after the pruning of a round.
    pub(super) fn step(&self, network: &Shrunk, graph: &Graph, round: u32) -> Result<Shrunk, CliError> {
        let share = self.share_after(round);
        match &self.what {
            What::Weights(config) => {
                let masks = masks(graph, &network.state, config.criterion(), share)?;
                let mut pruned = network.clone();
                apply(&masks, &mut pruned.state);
                Ok(pruned)
            }
            What::Channels(settings) => {
                Ok(shrink(&network.architecture, graph, &network.state, settings, share)?)
            }
        }
    }
}

/// The learning rate that was asked for.
pub(super) fn learning_rate(args: &Args) -> Result<Option<f64>, CliError> {
    match args.lr.filter(|lr| !(lr.is_finite() && *lr > 0.0)) {
        Some(lr) => Err(CliError::Usage(format!("--lr {lr}: a learning rate is a number above 0"))),
        None => Ok(args.lr),
    }
}

/// What the recipe of such training changes.
pub(super) fn overrides(epochs: u64, lr: Option<f64>) -> Vec<String> {
    let epochs = (epochs > 0).then(|| format!("train.epochs={epochs}"));
    let lr = lr.map(|lr| format!("train.optimizer.lr={lr:?}"));
    epochs.into_iter().chain(lr).collect()
}
