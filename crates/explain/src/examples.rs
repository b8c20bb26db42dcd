use crucible_models::InputShape;

use crate::{ExplainError, Model};

/// What is explained: inputs, and for each the class whose score is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Examples<'a> {
    /// `[n, features]`, in the caller's units.
    pub inputs: &'a [f32],
    /// The class of each input whose score is explained, `[n]`: the predicted or the true one.
    pub targets: &'a [usize],
    /// The shape of one input. Methods that move windows or squares over pictures look at it.
    pub shape: InputShape,
    /// Inputs `[m, features]` that stand for the data, for baselines that are made of them; may be empty.
    pub background: &'a [f32],
}

impl<'a> Examples<'a> {
    /// Inputs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there is nothing to explain.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Values of one input.
    #[must_use]
    pub fn features(&self) -> usize {
        self.shape.features()
    }

    /// The input of this number.
    #[must_use]
    pub fn input(&self, number: usize) -> &'a [f32] {
        &self.inputs[number * self.features()..][..self.features()]
    }

    /// Channels, height and width.
    pub(crate) fn picture(&self) -> Option<[usize; 3]> {
        match self.shape {
            InputShape::Image { channels, height, width } => Some([channels, height, width]),
            InputShape::Features { .. } | InputShape::Sequence { .. } | InputShape::Tokens { .. } => None,
        }
    }

    /// Refuses classes that the model does not have.
    ///
    /// # Panics
    ///
    /// If lengths and shape do not fit each other or the model: no user can bring that about.
    pub(crate) fn check(&self, model: &Model<'_>) -> Result<(), ExplainError> {
        let (features, classes) = (self.features(), model.scores().classes());
        assert_eq!(features, model.scores().features(), "the shape is the model's");
        assert_eq!(self.inputs.len(), self.targets.len() * features, "one class for each input");
        assert_eq!(self.background.len() % features.max(1), 0, "whole inputs in the background");
        match self.targets.iter().find(|&&target| target >= classes) {
            Some(&target) => Err(ExplainError::NoSuchClass { target, classes }),
            None => Ok(()),
        }
    }
}
