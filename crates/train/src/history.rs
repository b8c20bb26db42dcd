//! Everything that training remembers besides tensors.

use crucible_measure::Mean;
use serde::{Deserialize, Serialize};

use crate::{EpochRecord, StopReason, TrainConfig};

/// Counters and records; together with the tensors of a checkpoint, the whole state of training.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct History {
    /// Steps taken.
    pub(crate) step: u64,
    /// Steps taken in the epoch under way.
    pub(crate) epoch_step: u64,
    /// Training loss of the epoch under way.
    pub(crate) epoch_loss: Mean,
    /// Completed epochs.
    pub(crate) epochs: Vec<EpochRecord>,
    /// The epoch with the lowest monitored loss.
    pub(crate) best_epoch: Option<u64>,
    /// Why training ended, once it has.
    pub(crate) ended: Option<StopReason>,
    /// Seconds of training, over all sittings.
    pub(crate) seconds: f64,
    /// Length of the metrics log.
    pub(crate) metrics_bytes: u64,
    /// Length of the TensorBoard log.
    pub(crate) events_bytes: u64,
}

impl History {
    /// The monitored loss of each completed epoch.
    pub(crate) fn losses(&self) -> Vec<f64> {
        self.epochs.iter().map(EpochRecord::monitored).collect()
    }

    /// Adds an epoch; whether it is the best so far.
    pub(crate) fn complete_epoch(&mut self, record: EpochRecord) -> bool {
        let best = self.best_epoch.and_then(|best| self.epochs.iter().find(|record| record.epoch == best));
        let improved = best.is_none_or(|best| record.monitored() < best.monitored());
        if improved {
            self.best_epoch = Some(record.epoch);
        }
        self.epochs.push(record);
        (self.epoch_step, self.epoch_loss) = (0, Mean::default());
        improved
    }

    /// Whether the last epoch ends training, and why.
    pub(crate) fn verdict(&self, config: &TrainConfig) -> Option<StopReason> {
        let last = self.epochs.last()?;
        let met = config.until.as_ref().is_some_and(|until| {
            let loss = last.validation_loss.or(last.test_loss);
            let accuracy = last.validation_accuracy.or(last.test_accuracy);
            loss.is_some_and(|loss| until.is_met(loss, accuracy))
        });
        if met {
            return Some(StopReason::TargetMet);
        }
        let patience = config.early_stopping.as_ref();
        if patience.is_some_and(|stopping| waited(&self.losses(), stopping.min_delta) >= stopping.patience) {
            return Some(StopReason::EarlyStopped);
        }
        (last.epoch >= config.epochs).then_some(StopReason::Completed)
    }
}

/// Epochs since the loss last fell by more than `min_delta` below its lowest.
fn waited(losses: &[f64], min_delta: f64) -> u64 {
    let (mut best, mut waited) = (f64::INFINITY, 0);
    for &loss in losses {
        if loss < best - min_delta {
            (best, waited) = (loss, 0);
        } else {
            waited += 1;
        }
    }
    waited
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EarlyStopping, Until};

    fn record(epoch: u64, loss: f64, accuracy: f64) -> EpochRecord {
        EpochRecord {
            epoch,
            epochs: 10,
            step: epoch,
            loss,
            lr: 0.1,
            validation_loss: Some(loss),
            validation_accuracy: Some(accuracy),
            test_loss: None,
            test_accuracy: None,
            seconds: 0.0,
        }
    }

    fn verdict_after(losses: &[f64], config: &TrainConfig) -> (Option<StopReason>, Option<u64>) {
        let mut history = History::default();
        for (epoch, &loss) in (1..).zip(losses) {
            history.complete_epoch(record(epoch, loss, 1.0 - loss));
        }
        (history.verdict(config), history.best_epoch)
    }

    #[test]
    fn patience_counts_epochs_without_a_lower_loss() {
        let early_stopping = Some(EarlyStopping { patience: 2, min_delta: 0.05 });
        let config = TrainConfig { early_stopping, ..TrainConfig::default() };
        assert_eq!(verdict_after(&[0.5, 0.4, 0.41], &config), (None, Some(2)));
        assert_eq!(
            verdict_after(&[0.5, 0.4, 0.41, 0.42], &config),
            (Some(StopReason::EarlyStopped), Some(2))
        );
        // 0.38 is the best, but not by enough to count.
        assert_eq!(
            verdict_after(&[0.5, 0.4, 0.39, 0.38], &config),
            (Some(StopReason::EarlyStopped), Some(4))
        );
    }

    #[test]
    fn a_met_target_ends_training_and_an_unmet_one_does_not() {
        let until = Some(Until { accuracy: Some(0.7), loss: None });
        let config = TrainConfig { until, epochs: 3, ..TrainConfig::default() };
        assert_eq!(verdict_after(&[0.5], &config).0, None);
        assert_eq!(verdict_after(&[0.5, 0.3], &config).0, Some(StopReason::TargetMet));
        assert_eq!(verdict_after(&[0.5, 0.4, 0.4], &config).0, Some(StopReason::Completed));
    }
}
