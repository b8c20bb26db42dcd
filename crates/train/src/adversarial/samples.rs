//! Pictures from a generator, and how much they differ from each other.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use crucible_data::{Dataset, Picture, grid, seed};
use crucible_kernels::normals;
use crucible_models::{Generates, Generator, NoTap, generators::Drawing};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::critic::class_tensor;

/// Pictures that a generator makes at a time.
const BATCH: usize = 64;
/// Rows and columns of a sheet; of more classes the first ones are shown.
const SIDE: usize = 10;

/// `length` standard normal numbers, of which a generator makes one picture.
///
/// # Panics
///
/// Where they are more than [`NORMALS`](crucible_kernels::NORMALS).
pub fn latent(length: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut values = vec![0.0; length];
    normals(&mut values, |words| words.iter_mut().for_each(|word| *word = rng.next_u32()));
    values
}

/// What the generator makes of rows of random numbers, and of the class asked for of each: values from −1 to 1, picture after
/// picture. The generator is not tracked by autodiff.
#[must_use]
pub fn pictures(
    generator: &Generator,
    drawing: Drawing,
    latents: &[f32],
    classes: Option<&[u32]>,
    device: &Device,
) -> Vec<f32> {
    let mut values = Vec::new();
    for (batch, rows) in latents.chunks(BATCH * drawing.latent).enumerate() {
        let count = rows.len() / drawing.latent;
        let latent = Tensor::from_data(TensorData::new(rows.to_vec(), [count, drawing.latent]), device);
        let classes = classes.map(|classes| class_tensor(&classes[batch * BATCH..][..count], device));
        let pictures = generator.forward(latent, classes, &mut NoTap).into_data();
        values.extend(pictures.try_to_vec::<f32>().expect("networks here hold f32"));
    }
    values
}

/// The same random numbers after every epoch, so that one sees the pictures change.
pub(super) struct Sheet {
    drawing: Drawing,
    latents: Vec<f32>,
    classes: Option<Vec<u32>>,
    /// The spread of as many real pictures.
    real: f64,
}

impl Sheet {
    /// A row for each class, or ten rows.
    pub(super) fn new(data: &Dataset, drawing: Drawing, seed: u64) -> Self {
        let rows = drawing.classes.map_or(SIDE, |classes| classes.min(SIDE));
        let mut rng = seed::stream(seed, "gan/sheet", 0);
        let latents = (0..rows * SIDE).flat_map(|_| latent(drawing.latent, &mut rng)).collect();
        let classes = drawing.classes.map(|_| (0..rows as u32).flat_map(|class| [class; SIDE]).collect());
        let (indices, groups) = match (&classes, data.train.classes()) {
            (Some(_), Some(labels)) => first_of_each(labels, rows as u32),
            _ => ((0..data.train.len().min(rows * SIDE) as u32).collect(), Vec::new()),
        };
        let mut real = Vec::new();
        data.train.gather(&indices, &mut real);
        let real = spread(&real, drawing.features(), &groups);
        Self { drawing, latents, classes, real }
    }

    /// The sheet as a picture, and the spread of its samples over that of real pictures.
    pub(super) fn draw(&self, generator: &Generator, device: &Device) -> (Picture, f64) {
        let values = pictures(generator, self.drawing, &self.latents, self.classes.as_deref(), device);
        let features = self.drawing.features();
        let shape = [self.drawing.channels, self.drawing.size, self.drawing.size];
        let picture = |values: &[f32]| {
            let unit: Vec<f32> = values.iter().map(|value| (value + 1.0) / 2.0).collect();
            Some(Picture::from_unit(shape, &unit))
        };
        let all: Vec<Option<Picture>> = values.chunks_exact(features).map(picture).collect();
        let rows: Vec<Vec<Option<Picture>>> = all.chunks(SIDE).map(<[_]>::to_vec).collect();
        let groups = self.classes.as_deref().unwrap_or_default();
        (grid(shape, &rows), spread(&values, features, groups) / self.real.max(f64::MIN_POSITIVE))
    }
}

/// The first pictures of each class, and their classes.
fn first_of_each(labels: &[u32], classes: u32) -> (Vec<u32>, Vec<u32>) {
    let mut counts = vec![0; classes as usize];
    let wanted = (0..).zip(labels).filter(|(_, class)| {
        let Some(count) = counts.get_mut(**class as usize) else { return false };
        *count += 1;
        *count <= SIDE
    });
    wanted.map(|(index, class)| (index, *class)).unzip()
}

/// The root of the mean variance of a value over the pictures of a group; without groups all are one.
fn spread(pictures: &[f32], features: usize, groups: &[u32]) -> f64 {
    let mut of: BTreeMap<u32, Vec<&[f32]>> = BTreeMap::new();
    for (index, picture) in pictures.chunks_exact(features).enumerate() {
        of.entry(groups.get(index).copied().unwrap_or(0)).or_default().push(picture);
    }
    let (mut sum, mut count) = (0.0, 0);
    for pictures in of.values().filter(|pictures| pictures.len() > 1) {
        for place in 0..features {
            let values = || pictures.iter().map(|picture| f64::from(picture[place]));
            let mean = values().sum::<f64>() / pictures.len() as f64;
            sum += values().map(|value| (value - mean).powi(2)).sum::<f64>() / (pictures.len() - 1) as f64;
            count += 1;
        }
    }
    (sum / f64::from(count.max(1))).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_is_that_within_groups() {
        let pictures = [0.0, 1.0, 2.0, 1.0, 5.0, 5.0, 5.0, 9.0];
        // Variances 2, 0 and 0, 8.
        assert!((spread(&pictures, 2, &[0, 0, 1, 1]) - 2.5f64.sqrt()).abs() < 1e-12);
        assert_eq!(spread(&pictures[..2], 2, &[]), 0.0);
        assert!(spread(&pictures, 2, &[]) > spread(&pictures, 2, &[0, 0, 1, 1]));
    }
}
