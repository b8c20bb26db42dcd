//! A rule as Burn's optimizer, its weights and memory written where they lie.
//!
//! Burn's own optimizers allocate a tensor for each term, around ten passes over memory a step. What they remember
//! has the same names in a checkpoint here.

use burn::optim::{LearningRate, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use crucible_kernels::optimizer_step;

/// An optimizer's configuration, seen as the rule for one step and the memory between steps.
pub(super) trait Rule: Clone + Send + Sync + 'static {
    /// The name in a checkpoint of each tensor that it can remember, in the kernel's order. They are of the weights'
    /// shape and start at zero.
    const MEMORY: &'static [&'static str];

    /// How many of these, from the first, every saved memory has.
    const ALWAYS: usize = Self::MEMORY.len();

    /// The name in a checkpoint of the number of steps taken, if that matters.
    const TIME: Option<&'static str> = None;

    /// Whether this configuration remembers `MEMORY[index]`.
    fn remembers(&self, index: usize) -> bool {
        index < Self::ALWAYS
    }

    /// Step number `time`, from 1, at learning rate `lr`.
    fn step(&self, lr: f64, time: u64) -> crucible_kernels::Rule;
}

#[derive(Clone)]
pub(super) struct InPlace<R>(pub(super) R);

/// What the rule remembers of one parameter.
pub(super) struct Memory<R, const D: usize> {
    time: u64,
    /// By the index of their names.
    tensors: Vec<Option<Tensor<D>>>,
    rule: std::marker::PhantomData<fn() -> R>,
}

impl<R, const D: usize> Clone for Memory<R, D> {
    fn clone(&self) -> Self {
        Self::new(self.time, self.tensors.clone())
    }
}

impl<R, const D: usize> Memory<R, D> {
    fn new(time: u64, tensors: Vec<Option<Tensor<D>>>) -> Self {
        Self { time, tensors, rule: std::marker::PhantomData }
    }
}

// By hand, because Burn's derive works only inside Burn.
impl<R: Rule, const D: usize> RecordState for Memory<R, D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        if let Some(name) = R::TIME {
            out.push_scalar(prefix, name, self.time.into());
        }
        for (name, tensor) in R::MEMORY.iter().zip(&self.tensors) {
            if let Some(tensor) = tensor {
                out.push_tensor(prefix, name, tensor.to_data());
            }
        }
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let time = match R::TIME {
            Some(name) => u64::try_from(src.take_scalar(prefix, name)?).ok()?,
            None => 0,
        };
        let mut take = |name: &&str| {
            let data = src.take_tensor(prefix, name).filter(|data| data.shape().len() == D)?;
            Some(Tensor::from_data(data, device))
        };
        let tensors: Vec<_> = R::MEMORY.iter().map(&mut take).collect();
        let whole = tensors[..R::ALWAYS].iter().all(Option::is_some);
        whole.then(|| Self::new(time, tensors))
    }
}

impl<R: Rule> burn::optim::Optimizer for InPlace<R> {
    type State<const D: usize> = Memory<R, D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Memory<R, D>>,
    ) -> (Tensor<D>, Option<Memory<R, D>>) {
        let mut state = state.unwrap_or_else(|| Memory::new(0, vec![None; R::MEMORY.len()]));
        state.time += 1;
        let kept: Vec<usize> = (0..R::MEMORY.len()).filter(|&index| self.0.remembers(index)).collect();
        let start = || Tensor::zeros(weights.shape(), &weights.device());
        let memory = kept.iter().map(|&index| state.tensors[index].take().unwrap_or_else(start)).collect();
        let (weights, memory) = optimizer_step(self.0.step(lr, state.time), weights, gradient, memory);
        for (index, tensor) in kept.into_iter().zip(memory) {
            state.tensors[index] = Some(tensor);
        }
        let remembers = R::TIME.is_some() || state.tensors.iter().any(Option::is_some);
        (weights, remembers.then_some(state))
    }

    fn to_device<const D: usize>(mut state: Memory<R, D>, device: &Device) -> Memory<R, D> {
        for tensor in &mut state.tensors {
            *tensor = tensor.take().map(|tensor| tensor.to_device(device));
        }
        state
    }
}
