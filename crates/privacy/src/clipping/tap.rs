//! A tap that keeps what each example's gradient is made of.

use std::collections::BTreeSet;

use burn::module::ParamId;
use burn::tensor::{Gradients, Tensor};
use crucible_kernels::{layer_norm, watched};
use crucible_models::{
    Activation, Tap, Training,
    layers::{Adapter, Conv2d, LayerNorm, Linear, Positions},
};
use rand_chacha::ChaCha8Rng;

use super::{
    adapter::of_adapter,
    convolution::Convolved,
    linear::Outer,
    part::{Part, Rows},
    tokens::of_tokens,
};
use crate::PrivacyError;

/// From the gradients that arrived, those of a layer's parameters; none where no output of the layer mattered.
type Parts = Box<dyn FnOnce(&mut Gradients) -> Vec<Box<dyn Part>>>;

/// A layer that ran.
pub(super) struct Call {
    pub(super) name: String,
    pub(super) ids: Vec<ParamId>,
    pub(super) parts: Parts,
}

/// Runs a network that is not tracked as training does, and watches the output of each layer with parameters, before
/// its activation if that is not part of the layer's kernel anyway.
pub(super) struct PerExample<'a> {
    training: &'a mut Training,
    calls: Vec<Call>,
}

impl<'a> PerExample<'a> {
    pub(super) fn new(training: &'a mut Training) -> Self {
        Self { training, calls: Vec::new() }
    }

    /// What ran.
    ///
    /// # Errors
    ///
    /// Names a layer that ran twice, whose gradient is a sum that its parts do not tell the norm of.
    pub(super) fn calls(self) -> Result<Vec<Call>, PrivacyError> {
        let mut seen = BTreeSet::new();
        let again = self.calls.iter().find(|call| !call.ids.iter().all(|id| seen.insert(id.to_string())));
        match again {
            Some(call) => Err(PrivacyError::Repeated(call.name.clone())),
            None => Ok(self.calls),
        }
    }

    /// The output of a layer, watched; `parts` gets the gradient that arrives there.
    fn watch<const D: usize>(
        &mut self,
        name: &str,
        ids: &[ParamId],
        output: Tensor<D>,
        parts: impl FnOnce(Tensor<D>) -> Vec<Box<dyn Part>> + 'static,
    ) -> Tensor<D> {
        let watcher = Tensor::<D>::zeros([1; D], &output.device()).require_grad();
        let output = watched(output, watcher.clone());
        let parts =
            move |gradients: &mut Gradients| watcher.grad_remove(gradients).map(parts).unwrap_or_default();
        self.calls.push(Call { name: name.to_owned(), ids: ids.to_vec(), parts: Box::new(parts) });
        output
    }
}

impl PerExample<'_> {
    /// A layer with an adapter, whose own weight is frozen.
    fn adapted(
        &mut self,
        layer: &Linear,
        adapter: &Adapter,
        input: Tensor<3>,
        activation: Activation,
    ) -> Tensor<3> {
        let ids: Vec<ParamId> = adapter.parts.iter().flat_map(|part| [part.down.id, part.up.id]).collect();
        let [count, tokens, inputs] = input.dims();
        let rng = &mut self.training.rng;
        // The same draws as the layer's, which come next.
        let read = adapter.dropped(input.clone().inner().reshape([count * tokens, inputs]), &mut rng.clone());
        let output = layer.forward_tokens_training(input, Activation::Identity, Some(rng));
        let (adapter, read) = (adapter.clone(), read.reshape([count, tokens, inputs]));
        let output = self.watch(layer.name(), &ids, output, move |slope| of_adapter(&adapter, &read, &slope));
        activation.forward(output)
    }
}

impl Tap for PerExample<'_> {
    fn training(&mut self) -> Option<&mut ChaCha8Rng> {
        self.training.training()
    }

    fn linear(&mut self, layer: &Linear, input: Tensor<2>, activation: Activation) -> Tensor<2> {
        if let Some(adapter) = &layer.adapter {
            return self.adapted(layer, adapter, input.unsqueeze_dim(1), activation).squeeze_dim(1);
        }
        let [weight, bias] = [layer.weight.id, layer.bias.id];
        let kept = input.clone().inner();
        let output = layer.forward(input, Activation::Identity);
        let output = self.watch(layer.name(), &[weight, bias], output, move |slope: Tensor<2>| {
            let [_, outputs] = slope.dims();
            vec![
                Box::new(Outer { id: weight, input: kept, slope: slope.clone() }),
                Box::new(Rows { id: bias, shape: vec![outputs], rows: slope }),
            ]
        });
        activation.forward(output)
    }

    fn linear_tokens(&mut self, layer: &Linear, input: Tensor<3>, activation: Activation) -> Tensor<3> {
        if let Some(adapter) = &layer.adapter {
            return self.adapted(layer, adapter, input, activation);
        }
        let [weight, bias] = [layer.weight.id, layer.bias.id];
        let kept = input.clone().inner();
        let output = layer.forward_tokens(input, Activation::Identity);
        let output = self.watch(layer.name(), &[weight, bias], output, move |slope: Tensor<3>| {
            let [_, _, outputs] = slope.dims();
            let rows = slope.clone().sum_dim(1).squeeze_dim(1);
            vec![of_tokens(weight, kept, slope), Box::new(Rows { id: bias, shape: vec![outputs], rows })]
        });
        activation.forward(output)
    }

    fn layer_norm(&mut self, layer: &LayerNorm, input: Tensor<3>) -> Tensor<3> {
        let [weight, bias] = [layer.weight.id, layer.bias.id];
        let (kept, epsilon) = (input.clone().inner(), layer.epsilon());
        self.watch(layer.name(), &[weight, bias], layer.forward(input), move |slope: Tensor<3>| {
            let [count, tokens, features] = slope.dims();
            let (ones, zeros) =
                (Tensor::ones([features], &kept.device()), Tensor::zeros([features], &kept.device()));
            let normal = layer_norm(kept.reshape([count * tokens, features]), ones, zeros, epsilon);
            let product = slope.clone() * normal.reshape([count, tokens, features]);
            let part = |id, values: Tensor<3>| -> Box<dyn Part> {
                Box::new(Rows { id, shape: vec![features], rows: values.sum_dim(1).squeeze_dim(1) })
            };
            vec![part(weight, product), part(bias, slope)]
        })
    }

    fn positions(&mut self, layer: &Positions, input: Tensor<3>) -> Tensor<3> {
        let id = layer.weight.id;
        self.watch(layer.name(), &[id], layer.forward(input), move |slope: Tensor<3>| {
            let [count, tokens, features] = slope.dims();
            let rows = slope.reshape([count, tokens * features]);
            vec![Box::new(Rows { id, shape: vec![tokens, features], rows })]
        })
    }

    fn conv2d(&mut self, layer: &Conv2d, input: Tensor<4>, activation: Activation) -> Tensor<4> {
        let (ids, config) = ([layer.weight.id, layer.bias.id], *layer.config());
        let (kept, weight) = (input.clone().inner(), layer.weight.val().inner());
        // What the kernel does in one pass its gradients undo in one.
        let inside = if activation == Activation::Relu { activation } else { Activation::Identity };
        let output = layer.forward(input, inside);
        let masked = (inside == Activation::Relu).then(|| output.clone().inner());
        let output = self.watch(layer.name(), &ids, output, move |slope| {
            Convolved { ids, config, weight, input: kept, slope, output: masked }.parts()
        });
        if inside == activation { output } else { activation.forward(output) }
    }
}
