//! A run's network as attacks and attributions see it.

use burn::module::Module;
use crucible_compress::Compressed;
use crucible_data::{Examples, InputFormat, Inputs, Task};
use crucible_measure::argmax;
use crucible_models::{Classifier, Network, Scaling, WhiteBox};
use crucible_robust::Batch;
use crucible_train::losses::LossConfig;

use crate::{error::CliError, run::Run};

/// A classifier in the units that people speak of: pictures from 0 (black) to 1 (white), tables as they were
/// standardised.
pub(crate) struct View {
    pub(crate) model: WhiteBox<Compressed>,
    pub(crate) scaling: Scaling,
    /// The lowest and the highest valid value.
    pub(crate) range: [f32; 2],
    pub(crate) classes: Vec<String>,
}

impl View {
    /// The view of a run; `examples` say how far the values of a table reach.
    pub(crate) fn new(run: &Run, examples: &Examples) -> Result<Self, CliError> {
        let Task::Classification { classes } = &run.config.format.task else {
            return Err(CliError::Usage(
                "this run predicts numbers; attacks and attributions need a network that tells classes apart"
                    .to_owned(),
            ));
        };
        let scaling = scaling(&run.config.format.input);
        let model = WhiteBox::new(&run.network.valid(), &scaling, run.config.outputs, &run.device);
        if model.classes() != classes.len() {
            return Err(CliError::Usage(format!(
                "the network has {} outputs for {} classes",
                run.config.outputs,
                classes.len()
            )));
        }
        Ok(Self {
            model,
            scaling,
            range: range(&run.config.format.input, examples),
            classes: classes.clone(),
        })
    }
}

impl View {
    /// The network's class for each input, the first of equals.
    pub(crate) fn answers(&self, inputs: &[f32]) -> Vec<u32> {
        let logits = self.model.logits(inputs);
        logits.chunks_exact(self.model.classes()).map(|row| argmax(row) as u32).collect()
    }

    /// The same view of another network of the run's architecture.
    pub(crate) fn of(&self, network: &Network, run: &Run) -> Self {
        let network = Compressed::floats(network.valid());
        let model = WhiteBox::new(&network, &self.scaling, run.config.outputs, &run.device);
        Self { model, scaling: self.scaling.clone(), range: self.range, classes: self.classes.clone() }
    }
}

/// How values in people's units become a network's inputs.
pub(crate) fn scaling(format: &InputFormat) -> Scaling {
    let features: usize = format.shape().iter().product();
    match format {
        InputFormat::Image { channels, mean, std, .. } => {
            let plane = features / channels;
            let each = |value: &dyn Fn(usize) -> f32| (0..features).map(|i| value(i / plane)).collect();
            Scaling { scale: each(&|c| 1.0 / std[c]), offset: each(&|c| -mean[c] / std[c]) }
        }
        InputFormat::Table { .. } | InputFormat::Text { .. } => Scaling::none(features),
    }
}

/// The valid values: 0 to 1 for pictures, and as far from 0 as any value of `examples` for tables.
pub(crate) fn range(format: &InputFormat, examples: &Examples) -> [f32; 2] {
    match (format, examples.inputs()) {
        (InputFormat::Table { .. }, Inputs::Floats(values)) => {
            let most = values.iter().fold(1e-6f32, |most, value| most.max(value.abs()));
            [-most, most]
        }
        _ => [0.0, 1.0],
    }
}

/// The inputs of the examples at `indices` in people's units, `[indices, features]`.
pub(crate) fn inputs(examples: &Examples, indices: impl Iterator<Item = usize>) -> Vec<f32> {
    let features = examples.input_len();
    let place = |index: usize| index * features..(index + 1) * features;
    match examples.inputs() {
        Inputs::Bytes { values, .. } => {
            indices.flat_map(|index| &values[place(index)]).map(|value| f32::from(*value) / 255.0).collect()
        }
        Inputs::Floats(values) => indices.flat_map(|index| &values[place(index)]).copied().collect(),
    }
}

/// Examples with these inputs as attacks and detectors see them; the first ones, where there are fewer inputs.
pub(crate) fn batch<'a>(examples: &'a Examples, inputs: &'a [f32]) -> Batch<'a> {
    let labels = examples.classes().expect("a classifier's examples have classes");
    let batch = Batch::new(inputs, &labels[..inputs.len() / examples.input_len()]);
    match *examples.shape() {
        [channels, height, width] => batch.pictures([channels, height, width]),
        _ => batch,
    }
}

/// The class of that name.
pub(crate) fn class(classes: &[String], name: &str) -> Result<usize, CliError> {
    classes.iter().position(|class| class == name).ok_or_else(|| {
        CliError::Usage(format!("there is no class `{name}`; there are: {}", classes.join(", ")))
    })
}

/// Whether a loss reads the network's outputs as scores of classes.
pub(crate) fn is_classifying(loss: &LossConfig) -> bool {
    matches!(loss, LossConfig::CrossEntropy(_) | LossConfig::BinaryCrossEntropy(_))
}
