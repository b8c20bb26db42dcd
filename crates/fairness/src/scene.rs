//! A batch as mitigations see it.

use burn::tensor::{Tensor, activation};
use crucible_train::losses::Loss;

/// What the network answers, what is true, and who is in which group.
pub struct Scene<'a> {
    /// `[n, outputs]`.
    pub(crate) outputs: Tensor<2>,
    /// `[n, outputs]`, as the loss encodes them.
    pub(crate) targets: Tensor<2>,
    /// `[n, groups]`: 1 where the example is in the group, else 0.
    pub(crate) groups: Tensor<2>,
    pub(crate) loss: &'a dyn Loss,
    pub(crate) favourable: usize,
    /// Of each group, and then of those in none, and of each class, the weight of an example.
    pub(crate) weights: &'a [Vec<f32>],
}

impl std::fmt::Debug for Scene<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene").field("favourable", &self.favourable).finish_non_exhaustive()
    }
}

impl Scene<'_> {
    /// The recipe's loss.
    pub(crate) fn plain(&self) -> Tensor<1> {
        self.loss.forward(self.outputs.clone(), self.targets.clone())
    }

    /// `[n, 1]`: the probability of the favourable answer.
    pub(crate) fn probability(&self) -> Tensor<2> {
        match self.outputs.dims()[1] {
            1 if self.favourable == 1 => activation::sigmoid(self.outputs.clone()),
            1 => activation::sigmoid(self.outputs.clone().neg()),
            _ => self.column(activation::softmax(self.outputs.clone(), 1)),
        }
    }

    /// `[n, 1]`: 1 where the favourable answer is deserved, else 0.
    pub(crate) fn deserved(&self) -> Tensor<2> {
        match self.targets.dims()[1] {
            1 if self.favourable == 1 => self.targets.clone().greater_elem(0.5).float(),
            1 => self.targets.clone().lower_elem(0.5).float(),
            _ => self.column(self.targets.clone()).greater_elem(0.5).float(),
        }
    }

    fn column(&self, values: Tensor<2>) -> Tensor<2> {
        let examples = values.dims()[0];
        values.slice([0..examples, self.favourable..self.favourable + 1])
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use crucible_train::losses::LossConfig;

    use super::*;

    fn tensor(values: &[f32], width: usize) -> Tensor<2> {
        let shape = [values.len() / width, width];
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
    }

    fn numbers(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    fn of(name: &str) -> LossConfig {
        serde_json::from_value(serde_json::json!({ "name": name })).unwrap()
    }

    fn close(found: &[f32], expected: &[f32]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {expected:?}");
        assert_eq!(found.len(), expected.len());
    }

    #[test]
    fn one_output_and_two_say_the_same() {
        let (one, two) = (of("binary-cross-entropy"), of("cross-entropy"));
        for favourable in [0, 1] {
            let scene = |outputs, targets, loss| Scene {
                outputs,
                targets,
                groups: tensor(&[1.0; 2], 1),
                loss,
                favourable,
                weights: &[],
            };
            let single = scene(tensor(&[2.0, -1.0], 1), tensor(&[1.0, 0.0], 1), one.loss());
            let both = scene(tensor(&[0.0, 2.0, 0.0, -1.0], 2), tensor(&[0.0, 1.0, 1.0, 0.0], 2), two.loss());
            close(&numbers(single.probability()), &numbers(both.probability()));
            close(&numbers(single.deserved()), &numbers(both.deserved()));
            let first =
                if favourable == 1 { 1.0 / (1.0 + (-2.0f32).exp()) } else { 1.0 / (1.0 + 2.0f32.exp()) };
            close(&numbers(single.probability())[..1], &[first]);
            close(&numbers(single.deserved()), &if favourable == 1 { [1.0, 0.0] } else { [0.0, 1.0] });
        }
    }

    #[test]
    fn a_weighted_loss_is_the_weighted_mean_of_each_examples_own() {
        let loss = of("binary-cross-entropy");
        let (outputs, targets) = ([0.5f32, -1.0, 2.0, 0.25], [1.0f32, 0.0, 0.0, 1.0]);
        // Two in the first group, one in the second, one in none.
        let groups = tensor(&[1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0], 2);
        let weights = [vec![2.0, 0.5], vec![3.0, 7.0], vec![11.0, 0.25]];
        let of_each = [0.5, 2.0, 3.0, 0.25];
        let own = |(z, y): (f32, f32)| (1.0 + z.exp()).ln() - y * z;
        let pairs = outputs.into_iter().zip(targets).zip(of_each);
        let expected = pairs.map(|(pair, weight)| weight * own(pair)).sum::<f32>() / 4.0;
        let (outputs, targets) = (tensor(&outputs, 1), tensor(&targets, 1));
        let scene = Scene { outputs, targets, groups, loss: loss.loss(), favourable: 1, weights: &weights };
        close(&[scene.weighted().into_scalar()], &[expected]);
        let ones = vec![vec![1.0; 2]; 3];
        let scene = Scene { weights: &ones, ..scene };
        close(&[scene.weighted().into_scalar()], &[scene.plain().into_scalar()]);
    }
}
