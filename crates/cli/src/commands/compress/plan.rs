//! What pruning, sharing and coding were asked for, and one step of it.

use std::path::{Path, PathBuf};

use crucible_compress::pruning::{CriterionConfig, Shrunk, Structured, apply, masks, share_after, shrink};
use crucible_models::Graph;
use serde::{Deserialize, Serialize};

use super::Args;
use crate::{
    error::CliError,
    settings::{choose, override_settings},
};

/// The plan of a run that was pruned, or is being; where it is, `train --resume` would train another network.
pub(crate) const PLAN: &str = "prune/plan.json";

/// The weights that a round's training begins with.
pub(crate) const START: &str = "start.safetensors";

/// Raised whenever a plan changes its meaning.
const VERSION: u32 = 1;

/// `prune/plan.json`: who goes on with it must ask for the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Plan {
    version: u32,
    source: PathBuf,
    pub(super) prune: Option<Prune>,
    /// Bits of shared values.
    pub(super) share: Option<u8>,
    pub(super) code: bool,
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
        let absolute = |source| CliError::File { action: "find", path: path.to_owned(), source };
        let source = std::path::absolute(path).map_err(absolute)?;
        let prune = args.prune.map(|share| Prune::new(args, share)).transpose()?;
        Ok(Self { version: VERSION, source, prune, share: args.share, code: args.code })
    }

    /// In words that the report shows.
    pub(super) fn describe(&self) -> String {
        let Self { prune, share, code, .. } = self;
        let plain = serde_json::json!({ "prune": prune, "share": share, "code": code });
        plain.to_string()
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
        if let Some(lr) = args.lr.filter(|lr| !(lr.is_finite() && *lr > 0.0)) {
            return Err(CliError::Usage(format!("--lr {lr}: a learning rate is a number above 0")));
        }
        Ok(Self { share, what, rounds, epochs: args.epochs, lr: args.lr })
    }

    /// What the recipe of a round changes.
    pub(super) fn overrides(&self) -> Vec<String> {
        let epochs = (self.epochs > 0).then(|| format!("train.epochs={}", self.epochs));
        let lr = self.lr.map(|lr| format!("train.optimizer.lr={lr:?}"));
        epochs.into_iter().chain(lr).collect()
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
