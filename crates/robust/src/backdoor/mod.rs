//! Backdoors: planting one, and the detectors that look for one, a file each, and the one list that names them.

mod clustering;
mod exclude;
mod plant;
mod principal;
mod reconstruct;
mod spectral;

use crucible_models::{Differentiable, Featured};
use crucible_train::registry;
use rand_chacha::ChaCha8Rng;

pub use clustering::Clustering;
pub use plant::{Corner, Patch, Plant, Planted, Trigger};
pub use reconstruct::Reconstruct;
pub use spectral::Spectral;

use crate::{Batch, RobustError};

/// The model that may have a backdoor.
#[derive(Clone, Copy)]
pub struct Suspect<'a> {
    model: &'a dyn Differentiable,
    features: Option<&'a dyn Featured>,
}

impl<'a> Suspect<'a> {
    /// A network, seen with its features and its gradients.
    #[must_use]
    pub fn new<M: Differentiable + Featured>(model: &'a M) -> Self {
        Self { model, features: Some(model) }
    }

    /// A model from elsewhere, which shows no features.
    #[must_use]
    pub fn without_features(model: &'a dyn Differentiable) -> Self {
        Self { model, features: None }
    }
}

/// What a detector looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sees {
    /// The features of the training examples.
    Features,
    /// Gradients by the inputs.
    Gradients,
}

/// What a detector says of a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inspection {
    /// `[classes]`: how much each looks like the target of a backdoor; none where it cannot be told.
    pub scores: Vec<Option<f64>>,
    /// The class that is held to be the target.
    pub flagged: Option<u32>,
    /// Why it is flagged, or why none is.
    pub evidence: String,
    /// The training examples that are held to be poisoned, rising; of the flagged class, from detectors of features.
    pub suspicious: Vec<usize>,
    /// `[classes]`, from a detector that reconstructs triggers.
    pub triggers: Vec<Reconstruction>,
}

/// The smallest trigger found that turns inputs into a class.
#[derive(Debug, Clone, PartialEq)]
pub struct Reconstruction {
    /// `[height · width]`, 0 to 1: how much of each pixel it covers, in all channels alike.
    pub mask: Vec<f32>,
    /// `[features]`, 0 to 1: what it covers them with.
    pub pattern: Vec<f32>,
    /// The share of inputs of other classes that it turns into the class.
    pub success: f64,
}

/// A way to look for a backdoor.
pub trait Detector {
    /// What it looks at.
    fn sees(&self) -> Sees;

    /// Looks for the class that a backdoor leads to.
    ///
    /// Called through [`DetectorConfig::run`], which has checked the examples and what the model shows.
    fn run(&self, suspect: Suspect<'_>, batch: Batch<'_>, rng: &mut ChaCha8Rng) -> Inspection;
}

registry! {
    /// Which detector, and its settings.
    pub enum DetectorConfig: Detector by detector;

    /// Spectral signatures: examples far out along the direction in which a class's features differ most.
    Spectral = "spectral",
    /// Activation clustering: a class whose features fall into a large group and a small one.
    Clustering = "clustering",
    /// Neural Cleanse: a class that an unusually small trigger turns every input into.
    Reconstruct = "reconstruct",
}

impl DetectorConfig {
    /// Runs the detector on the examples that the model was trained on, or, for one that sees gradients, on any.
    ///
    /// # Errors
    ///
    /// Where the model does not show what the detector looks at, an input lies outside of 0 to 1 or a label is no class.
    ///
    /// # Panics
    ///
    /// If there is not one label for each input.
    pub fn run(
        &self,
        suspect: Suspect<'_>,
        batch: Batch<'_>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Inspection, RobustError> {
        let (model, detector) = (suspect.model, self.detector());
        if detector.sees() == Sees::Features && suspect.features.is_none() {
            return Err(RobustError::Features { detector: self.name() });
        }
        assert_eq!(batch.inputs.len(), batch.len() * model.features(), "one label for each input");
        let classes = model.classes();
        if let Some(&class) = batch.labels.iter().find(|&&class| class as usize >= classes) {
            return Err(RobustError::Class { class, classes });
        }
        crate::threat::check(batch.inputs, model.features(), [0.0, 1.0])?;
        Ok(detector.run(suspect, batch, rng))
    }
}

/// The class of the highest score.
fn highest(scores: &[Option<f64>]) -> Option<(usize, f64)> {
    let known = scores.iter().enumerate().filter_map(|(class, score)| Some((class, (*score)?)));
    known.max_by(|a, b| a.1.total_cmp(&b.1))
}
