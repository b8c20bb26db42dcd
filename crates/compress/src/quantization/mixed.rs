//! Mixed precision: more bits for the layers that need them most.

use std::collections::BTreeMap;

use burn::tensor::Device;
use crucible_models::weights;

use super::{Formats, Prepared, Sensitivity, WeightFormat, sensitivity};
use crate::{Archive, CompressError, Stored, parameters::parameter};

/// A layer that gets more bits.
#[derive(Debug, Clone, PartialEq)]
pub struct Raise {
    /// The layer's name.
    pub layer: String,
    /// Its integers from now on; floats where there are none.
    pub to: Option<WeightFormat>,
    /// The error in the network's outputs that goes with it, where this layer alone is compressed, as a share of their mean
    /// square.
    pub gain: f64,
    /// The bytes that it costs.
    pub bytes: usize,
}

/// All ways up from the network whose layers have the formats of `prepared`, best first: by the error that goes for each
/// byte that is added. Every layer goes from rung to rung of `ladder`, then to floats.
///
/// Errors of layers are measured one by one on `inputs` `[n, features]` and taken for independent of each other (Z. Dong et
/// al.: HAWQ, 2019, and others do so too, with other measures).
///
/// # Errors
///
/// As [`Prepared::archive`].
pub fn raises(
    prepared: &Prepared,
    ladder: &[WeightFormat],
    inputs: &[f32],
    device: &Device,
) -> Result<Vec<Raise>, CompressError> {
    let state = weights::collect(prepared.network());
    let measure = |formats: &Formats| -> Result<BTreeMap<String, f64>, CompressError> {
        let found = sensitivity(prepared, formats, inputs, device)?;
        Ok(found.into_iter().map(|Sensitivity { layer, error, .. }| (layer, error)).collect())
    };
    let lowest = measure(prepared.formats())?;
    let mut rungs = Vec::new();
    for format in ladder {
        let formats = prepared.formats().keys().map(|layer| (layer.clone(), *format)).collect();
        rungs.push((Some(*format), measure(&formats)?));
    }
    rungs.push((None, prepared.formats().keys().map(|layer| (layer.clone(), 0.0)).collect()));

    let mut all = Vec::new();
    for node in &prepared.graph.nodes {
        let Some(format) = prepared.formats().get(&node.name) else { continue };
        let weight = &state[&parameter(node, "weight")];
        let size = |format: Option<WeightFormat>| match format {
            Some(format) => Stored::rounded(weight, format, format.scales(weight)).bytes(),
            None => Stored::Float(weight.clone()).bytes(),
        };
        let (mut bytes, mut error) = (size(Some(*format)), lowest[&node.name]);
        let mut least = f64::INFINITY;
        for (to, errors) in &rungs {
            let more = size(*to).saturating_sub(bytes);
            if more == 0 {
                continue;
            }
            // No rung is tried before the one below it.
            let gain = (error - errors[&node.name]).max(0.0).min(least * more as f64);
            least = gain / more as f64;
            all.push(Raise { layer: node.name.clone(), to: *to, gain, bytes: more });
            (bytes, error) = (bytes + more, errors[&node.name]);
        }
    }
    all.sort_by(|a, b| (b.gain / b.bytes as f64).total_cmp(&(a.gain / a.bytes as f64)));
    Ok(all)
}

impl Raise {
    /// The formats with this layer raised.
    #[must_use]
    pub fn apply(&self, formats: &Formats) -> Formats {
        let mut formats = formats.clone();
        match self.to {
            Some(format) => _ = formats.insert(self.layer.clone(), format),
            None => _ = formats.remove(&self.layer),
        }
        formats
    }
}

/// The formats with which the file is at most `bytes` long: `raises` are taken in their order where they fit. A layer of
/// which one does not fit gets no more.
///
/// # Errors
///
/// [`CompressError::TooLong`] where the file is longer without any; else as [`Prepared::archive`].
pub fn within_size(prepared: &Prepared, raises: &[Raise], bytes: usize) -> Result<Formats, CompressError> {
    let length = |formats: &Formats| prepared.archive(formats).map(|archive| archive.to_bytes().len());
    let mut formats = prepared.formats().clone();
    let least = length(&formats)?;
    if least > bytes {
        return Err(CompressError::TooLong { bytes, least });
    }
    let mut full: Vec<&str> = Vec::new();
    for raise in raises {
        if full.contains(&raise.layer.as_str()) {
            continue;
        }
        let raised = raise.apply(&formats);
        if length(&raised)? <= bytes {
            formats = raised;
        } else {
            full.push(&raise.layer);
        }
    }
    Ok(formats)
}

/// The formats of the first network that is good enough, of those that `raises` make one after another; of the last, which
/// has no integers, where none is.
///
/// # Errors
///
/// As [`Prepared::archive`], and what `is_good` gives.
pub fn until_good<E: From<CompressError>>(
    prepared: &Prepared,
    raises: &[Raise],
    mut is_good: impl FnMut(&Archive) -> Result<bool, E>,
) -> Result<Formats, E> {
    let mut formats = prepared.formats().clone();
    for raise in raises {
        if is_good(&prepared.archive(&formats)?)? {
            return Ok(formats);
        }
        formats = raise.apply(&formats);
    }
    Ok(formats)
}
