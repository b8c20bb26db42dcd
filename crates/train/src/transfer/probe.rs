use burn::tensor::{Device, Tensor, TensorData};
use crucible_data::{Column, Dataset, Examples, Format, InputFormat, Inputs, by_length};
use crucible_models::{
    Network, Penultimate, Tapped,
    weights::{self, State},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Place, Places, Way};
use crate::Around;

/// Examples in one forward pass.
const BATCH: usize = 256;

/// The last layer alone is trained, as a linear layer on features that the layers before it give once.
///
/// G. Alain, Y. Bengio: Understanding intermediate layers using linear classifier probes, 2017.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {}

impl Way for Probe {
    fn trains(&self, place: &Place) -> bool {
        place.is_head
    }
}

/// What is done around an update rule for a network of one linear layer, `fc1`, that takes the place of the last one of
/// `backbone`.
pub struct LinearProbe {
    backbone: Network,
    head: String,
}

impl std::fmt::Debug for LinearProbe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinearProbe").field("head", &self.head).finish_non_exhaustive()
    }
}

impl LinearProbe {
    /// For the layer that takes the place of the last of `backbone`, whose parameters have these places.
    #[must_use]
    pub fn new(backbone: Network, places: &Places) -> Self {
        Self { backbone, head: places.head().to_owned() }
    }

    /// What the last layer of `network` reads for each example of a dataset, as a dataset.
    #[must_use]
    pub fn features(network: &Network, data: &Dataset, device: &Device) -> Dataset {
        let of = |examples: &Examples| {
            let (values, width) = features(network, examples, device);
            Examples::new(vec![width], Inputs::Floats(values), examples.targets().clone())
        };
        let train = of(&data.train);
        let column = |i| Column::Numeric { name: format!("feature {i}"), mean: 0.0, std: 1.0, fill: 0.0 };
        let columns = (1..=train.input_len()).map(column).collect();
        let input = InputFormat::Table { columns, missing: Vec::new(), delimiter: ',' };
        Dataset {
            name: data.name.clone(),
            format: Format { input, task: data.format.task.clone() },
            train,
            validation: data.validation.as_ref().map(of),
            test: data.test.as_ref().map(of),
        }
    }

    /// The weights of a linear layer `fc1` for those of the last layer of a network, whose parameters have these places.
    #[must_use]
    pub fn layer(state: &State, places: &Places) -> State {
        let parts = ["weight", "bias"].map(|part| {
            let tensor = state[&format!("{}.{part}", places.head())].clone();
            (format!("fc1.{part}"), tensor)
        });
        parts.into()
    }
}

/// `[examples, width]`, and the width.
fn features(network: &Network, examples: &Examples, device: &Device) -> (Vec<f32>, usize) {
    let (mut inputs, mut values, mut width) = (Vec::new(), Vec::new(), 0);
    for indices in &by_length(examples.lengths().as_deref(), examples.len(), BATCH) {
        examples.gather(indices, &mut inputs);
        let data = TensorData::new(inputs.clone(), [indices.len(), examples.input_len()]);
        let mut tap = Penultimate::default();
        let _ = network.forward(Tensor::from_data(data, device), &mut tap);
        let found = tap.0.expect("a network ends in a linear layer").into_data();
        let found = found.try_to_vec::<f32>().expect("networks here hold f32");
        width = found.len() / indices.len();
        values.resize(examples.len() * width, 0.0);
        for (&index, row) in indices.iter().zip(found.chunks_exact(width)) {
            values[index as usize * width..][..width].copy_from_slice(row);
        }
    }
    (values, width)
}

impl Around for LinearProbe {
    fn kept(&self, network: Network) -> Network {
        let (mut state, layer) = (weights::collect(&self.backbone), weights::collect(&network));
        for part in ["weight", "bias"] {
            state.insert(format!("{}.{part}", self.head), layer[&format!("fc1.{part}")].clone());
        }
        weights::assign(self.backbone.clone(), &state).expect("a layer of the same shape")
    }
}
