//! One node of Burn's autodiff graph for one operation.

use std::fmt;

use burn::backend::{
    Autodiff, Backend,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

/// From what the forward pass kept, the gradient of the output, and which inputs want one: the inputs' gradients.
pub(crate) type Pullback<B, S, const N: usize> =
    fn(S, FloatTensor<B>, [bool; N]) -> [Option<FloatTensor<B>>; N];

struct Node<B: Backend, S, const N: usize>(Pullback<B, S, N>);

impl<B: Backend, S, const N: usize> fmt::Debug for Node<B, S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Node")
    }
}

impl<B: Backend, S: Clone + Send + fmt::Debug + 'static, const N: usize> Backward<B, N> for Node<B, S, N> {
    type State = S;

    fn backward(self, ops: Ops<S, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let grad = grads.consume::<B>(&ops.node);
        let found = (self.0)(ops.state, grad, wanted);
        for (node, gradient) in ops.parents.into_iter().zip(found) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

/// Runs `forward`, and where an input is tracked, remembers what it kept for `pullback`.
pub(crate) fn record<B: Backend, C: CheckpointStrategy, S, const N: usize>(
    inputs: [FloatTensor<Autodiff<B, C>>; N],
    forward: impl FnOnce([FloatTensor<B>; N]) -> (FloatTensor<B>, S),
    pullback: Pullback<B, S, N>,
) -> FloatTensor<Autodiff<B, C>>
where
    S: Clone + Send + fmt::Debug + 'static,
{
    let nodes = inputs.each_ref().map(|input| input.node());
    let values = inputs.map(|input| input.into_primitive());
    match Node(pullback).prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => {
            let (output, state) = forward(values);
            prep.finish(state, output)
        }
        OpsKind::UnTracked(prep) => prep.finish(forward(values).0),
    }
}
