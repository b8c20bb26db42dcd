//! The loop.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::module::Module;
use burn::tensor::Device;
use crucible_data::{Dataset, Examples, Task};
use crucible_models::{
    Network,
    weights::{self, State},
};

use crate::{
    Batches, EpochRecord, Event, Moment, Outcome, RunFolder, StopReason, TrainConfig, TrainError, UpdateRule,
    Updater,
    average::blend,
    checkpoint::Checkpoint,
    divergence,
    evaluate::evaluate,
    gradients::{add_l1, clip_global_norm, constrain_max_norm},
    history::History,
    metrics_log::MetricsLog,
    run_folder::name,
    schedules::Position,
};

/// Steps between two lines of the logs.
const LOG_EVERY: u64 = 50;

const PRESENT: &str = "the network is back after each step";

/// A job: what to train, on what, how, and where to leave it.
pub struct Job<'a> {
    /// The network with its initial weights, not tracked by autodiff.
    pub network: Network,
    /// The examples.
    pub data: &'a Dataset,
    /// How to train; checked against the data by [`Job::check`].
    pub config: &'a TrainConfig,
    /// Where each step's gradient comes from: [`Ordinary`](crate::Ordinary), or one with a guarantee.
    pub rule: &'a mut dyn UpdateRule,
    /// The seed of every random draw.
    pub seed: u64,
    /// Where to compute, without autodiff.
    pub device: &'a Device,
    /// Where to write. A run that was stopped in it is continued.
    pub folder: &'a RunFolder,
    /// Set from outside to stop after the step under way.
    pub stop: &'a AtomicBool,
    /// Seconds since the epoch of Unix.
    pub clock: &'a dyn Fn() -> f64,
}

impl Job<'_> {
    /// Whether the configuration fits the data.
    ///
    /// # Errors
    ///
    /// A loss that does not fit the task, a target that cannot be measured, no examples at all.
    pub fn check(config: &TrainConfig, data: &Dataset) -> Result<(), TrainError> {
        config.loss.loss().outputs(&data.format.task)?;
        if data.train.is_empty() {
            return Err(TrainError::NoExamples);
        }
        if let Some(until) = &config.until {
            if data.validation.is_none() && data.test.is_none() {
                return Err(TrainError::NothingToMeasure);
            }
            if until.accuracy.is_some() && matches!(data.format.task, Task::Regression { .. }) {
                return Err(TrainError::NoAccuracy);
            }
        }
        Ok(())
    }
}

/// Trains until the job is done, has met its target, or is told to stop.
///
/// The weights, the checkpoints and the logs are in the folder afterwards. Where the folder holds a checkpoint, training
/// continues from it, to the same bytes as if it had never stopped.
///
/// # Errors
///
/// Where the configuration does not fit the data, a file cannot be read or written, or training diverges; what was
/// saved before stays.
pub fn train(job: Job<'_>, observe: &mut dyn FnMut(Event<'_>)) -> Result<Outcome, TrainError> {
    Job::check(job.config, job.data)?;
    if job.config.privacy.is_some() != job.rule.is_private() {
        return Err(TrainError::OtherRule { asked: job.config.privacy.is_some() });
    }
    let mut trainer = Trainer::new(job)?;
    observe(Event::Start { step: trainer.history.step, steps: trainer.total_steps() });
    while trainer.history.ended.is_none() {
        if trainer.run_epoch(observe)? == Flow::Interrupted {
            trainer.save()?;
            return Ok(trainer.outcome(StopReason::Interrupted));
        }
    }
    let reason = trainer.history.ended.unwrap_or(StopReason::Completed);
    trainer.keep_best(reason)?;
    let result = trainer.result();
    trainer.rule.finish(&result, trainer.folder)?;
    let state = weights::collect(&trainer.rule.kept(result));
    trainer.folder.write(name::MODEL, &weights::to_safetensors(&state, Some(("format", "pt".to_owned()))))?;
    Ok(trainer.outcome(reason))
}

#[derive(PartialEq)]
enum Flow {
    Completed,
    Interrupted,
}

struct Trainer<'a> {
    /// Tracked by autodiff; away while the optimizer has it, so that weights are updated where they lie.
    network: Option<Network>,
    average: Option<Network>,
    updater: Updater,
    history: History,
    log: MetricsLog,
    batches: Batches<'a>,
    rule: &'a mut dyn UpdateRule,
    /// The learning rate of the latest step, or of the one about to be taken.
    lr: f64,
    data: &'a Dataset,
    config: &'a TrainConfig,
    device: &'a Device,
    folder: &'a RunFolder,
    stop: &'a AtomicBool,
    clock: &'a dyn Fn() -> f64,
    /// When this sitting began, less what earlier ones took.
    started: f64,
    saved: f64,
}

