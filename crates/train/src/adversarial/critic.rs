//! The gradients of both sides of a contest.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use crucible_data::seed;
use crucible_models::{
    Discriminates, Discriminator, Generates, Generator, NoTap, Training, generators::Drawing,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{
    GanConfig,
    penalties::{At, penalize},
    samples::latent,
};

/// What all steps of a contest share.
#[derive(Debug)]
pub(super) struct Arena<'a> {
    pub(super) config: &'a GanConfig,
    pub(super) drawing: Drawing,
    pub(super) seed: u64,
    /// Where to compute, without autodiff.
    pub(super) device: &'a Device,
}

/// What a step of the discriminator found.
pub(super) struct Judged {
    pub(super) loss: f64,
    pub(super) penalty: Option<f64>,
    /// Scores of real and of generated pictures.
    pub(super) scores: [Vec<f32>; 2],
    pub(super) gradients: GradientsParams,
}

impl Arena<'_> {
    pub(super) fn stream(&self, name: &str, position: u64) -> ChaCha8Rng {
        seed::stream(self.seed, name, position)
    }

    /// Batch norm uses the batch, and spectral norms are measured anew.
    fn training(&self, step: u64) -> Training {
        Training { rng: self.stream("dropout", step) }
    }

    fn tensor(&self, values: Vec<f32>, columns: usize) -> Tensor<2> {
        let rows = values.len() / columns;
        Tensor::from_data(TensorData::new(values, [rows, columns]), self.device)
    }

    /// Classes as `[batch, 1]`, where the networks are told of any.
    fn classes(&self, classes: Option<&[u32]>) -> Option<Tensor<2, Int>> {
        classes.map(|classes| class_tensor(classes, &self.device.clone().autodiff()))
    }

    /// Pictures of these classes by a generator that is tracked, for the discriminator's step of this number, from 1.
    pub(super) fn make(&self, generator: &Generator, classes: Option<&[u32]>, step: u64) -> Tensor<2> {
        let (mut rng, length) = (self.stream("gan/latents", step), self.drawing.latent);
        let latents = (0..self.config.batch_size).flat_map(|_| latent(length, &mut rng)).collect();
        let latents = Tensor::from_inner(self.tensor(latents, length));
        generator.forward(latents, self.classes(classes), &mut self.training(step))
    }

    fn augmented(&self, pictures: Tensor<2>, rng: &mut ChaCha8Rng) -> Tensor<2> {
        match &self.config.augmentation {
            Some(augmentation) => augmentation.apply(pictures, self.drawing.size, rng),
            None => pictures,
        }
    }

    /// The discriminator's step of this number, from 1, on real pictures `[batch, features]` and generated ones of the same classes,
    /// neither of them tracked.
    pub(super) fn judge(
        &self,
        discriminator: &Discriminator,
        [reals, fakes]: [Tensor<2>; 2],
        classes: Option<&[u32]>,
        step: u64,
    ) -> Judged {
        let of = || self.classes(classes);
        let mut rng = self.stream("gan/augmentation", step);
        let reals = self.augmented(reals, &mut rng);
        let fakes = self.augmented(fakes, &mut rng);
        let [real, fake] = self.scores(discriminator, [&reals, &fakes], of(), step);
        let loss = self.config.objective.objective().discriminator(real.clone(), fake.clone());
        let value = scalar(&loss);
        let (penalty, total) = match self.penalty(discriminator, [reals, fakes], of(), step) {
            Some((penalty, surrogate)) => (Some(penalty), loss + surrogate),
            None => (None, loss),
        };
        let gradients = GradientsParams::from_grads(total.backward(), discriminator);
        Judged { loss: value, penalty, scores: [real, fake].map(host), gradients }
    }

    /// Scores of real and of generated pictures: together, unless those of a batch depend on each other.
    fn scores(
        &self,
        discriminator: &Discriminator,
        [reals, fakes]: [&Tensor<2>; 2],
        classes: Option<Tensor<2, Int>>,
        step: u64,
    ) -> [Tensor<2>; 2] {
        let mut tap = self.training(step);
        let tracked = |pictures: &Tensor<2>| Tensor::from_inner(pictures.clone());
        if discriminator.mixes_batches() {
            return [reals, fakes]
                .map(|pictures| discriminator.forward(tracked(pictures), classes.clone(), &mut tap));
        }
        let count = reals.dims()[0];
        let both = tracked(&Tensor::cat(vec![reals.clone(), fakes.clone()], 0));
        let classes = classes.map(|classes| Tensor::cat(vec![classes.clone(), classes], 0));
        let scores = discriminator.forward(both, classes, &mut tap);
        [scores.clone().narrow(0, 0, count), scores.narrow(0, count, count)]
    }

    /// The penalty, where this step has one, and a scalar with its gradient.
    fn penalty(
        &self,
        discriminator: &Discriminator,
        [reals, fakes]: [Tensor<2>; 2],
        classes: Option<Tensor<2, Int>>,
        step: u64,
    ) -> Option<(f64, Tensor<1>)> {
        let penalty = self.config.penalty.as_ref()?.penalty();
        let (at, every) = (penalty.at()?, penalty.every());
        if !(step - 1).is_multiple_of(every) {
            return None;
        }
        let points = match at {
            At::Real => reals,
            At::Between => {
                let mut rng = self.stream("gan/between", step);
                let shares = (0..reals.dims()[0]).map(|_| rng.random::<f32>()).collect();
                fakes.clone() + (reals - fakes) * self.tensor(shares, 1)
            }
        };
        let (value, surrogate) = penalize(discriminator, penalty, points, classes);
        Some((value, surrogate.mul_scalar(every as f64)))
    }

    /// The generator's loss for the pictures that it made of these classes in the discriminator's step of this number, and its
    /// gradient.
    pub(super) fn pull(
        &self,
        (generator, discriminator): (&Generator, &Discriminator),
        pictures: Tensor<2>,
        classes: Option<&[u32]>,
        step: u64,
    ) -> (f64, GradientsParams) {
        let classes = self.classes(classes);
        let pictures = self.augmented(pictures, &mut self.stream("gan/augmentation/generator", step));
        let judge = discriminator.clone().no_grad();
        let scores = match judge.mixes_batches() {
            true => judge.forward(pictures, classes, &mut self.training(step)),
            false => judge.forward(pictures, classes, &mut NoTap),
        };
        let loss = self.config.objective.objective().generator(scores);
        let value = scalar(&loss);
        (value, GradientsParams::from_grads(loss.backward(), generator))
    }
}

/// Classes as `[batch, 1]`.
pub(super) fn class_tensor(classes: &[u32], device: &Device) -> Tensor<2, Int> {
    let values: Vec<i32> = classes.iter().map(|class| class.cast_signed()).collect();
    Tensor::from_data(TensorData::new(values, [classes.len(), 1]), device)
}

fn scalar(loss: &Tensor<1>) -> f64 {
    f64::from(loss.clone().into_scalar::<f32>())
}

fn host(scores: Tensor<2>) -> Vec<f32> {
    scores.into_data().try_to_vec().expect("networks here hold f32")
}
