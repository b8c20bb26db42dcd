//! What a generator is asked for.

use crucible_data::seed;
use crucible_train::adversarial::{latent, pictures};
use rand::RngExt;

use super::GanRun;

/// What a picture of one number is made of, whatever other pictures there are.
pub(crate) struct Own {
    pub(crate) latent: Vec<f32>,
    /// The class that is asked for where none is named; 0 where there are none.
    pub(crate) class: u32,
}

impl Own {
    pub(crate) fn draw(seed: u64, number: u64, length: usize, classes: Option<usize>) -> Self {
        let mut rng = seed::stream(seed, "generate", number);
        let latent = latent(length, &mut rng);
        let class = classes.map_or(0, |classes| rng.random_range(0..classes as u32));
        Self { latent, class }
    }
}

impl GanRun {
    /// `count` pictures, `[count, features]` from −1 to 1, and the class that each was asked for.
    pub(crate) fn sample(&self, seed: u64, count: usize) -> (Vec<f32>, Option<Vec<u32>>) {
        let drawing = self.config.drawing;
        let own = (0..count as u64).map(|number| Own::draw(seed, number, drawing.latent, drawing.classes));
        let (latents, classes): (Vec<Vec<f32>>, Vec<u32>) = own.map(|own| (own.latent, own.class)).unzip();
        let classes = drawing.classes.map(|_| classes);
        let values = pictures(&self.generator, drawing, &latents.concat(), classes.as_deref(), &self.device);
        (values, classes)
    }
}
