//! One optimizer step over all parameters, and the optimizer's memory by parameter name.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::{DynOptimizer, DynState, GradientsParams, StateSink, StateSource};
use burn::tensor::{Device, Tensor, TensorData};
use crucible_models::weights::{HostTensor, Path, State};

use crate::optimizers::Optimizer;

/// An optimizer with its state for each parameter.
///
/// Burn's own module optimizer keys states by identifiers that are drawn anew in each process; names outlive it.
pub struct Updater {
    matrices: Arc<dyn DynOptimizer>,
    others: Arc<dyn DynOptimizer>,
    states: BTreeMap<String, DynState>,
}

impl std::fmt::Debug for Updater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Updater").field("parameters", &self.states.keys()).finish_non_exhaustive()
    }
}

/// An optimizer's memory on the host: tensors and counters by parameter name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UpdaterState {
    /// Tensors such as `fc1.weight.velocity`.
    pub tensors: State,
    /// Counters such as `fc1.weight.momentum.time`.
    pub counters: BTreeMap<String, u64>,
}

impl Updater {
    /// An optimizer that has not stepped yet.
    #[must_use]
    pub fn new(optimizer: &dyn Optimizer) -> Self {
        Self { matrices: optimizer.matrices(), others: optimizer.others(), states: BTreeMap::new() }
    }

    /// The network after one step, in which `rate` gives the learning rate of a parameter by its name. Parameters without a
    /// gradient stay as they are, and those of rate 0, whose memory stays too.
    pub fn step<M: Module>(
        &mut self,
        network: M,
        gradients: GradientsParams,
        rate: &dyn Fn(&str) -> f64,
    ) -> M {
        network.map(&mut Step { updater: self, gradients, rate, path: Path::default() })
    }

    fn rule(&self, rank: usize) -> &Arc<dyn DynOptimizer> {
        if rank == 2 { &self.matrices } else { &self.others }
    }

    /// The memory, to be saved.
    #[must_use]
    pub fn state(&self) -> UpdaterState {
        let mut saved = UpdaterState::default();
        for (name, state) in &self.states {
            let mut sink = StateSink::default();
            self.rule(state.rank()).state_flatten(name, state, &mut sink);
            for (name, data) in sink.tensors {
                let shape = data.shape().iter().copied().collect();
                let values = data.try_to_vec::<f32>().expect("optimizers here keep f32");
                saved.tensors.insert(name, HostTensor { shape, values });
            }
            for (name, value) in sink.scalars {
                saved.counters.insert(name, u64::try_from(value).expect("optimizers here count steps"));
            }
            saved.counters.insert(format!("{name}/rank"), state.rank() as u64);
        }
        saved
    }

    /// Takes up a saved memory.
    ///
    /// # Errors
    ///
    /// Names a parameter whose memory is not that of this optimizer.
    pub fn restore(&mut self, saved: &UpdaterState, device: &Device) -> Result<(), String> {
        let scalars = saved.counters.iter().map(|(name, value)| (name.clone(), (*value).into())).collect();
        let mut source = StateSource::new(scalars);
        for (name, tensor) in &saved.tensors {
            source.insert_tensor(name.clone(), TensorData::new(tensor.values.clone(), tensor.shape.clone()));
        }
        for (name, rank) in &saved.counters {
            let Some(parameter) = name.strip_suffix("/rank") else { continue };
            let rank = usize::try_from(*rank).ok().filter(|rank| (1..=8).contains(rank));
            let state =
                rank.and_then(|rank| self.rule(rank).state_unflatten(rank, parameter, &mut source, device));
            let state =
                state.ok_or_else(|| format!("the optimizer's state of `{parameter}` is not whole"))?;
            self.states.insert(parameter.to_owned(), state);
        }
        Ok(())
    }
}

struct Step<'a> {
    updater: &'a mut Updater,
    gradients: GradientsParams,
    rate: &'a dyn Fn(&str) -> f64,
    path: Path,
}

impl ModuleMapper for Step<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return param };
        let lr = (self.rate)(&self.path.name());
        if lr == 0.0 {
            return param;
        }
        let (id, tensor, mapper) = param.consume();
        let tracked = tensor.is_require_grad();
        let name = self.path.name();
        let state = self.updater.states.remove(&name);
        let (tensor, state) =
            self.updater.rule(D).step_dyn(D, lr, tensor.inner().into_bridge(), gradient.into_bridge(), state);
        if let Some(state) = state {
            self.updater.states.insert(name, state);
        }
        let tensor = Tensor::<D>::from_inner(Tensor::from_bridge(tensor)).set_require_grad(tracked);
        Param::from_mapped_value(id, tensor, mapper)
    }
}
