//! DP-SGD as an update rule (Abadi et al. 2016, arXiv:1607.00133, algorithm 1).
//!
//! A step takes each example with the same probability, independently of all others; clips the gradient of each; adds
//! Gaussian noise to the sum; and divides by the *expected* number of examples, which tells nothing of who was taken. The
//! optimizer, weight decay and averages of weights see that alone.

use burn::optim::{GradientsAccumulator, GradientsParams};
use crucible_data::poisson_batch;
use crucible_models::Network;
use crucible_train::{Batches, Clip, Moment, PrivacyConfig, RunFolder, TrainError, UpdateRule};
use rand_chacha::rand_core::Rng;

use crate::{
    Phase, PrivacyError,
    accountants::Accountant,
    clipping::{self, Clipping, clipped_sum},
    draws::{Draws, KEY},
    ledger::{self, Entry, Ledger},
    phase::check_delta,
};

/// Steps that are paid for at a time, so that the disk is not waited for at each.
const BLOCK: u64 = 50;

/// The accountant that noise and budgets go by: what it says may be promised.
pub const ACCOUNTANT: Accountant = Accountant::Pld;

/// How much training there will be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Training examples.
    pub examples: usize,
    /// How many of them a step takes on average.
    pub batch: usize,
    /// Steps of all epochs.
    pub steps: u64,
}

impl Plan {
    /// The probability of each example to be in a step's sample.
    #[must_use]
    pub fn rate(&self) -> f64 {
        (self.batch as f64 / self.examples as f64).min(1.0)
    }
}

/// Something wrong with the recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The key at fault, such as `train.privacy.delta`.
    pub key: &'static str,
    /// What is wrong.
    pub error: PrivacyError,
}

/// DP-SGD, checked and with its noise.
#[derive(Debug)]
pub struct DpSgd {
    config: PrivacyConfig,
    clipping: Clipping,
    noise: f64,
    rate: f64,
    steps: u64,
    started: Option<Started>,
}

/// What is known once training has begun in a folder.
#[derive(Debug)]
struct Started {
    folder: RunFolder,
    draws: Draws,
    ledger: Ledger,
    /// The last step that the budget allows.
    allowed: u64,
}

impl DpSgd {
    /// Checks settings and network, and finds the noise where `epsilon` alone is given.
    ///
    /// # Errors
    ///
    /// All problems at once.
    pub fn new(config: &PrivacyConfig, network: &Network, plan: Plan) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut note = |key, error| problems.push(Problem { key, error });
        match (config.epsilon, config.noise) {
            (None, None) => note("train.privacy", PrivacyError::NoBudget),
            (Some(epsilon), _) if !(epsilon > 0.0 && epsilon.is_finite()) => {
                note("train.privacy.epsilon", PrivacyError::Epsilon(epsilon));
            }
            _ => {}
        }
        if let Some(noise) = config.noise.filter(|noise| !(*noise > 0.0 && noise.is_finite())) {
            note("train.privacy.noise", PrivacyError::Noise(noise));
        }
        if let Err(error) = check_delta(config.delta) {
            note("train.privacy.delta", error);
        }
        if !(config.clip > 0.0 && config.clip.is_finite()) {
            note("train.privacy.clip", PrivacyError::Clip(config.clip));
        }
        if let Err(error) = clipping::check(network) {
            note("model", error);
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let rate = plan.rate();
        let noise = match (config.noise, config.epsilon) {
            (Some(noise), _) => Ok(noise),
            (None, epsilon) => {
                let epsilon = epsilon.expect("one of the two is there");
                ACCOUNTANT.noise(&[], (rate, plan.steps), epsilon, config.delta)
            }
        };
        let noise = noise.map_err(|error| vec![Problem { key: "train.privacy.epsilon", error }])?;
        let norm = config.clip;
        let clipping = match config.clipping {
            Clip::Flat => Clipping::Flat { norm },
            Clip::Automatic => Clipping::Automatic { norm },
            Clip::PerLayer => Clipping::PerLayer { norm },
        };
        Ok(Self { config: config.clone(), clipping, noise, rate, steps: plan.steps, started: None })
    }

    /// The noise's standard deviation over the clipping norm.
    #[must_use]
    pub fn noise(&self) -> f64 {
        self.noise
    }

    /// One step's gradient over `indices`, in parts, with the noise of `draws`.
    fn noised(
        &self,
        draws: &Draws,
        network: &Network,
        batches: &Batches<'_>,
        indices: &[u32],
        step: u64,
    ) -> Result<(f64, GradientsParams), PrivacyError> {
        let (sum, noise) =
            draws.noise_beside(network, step, || self.clipped(network, batches, indices, step));
        let (sum, loss) = sum?;
        let expected = self.rate * batches.examples.len() as f64;
        let scale = 1.0 / expected;
        let deviation = self.noise * self.clipping.norm() * scale;
        let gradients = noise.add(network, sum, scale, deviation);
        Ok((loss / indices.len().max(1) as f64, gradients))
    }

