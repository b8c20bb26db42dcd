//! The training of shadow models, several at a time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use burn::tensor::Device;
use crucible_data::{Dataset, Examples, Inputs};
use crucible_models::{Network, summarize};
use crucible_train::{
    Event, Job, RunFolder, StopReason, TrainConfig, TrainError, UpdateRule, run_folder::name, train,
};

use super::{Plan, Pool};
use crate::PrivacyError;

/// What the training of a shadow model itself takes beside tensors and examples: a guess.
const OVERHEAD: u64 = 32 << 20;

/// Copies of the weights beside those that are trained: while a checkpoint is written, in memory and as a file's bytes.
const COPIES: u64 = 2;

/// The share of the training that is done after the last step, when files are still to be written.
const NEARLY: f64 = 0.999;

/// What a shadow model's training begins with.
pub struct Start {
    /// The network with its first weights, drawn from the shadow's seed.
    pub network: Network,
    /// Where its steps' gradients come from.
    pub rule: Box<dyn UpdateRule>,
}

/// The training of all shadow models of a plan, in folders of their own in that of the run under attack.
pub struct Training<'a> {
    /// Who is trained on what.
    pub plan: &'a Plan,
    /// The run's data. The test split holds the examples that the run was not trained on.
    pub data: &'a Dataset,
    /// How the run was trained.
    pub config: &'a TrainConfig,
    /// Where to compute, without autodiff.
    pub device: &'a Device,
    /// The folder of the run.
    pub run: &'a RunFolder,
    /// Set from outside to stop after the steps under way. It is also set where a shadow model fails, to stop the others.
    pub stop: &'a AtomicBool,
    /// Seconds since the epoch of Unix.
    pub clock: &'a (dyn Fn() -> f64 + Sync),
}

impl std::fmt::Debug for Training<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Training").field("plan", self.plan).field("run", self.run).finish_non_exhaustive()
    }
}

impl Training<'_> {
    /// The numbers of the shadow models that are not trained to the end.
    #[must_use]
    pub fn missing(&self) -> Vec<usize> {
        let done = |number: &usize| self.run.has(&format!("{}/{}", Plan::place(*number), name::MODEL));
        (0..self.plan.shadows()).filter(|number| !done(number)).collect()
    }

    /// About how many bytes the training of one shadow model takes, of a network like this one.
    #[must_use]
    pub fn bytes_each(&self, network: &Network) -> u64 {
        let summary = summarize(network, self.data.train.input_len(), self.device);
        let private = self.config.privacy.as_ref().map_or(0, |privacy| privacy.physical_batch_size);
        let batch = self.config.batch_size.max(private) as u64;
        let states = self.config.optimizer.optimizer().states();
        let values = match self.data.train.inputs() {
            Inputs::Bytes { .. } => 1,
            Inputs::Floats(_) => 4,
        };
        let examples = (self.plan.side() * self.data.train.input_len()) as u64 * values;
        OVERHEAD + summary.training_bytes(batch, states + COPIES) + examples
    }

    /// Trains the shadow models that are missing, `at_a_time` of them at a time, each on a thread of its own: what comes out
    /// does not depend on their number. One that was stopped goes on where it was. Returns how many are still missing, which
    /// is none unless it was stopped.
    ///
    /// `start` makes a network and a rule from a shadow's data, its seed and its folder; `observe` is told a shadow's number
    /// and the share of its training that is done, 1 only once nothing is left to do. What a shadow is not trained on is its
    /// test split where the recipe's `until` needs one.
    ///
    /// # Errors
    ///
    /// The first of a shadow model: where it cannot start, diverges, or a file cannot be read or written.
    pub fn run<E: From<TrainError> + From<PrivacyError> + Send>(
        &self,
        at_a_time: usize,
        start: &(dyn Fn(&Dataset, u64, &RunFolder) -> Result<Start, E> + Sync),
        observe: &(dyn Fn(usize, f64) + Sync),
    ) -> Result<usize, E> {
        let (missing, next) = (self.missing(), AtomicUsize::new(0));
        let (pool, halves) = (self.plan.pool(), self.plan.halves());
        let failed = Mutex::new(None);
        let work = || {
            while let Some(&number) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.stop.load(Ordering::Relaxed) {
                    break;
                }
                let inside = &halves[number * 2 * self.plan.side()..][..2 * self.plan.side()];
                let data = self.half(&pool, inside);
                if let Err(error) = self.train(number, &data, start, observe) {
                    self.stop.store(true, Ordering::Relaxed);
                    failed.lock().expect("no thread panics with it").get_or_insert(error);
                }
            }
        };
        let mut threads = Vec::new();
        for _ in 0..at_a_time.clamp(1, missing.len().max(1)) {
            let thread = rayon::ThreadPoolBuilder::new().num_threads(1).build();
            threads.push(thread.map_err(|error| PrivacyError::Thread(error.to_string()))?);
        }
        std::thread::scope(|scope| {
            for thread in &threads {
                scope.spawn(|| thread.install(work));
            }
        });
        match failed.into_inner().expect("no thread panics with it") {
            Some(error) => Err(error),
            None => Ok(self.missing().len()),
        }
    }

    fn train<E: From<TrainError>>(
        &self,
        number: usize,
        data: &Dataset,
        start: &(dyn Fn(&Dataset, u64, &RunFolder) -> Result<Start, E> + Sync),
        observe: &(dyn Fn(usize, f64) + Sync),
    ) -> Result<(), E> {
        let folder = self.folder(number)?;
        let seed = self.plan.seed_of(number);
        let Start { network, mut rule } = start(data, seed, &folder)?;
        let job = Job {
            network,
            data,
            config: self.config,
            rule: &mut *rule,
            seed,
            device: self.device,
            folder: &folder,
            stop: self.stop,
            clock: self.clock,
        };
        let mut steps = 1;
        let outcome = train(job, &mut |event| match event {
            Event::Start { steps: all, .. } => steps = all,
            Event::Step { step, .. } => observe(number, (step as f64 / steps as f64).min(NEARLY)),
            _ => {}
        })?;
        if outcome.reason != StopReason::Interrupted {
            // There is nothing to go on with, and they are larger than what is kept.
            folder.remove(name::LAST)?;
            folder.remove(name::BEST)?;
            observe(number, 1.0);
        }
        Ok(())
    }

    fn folder(&self, number: usize) -> Result<RunFolder, TrainError> {
        let root = self.run.path(&Plan::place(number));
        if root.join(name::RECIPE).is_file() {
            return RunFolder::open(&root);
        }
        RunFolder::create(&root, &self.plan.recipe_of(number))
    }

    /// The data of a shadow that is trained on the examples `inside` of the pool.
    fn half(&self, pool: &Pool, inside: &[bool]) -> Dataset {
        let others = self.data.test.as_ref().expect("the plan has examples of it");
        let of = |wanted: bool| -> Examples {
            let (first, second) = inside.split_at(pool.members.len());
            let choose = |side: &[usize], inside: &[bool]| -> Vec<usize> {
                let both = side.iter().zip(inside);
                both.filter(|(_, inside)| **inside == wanted).map(|(index, _)| *index).collect()
            };
            let members = self.data.train.select(&choose(&pool.members, first));
            members.followed_by(&others.select(&choose(&pool.others, second)))
        };
        let Dataset { name, format, validation, .. } = self.data;
        // Else nobody asks for it, and measuring takes time at each epoch.
        let tested = self.config.until.is_some() && validation.is_none();
        Dataset {
            name: name.clone(),
            format: format.clone(),
            train: of(true),
            validation: validation.clone(),
            test: tested.then(|| of(false)),
        }
    }
}