impl<'a> Trainer<'a> {
    fn new(job: Job<'a>) -> Result<Self, TrainError> {
        let Job { network, data, config, rule, seed, device, folder, stop, clock } = job;
        let now = clock();
        let mut updater = Updater::new(config.optimizer.optimizer());
        let misfit = |source| TrainError::Weights { path: folder.path(name::LAST), source };
        let (network, average, history) = match Checkpoint::load(folder)? {
            None => (network.clone(), config.ema.map(|_| network), History::default()),
            Some(Checkpoint { model, average, optimizer, rule: learned, history }) => {
                let damaged = |problem| TrainError::Damaged { path: folder.path(name::LAST), problem };
                updater.restore(&optimizer, device).map_err(damaged)?;
                rule.restore(&learned).map_err(damaged)?;
                // Not a clone: clones share their running statistics, and the next line assigns others to them.
                let average = average.map(|state| weights::assign(network.valid(), &state));
                (
                    weights::assign(network, &model).map_err(misfit)?,
                    average.transpose().map_err(misfit)?,
                    history,
                )
            }
        };
        let outputs = config.loss.loss().outputs(&data.format.task)?;
        let log = MetricsLog::open(folder, history.metrics_bytes, history.events_bytes, now)?;
        let batches = Batches {
            examples: &data.train,
            loss: config.loss.loss(),
            outputs,
            seed,
            device: device.clone().autodiff(),
            batch_size: config.batch_size,
            full_batch: config.optimizer.optimizer().full_batch(),
            lengths: data.train.lengths().filter(|_| config.group_by_length != Some(false)),
        };
        rule.begin(&batches, folder, history.step)?;
        let started = now - history.seconds;
        let network = network.train();
        Ok(Self {
            network: Some(network),
            average,
            updater,
            history,
            log,
            batches,
            rule,
            lr: 0.0,
            data,
            config,
            device,
            folder,
            stop,
            clock,
            started,
            saved: now,
        })
    }

    fn network(&self) -> &Network {
        self.network.as_ref().expect(PRESENT)
    }

    fn steps_per_epoch(&self) -> u64 {
        self.config.steps_per_epoch(self.data.train.len())
    }

    fn total_steps(&self) -> u64 {
        self.config.epochs * self.steps_per_epoch()
    }

    fn run_epoch(&mut self, observe: &mut dyn FnMut(Event<'_>)) -> Result<Flow, TrainError> {
        let epoch = self.history.epochs.len() as u64 + 1;
        let steps = self.steps_per_epoch();
        let mut exhausted = false;
        self.lr = self.next_lr();
        while self.history.epoch_step < steps {
            self.lr = self.next_lr();
            let moment = self.moment(epoch);
            let Some(indices) = self.rule.sample(&self.batches, moment)? else {
                exhausted = true;
                break;
            };
            let loss = self.step(&indices, moment)?;
            observe(Event::Step { step: self.history.step, examples: indices.len() as u64, loss });
            if self.history.step.is_multiple_of(LOG_EVERY) {
                self.log.step(self.history.step, loss, self.lr, (self.clock)())?;
            }
            // The last step of an epoch is saved with the epoch's measurements.
            if self.history.epoch_step < steps {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(Flow::Interrupted);
                }
                if self.is_checkpoint_due() {
                    self.save()?;
                }
            }
        }
        if exhausted && self.history.epoch_step == 0 {
            self.history.ended = Some(StopReason::BudgetSpent);
            self.save()?;
            return Ok(Flow::Completed);
        }
        self.complete_epoch(epoch, exhausted, observe)?;
        let stopped = self.stop.load(Ordering::Relaxed) && self.history.ended.is_none();
        Ok(if stopped { Flow::Interrupted } else { Flow::Completed })
    }

    /// Where the job stands before its next step.
    fn moment(&self, epoch: u64) -> Moment {
        let History { step, epoch_step, .. } = self.history;
        Moment { step: step + 1, epoch, epoch_step, progress: step as f64 / self.total_steps() as f64 }
    }

    fn next_lr(&self) -> f64 {
        let losses = self.history.losses();
        let (step, steps) = (self.history.step, self.total_steps());
        let position = Position { step, steps, epoch: self.history.epochs.len() as u64, losses: &losses };
        let warmup = self.config.warmup_steps;
        let rise = if step < warmup { (step + 1) as f64 / (warmup + 1) as f64 } else { 1.0 };
        self.config.optimizer.optimizer().lr() * rise * self.config.schedule.schedule().factor(position)
    }

