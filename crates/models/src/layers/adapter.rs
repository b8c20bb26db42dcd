use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use crucible_kernels::{Fused, affine, affine_low_rank};
use rand_chacha::ChaCha8Rng;

use super::{Dropout, Linear};
use crate::{Activation, init::uniform_fan_in};

/// How an [`Adapter`] changes a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdapterConfig {
    /// Rows of the thin matrices.
    pub rank: usize,
    /// What the change is multiplied by, times the rank (or its root).
    pub alpha: f64,
    /// Probability of dropping each input of the change, while training.
    pub dropout: f64,
    /// Divide by the root of the rank in place of the rank (rsLoRA: Kalajdzievski 2023, arXiv:2312.03732).
    pub rank_stabilized: bool,
    /// Learn the length of each row of the weight by itself (DoRA: Liu et al. 2024, arXiv:2402.09353).
    pub decomposed: bool,
}

impl AdapterConfig {
    /// What the product of the thin matrices is multiplied by.
    #[must_use]
    pub fn scale(&self) -> f64 {
        let rank = self.rank as f64;
        self.alpha / if self.rank_stabilized { rank.sqrt() } else { rank }
    }
}

/// What is learned beside a frozen linear layer: the product of two thin matrices, added to its weight (LoRA: Hu et al. 2021,
/// arXiv:2106.09685).
#[derive(Module, Debug)]
pub struct Adapter {
    /// One for each part of the layer's outputs that is changed, in their order.
    pub parts: Vec<LowRank>,
}

/// The change of some rows of a weight.
#[derive(Module, Debug)]
pub struct LowRank {
    /// `A`, `[rank, in]`.
    pub down: Param<Tensor<2>>,
    /// `B`, `[rows, rank]`.
    pub up: Param<Tensor<2>>,
    /// The lengths of the changed rows, `[rows]`, where they are learned by themselves.
    pub magnitude: Option<Param<Tensor<1>>>,
    #[module(skip)]
    part: usize,
    #[module(skip)]
    config: AdapterConfig,
}

impl LowRank {
    /// Which part of the layer it changes, of [`Linear::parts`].
    #[must_use]
    pub fn part(&self) -> usize {
        self.part
    }
}

impl Adapter {
    /// How it changes its layer.
    #[must_use]
    pub fn config(&self) -> &AdapterConfig {
        &self.parts[0].config
    }

    /// A change that is nothing as yet, of these parts of `layer`: `A` drawn as PyTorch draws a layer's weight, `B` zero.
    pub(super) fn new(layer: &Linear, parts: &[usize], config: AdapterConfig, rng: &mut ChaCha8Rng) -> Self {
        let weight = layer.weight.val();
        let ([outputs, inputs], device) = (weight.dims(), weight.device());
        let rows = outputs / layer.parts().len();
        let part = |&part: &usize| LowRank {
            down: uniform_fan_in([config.rank, inputs], inputs, rng, &device),
            up: Param::from_tensor(Tensor::zeros([rows, config.rank], &device)),
            magnitude: config
                .decomposed
                .then(|| Param::from_tensor(lengths(weight.clone().narrow(0, part * rows, rows)))),
            part,
            config,
        };
        Self { parts: parts.iter().map(part).collect() }
    }

    /// What it reads of its layer's input `[batch, in]` while training.
    #[must_use]
    pub fn dropped(&self, input: Tensor<2>, rng: &mut ChaCha8Rng) -> Tensor<2> {
        Dropout::new("adapter", self.config().dropout).forward(input, rng)
    }

    /// Learnable parameters.
    pub(super) fn parameters(&self) -> usize {
        let count = |part: &LowRank| {
            let magnitude = part.magnitude.as_ref().map_or(0, |magnitude| magnitude.shape().num_elements());
            part.down.shape().num_elements() + part.up.shape().num_elements() + magnitude
        };
        self.parts.iter().map(count).sum()
    }

