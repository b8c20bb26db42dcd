use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::{Classifier, Differentiable, Scaling, Tapped};

use crate::{ExplainError, Need};

/// Points in one call of a model: bounds the memory of methods that ask for thousands.
const POINTS: usize = 256;

/// A model as far as it lets itself be seen.
#[derive(Clone, Copy)]
pub struct Model<'a> {
    scores: &'a dyn Classifier,
    gradients: Option<&'a dyn Differentiable>,
    layers: Option<Layers<'a>>,
    margin: bool,
}

/// A network in evaluation whose layers may be looked at.
#[derive(Clone, Copy)]
pub struct Layers<'a> {
    /// The network, on `device`.
    pub network: &'a dyn Tapped,
    /// A device without autodiff.
    pub device: &'a Device,
    /// What leads from the caller's units to the network's input.
    pub scaling: &'a Scaling,
    /// Outputs of the network; one stands for two classes.
    pub outputs: usize,
}

impl Layers<'_> {
    /// The network's input `[n, features]` for the caller's.
    pub(crate) fn input(&self, inputs: &[f32]) -> Tensor<2> {
        self.scaling.input(inputs, self.device)
    }

    /// The scaling's factors `[1, features]`: from gradients by the network's input to gradients by the caller's.
    pub(crate) fn scale(&self) -> Tensor<2> {
        let scale = self.scaling.scale.clone();
        let shape = [1, scale.len()];
        Tensor::from_data(TensorData::new(scale, shape), self.device)
    }
}

impl<'a> Model<'a> {
    /// A model of which only the scores can be asked.
    #[must_use]
    pub fn black_box(scores: &'a dyn Classifier) -> Self {
        Self { scores, gradients: None, layers: None, margin: false }
    }

    /// A model that can be differentiated.
    #[must_use]
    pub fn differentiable(model: &'a dyn Differentiable) -> Self {
        Self { scores: model, gradients: Some(model), layers: None, margin: false }
    }

    /// A network with its layers, and the view of the same network
    /// ([`WhiteBox`](crucible_models::WhiteBox)) that gives its scores and gradients.
    #[must_use]
    pub fn layered(model: &'a dyn Differentiable, layers: Layers<'a>) -> Self {
        Self { layers: Some(layers), margin: layers.outputs == 1, ..Self::differentiable(model) }
    }

    /// Explains a class's logit minus the other's, for two classes that one output tells apart; the logit of the first
    /// class is constant there. [`layered`](Self::layered) does so by itself.
    #[must_use]
    pub fn with_margin(self) -> Self {
        Self { margin: true, ..self }
    }

    /// The scores.
    #[must_use]
    pub fn scores(&self) -> &'a dyn Classifier {
        self.scores
    }

    /// The value that is explained, for each input `[n, features]` and its class.
    #[must_use]
    pub fn explained(&self, inputs: &[f32], targets: &[usize]) -> Vec<f64> {
        let logits = self.scores.logits(inputs);
        let rows = logits.chunks_exact(self.scores.classes());
        rows.zip(targets).map(|(row, &target)| self.value(row, target)).collect()
    }

    /// The mean over inputs `[n, features]` of the value that is explained, for each class.
    pub(crate) fn means(&self, inputs: &[f32]) -> Vec<f64> {
        let classes = self.scores.classes();
        let mut means = vec![0.0; classes];
        let logits = self.scores.logits(inputs);
        for row in logits.chunks_exact(classes) {
            let share = classes as f64 / logits.len() as f64;
            means.iter_mut().enumerate().for_each(|(class, mean)| *mean += share * self.value(row, class));
        }
        means
    }

    pub(crate) fn with_layers(&self) -> Result<Layers<'a>, ExplainError> {
        self.layers.ok_or_else(|| ExplainError::lacks(Need::Chain, self.gradients.is_some()))
    }

    /// Shows `take` the value that is explained at each of `count` points, which `point` writes: it gets a point's
    /// number and where to, and returns the class.
    pub(crate) fn scores_at(
        &self,
        count: usize,
        mut point: impl FnMut(usize, &mut [f32]) -> usize,
        mut take: impl FnMut(usize, f64),
    ) {
        let features = self.scores.features();
        for first in (0..count).step_by(POINTS) {
            let (inputs, targets) = points(first..count.min(first + POINTS), features, &mut point);
            let values = self.explained(&inputs, &targets);
            values.into_iter().enumerate().for_each(|(i, value)| take(first + i, value));
        }
    }

    /// The same with the gradient `[features]` of that value.
    pub(crate) fn gradients_at(
        &self,
        count: usize,
        mut point: impl FnMut(usize, &mut [f32]) -> usize,
        mut take: impl FnMut(usize, f64, &[f32]),
    ) -> Result<(), ExplainError> {
        let model = self.gradients.ok_or_else(|| ExplainError::lacks(Need::Gradients, false))?;
        let (features, classes) = (model.features(), model.classes());
        for first in (0..count).step_by(POINTS) {
            let (inputs, targets) = points(first..count.min(first + POINTS), features, &mut point);
            let pulled = model.pull_back(&inputs, &mut |before, logits| {
                let targets = &targets[before..][..logits.len() / classes];
                targets.iter().flat_map(|&target| self.weights(target, classes)).collect()
            });
            let logits = pulled.logits.chunks_exact(classes);
            let rows = pulled.gradient.chunks_exact(features).zip(logits);
            for (i, (gradient, logits)) in rows.enumerate() {
                take(first + i, self.value(logits, targets[i]), gradient);
            }
        }
        Ok(())
    }

    fn value(&self, logits: &[f32], target: usize) -> f64 {
        let weights = self.weights(target, logits.len());
        logits.iter().zip(weights).map(|(&logit, weight)| f64::from(logit) * f64::from(weight)).sum()
    }

    /// What each logit counts in the value that is explained.
    fn weights(&self, target: usize, classes: usize) -> Vec<f32> {
        let others = if self.margin && classes == 2 { -1.0 } else { 0.0 };
        (0..classes).map(|class| if class == target { 1.0 } else { others }).collect()
    }
}

/// Points `[batch, features]` and their classes.
fn points(
    range: std::ops::Range<usize>,
    features: usize,
    point: &mut impl FnMut(usize, &mut [f32]) -> usize,
) -> (Vec<f32>, Vec<usize>) {
    let mut inputs = vec![0.0; range.len() * features];
    let rows = inputs.chunks_exact_mut(features);
    let targets = range.zip(rows).map(|(i, row)| point(i, row)).collect();
    (inputs, targets)
}
