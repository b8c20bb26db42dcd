//! Adapters beside the linear layers of a whole network: which layers have one, and files of them.

pub mod peft;

use rand_chacha::ChaCha8Rng;

use crate::{
    Network,
    layers::{AdapterConfig, Linear},
};

/// The target that means every linear layer but the last.
pub const ALL_LINEAR: &str = "all-linear";

/// Why layers cannot be adapted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdaptError {
    /// A target that names no linear layer.
    #[error("there is no linear layer `{target}`; there are: {}, and `{ALL_LINEAR}`", known.join(", "))]
    Unknown {
        /// The target.
        target: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The last layer, which is trained as a whole.
    #[error("`{target}` is the last layer, which is trained as a whole and needs no adapter")]
    Head {
        /// The target.
        target: String,
    },
    /// Only one layer, the last.
    #[error("the network has no linear layer but the last, which is trained as a whole")]
    Nothing,
}

/// Puts adapters beside the linear layers that `targets` name: whole names (`layers.0.linear1`), their ends (`linear1`),
/// parts of an attention (`query`, `key`, `value`), or [`ALL_LINEAR`]. Without targets, `query` and `value` of every
/// attention, as the paper has it; in a network without attention, all. The last layer has none.
///
/// # Errors
///
/// Where a target names nothing, or the last layer.
pub fn adapt(
    network: &mut Network,
    targets: &[String],
    config: AdapterConfig,
    rng: &mut ChaCha8Rng,
) -> Result<(), AdaptError> {
    let mut linears = network.linears();
    let head = linears.pop();
    let attentive = linears.iter().any(|layer| layer.parts().len() > 1);
    let default =
        if attentive { vec!["query".to_owned(), "value".to_owned()] } else { vec![ALL_LINEAR.to_owned()] };
    let targets = if targets.is_empty() { &default } else { targets };
    for target in targets {
        if head.as_ref().is_some_and(|head| target != ALL_LINEAR && meant(target, head, 0)) {
            return Err(AdaptError::Head { target: target.clone() });
        }
        let known = |layer: &Linear| (0..layer.parts().len()).any(|part| meant(target, layer, part));
        if target != ALL_LINEAR && !linears.iter().any(|layer| known(layer)) {
            let known = short_names(&linears);
            return Err(AdaptError::Unknown { target: target.clone(), known });
        }
    }
    if linears.is_empty() {
        return Err(AdaptError::Nothing);
    }
    for layer in linears {
        let is_meant = |part: &usize| targets.iter().any(|target| meant(target, layer, *part));
        let parts: Vec<usize> = (0..layer.parts().len()).filter(is_meant).collect();
        if !parts.is_empty() {
            layer.adapt(&parts, config, rng);
        }
    }
    Ok(())
}

/// Adds to every weight what its adapter learned, and takes the adapters away.
pub fn merge(network: &mut Network) {
    network.linears().into_iter().for_each(Linear::merge);
}

/// The name of a part of a layer: `layers.0.self_attn.query`, or the layer's own.
fn module(layer: &Linear, part: usize) -> String {
    match (layer.parts(), layer.name().rsplit_once('.')) {
        ([_], _) => layer.name().to_owned(),
        (parts, Some((owner, _))) => format!("{owner}.{}", parts[part]),
        (parts, None) => parts[part].to_owned(),
    }
}

fn meant(target: &str, layer: &Linear, part: usize) -> bool {
    let ends =
        |name: &str| name.strip_suffix(target).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    target == ALL_LINEAR || ends(layer.name()) || ends(&module(layer, part))
}

/// The last words of the names, each once.
fn short_names(linears: &[&mut Linear]) -> Vec<String> {
    let mut names = Vec::new();
    for layer in linears {
        for part in 0..layer.parts().len() {
            let module = module(layer, part);
            let short = module.rsplit_once('.').map_or(module.as_str(), |(_, last)| last).to_owned();
            if !names.contains(&short) {
                names.push(short);
            }
        }
    }
    names
}
