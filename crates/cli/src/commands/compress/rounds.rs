//! Rounds of pruning and training, each in a run folder of its own, until they are done. What is pruned is found anew from
//! the zeros of a round's starting weights.

use burn::tensor::Device;
use crucible_compress::{
    CompressError,
    pruning::{Masked, Shrunk, masks_of_zeros},
};
use crucible_models::{Graph, weights::State};
use crucible_train::{UpdateRule, Wrapped};

use super::{
    plan::Prune,
    training::{Start, Trained, Training, built},
};
use crate::{
    error::CliError,
    findings::{Ending, pruning::Round},
    rule::rule,
    run::RunConfig,
};

/// What all rounds share.
pub(super) struct Rounds<'a> {
    pub(super) plan: &'a Prune,
    pub(super) training: Training<'a>,
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

/// The place of a round's folder in the run's.
pub(super) fn place(round: u32) -> String {
    format!("compress/round-{round}")
}

/// The recipe's words for this architecture.
pub(super) fn model(network: &Shrunk) -> String {
    let json = serde_json::to_value(&network.architecture).expect("plain data");
    format!("model={}", crate::pretrained::inline(&json))
}

impl Rounds<'_> {
    /// What a round's recipe changes.
    fn overrides(&self, network: &Shrunk) -> Vec<String> {
        let mut overrides = self.plan.overrides();
        if network.architecture != self.training.config.architecture {
            overrides.push(model(network));
        }
        overrides
    }

    /// All rounds that are not done yet, from the network of the run that is pruned.
    pub(super) fn run(&self, mut network: Shrunk) -> Result<Reached, CliError> {
        let mut rounds = Vec::new();
        for round in 1..=self.plan.rounds {
            network = self.plan.step(
                &network,
                &graph(self.training.config, &network, self.training.device)?,
                round,
            )?;
            let share = self.plan.share_after(round);
            let (mut loss, mut accuracy) = (None, None);
            if self.plan.epochs > 0 {
                self.training.output.line(format!(
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
        let (data, device) = (self.training.data, self.training.device);
        let masked = |start: Start<'_>| -> Result<Box<dyn UpdateRule>, CliError> {
            let Start { recipe, config, network, weights } = start;
            let masks = masks_of_zeros(&graph(config, weights, device)?, &weights.state);
            let rule = rule(&recipe.value, &recipe.places, config, network, data, device)?;
            Ok(Box::new(Wrapped::new(rule, Masked::new(&masks, device))))
        };
        let (place, overrides) = (place(round), self.overrides(network));
        match self.training.run(&place, &overrides, u64::from(round), network, masked)? {
            Trained::End { ending, state, .. } => Ok(Ok((ending, state))),
            Trained::Stop { step } => Ok(Err(step)),
        }
    }
}