    /// The sum of the clipped gradients and of the losses of `indices`, in parts.
    fn clipped(
        &self,
        network: &Network,
        batches: &Batches<'_>,
        indices: &[u32],
        step: u64,
    ) -> Result<(GradientsParams, f64), PrivacyError> {
        let mut tap = batches.tap(step);
        let (mut sum, mut loss) = (GradientsAccumulator::new(), 0.0);
        // A sample of no examples has one part, of none.
        let (first, others) = indices.split_at(indices.len().min(self.config.physical_batch_size));
        for part in std::iter::once(first).chain(others.chunks(self.config.physical_batch_size)) {
            let (inputs, targets) = (batches.inputs(part), batches.targets(part));
            let clipped = clipped_sum(network, inputs, targets, batches.loss, self.clipping, &mut tap)?;
            loss += clipped.losses.iter().map(|loss| f64::from(*loss)).sum::<f64>();
            sum.accumulate(network, clipped.gradients);
        }
        Ok((sum.grads(), loss))
    }

    /// The ledger and the draws of a run that has taken `step` steps.
    fn open(&self, batches: &Batches<'_>, folder: &RunFolder, step: u64) -> Result<Started, TrainError> {
        let entry = Entry {
            noise: self.noise,
            rate: self.rate,
            clip: self.config.clip,
            first: step + 1,
            last: step,
            seeded: self.config.seeded,
        };
        let mut ledger = Ledger::read(folder)?.unwrap_or_else(|| Ledger::new(self.config.delta));
        ledger.delta = self.config.delta;
        let goes_on = ledger.entries.last().is_some_and(|last| last.agrees(&entry) && last.first <= step + 1);
        let old = if !goes_on {
            None
        } else if self.config.seeded {
            Some(key_of_seed(batches))
        } else {
            ledger::read_key(folder, &ledger)?
        };
        let draws = match old {
            Some(key) => Draws::new(key),
            None => {
                let index = ledger.entries.len();
                ledger.entries.push(entry);
                let draws = if self.config.seeded {
                    Draws::new(key_of_seed(batches))
                } else {
                    let draws = Draws::secret().map_err(|source| rule_error(step + 1, source))?;
                    ledger::write_key(folder, index, draws.key())?;
                    draws
                };
                ledger.write(folder)?;
                draws
            }
        };
        let allowed = self.allowed(&ledger).map_err(|source| rule_error(step + 1, source))?;
        Ok(Started { folder: folder.clone(), draws, ledger, allowed })
    }

    /// The last step that the budget allows, given what was paid.
    fn allowed(&self, ledger: &Ledger) -> Result<u64, PrivacyError> {
        let Some(epsilon) = self.config.epsilon else { return Ok(self.steps) };
        let (last, before) = ledger.entries.split_last().expect("the entry of the key in use");
        let before = ledger::phases(before)?;
        if before.is_empty() && self.config.noise.is_none() {
            // The noise was found for all steps.
            return Ok(self.steps);
        }
        let phase = Phase::new(self.noise, self.rate, (self.steps + 1).saturating_sub(last.first))?;
        Ok(last.first - 1 + ACCOUNTANT.steps_within(&before, phase, epsilon, self.config.delta)?)
    }
}

/// The key of draws that anyone can repeat.
fn key_of_seed(batches: &Batches<'_>) -> [u8; KEY] {
    let mut key = [0; KEY];
    batches.stream("privacy", 0).fill_bytes(&mut key);
    key
}

fn rule_error(step: u64, source: impl std::error::Error + Send + Sync + 'static) -> TrainError {
    TrainError::Rule { step, source: Box::new(source) }
}

const STARTED: &str = "training has begun";

impl UpdateRule for DpSgd {
    fn is_private(&self) -> bool {
        true
    }

    fn begin(&mut self, batches: &Batches<'_>, folder: &RunFolder, step: u64) -> Result<(), TrainError> {
        self.started = Some(self.open(batches, folder, step)?);
        Ok(())
    }

    fn sample(&mut self, batches: &Batches<'_>, moment: Moment) -> Result<Option<Vec<u32>>, TrainError> {
        let Started { folder, draws, ledger, allowed } = self.started.as_mut().expect(STARTED);
        if moment.step > *allowed {
            return Ok(None);
        }
        let entry = ledger.entries.last_mut().expect("the entry of the key in use");
        if moment.step > entry.last {
            entry.last = (*allowed).min(moment.step + BLOCK - 1);
            ledger.write(folder)?;
        }
        Ok(Some(poisson_batch(&mut draws.sample(moment.step), batches.examples.len(), self.rate)))
    }

    fn gradient(
        &mut self,
        network: &Network,
        batches: &Batches<'_>,
        indices: &[u32],
        moment: Moment,
    ) -> Result<(f64, GradientsParams), TrainError> {
        let draws = &self.started.as_ref().expect(STARTED).draws;
        self.noised(draws, network, batches, indices, moment.step)
            .map_err(|source| rule_error(moment.step, source))
    }

    fn finish(&mut self, _: &Network, folder: &RunFolder) -> Result<(), TrainError> {
        ledger::remove_key(folder)
    }
}
