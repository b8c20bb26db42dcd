//! Scores of how unusual an input is.

use crucible_measure::{
    Rows,
    detection::{Mahalanobis, NearestNeighbours, Vim, energy, entropy, margin, max_softmax},
    softmax,
};
use crucible_models::{Classifier, Featured};
use crucible_robust::odin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::head::Head;
use crate::{
    audit::{Subject, Unmeasured, finding::skip},
    view::View,
};

/// Which score.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Score {
    /// Less the largest probability.
    MaxSoftmax,
    /// The entropy of the probabilities.
    Entropy,
    /// Less the difference of the two largest probabilities.
    Margin,
    /// Less the logarithm of the sum of the exponentials of the logits.
    Energy,
    /// The largest probability after a push towards it, at a temperature of 1,000.
    Odin,
    /// The distance of the features from the nearest class.
    Mahalanobis,
    /// The distance of the features from the tenth-nearest training example's.
    #[default]
    NearestNeighbours,
    /// Virtual-logit matching: energy, and the features outside the directions of the training data.
    Vim,
}

/// The neighbour that the distance is to.
const NEIGHBOUR: usize = 10;
/// ODIN's temperature.
const TEMPERATURE: f64 = 1000.0;
/// ODIN's push, in the values that the network is asked with: of pictures from 0 to 1.
const PUSH: f32 = 0.0014;
/// What is added to every variance, as a share of the mean one.
const RIDGE: f64 = 1e-6;

impl Score {
    pub(super) const ALL: [Self; 8] = [
        Self::MaxSoftmax,
        Self::Entropy,
        Self::Margin,
        Self::Energy,
        Self::Odin,
        Self::Mahalanobis,
        Self::NearestNeighbours,
        Self::Vim,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::MaxSoftmax => "maximum softmax",
            Self::Entropy => "entropy",
            Self::Margin => "margin",
            Self::Energy => "energy",
            Self::Odin => "ODIN",
            Self::Mahalanobis => "Mahalanobis distance",
            Self::NearestNeighbours => "nearest neighbours",
            Self::Vim => "ViM",
        }
    }
}

/// A network with all that scores go by.
pub(super) struct Scored<'a> {
    view: &'a View,
    width: usize,
    mahalanobis: Option<Mahalanobis>,
    neighbours: Option<NearestNeighbours>,
    vim: Option<Vim>,
}

impl<'a> Scored<'a> {
    /// Looks at training inputs `[n, features]`.
    pub(super) fn new(subject: &Subject, view: &'a View, train: &[f32]) -> Result<Self, Unmeasured> {
        let count = train.len() / view.model.features();
        if count == 0 {
            return skip("there are no training examples");
        }
        let features = doubles(&view.model.penultimate(train));
        let width = features.len() / count;
        let rows = Rows::new(&features, width);
        let labels = subject.data.train.classes().expect("a classifier's examples have classes");
        let labels: Vec<usize> = labels[..count].iter().map(|label| *label as usize).collect();
        let run = subject.run()?;
        let first = view.scaling.input(&train[..view.model.features()], &run.device);
        let vim = Head::of(run.network.network(), first).and_then(|head| {
            let fits = width > 1 && head.weights.len() == head.bias.len() * width;
            let weights = fits.then(|| Rows::new(&head.weights, width))?;
            Vim::fit(rows, weights, &head.bias, width / 2)
        });
        let mahalanobis = Mahalanobis::fit(rows, &labels, RIDGE);
        Ok(Self {
            view,
            width,
            mahalanobis,
            neighbours: NearestNeighbours::fit(rows, NEIGHBOUR.min(count)),
            vim,
        })
    }

    /// What the network says of inputs `[n, features]`.
    pub(super) fn look(&self, inputs: Vec<f32>) -> Looked {
        let model = &self.view.model;
        let (logits, features) = (doubles(&model.logits(&inputs)), doubles(&model.penultimate(&inputs)));
        Looked { inputs, logits, features }
    }

    /// The score of each input that was looked at; none where this network has no such score.
    pub(super) fn by(&self, score: Score, seen: &Looked) -> Option<Vec<f64>> {
        let classes = self.view.model.classes();
        let (logits, features) = (Rows::new(&seen.logits, classes), Rows::new(&seen.features, self.width));
        let probable = |of: fn(Rows<'_>) -> Vec<f64>| of(Rows::new(&softmax(logits, 1.0), classes));
        Some(match score {
            Score::MaxSoftmax => probable(max_softmax),
            Score::Entropy => probable(entropy),
            Score::Margin => probable(margin),
            Score::Energy => energy(logits, 1.0),
            Score::Odin => odin(&self.view.model, &seen.inputs, TEMPERATURE, PUSH),
            Score::Mahalanobis => self.mahalanobis.as_ref()?.scores(features),
            Score::NearestNeighbours => self.neighbours.as_ref()?.scores(features),
            Score::Vim => self.vim.as_ref()?.scores(features, logits),
        })
    }
}

/// Inputs, and what a network says of them.
pub(super) struct Looked {
    /// `[n, features]`.
    inputs: Vec<f32>,
    /// `[n, classes]`.
    logits: Vec<f64>,
    /// `[n, width]`: what the last layer reads.
    features: Vec<f64>,
}

fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}
