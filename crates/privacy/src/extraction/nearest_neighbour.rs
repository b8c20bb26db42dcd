use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Inversion, need};
use crate::PrivacyError;

/// Memorisation, seen from inputs that were made from a model (here by [`Inversion`], from random starts): the distance to
/// the nearest training example beside that to the nearest test example of the same class.
///
/// After the ratios of distances by which copies of training examples are told from new ones: N. Carlini et al.: Extracting
/// training data from diffusion models, 2023 (arXiv:2301.13188), section 5.1, and C. Meehan, K. Chaudhuri, S. Dasgupta: A
/// non-parametric test to detect data-copying in generative models, 2020 (arXiv:2004.05675).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NearestNeighbour {
    /// Inputs that are made for each class.
    pub per_class: usize,
    /// How they are made.
    pub inversion: Inversion,
}

impl Default for NearestNeighbour {
    fn default() -> Self {
        Self { per_class: 8, inversion: Inversion::default() }
    }
}

impl NearestNeighbour {
    pub(super) fn check(&self) -> Result<(), PrivacyError> {
        need("per_class", self.per_class as f64, self.per_class > 0, "at least 1")?;
        self.inversion.check()
    }
}

/// Inputs and their classes.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    /// `[n, features]`.
    pub inputs: &'a [f32],
    /// `[n]`.
    pub labels: &'a [u32],
}

/// How near an input is to the examples of its class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearness {
    /// Its class.
    pub class: u32,
    /// The Euclidean distance to the nearest training example.
    pub train: f64,
    /// The Euclidean distance to the nearest test example.
    pub test: f64,
    /// The index of the training example that is the nearest of all.
    pub nearest_train: usize,
    /// The index of the test example that is the nearest of all.
    pub nearest_test: usize,
}

impl Nearness {
    /// Below 1 where the training examples are nearer; 1 where both are met exactly.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        if self.train == self.test { 1.0 } else { self.train / self.test }
    }
}

/// How near each of the inputs `made` is to training and to test examples of its class; none for an input whose class has
/// no examples in either.
///
/// The nearest of many lies nearer than the nearest of few. So that neither split is favoured, each distance is that to
/// the nearest of as many examples as the smaller split has of the class: for the larger one the mean over all choices of
/// so many, computed exactly.
///
/// # Panics
///
/// If there is not one class for each input.
#[must_use]
pub fn nearest_neighbours(
    made: Labelled<'_>,
    train: Labelled<'_>,
    test: Labelled<'_>,
    features: usize,
) -> Vec<Option<Nearness>> {
    for Labelled { inputs, labels } in [made, train, test] {
        assert_eq!(inputs.len(), labels.len() * features, "one class for each input");
    }
    let each = made.inputs.chunks_exact(features).zip(made.labels);
    each.map(|(input, &class)| {
        let [near_train, near_test] = [train, test].map(|split| distances(input, class, split));
        let choice = near_train.len().min(near_test.len());
        let (&(_, nearest_train), &(_, nearest_test)) = (near_train.first()?, near_test.first()?);
        let [train, test] = [near_train, near_test].map(|sorted| nearest_of(&sorted, choice));
        Some(Nearness { class, train, test, nearest_train, nearest_test })
    })
    .collect()
}

/// The distances to the examples of a class with their indices, rising.
fn distances(input: &[f32], class: u32, split: Labelled<'_>) -> Vec<(f64, usize)> {
    let examples = split.inputs.chunks_exact(input.len()).zip(split.labels).enumerate();
    let of_class = examples.filter(|(_, (_, label))| **label == class);
    let mut all: Vec<(f64, usize)> = of_class
        .map(|(index, (example, _))| {
            let squares = example.iter().zip(input).map(|(a, b)| f64::from(a - b).powi(2));
            (squares.sum::<f64>().sqrt(), index)
        })
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all
}

/// The mean, over all choices of `choice` of these rising distances, of the least of them.
fn nearest_of(sorted: &[(f64, usize)], choice: usize) -> f64 {
    let (count, mut mean) = (sorted.len(), 0.0);
    // The probability that none of the nearer ones was chosen.
    let mut none = 1.0;
    for (nearer, (distance, _)) in sorted.iter().enumerate() {
        // Of those that are left, all choices are as likely.
        let chosen = (choice as f64 / (count - nearer) as f64).min(1.0);
        mean += none * chosen * distance;
        none *= 1.0 - chosen;
    }
    mean
}
