//! The identity, whose gradient can be seen.

use burn::backend::{
    Autodiff, Backend, Dispatch, Flex, autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;

use crate::tape;

/// `x` as it is. Its gradient goes on to `x`, and arrives at `watcher` too, in the shape of `x` whatever that of
/// `watcher`, whose values do not matter.
///
/// Where `watcher` is tracked the result is, even if `x` is not. No value is copied or computed.
#[must_use]
pub fn watched<const D: usize>(x: Tensor<D>, watcher: Tensor<D>) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as WatchedOps>::watched(x.into_dispatch(), watcher.into_dispatch()))
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait WatchedOps: Backend {
    fn watched(x: FloatTensor<Self>, watcher: FloatTensor<Self>) -> FloatTensor<Self> {
        let _ = watcher;
        x
    }
}

impl WatchedOps for Flex {}

impl<B: WatchedOps, C: CheckpointStrategy> WatchedOps for Autodiff<B, C> {
    fn watched(x: FloatTensor<Self>, watcher: FloatTensor<Self>) -> FloatTensor<Self> {
        tape::record::<B, C, _, 2>(
            [x, watcher],
            |[x, _]| (x, ()),
            |(), grad, wanted| [wanted[0].then(|| grad.clone()), wanted[1].then_some(grad)],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{values, wave};
    use burn::tensor::Device;

    /// The gradient of `Σ weights · x²` is `2 · weights · x`.
    #[test]
    fn the_gradient_arrives_at_both() {
        let device = Device::flex().autodiff();
        let (x, weights) = (wave([3, 5], 0.1, &device).require_grad(), wave([3, 5], 1.0, &device));
        let watcher = Tensor::<2>::zeros([1; 2], &device).require_grad();
        let output = watched(x.clone(), watcher.clone());
        assert_eq!(values(output.clone()), values(x.clone()));
        let gradients = (output.square() * weights.clone()).sum().backward();
        let expected = values(x.clone() * weights * 2.0);
        assert_eq!(values(x.grad(&gradients).unwrap()), expected);
        assert_eq!(values(watcher.grad(&gradients).unwrap()), expected);
    }

    #[test]
    fn what_is_not_tracked_is_from_there_on() {
        let device = Device::flex().autodiff();
        let x = wave([2, 2], 0.1, &device);
        let watcher = Tensor::<2>::zeros([1; 2], &device).require_grad();
        let gradients = (watched(x.clone(), watcher.clone()) * 3.0).sum().backward();
        assert_eq!(values(watcher.grad(&gradients).unwrap()), [3.0; 4]);
        assert!(x.grad(&gradients).is_none());
    }
}
