//! Who is attacked, and what the attacker may ask.

use std::fmt;

use crucible_models::{Classifier, Differentiable};

/// What an attack asks of a model, from most to least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Its class for an input.
    Decisions,
    /// Its scores or probabilities.
    Scores,
    /// Gradients by its inputs.
    Gradients,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gradients => "gradients",
            Self::Scores => "scores",
            Self::Decisions => "decisions",
        })
    }
}

/// The model under attack.
#[derive(Clone, Copy)]
pub enum Victim<'a> {
    /// A model that can be differentiated.
    WhiteBox(&'a dyn Differentiable),
    /// A model that only answers.
    BlackBox(&'a dyn Classifier),
}

impl<'a> Victim<'a> {
    /// What can be asked.
    #[must_use]
    pub fn access(self) -> Access {
        match self {
            Self::WhiteBox(_) => Access::Gradients,
            Self::BlackBox(_) => Access::Scores,
        }
    }

    /// The model as one that answers.
    #[must_use]
    pub fn scores(self) -> &'a dyn Classifier {
        match self {
            Self::WhiteBox(model) => model,
            Self::BlackBox(model) => model,
        }
    }
}

/// Examples to attack.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// `[n, features]`, each value valid.
    pub inputs: &'a [f32],
    /// The true class of each.
    pub labels: &'a [u32],
    /// Channels, height and width, channels first, where inputs are pictures: what moves neighbouring pixels together
    /// asks for it. Other inputs are taken for a row of values.
    pub picture: Option<[usize; 3]>,
}

impl<'a> Batch<'a> {
    /// Rows of values, and the true class of each.
    #[must_use]
    pub fn new(inputs: &'a [f32], labels: &'a [u32]) -> Self {
        Self { inputs, labels, picture: None }
    }

    /// The same as pictures of `[channels, height, width]`.
    #[must_use]
    pub fn pictures(self, shape: [usize; 3]) -> Self {
        Self { picture: Some(shape), ..self }
    }

    /// How many examples there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The inputs and labels of the examples at `indices`, for a batch of them alone.
    pub(crate) fn select(&self, indices: &[usize]) -> (Vec<f32>, Vec<u32>) {
        let inputs = indices.iter().flat_map(|&index| self.input(index)).copied().collect();
        (inputs, indices.iter().map(|&index| self.labels[index]).collect())
    }

    /// Example `index`.
    #[must_use]
    pub fn input(&self, index: usize) -> &'a [f32] {
        let features = self.inputs.len() / self.labels.len();
        &self.inputs[index * features..][..features]
    }
}
