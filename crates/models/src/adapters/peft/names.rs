//! `peft`'s names of a network's layers.

use std::collections::BTreeSet;

use crate::{
    Network,
    adapters::module,
    architectures::{TokenPooling, hugging_face::Family},
    layers::Linear,
    weights::{HostTensor, State},
};

/// Our names of an adapter's tensors, and theirs.
pub(super) const TENSORS: [(&str, &str); 3] =
    [("down", "lora_A.weight"), ("up", "lora_B.weight"), ("magnitude", "lora_magnitude_vector")];

/// What a network's layers are called there.
pub(super) struct Names {
    /// For networks of `transformers`: which, and whether it is what `transformers` has as a classifier, which reads the first
    /// token. One that reads the mean is the encoder there, with a layer that only we know.
    family: Option<(Family, bool)>,
}

/// The name of a tensor of the adapter of the `i`th adapted part of a layer.
pub(super) fn parameter(layer: &str, i: usize, tensor: &str) -> String {
    format!("{layer}.adapter.parts.{i}.{tensor}")
}

impl Names {
    pub(super) fn of(network: &mut Network) -> Self {
        let head = network.linears().last().is_some_and(|last| last.name() == "head");
        let Network::Bert(bert) = network else { return Self { family: None } };
        let first = bert.config().pooling == TokenPooling::Cls;
        Self { family: Some((Family::of(bert.config()), head && first)) }
    }

    /// Whether it is what `transformers` calls a network for the classification of sequences.
    pub(super) fn classifies(&self) -> bool {
        matches!(self.family, Some((_, true)))
    }

    /// Their names of one of our parameters, several for query, key and value.
    pub(super) fn theirs(&self, ours: &str) -> Vec<String> {
        match self.family {
            Some((family, head)) => family.full_names(ours, head).unwrap_or_else(|| vec![ours.to_owned()]),
            None => vec![ours.to_owned()],
        }
    }

    /// Their name of a part of a layer.
    pub(super) fn module(&self, layer: &Linear, part: usize) -> String {
        if self.family.is_none() {
            return module(layer, part);
        }
        let dot = if layer.parts().len() > 1 { '_' } else { '.' };
        let names = self.theirs(&format!("{}{dot}weight", layer.name()));
        names[part].strip_suffix(".weight").unwrap_or(&names[part]).to_owned()
    }

    /// One of our tensors as theirs.
    pub(super) fn split(&self, ours: &str, tensor: &HostTensor) -> State {
        let names = self.theirs(ours);
        let count = names.len();
        names.into_iter().zip(tensor.parts(count)).collect()
    }

    /// The parameters that a file keeps as a whole: these, and those that belong to a head of theirs.
    pub(super) fn whole(&self, trained: &BTreeSet<String>) -> Vec<String> {
        let mut names = trained.clone();
        // Their classes of classifiers draw these anew, and would not find them elsewhere.
        if let Some((Family::Roberta | Family::DistilBert, true)) = self.family {
            names.extend(["pooler.weight", "pooler.bias"].map(str::to_owned));
        }
        names.into_iter().collect()
    }

    /// The modules that hold what a file keeps as a whole.
    pub(super) fn saved_modules(&self, modules: Vec<String>) -> Vec<String> {
        if self.family.is_some() && !self.classifies() {
            return Vec::new();
        }
        let within = |module: String| match (self.family, module.split_once('.')) {
            (Some((Family::Roberta, true)), Some(("classifier", _))) => "classifier".to_owned(),
            _ => module,
        };
        modules.into_iter().map(within).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// The last words of these names where they mean no other of `all`, else the names themselves.
pub(super) fn shortest(modules: &[String], all: &[String]) -> Vec<String> {
    let last = |name: &String| name.rsplit_once('.').map_or(name.as_str(), |(_, last)| last).to_owned();
    let short: BTreeSet<String> = modules.iter().map(last).collect();
    let clear = all.iter().all(|name| modules.contains(name) || !short.contains(&last(name)));
    if clear { short.into_iter().collect() } else { modules.to_vec() }
}