    /// The layer's output `[batch, out]` for `[batch, in]`; the change's input drops where there is a generator.
    pub(super) fn forward(
        &self,
        layer: &Linear,
        input: Tensor<2>,
        activation: Activation,
        rng: Option<&mut ChaCha8Rng>,
    ) -> Tensor<2> {
        let (weight, bias) = (layer.weight.val(), layer.bias.val());
        let (device, [outputs]) = (bias.device(), bias.dims());
        let rng = rng.filter(|_| self.config().dropout > 0.0);
        let dropped = rng.map(|rng| self.dropped(input.clone(), rng));
        let [down, up] = self.thin(outputs, &device);
        let factors = self.factors(&weight, [&down, &up]);
        // A row's length multiplies what comes before the bias.
        let inner = if factors.is_some() { Tensor::zeros([outputs], &device) } else { bias.clone() };
        let (sum, done) = match dropped {
            None => {
                let fused = activation.fused().filter(|_| factors.is_none());
                let sum = affine_low_rank(input, weight, inner, [down, up], fused.unwrap_or(Fused::None));
                (sum, fused.is_some())
            }
            Some(dropped) => {
                let [rank, _] = down.dims();
                let thin = affine(dropped, down, Tensor::zeros([rank], &device), Fused::None);
                let change = affine(thin, up, inner, Fused::None);
                (affine(input, weight, Tensor::zeros([outputs], &device), Fused::None) + change, false)
            }
        };
        match factors {
            Some(factors) => activation.forward(sum * factors.unsqueeze() + bias.unsqueeze()),
            None if done => sum,
            None => activation.forward(sum),
        }
    }

    /// The weight `[out, in]` that computes the same as the layer and its change.
    pub(super) fn merged(&self, weight: Tensor<2>) -> Tensor<2> {
        let ([outputs, _], device) = (weight.dims(), weight.device());
        let [down, up] = self.thin(outputs, &device);
        let factors = self.factors(&weight, [&down, &up]);
        let sum = weight + up.matmul(down);
        match factors {
            Some(factors) => sum * factors.unsqueeze_dim(1),
            None => sum,
        }
    }

    /// The thin matrices of all parts, `[ranks, in]` and `[out, ranks]`: a part's rows read its own columns, and a part that is
    /// not changed none.
    fn thin(&self, outputs: usize, device: &Device) -> [Tensor<2>; 2] {
        let down = Tensor::cat(self.parts.iter().map(|part| part.down.val()).collect(), 0);
        let ([ranks, _], scale, rank) = (down.dims(), self.config().scale(), self.config().rank);
        let zeros = |rows: usize, columns: usize| {
            let empty = rows == 0 || columns == 0;
            (!empty).then(|| Tensor::<2>::zeros([rows, columns], device))
        };
        let mut rows = Vec::new();
        let mut reached = 0;
        for (i, part) in self.parts.iter().enumerate() {
            let [count, _] = part.up.shape().dims();
            rows.extend(zeros(part.part * count - reached, ranks));
            let up = part.up.val().mul_scalar(scale);
            let columns = [zeros(count, i * rank), Some(up), zeros(count, ranks - (i + 1) * rank)];
            rows.push(Tensor::cat(columns.into_iter().flatten().collect(), 1));
            reached = (part.part + 1) * count;
        }
        rows.extend(zeros(outputs - reached, ranks));
        [down, Tensor::cat(rows, 0)]
    }

    /// What each row of the changed weight is multiplied by `[out]`, to have its own length. As the paper has it (section
    /// 4.3), no gradient goes through the length that it had.
    fn factors(&self, weight: &Tensor<2>, [down, up]: [&Tensor<2>; 2]) -> Option<Tensor<1>> {
        if !self.config().decomposed {
            return None;
        }
        let changed = weight.clone().detach() + up.clone().detach().matmul(down.clone().detach());
        let [outputs, _] = changed.dims();
        let had = lengths(changed);
        let mut factors = Vec::new();
        let mut reached = 0;
        for part in &self.parts {
            let magnitude = part.magnitude.as_ref()?.val();
            let [count] = magnitude.dims();
            let first = part.part * count;
            if first > reached {
                factors.push(Tensor::ones([first - reached], &magnitude.device()));
            }
            factors.push(magnitude / had.clone().narrow(0, first, count));
            reached = first + count;
        }
        if outputs > reached {
            factors.push(Tensor::ones([outputs - reached], &weight.device()));
        }
        Some(Tensor::cat(factors, 0))
    }
}

/// The length of each row, `[rows, columns]` to `[rows]`.
fn lengths(matrix: Tensor<2>) -> Tensor<1> {
    matrix.powi_scalar(2).sum_dim(1).sqrt().squeeze_dim(1)
}
