//! The loop of a pair.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use crucible_data::{Dataset, epoch_order};
use crucible_models::{
    Discriminates, Generates, Generator,
    generators::Drawing,
    weights::{self, State},
};
use serde::Serialize;

use super::{
    Alarm, GanConfig, Pair, PairEvent, PairOutcome, PairRecord,
    critic::{Arena, Judged},
    history::PairHistory,
    pair::Contestants,
    samples::Sheet,
};
use crate::{
    RunFolder, StopReason, TrainError, average::blend, checkpoint::Checkpoint, divergence,
    metrics_log::MetricsLog, run_folder::name, schedules::Position,
};

/// Steps between two lines of the logs.
const LOG_EVERY: u64 = 50;

/// A job: which pair to train, on what, how, and where to leave it.
pub struct PairJob<'a> {
    /// Both networks with their initial weights, not tracked by autodiff.
    pub pair: Pair,
    /// What the generator makes.
    pub drawing: Drawing,
    /// The real pictures, of values from −1 to 1.
    pub data: &'a Dataset,
    /// How to train.
    pub config: &'a GanConfig,
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

impl PairJob<'_> {
    /// Whether the configuration is whole and fits the data.
    ///
    /// # Errors
    ///
    /// What [`GanConfig::check`] finds first, and too few training pictures for a batch.
    pub fn check(config: &GanConfig, data: &Dataset) -> Result<(), TrainError> {
        if let Some((key, problem)) = config.check().into_iter().next() {
            return Err(TrainError::Pair { key, problem });
        }
        let (batch, examples) = (config.batch_size, data.train.len());
        if examples < batch {
            let problem = format!("a batch of {batch} cannot be made of {examples} training pictures");
            return Err(TrainError::Pair { key: "gan.batch_size", problem });
        }
        Ok(())
    }
}

