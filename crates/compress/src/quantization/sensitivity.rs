use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::{NoTap, Tapped};

use super::{Formats, Prepared};
use crate::{CompressError, Compressed, parameters::parameter};

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

/// Compresses each of these layers by itself, the others staying in floats, and holds the outputs for `inputs` `[n,
/// features]` against the network's.
///
/// # Errors
///
/// As [`Prepared::archive`].
pub fn sensitivity(
    prepared: &Prepared,
    formats: &Formats,
    inputs: &[f32],
    device: &Device,
) -> Result<Vec<Sensitivity>, CompressError> {
    let (network, features) = (prepared.network(), prepared.graph.features);
    let expected = outputs(network, inputs, features, device);
    let size: f64 = expected.iter().map(|value| f64::from(*value).powi(2)).sum();
    let state = crucible_models::weights::collect(network);
    let layers = prepared.graph.nodes.iter().filter_map(|node| Some((node, *formats.get(&node.name)?)));
    let measure = |(node, format): (&crucible_models::Node, _)| {
        let archive = prepared.archive(&[(node.name.clone(), format)].into())?;
        let compressed = Compressed::open(&archive, network.valid(), features, device);
        let compressed = compressed.expect("an archive of this network");
        let found = outputs(&compressed, inputs, features, device);
        let errors = found.iter().zip(&expected).map(|(a, b)| f64::from(a - b).powi(2));
        let weights = state[&parameter(node, "weight")].values.len();
        let error = errors.sum::<f64>() / size.max(f64::MIN_POSITIVE);
        Ok(Sensitivity { layer: node.name.clone(), weights, error })
    };
    layers.map(measure).collect()
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
