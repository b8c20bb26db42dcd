use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use super::{HostTensor, State, WeightsError};

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
    assign_under(network, state, str::to_owned)
}

/// Like [`assign`], with what does not fit listed under the names that `name` gives for those of the network.
pub(super) fn assign_under<M: Module>(
    network: M,
    state: &State,
    name: impl Fn(&str) -> String,
) -> Result<M, WeightsError> {
    let own = collect(&network);
    let names = |these: &State, those: &State| -> Vec<String> {
        these.keys().filter(|key| !those.contains_key(*key)).map(|key| name(key)).collect()
    };
    let (missing, surplus) = (names(&own, state), names(state, &own));
    let differing = own.iter().filter_map(|(name, tensor)| Some((name, tensor, state.get(name)?)));
    let misshapen: Vec<String> = differing
        .filter(|(_, own, given)| own.shape != given.shape)
        .map(|(key, own, given)| {
            format!("{} is {:?} in the file, {:?} in the network", name(key), given.shape, own.shape)
        })
        .collect();
    if !(missing.is_empty() && surplus.is_empty() && misshapen.is_empty()) {
        return Err(WeightsError::Mismatch { missing, surplus, misshapen });
    }
    Ok(network.map(&mut Assigner { path: Path::default(), state }))
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
            None if name != "adapter" && self.0.last().is_some_and(|parent| parent == ".in_proj") => {
                format!("_{name}")
            }
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
    use crate::weights::{from_safetensors, to_safetensors};
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
