//! What is certain about a classifier: no attack, known or unknown, can break it. The certificates, one file each, and the
//! one list that names them.

mod crown_ibp;
mod interval;
mod smoothing;

use burn::tensor::{Device, Tensor};
use crucible_measure::argmax;
use crucible_models::{Classifier, Scaling, Tapped};
use crucible_train::registry;
use rand_chacha::ChaCha8Rng;

pub use crown_ibp::CrownIbp;
pub(crate) use crown_ibp::{Worst, worst_by_lines};
pub use interval::{Bounds, Ibp, NoBounds, interval_bounds};
pub(crate) use interval::{boxes, worst_logits};
pub use smoothing::{Smoothed, Smoothing};

use crate::{Batch, Norm, RobustError, Threat};

/// The classifier that a certificate speaks of.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// It, over plain arrays.
    pub model: &'a dyn Classifier,
    /// Its network, without autodiff.
    pub network: &'a dyn Tapped,
    /// What leads from the callers' values to the network's inputs.
    pub scaling: &'a Scaling,
    /// Where the network is.
    pub device: &'a Device,
}

/// What a certificate says of an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The class that the classifier (smoothed, if it is) gives; none where it abstains.
    pub class: Option<u32>,
    /// Whether that is the label, and nothing within the ball and the valid range is taken for another class.
    pub certain: bool,
}

/// A way to prove that nothing in a ball is taken for another class.
pub trait Certificate {
    /// How the balls measure that it speaks of.
    fn norm(&self) -> Norm;

    /// Whether the proof goes through the network's layers, and does not speak of one that computes otherwise.
    fn reads_layers(&self) -> bool {
        true
    }

    /// Whether its settings make sense.
    ///
    /// # Errors
    ///
    /// Where one of them has a value that it cannot have.
    fn check(&self) -> Result<(), RobustError> {
        Ok(())
    }

    /// A verdict on each example.
    ///
    /// Called through [`CertificateConfig::run`], which has checked the settings, the norm and the examples.
    ///
    /// # Errors
    ///
    /// Where the proof does not pass through the network.
    fn run(
        &self,
        subject: Subject<'_>,
        batch: Batch<'_>,
        threat: &Threat,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<Verdict>, RobustError>;
}

registry! {
    /// Which certificate, and its settings.
    pub enum CertificateConfig: Certificate by certificate;

    /// Interval bounds of every layer.
    Ibp = "ibp",
    /// The better of interval bounds and of linear bounds back from the outputs to the input.
    CrownIbp = "crown-ibp",
    /// Randomised smoothing: of the network under noise, each certificate with 99.9% confidence unless set otherwise.
    Smoothing = "smoothing",
}

impl CertificateConfig {
    /// A verdict on each example.
    ///
    /// # Errors
    ///
    /// Where a setting has a value that it cannot have, the certificate speaks of other balls, an input is not valid or a
    /// label no class, or the proof does not pass through the network.
    ///
    /// # Panics
    ///
    /// If there is not one label for each input.
    pub fn run(
        &self,
        subject: Subject<'_>,
        batch: Batch<'_>,
        threat: &Threat,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<Verdict>, RobustError> {
        let (model, certificate, norm) = (subject.model, self.certificate(), threat.norm());
        certificate.check()?;
        if certificate.norm() != norm {
            let all = Self::all().into_iter();
            let others = all.filter(|(_, _, config)| config.certificate().norm() == norm);
            return Err(RobustError::Norm {
                method: self.name(),
                norm,
                others: others.map(|(name, _, _)| name).collect(),
            });
        }
        assert_eq!(batch.inputs.len(), batch.len() * model.features(), "one label for each input");
        let classes = model.classes();
        if let Some(&class) = batch.labels.iter().find(|&&class| class as usize >= classes) {
            return Err(RobustError::Class { class, classes });
        }
        threat.check(batch.inputs, model.features())?;
        certificate.run(subject, batch, threat, rng)
    }
}

/// From the boxes `[n, features]` that inputs may lie in, and their labels, to bounds of how far each class's logit can
/// exceed the label's, `[n, classes]`.
type Excess<'a> = &'a dyn Fn(&dyn Tapped, [Tensor<2>; 2], &[u32]) -> Result<Tensor<2>, RobustError>;

/// The verdicts of a certificate that bounds logits, of `size` examples at a time. Bounds are computed in float32; what would be decided by less than
/// its rounding counts as not certain.
fn by_bounds(
    subject: Subject<'_>,
    batch: Batch<'_>,
    threat: &Threat,
    size: usize,
    excess: Excess<'_>,
) -> Result<Vec<Verdict>, RobustError> {
    let Subject { model, network, scaling, device } = subject;
    let mut verdicts = Vec::with_capacity(batch.len());
    for (inputs, labels) in batch.inputs.chunks(size * model.features()).zip(batch.labels.chunks(size)) {
        let worst = excess(network, boxes(inputs, threat, scaling, device), labels)?;
        let worst = worst.into_data().try_to_vec::<f32>().expect("networks here hold f32");
        let logits = model.logits(inputs);
        let rows = logits.chunks_exact(model.classes()).zip(worst.chunks_exact(model.classes()));
        verdicts.extend(rows.zip(labels).map(|((logits, worst), label)| {
            let class = argmax(logits) as u32;
            Verdict { class: Some(class), certain: class == *label && is_certain(worst, *label) }
        }));
    }
    Ok(verdicts)
}

/// Whether no class but the label comes near it; a NaN decides nothing.
fn is_certain(worst: &[f32], label: u32) -> bool {
    let mut others = worst.iter().enumerate().filter(|(class, _)| *class != label as usize);
    others.all(|(_, excess)| *excess < -ROUNDING)
}

/// A margin of logits below which nothing is certified.
const ROUNDING: f32 = 1e-4;
