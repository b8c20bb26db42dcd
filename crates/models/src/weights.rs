//! Weights in and out, under PyTorch's names and in PyTorch's layout, and any other tensors on the host as files.
//!
//! A name is the path of fields to the parameter, `fc1.weight`; a list of layers counts from one, so that
//! `fc[0].weight` is `fc1.weight` too. A list with a plural name is PyTorch's `ModuleList`: `layers[0]` is `layers.0`.

mod npy;

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

pub use npy::to_npy;

/// A named set of tensors on the host, in the order of their names.
pub type State = BTreeMap<String, HostTensor>;

/// A tensor of `f32` on the host, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor {
    /// The size of each axis.
    pub shape: Vec<usize>,
    /// The values.
    pub values: Vec<f32>,
}

/// Why weights cannot be read or do not fit a network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// Not a safetensors file, or a damaged one.
    #[error("not a whole safetensors file: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// A tensor of another type than `f32`.
    #[error("tensor `{name}` holds {dtype:?} values; only F32 is read")]
    Type {
        /// The tensor's name.
        name: String,
        /// Its type.
        dtype: Dtype,
    },
    /// The names or shapes are not the network's.
    #[error("the weights do not fit the network{}", list(missing, surplus, misshapen))]
    Mismatch {
        /// Parameters of the network that the file lacks.
        missing: Vec<String>,
        /// Tensors of the file that the network lacks.
        surplus: Vec<String>,
        /// `name: file's shape, network's shape`.
        misshapen: Vec<String>,
    },
}

fn list(missing: &[String], surplus: &[String], misshapen: &[String]) -> String {
    let part = |title: &str, names: &[String]| match names {
        [] => String::new(),
        names => format!("; {title}: {}", names.join(", ")),
    };
    part("missing", missing) + &part("surplus", surplus) + &part("of another shape", misshapen)
}

/// All parameters and running statistics of a network.
#[must_use]
pub fn collect(network: &impl Module) -> State {
    let mut collector = Collector::default();
    network.visit(&mut collector);
    collector.state
}

/// The network with its parameters and running statistics replaced by `state`.
///
/// Clones of a network share its running statistics, as always in Burn, and so get the new ones too; `valid()` makes a
/// copy of its own.
///
/// # Errors
///
/// [`WeightsError::Mismatch`] lists every name and shape that does not fit; nothing is assigned then.
pub fn assign<M: Module>(network: M, state: &State) -> Result<M, WeightsError> {
    let own = collect(&network);
    let names = |these: &State, those: &State| -> Vec<String> {
        these.keys().filter(|name| !those.contains_key(*name)).cloned().collect()
    };
    let (missing, surplus) = (names(&own, state), names(state, &own));
    let differing = own.iter().filter_map(|(name, tensor)| Some((name, tensor, state.get(name)?)));
    let misshapen: Vec<String> = differing
        .filter(|(_, own, given)| own.shape != given.shape)
        .map(|(name, own, given)| {
            format!("{name} is {:?} in the file, {:?} in the network", given.shape, own.shape)
        })
        .collect();
    if !(missing.is_empty() && surplus.is_empty() && misshapen.is_empty()) {
        return Err(WeightsError::Mismatch { missing, surplus, misshapen });
    }
    Ok(network.map(&mut Assigner { path: Path::default(), state }))
}

/// A state as the bytes of a safetensors file; the same state gives the same bytes.
#[must_use]
pub fn to_safetensors(state: &State, metadata: Option<(&str, String)>) -> Vec<u8> {
    let bytes: Vec<(&String, &HostTensor, Vec<u8>)> = state
        .iter()
        .map(|(name, tensor)| (name, tensor, tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let views = bytes.iter().map(|(name, tensor, bytes)| {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes);
        (name.as_str(), view.expect("as many bytes as the shape has values"))
    });
    // One key only: the library writes metadata in the order of a hash map.
    let metadata = metadata.map(|(key, value)| [(key.to_owned(), value)].into());
    safetensors::serialize(views, metadata).expect("valid views make a valid file")
}

/// The tensors of a safetensors file, and its metadata under `key`.
///
/// # Errors
///
/// Where the bytes are not a whole safetensors file of `f32` tensors.
pub fn from_safetensors(bytes: &[u8], key: &str) -> Result<(State, Option<String>), WeightsError> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let metadata = header.metadata().as_ref().and_then(|map| map.get(key).cloned());
    let file = SafeTensors::deserialize(bytes)?;
    let state = file.iter().map(|(name, view)| {
        if view.dtype() != Dtype::F32 {
            return Err(WeightsError::Type { name: name.to_owned(), dtype: view.dtype() });
        }
        let values =
            view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        Ok((name.to_owned(), HostTensor { shape: view.shape().to_vec(), values }))
    });
    Ok((state.collect::<Result<_, _>>()?, metadata))
}

