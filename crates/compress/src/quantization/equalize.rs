//! Cross-layer equalization.

use crucible_models::{Activation, Graph, Operation, Value, weights::State};

use crate::parameters::{parameter, rows};

/// Rounds until channels that two pairs share have settled.
const ROUNDS: usize = 20;

/// Gives a channel that leaves one layer and enters the next the same largest weight in both: what the first is divided
/// by, the second is multiplied by, which ReLU, leaky ReLU and pooling let through. Weights and activations of alike
/// channels lose less by sharing a scale.
///
/// `graph` has its activations as nodes of their own. M. Nagel et al.: Data-Free Quantization Through Weight Equalization
/// and Bias Correction, ICCV 2019, section 4.1.
pub(crate) fn equalize(graph: &Graph, state: &mut State) {
    let pairs: Vec<[String; 3]> = (0..graph.nodes.len()).filter_map(|first| pair(graph, first)).collect();
    for _ in 0..ROUNDS {
        for names in &pairs {
            equalize_pair(state, names);
        }
    }
}

/// The first layer's weight and bias and the second's weight, where node `first` is followed by another layer alone.
fn pair(graph: &Graph, first: usize) -> Option<[String; 3]> {
    let is_layer = |index: usize| {
        matches!(graph.nodes[index].operation, Operation::Linear(..))
            && graph.nodes[index].inputs[0].shape.len() == 1
            || matches!(&graph.nodes[index].operation, Operation::Conv2d(layer, _) if layer.config().groups == 1)
    };
    if !is_layer(first) {
        return None;
    }
    let mut index = first;
    loop {
        let value = Value::Node(index);
        let mut readers = graph.readers(value);
        let (next, None, true) = (readers.next()?, readers.next(), graph.output != value) else {
            return None;
        };
        if is_layer(next) {
            let (layer, after) = (&graph.nodes[first], &graph.nodes[next]);
            return Some([parameter(layer, "weight"), parameter(layer, "bias"), parameter(after, "weight")]);
        }
        match graph.nodes[next].operation {
            Operation::Activation(Activation::Relu | Activation::LeakyRelu)
            | Operation::MaxPool2d(_)
            | Operation::AvgPool2d(_) => index = next,
            _ => return None,
        }
    }
}

fn equalize_pair(state: &mut State, [first, bias, second]: &[String; 3]) {
    let most =
        |values: &mut dyn Iterator<Item = f32>| values.fold(0.0f32, |most, value| most.max(value.abs()));
    let channels = state[first].shape[0];
    // Values of the second layer's input that one channel of the first makes: positions or taps.
    let (inputs, spread) = {
        let inputs = state[second].shape[1..].iter().product::<usize>();
        (inputs, inputs / channels)
    };
    let mut factors = vec![1.0f32; channels];
    {
        let weight = state.get_mut(second).expect("named by the graph");
        let after = |channel: usize| {
            most(
                &mut weight
                    .values
                    .chunks(inputs)
                    .flat_map(|row| row[channel * spread..][..spread].iter().copied()),
            )
        };
        let after: Vec<f32> = (0..channels).map(after).collect();
        let before = rows(state.get_mut(first).expect("named by the graph"));
        for ((row, after), factor) in before.zip(after).zip(&mut factors) {
            let before = most(&mut row.iter().copied());
            // Channels that are dead on either side stay as they are.
            if before > 0.0 && after > 0.0 && (before / after).is_finite() {
                *factor = (before / after).sqrt().clamp(1e-4, 1e4);
            }
        }
    }
    for (row, factor) in rows(state.get_mut(first).expect("named by the graph")).zip(&factors) {
        row.iter_mut().for_each(|weight| *weight /= factor);
    }
    for (bias, factor) in state.get_mut(bias).expect("named by the graph").values.iter_mut().zip(&factors) {
        *bias /= factor;
    }
    for row in rows(state.get_mut(second).expect("named by the graph")) {
        for (weights, factor) in row.chunks_exact_mut(spread).zip(&factors) {
            weights.iter_mut().for_each(|weight| *weight *= factor);
        }
    }
}
