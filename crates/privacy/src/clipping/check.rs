//! Whether a network's gradients can be told apart by example.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use crucible_models::weights::Path;

use crate::{PrivacyError, error::Refused};

/// Layers with parameters that [`clipped_sum`](super::clipped_sum) can clip the gradients of.
const SUPPORTED: [&str; 5] = ["Conv2d", "LayerNorm", "Linear", "LowRank", "Positions"];

/// Whether [`clipped_sum`](super::clipped_sum) can clip the gradients of all layers.
///
/// # Errors
///
/// Lists every layer that has no support, each with the reason and what to take in its place.
pub fn check(network: &impl Module) -> Result<(), PrivacyError> {
    let mut finder = Finder::default();
    network.visit(&mut finder);
    if finder.refused.is_empty() { Ok(()) } else { Err(PrivacyError::Unsupported(finder.refused)) }
}

#[derive(Default)]
struct Finder {
    path: Path,
    /// The kinds of the modules that the traversal stands in.
    kinds: Vec<String>,
    refused: Vec<Refused>,
}

impl ModuleVisitor for Finder {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
        self.kinds.push(container.trim_start_matches("Struct:").to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
        self.kinds.pop();
    }

    fn visit_float<const D: usize>(&mut self, _: &Param<Tensor<D>>) {
        // The innermost module is the parameter's.
        let kind = self.kinds.last().map_or("", String::as_str);
        let name = self.path.name();
        let is_length = kind == "LowRank" && name.ends_with(".magnitude");
        if SUPPORTED.contains(&kind) && !is_length {
            return;
        }
        let layer = name.rsplit_once('.').map_or(name.as_str(), |(layer, _)| layer).to_owned();
        let reason = if kind == "BatchNorm" {
            "an example's gradient depends on the rest of its batch; take layer norm in its place, or none"
        } else if is_length {
            "there is no rule for the gradients of the lengths of rows; take an adapter that is not decomposed (DoRA)"
        } else {
            "there is no rule for its gradients; take layers of the kinds Conv2d, LayerNorm, Linear and Positions"
        };
        if self.refused.last().is_none_or(|last| last.layer != layer) {
            self.refused.push(Refused { layer, kind: kind.to_owned(), reason });
        }
    }
}