    fn step(&mut self, indices: &[u32], moment: Moment) -> Result<f64, TrainError> {
        let Moment { step, epoch, .. } = moment;
        let network = self.network.as_ref().expect(PRESENT);
        let (loss, mut gradients) = self.rule.gradient(network, &self.batches, indices, moment)?;
        if !loss.is_finite() {
            let weights = weights::collect(network);
            let place = divergence::locate(&network.valid(), &weights, self.batches.inputs(indices).inner());
            return Err(TrainError::Diverged { step, epoch, lr: self.lr, place });
        }
        let regularization = &self.config.regularization;
        if regularization.l1 > 0.0 {
            gradients = add_l1(network, gradients, regularization.l1);
        }
        if let Some(max_norm) = self.config.clip_norm {
            gradients = clip_global_norm(network, gradients, max_norm);
        }
        let network = self.network.take().expect(PRESENT);
        let (lr, rule) = (self.lr, &self.rule);
        let rate = |parameter: &str| lr * rule.rate(parameter, moment);
        let mut network = self.updater.step(network, gradients, &rate);
        if let Some(max_norm) = regularization.max_norm {
            network = constrain_max_norm(network, max_norm);
        }
        network = self.rule.settle(network);
        if let (Some(average), Some(decay)) = (self.average.take(), self.config.ema) {
            self.average = Some(blend(average, &network.valid(), decay));
        }
        self.network = Some(network);
        self.history.step = step;
        self.history.epoch_step += 1;
        self.history.epoch_loss.record_many(loss, indices.len() as u64);
        Ok(loss)
    }

    /// The network to measure and keep.
    fn result(&self) -> Network {
        self.rule.deployed(self.average.clone().unwrap_or_else(|| self.network().valid()))
    }

    fn complete_epoch(
        &mut self,
        epoch: u64,
        exhausted: bool,
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), TrainError> {
        self.finite_weights()?;
        let network = self.result();
        let measure = |examples: &Option<Examples>| {
            examples.as_ref().map(|examples| {
                evaluate(&network, examples, self.batches.loss, &self.data.format.task, self.device)
            })
        };
        let (validation, test) = (measure(&self.data.validation), measure(&self.data.test));
        let record = EpochRecord {
            epoch,
            epochs: self.config.epochs,
            step: self.history.step,
            loss: self.history.epoch_loss.value().unwrap_or(0.0),
            lr: self.lr,
            validation_loss: validation.as_ref().map(|e| e.loss),
            validation_accuracy: validation.as_ref().and_then(|e| e.accuracy),
            test_loss: test.as_ref().map(|e| e.loss),
            test_accuracy: test.as_ref().and_then(|e| e.accuracy),
            seconds: (self.clock)() - self.started,
        };
        if [record.validation_loss, record.test_loss].into_iter().flatten().any(|loss| !loss.is_finite()) {
            let place = "the loss on the held-out examples is not finite".to_owned();
            return Err(TrainError::Diverged { step: self.history.step, epoch, lr: self.lr, place });
        }
        self.log.epoch(&record, (self.clock)())?;
        observe(Event::Epoch(&record));
        if self.history.complete_epoch(record) {
            let state = weights::collect(&network);
            self.folder
                .write(name::BEST, &weights::to_safetensors(&state, Some(("format", "pt".to_owned()))))?;
        }
        let spent = exhausted.then_some(StopReason::BudgetSpent);
        self.history.ended = spent.or_else(|| self.history.verdict(self.config));
        self.save()
    }

    fn is_checkpoint_due(&self) -> bool {
        let checkpoint = &self.config.checkpoint;
        checkpoint.every_steps.is_some_and(|every| self.history.step.is_multiple_of(every))
            || (self.clock)() - self.saved >= checkpoint.every_minutes * 60.0
    }

    /// The weights, to be saved only where all of them are finite.
    fn finite_weights(&self) -> Result<State, TrainError> {
        let model = weights::collect(self.network());
        let Some(parameter) = divergence::bad_parameter(&model) else { return Ok(model) };
        let place = format!("the parameter `{parameter}` is not finite after this step");
        let epoch = self.history.epochs.len() as u64 + 1;
        Err(TrainError::Diverged { step: self.history.step, epoch, lr: self.lr, place })
    }

    fn save(&mut self) -> Result<(), TrainError> {
        let model = self.finite_weights()?;
        self.saved = (self.clock)();
        self.history.seconds = self.saved - self.started;
        self.log.sync()?;
        (self.history.metrics_bytes, self.history.events_bytes) = self.log.lengths();
        let average = self.average.as_ref().map(weights::collect);
        let checkpoint = Checkpoint {
            model,
            average,
            optimizer: self.updater.state(),
            rule: self.rule.state(),
            history: self.history.clone(),
        };
        checkpoint.save(self.folder)
    }

    /// After early stopping, the weights of the best epoch are the result.
    fn keep_best(&mut self, reason: StopReason) -> Result<(), TrainError> {
        if reason != StopReason::EarlyStopped {
            return Ok(());
        }
        let path = || self.folder.path(name::BEST);
        let (state, _) = weights::from_safetensors(&self.folder.read(name::BEST)?, "format")
            .map_err(|source| TrainError::Weights { path: path(), source })?;
        let best = weights::assign(self.result(), &state);
        self.average = Some(best.map_err(|source| TrainError::Weights { path: path(), source })?);
        Ok(())
    }

    fn outcome(self, reason: StopReason) -> Outcome {
        let network = self.rule.kept(self.result());
        let History { epochs, best_epoch, step, seconds, .. } = self.history;
        Outcome { network, reason, epochs, best_epoch, steps: step, seconds }
    }
}