/// Trains until the job is done or is told to stop.
///
/// The generator's weights, the checkpoint, the logs and a sheet of samples for each epoch are in the folder afterwards. Where the
/// folder holds a checkpoint, training continues from it, to the same bytes as if it had never stopped.
///
/// # Errors
///
/// Where the configuration does not fit the data, a file cannot be read or written, or training diverges; what was saved
/// before stays.
pub fn train_pair(
    job: PairJob<'_>,
    observe: &mut dyn FnMut(PairEvent<'_>),
) -> Result<PairOutcome, TrainError> {
    PairJob::check(job.config, job.data)?;
    let mut trainer = Trainer::new(job)?;
    observe(PairEvent::Start { step: trainer.history.step, steps: trainer.total_steps() });
    while (trainer.history.epochs.len() as u64) < trainer.config.epochs {
        let completed = trainer.run_epoch(observe)?;
        if trainer.stop.load(Ordering::Relaxed) && !completed {
            trainer.save()?;
            return Ok(trainer.outcome(StopReason::Interrupted));
        }
        let is_last = trainer.history.epochs.len() as u64 >= trainer.config.epochs;
        if trainer.stop.load(Ordering::Relaxed) && !is_last {
            return Ok(trainer.outcome(StopReason::Interrupted));
        }
    }
    let state = weights::collect(&trainer.result());
    trainer.folder.write(name::MODEL, &weights::to_safetensors(&state, Some(("format", "pt".to_owned()))))?;
    Ok(trainer.outcome(StopReason::Completed))
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Line<'a> {
    Step { step: u64, generator_loss: f64, discriminator_loss: f64, lrs: [f64; 2] },
    Epoch(&'a PairRecord),
}

/// Pictures that a generator made, tracked by autodiff, and their classes.
struct Made {
    pictures: Tensor<2>,
    classes: Option<Vec<u32>>,
}

struct Trainer<'a> {
    contestants: Contestants,
    average: Option<Generator>,
    history: PairHistory,
    log: MetricsLog,
    arena: Arena<'a>,
    sheet: Sheet,
    /// The order of an epoch, and which.
    order: (u64, Vec<u32>),
    data: &'a Dataset,
    config: &'a GanConfig,
    device: &'a Device,
    folder: &'a RunFolder,
    stop: &'a AtomicBool,
    clock: &'a dyn Fn() -> f64,
    /// When this sitting began, less what earlier ones took.
    started: f64,
    saved: f64,
}

impl<'a> Trainer<'a> {
    fn new(job: PairJob<'a>) -> Result<Self, TrainError> {
        let PairJob { pair, drawing, data, config, seed, device, folder, stop, clock } = job;
        let now = clock();
        let averaged = config.ema > 0.0;
        let (pair, average, memory, history) = match Checkpoint::<PairHistory>::load(folder)? {
            None => {
                let average = averaged.then(|| pair.generator.valid());
                (pair, average, None, PairHistory::default())
            }
            Some(Checkpoint { model, average, optimizer, history, .. }) => {
                let misfit = |source| TrainError::Weights { path: folder.path(name::LAST), source };
                let average = average.map(|state| weights::assign(pair.generator.valid(), &state));
                let average = average.transpose().map_err(misfit)?;
                (weights::assign(pair, &model).map_err(misfit)?, average, Some(optimizer), history)
            }
        };
        let mut contestants = Contestants::new(pair, config);
        if let Some(memory) = memory {
            let damaged = |problem| TrainError::Damaged { path: folder.path(name::LAST), problem };
            contestants.remember(&memory, device).map_err(damaged)?;
        }
        let log = MetricsLog::open(folder, history.metrics_bytes, history.events_bytes, now)?;
        Ok(Self {
            contestants,
            average,
            log,
            arena: Arena { config, drawing, seed, device },
            sheet: Sheet::new(data, drawing, seed),
            order: (0, Vec::new()),
            started: now - history.seconds,
            saved: now,
            history,
            data,
            config,
            device,
            folder,
            stop,
            clock,
        })
    }

    fn steps_per_epoch(&self) -> u64 {
        self.config.steps_per_epoch(self.data.train.len())
    }

    fn total_steps(&self) -> u64 {
        self.config.epochs * self.steps_per_epoch()
    }

    fn epoch(&self) -> u64 {
        self.history.epochs.len() as u64 + 1
    }

    /// Whether the epoch was completed, or training was told to stop in it.
    fn run_epoch(&mut self, observe: &mut dyn FnMut(PairEvent<'_>)) -> Result<bool, TrainError> {
        let steps = self.steps_per_epoch();
        while self.history.epoch_step < steps {
            let [generator_loss, discriminator_loss] = self.step()?;
            let step = self.history.step;
            let examples = self.config.batch_size as u64 * self.config.critic_steps;
            observe(PairEvent::Step { step, examples, generator_loss, discriminator_loss });
            if step.is_multiple_of(LOG_EVERY) {
                let lrs = self.lrs(step - 1);
                let line = Line::Step { step, generator_loss, discriminator_loss, lrs };
                let scalars = [
                    ("loss/generator/step", Some(generator_loss)),
                    ("loss/discriminator/step", Some(discriminator_loss)),
                ];
                self.log.write(&line, step, &scalars, (self.clock)())?;
            }
            // The last step of an epoch is saved with the epoch's measurements.
            if self.history.epoch_step < steps {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(false);
                }
                if self.is_checkpoint_due() {
                    self.save()?;
                }
            }
        }
        self.complete_epoch(observe)?;
        Ok(true)
    }

    /// The learning rates of generator and discriminator after so many steps.
    fn lrs(&self, step: u64) -> [f64; 2] {
        let steps = self.total_steps();
        let position = Position { step, steps, epoch: step / self.steps_per_epoch(), losses: &[] };
        let factor = self.config.schedule.schedule().factor(position);
        [&self.config.generator_optimizer, &self.config.discriminator_optimizer]
            .map(|optimizer| optimizer.optimizer().lr() * factor)
    }

    /// Steps of the discriminator and one of the generator; their losses, the generator's first.
    fn step(&mut self) -> Result<[f64; 2], TrainError> {
        let (lrs, rounds) = (self.lrs(self.history.step), self.config.critic_steps);
        let (mut sum, mut made) = (0.0, None);
        for round in 0..rounds {
            let (loss, pictures) = self.step_discriminator(round, lrs)?;
            sum += loss;
            made = Some(pictures);
        }
        let step = self.history.step + 1;
        let Made { pictures, classes } = made.expect("there is a step of the discriminator");
        let both = self.contestants.both();
        let (loss, gradients) = self.arena.pull(both, pictures, classes.as_deref(), step * rounds);
        if !loss.is_finite() {
            return Err(self.diverged("generator", lrs));
        }
        self.contestants.step_generator(gradients, lrs[0], self.config.clip_norm);
        if let Some(average) = self.average.take() {
            // The first weights are forgotten as fast as those of the last steps make an average of their own.
            let decay = self.config.ema.min((1.0 + step as f64) / (10.0 + step as f64));
            self.average = Some(blend(average, &self.contestants.both().0.valid(), decay));
        }
        self.history.means.generator_loss.record(loss);
        self.history.step = step;
        self.history.epoch_step += 1;
        Ok([loss, sum / rounds as f64])
    }

    /// The loss of the discriminator's step, the `round`th before one of the generator, and the pictures that it saw: the generator
    /// is then judged by the last of them again.
    fn step_discriminator(&mut self, round: u64, lrs: [f64; 2]) -> Result<(f64, Made), TrainError> {
        let number = self.history.step * self.config.critic_steps + round + 1;
        let indices = self.indices(round);
        let mut values = Vec::new();
        self.data.train.gather(&indices, &mut values);
        let shape = [indices.len(), self.data.train.input_len()];
        let reals = Tensor::from_data(TensorData::new(values, shape), self.device);
        let classes = self.arena.drawing.classes.map(|_| self.data.train.gather_classes(&indices));
        let (generator, discriminator) = self.contestants.both();
        let pictures = self.arena.make(generator, classes.as_deref(), number);
        let seen = [reals, pictures.clone().inner()];
        let judged = self.arena.judge(discriminator, seen, classes.as_deref(), number);
        if !judged.loss.is_finite() || judged.penalty.is_some_and(|penalty| !penalty.is_finite()) {
            return Err(self.diverged("discriminator", lrs));
        }
        let Judged { loss, penalty, scores, gradients } = judged;
        let bound = self.config.penalty.as_ref().and_then(|penalty| penalty.penalty().bound());
        self.contestants.step_discriminator(gradients, lrs[1], self.config.clip_norm, bound);
        let means = &mut self.history.means;
        means.discriminator_loss.record(loss);
        if let Some(penalty) = penalty {
            means.penalty.record(penalty);
        }
        let boundary = self.config.objective.objective().boundary();
        for (scores, is_real, mean) in
            [(&scores[0], true, &mut means.real_score), (&scores[1], false, &mut means.fake_score)]
        {
            for score in scores {
                let score = f64::from(*score);
                mean.record(score);
                if let Some(boundary) = boundary {
                    means.told.record(f64::from(u8::from((score > boundary) == is_real)));
                }
            }
        }
        Ok((loss, Made { pictures, classes }))
    }

    /// The real pictures of a step: those of an epoch in a new order, each once.
    fn indices(&mut self, round: u64) -> Vec<u32> {
        let (epoch, examples) = (self.epoch(), self.data.train.len());
        if self.order.0 != epoch {
            self.order = (epoch, epoch_order(self.arena.seed, epoch, examples));
        }
        let batch = self.config.batch_size;
        let start = (self.history.epoch_step * self.config.critic_steps + round) as usize * batch;
        // Fewer examples than the steps before one of the generator see are seen again.
        (start..start + batch).map(|place| self.order.1[place % examples]).collect()
    }

    /// Where in the networks the first value that is not finite stands.
    fn diverged(&self, side: &'static str, lrs: [f64; 2]) -> TrainError {
        let (generator, discriminator) = self.contestants.both();
        let (generator, discriminator) = (generator.valid(), discriminator.valid());
        let state = weights::collect(&self.contestants.pair());
        let drawing = self.arena.drawing;
        let class = || drawing.classes.map(|_| super::critic::class_tensor(&[0], self.device));
        let place = divergence::locate_in(&state, |tap| {
            let latent = Tensor::ones([1, drawing.latent], self.device);
            let picture = generator.forward(latent, class(), tap);
            let _ = discriminator.forward(picture, class(), tap);
        });
        let step = self.history.step + 1;
        TrainError::PairDiverged { step, epoch: self.epoch(), side, lrs, place }
    }

    /// The generator to look at and keep.
    fn result(&self) -> Generator {
        self.average.clone().unwrap_or_else(|| self.contestants.both().0.valid())
    }

    fn complete_epoch(&mut self, observe: &mut dyn FnMut(PairEvent<'_>)) -> Result<(), TrainError> {
        self.finite_weights()?;
        let epoch = self.epoch();
        let (sheet, spread) = self.sheet.draw(&self.result(), self.device);
        self.folder.write(&format!("{}/{epoch:04}.png", name::SAMPLES), &sheet.to_png())?;
        let means = std::mem::take(&mut self.history.means);
        let told = means.told.value();
        let record = PairRecord {
            epoch,
            epochs: self.config.epochs,
            step: self.history.step,
            generator_loss: means.generator_loss.value().unwrap_or(0.0),
            discriminator_loss: means.discriminator_loss.value().unwrap_or(0.0),
            penalty: means.penalty.value(),
            real_score: means.real_score.value().unwrap_or(0.0),
            fake_score: means.fake_score.value().unwrap_or(0.0),
            told,
            spread,
            lrs: self.lrs(self.history.step - 1),
            alarms: Alarm::of(spread, told),
            seconds: (self.clock)() - self.started,
        };
        let scalars = [
            ("loss/generator", Some(record.generator_loss)),
            ("loss/discriminator", Some(record.discriminator_loss)),
            ("penalty", record.penalty),
            ("score/real", Some(record.real_score)),
            ("score/fake", Some(record.fake_score)),
            ("spread", Some(record.spread)),
        ];
        self.log.write(&Line::Epoch(&record), record.step, &scalars, (self.clock)())?;
        observe(PairEvent::Epoch(&record));
        let before = self.history.epochs.last().map(|record| record.alarms.clone()).unwrap_or_default();
        for alarm in &record.alarms {
            if !before.iter().any(|before| before.is_like(alarm)) {
                observe(PairEvent::Alarm(*alarm));
            }
        }
        self.history.epochs.push(record);
        self.history.epoch_step = 0;
        self.save()
    }

    fn is_checkpoint_due(&self) -> bool {
        let checkpoint = &self.config.checkpoint;
        checkpoint.every_steps.is_some_and(|every| self.history.step.is_multiple_of(every))
            || (self.clock)() - self.saved >= checkpoint.every_minutes * 60.0
    }

    /// The weights, to be saved only where all of them are finite.
    fn finite_weights(&self) -> Result<State, TrainError> {
        let model = weights::collect(&self.contestants.pair());
        let Some(parameter) = divergence::bad_parameter(&model) else { return Ok(model) };
        let side = if parameter.starts_with("generator") { "generator" } else { "discriminator" };
        let place = format!("the parameter `{parameter}` is not finite after this step");
        let (step, lrs) = (self.history.step, self.lrs(self.history.step.saturating_sub(1)));
        Err(TrainError::PairDiverged { step, epoch: self.epoch(), side, lrs, place })
    }

    fn save(&mut self) -> Result<(), TrainError> {
        let model = self.finite_weights()?;
        self.saved = (self.clock)();
        self.history.seconds = self.saved - self.started;
        self.log.sync()?;
        (self.history.metrics_bytes, self.history.events_bytes) = self.log.lengths();
        let checkpoint = Checkpoint {
            model,
            average: self.average.as_ref().map(weights::collect),
            optimizer: self.contestants.memory(),
            rule: State::new(),
            history: self.history.clone(),
        };
        checkpoint.save(self.folder)
    }

    fn outcome(self, reason: StopReason) -> PairOutcome {
        let generator = self.result();
        let PairHistory { epochs, step, seconds, .. } = self.history;
        PairOutcome { generator, reason, epochs, steps: step, seconds }
    }
}