/// The name of the parameter that a traversal stands at.
#[derive(Debug, Default)]
pub struct Path(Vec<String>);

impl Path {
    /// To be called from `enter_module`.
    pub fn enter(&mut self, name: &str, container: &str) {
        let index = (container == "Vec").then(|| name.parse::<usize>().ok()).flatten();
        self.0.push(match index {
            Some(index) if self.0.last().is_some_and(|list| list.ends_with('s')) => format!(".{index}"),
            Some(index) => (index + 1).to_string(),
            None if container.starts_with("Enum:") => String::new(),
            None if self.0.is_empty() || self.0.iter().all(String::is_empty) => name.to_owned(),
            // As PyTorch's `MultiheadAttention` names its own.
            None if self.0.last().is_some_and(|parent| parent == ".in_proj") => format!("_{name}"),
            None => format!(".{name}"),
        });
    }

    /// To be called from `exit_module`.
    pub fn exit(&mut self) {
        self.0.pop();
    }

    /// The name, such as `fc1.weight`.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.concat()
    }
}

#[derive(Default)]
struct Collector {
    path: Path,
    state: State,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let values = tensor.into_data().try_to_vec::<f32>().expect("networks here hold f32");
        self.state.insert(self.path.name(), HostTensor { shape, values });
    }
}

struct Assigner<'a> {
    path: Path,
    state: &'a State,
}

impl ModuleMapper for Assigner<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let given = &self.state[&self.path.name()];
        let data = TensorData::new(given.values.clone(), given.shape.clone());
        param.map(|old| Tensor::from_data(data, &old.device()).set_require_grad(old.is_require_grad()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, InputShape, NoTap, Tapped, architectures::MlpConfig};
    use burn::tensor::Device;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn network(hidden: Vec<usize>, batch_norm: bool, seed: u64) -> crate::Network {
        let config = MlpConfig { hidden, batch_norm, ..MlpConfig::default() };
        let input = InputShape::Features { count: 5 };
        Architecture::Mlp(config)
            .init(input, 3, &mut ChaCha8Rng::seed_from_u64(seed), &Device::flex())
            .unwrap()
    }

    #[test]
    fn names_and_shapes_are_those_of_pytorch() {
        let state = collect(&network(vec![4], true, 1));
        let shapes: Vec<(&str, &[usize])> =
            state.iter().map(|(n, t)| (n.as_str(), t.shape.as_slice())).collect();
        assert_eq!(
            shapes,
            [
                ("bn1.bias", &[4][..]),
                ("bn1.running_mean", &[4]),
                ("bn1.running_var", &[4]),
                ("bn1.weight", &[4]),
                ("fc1.bias", &[4]),
                ("fc1.weight", &[4, 5]),
                ("fc2.bias", &[3]),
                ("fc2.weight", &[3, 4]),
            ]
        );
    }

    #[test]
    fn a_round_trip_through_the_file_keeps_every_bit_and_the_function() {
        let (from, to) = (network(vec![7, 4], true, 1), network(vec![7, 4], true, 2));
        let bytes = to_safetensors(&collect(&from), Some(("format", "pt".to_owned())));
        assert_eq!(bytes, to_safetensors(&collect(&from), Some(("format", "pt".to_owned()))));
        let (state, metadata) = from_safetensors(&bytes, "format").unwrap();
        assert_eq!(metadata.as_deref(), Some("pt"));
        let to = assign(to, &state).unwrap();
        assert_eq!(collect(&to), collect(&from));
        let x = Tensor::<2>::ones([2, 5], &Device::flex());
        let outputs = |net: &crate::Network| net.forward(x.clone(), &mut NoTap).into_data();
        outputs(&to).assert_eq(&outputs(&from), true);
    }

    #[test]
    fn every_misfit_is_listed() {
        let error = assign(network(vec![4], false, 1), &collect(&network(vec![6, 4], false, 1))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the weights do not fit the network; surplus: fc3.bias, fc3.weight; of another shape: fc1.bias is [6] in \
             the file, [4] in the network, fc1.weight is [6, 5] in the file, [4, 5] in the network, fc2.bias is [4] \
             in the file, [3] in the network, fc2.weight is [4, 6] in the file, [3, 4] in the network"
        );
    }

    #[test]
    fn damaged_files_are_refused() {
        let bytes = to_safetensors(&collect(&network(vec![4], false, 1)), None);
        for end in [0, 4, 8, 40, bytes.len() - 1] {
            assert!(from_safetensors(&bytes[..end], "format").is_err(), "{end} bytes");
        }
    }
}
