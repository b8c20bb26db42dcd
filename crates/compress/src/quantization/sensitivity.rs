use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::{Graph, Network, NoTap, Tapped};

use crate::{CompressError, Compressed, QuantizeConfig, parameters::is_weighted, quantize};

/// What compressing one layer alone does to a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensitivity {
    /// The layer's name.
    pub layer: String,
    /// Its weights.
    pub weights: usize,
    /// The mean squared error of the network's outputs over the mean square of the outputs.
    pub error: f64,
}

/// Compresses each layer that `config` compresses by itself, the others staying in floats, and holds the outputs for
/// `inputs` `[n, features]` against the network's.
///
/// # Errors
///
/// As [`quantize`].
pub fn sensitivity(
    network: &Network,
    inputs: &[f32],
    features: usize,
    config: &QuantizeConfig,
    device: &Device,
) -> Result<Vec<Sensitivity>, CompressError> {
    let graph = Graph::trace(network, features, device)?;
    let layers: Vec<_> = graph.nodes.iter().filter(|node| is_weighted(node)).collect();
    let expected = outputs(network, inputs, features, device);
    let size: f64 = expected.iter().map(|value| f64::from(*value).powi(2)).sum();
    let chosen = layers.iter().filter(|node| !config.keep.contains(&node.name));
    let measure = |node: &&&crucible_models::Node| {
        let others = layers.iter().filter(|other| other.name != node.name);
        let keep = others.map(|other| other.name.clone()).collect();
        let archive =
            quantize(network, inputs, features, &QuantizeConfig { keep, ..config.clone() }, device)?;
        let compressed = Compressed::open(&archive, network.valid(), features, device);
        let compressed = compressed.expect("an archive of this network");
        let found = outputs(&compressed, inputs, features, device);
        let errors = found.iter().zip(&expected).map(|(a, b)| f64::from(a - b).powi(2));
        let weights = match &node.operation {
            crucible_models::Operation::Linear(layer, _) => layer.weight.shape().num_elements(),
            crucible_models::Operation::Conv2d(layer, _) => layer.weight.shape().num_elements(),
            _ => 0,
        };
        let error = errors.sum::<f64>() / size.max(f64::MIN_POSITIVE);
        Ok(Sensitivity { layer: node.name.clone(), weights, error })
    };
    chosen.collect::<Vec<_>>().iter().map(measure).collect()
}

fn outputs(network: &impl Tapped, inputs: &[f32], features: usize, device: &Device) -> Vec<f32> {
    const BATCH: usize = 256;
    let batches = inputs.chunks(BATCH * features);
    let answer = |batch: &[f32]| {
        let input = TensorData::new(batch.to_vec(), [batch.len() / features, features]);
        let outputs = network.forward(Tensor::from_data(input, device), &mut NoTap);
        outputs.into_data().try_to_vec::<f32>().expect("networks here hold f32")
    };
    batches.flat_map(answer).collect()
}
