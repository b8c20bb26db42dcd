//! From a network of floats to one of integers.

use burn::tensor::Device;
use crucible_models::Network;

use super::{Prepared, QuantizeConfig};
use crate::{Archive, CompressError};

/// Quantizes `network`, whose activations are seen on `inputs` `[n, features]` as the network reads them.
///
/// # Errors
///
/// As [`Prepared::new`].
pub fn quantize(
    network: &Network,
    inputs: &[f32],
    features: usize,
    config: &QuantizeConfig,
    device: &Device,
) -> Result<Archive, CompressError> {
    let prepared = Prepared::new(network, inputs, features, config, device)?;
    prepared.archive(prepared.formats())
}
