//! The list of operations, as Burn's dispatch needs it: a default made of Burn's primitives, an override for the
//! CPU, and the backward pass of each.

use burn::backend::{
    Autodiff, Backend, Flex,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    backend_extension,
    tensor::FloatTensor,
};

use crate::{affine, axpby, cross_entropy};

/// What a backend must provide; every method has a default made of Burn's own operations.
#[backend_extension(Autodiff, Flex)]
pub trait Kernels: Backend {
    /// `input · weightᵀ + bias`, then ReLU if `relu`: `[n, i]`, `[o, i]`, `[o]` to `[n, o]`.
    fn affine(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self> {
        affine::forward_reference::<Self>(input, weight, bias, relu)
    }

    /// `grad` where `output` is positive, zero elsewhere: ReLU's backward pass from its output.
    fn relu_mask(grad: FloatTensor<Self>, output: FloatTensor<Self>) -> FloatTensor<Self> {
        affine::relu_mask_reference::<Self>(grad, output)
    }

    /// `-Σ targets · log softmax(logits)` of each row: `[n, k]`, `[n, k]` to `[n]`.
    fn softmax_cross_entropy(logits: FloatTensor<Self>, targets: FloatTensor<Self>) -> FloatTensor<Self> {
        cross_entropy::forward_reference::<Self>(logits, targets)
    }

    /// The gradient of [`softmax_cross_entropy`](Self::softmax_cross_entropy) by its logits, given `grad` of shape
    /// `[n]`; `[n, k]`.
    fn softmax_cross_entropy_backward(
        logits: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        cross_entropy::backward_reference::<Self>(logits, targets, grad)
    }

    /// `a · x + b · y` over `x`.
    fn axpby(x: FloatTensor<Self>, y: FloatTensor<Self>, a: f32, b: f32) -> FloatTensor<Self> {
        axpby::reference::<Self>(x, y, a, b)
    }
}

impl Kernels for Flex {
    fn affine(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self> {
        affine::forward_flex(input, weight, bias, relu)
    }

    fn relu_mask(grad: FloatTensor<Self>, output: FloatTensor<Self>) -> FloatTensor<Self> {
        affine::relu_mask_flex(grad, output)
    }

    fn softmax_cross_entropy(logits: FloatTensor<Self>, targets: FloatTensor<Self>) -> FloatTensor<Self> {
        cross_entropy::forward_flex(logits, targets)
    }

    fn softmax_cross_entropy_backward(
        logits: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        cross_entropy::backward_flex(logits, targets, grad)
    }

    fn axpby(x: FloatTensor<Self>, y: FloatTensor<Self>, a: f32, b: f32) -> FloatTensor<Self> {
        axpby::flex(x, y, a, b)
    }
}

impl<B: Backend + Kernels, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
    fn affine(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        relu: bool,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Affine;

        impl<B: Backend + Kernels> Backward<B, 3> for Affine {
            // Input, weight, and the output where a ReLU followed.
            type State = (FloatTensor<B>, FloatTensor<B>, Option<FloatTensor<B>>);

            fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
                let [input_node, weight_node, bias_node] = ops.parents;
                let (input, weight, output) = ops.state;
                let mut grad = grads.consume::<B>(&ops.node);
                if let Some(output) = output {
                    grad = B::relu_mask(grad, output);
                }
                if let Some(node) = bias_node {
                    grads.register::<B>(node.id, affine::bias_gradient::<B>(grad.clone()));
                }
                if let Some(node) = weight_node {
                    grads.register::<B>(node.id, B::float_matmul(B::float_transpose(grad.clone()), input));
                }
                if let Some(node) = input_node {
                    grads.register::<B>(node.id, B::float_matmul(grad, weight));
                }
            }
        }

        match Affine.prepare::<C>([input.node(), weight.node(), bias.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (x, w) = (input.primitive().clone(), weight.primitive().clone());
                let output = B::affine(x.clone(), w.clone(), bias.primitive().clone(), relu);
                prep.finish((x, w, relu.then(|| output.clone())), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::affine(
                input.into_primitive(),
                weight.into_primitive(),
                bias.into_primitive(),
                relu,
            )),
        }
    }

    fn softmax_cross_entropy(logits: FloatTensor<Self>, targets: FloatTensor<Self>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct SoftmaxCrossEntropy;

        impl<B: Backend + Kernels> Backward<B, 1> for SoftmaxCrossEntropy {
            type State = (FloatTensor<B>, FloatTensor<B>);

            fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
                let [logits_node] = ops.parents;
                let (logits, targets) = ops.state;
                let grad = grads.consume::<B>(&ops.node);
                if let Some(node) = logits_node {
                    grads.register::<B>(node.id, B::softmax_cross_entropy_backward(logits, targets, grad));
                }
            }
        }

        let targets = targets.into_primitive();
        match SoftmaxCrossEntropy.prepare::<C>([logits.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let x = logits.primitive().clone();
                let output = B::softmax_cross_entropy(x.clone(), targets.clone());
                prep.finish((x, targets), output)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::softmax_cross_entropy(logits.into_primitive(), targets))
            }
        }
    }
}
