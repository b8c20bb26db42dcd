//! One step of an optimizer for one parameter: weights and memory written where they lie, in one pass.

use std::iter;

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::{
    Autodiff, Backend, Dispatch, ExtensionType, Flex, TensorMetadata, backend_extension,
    get_or_init_device_settings, tensor::FloatTensor,
};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use pulp::Simd;

use crate::{flex, simd, simd::JointLanes};

/// How a gradient g changes weights w: the published rule with its numbers for one step, η the learning rate. What a
/// rule remembers between steps are tensors of the weights' shape, which start at zero.
///
/// `weight_decay` λ is L2 regularization, `g ← g + λ w`, unless the rule says otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the fields are the symbols of the rules")]
pub enum Rule {
    /// `v ← μ v + g`, `w ← w − η v`; Nesterov's form steps by `g + μ v`. Remembers v, or nothing where μ is 0.
    Sgd { lr: f64, momentum: f64, nesterov: bool, weight_decay: f64 },
    /// `m ← β₁ m + (1−β₁) g`, `v ← β₂ v + (1−β₂) g²`, `w ← w − η m̂ / (√v̂ + ε)`, bias-corrected for the step number
    /// `time`, which counts from 1. Decoupled, `w ← w − η λ w` comes first instead of the L2 term. Remembers m and v,
    /// and with `amsgrad` the largest v so far, which then stands for v in the step.
    Adam {
        lr: f64,
        beta1: f64,
        beta2: f64,
        eps: f64,
        weight_decay: f64,
        decoupled: bool,
        amsgrad: bool,
        time: u64,
    },
    /// `v ← α v + (1−α) g²`, `w ← w − η g / (√v + ε)`. Centred, `a ← α a + (1−α) g` and `v − a²` stands for v; with
    /// momentum, `b ← μ b + g / (√v + ε)` and `w ← w − η b`. Remembers v, then a if centred, then b if μ is not 0.
    Rmsprop { lr: f64, alpha: f64, eps: f64, momentum: f64, centered: bool, weight_decay: f64 },
    /// `s ← s + g²`, `w ← w − η g / (√s + ε)`. Remembers s.
    Adagrad { lr: f64, eps: f64, weight_decay: f64 },
    /// `w ← w − η (sign(β₁ m + (1−β₁) g) + λ w)`, `m ← β₂ m + (1−β₂) g`. Remembers m. The sign of NaN is 0, as it is
    /// in PyTorch; m keeps the NaN.
    Lion { lr: f64, beta1: f64, beta2: f64, weight_decay: f64 },
}

impl Rule {
    /// How many tensors it remembers.
    #[must_use]
    pub fn memory(&self) -> usize {
        match *self {
            Self::Sgd { momentum, .. } => usize::from(momentum != 0.0),
            Self::Adam { amsgrad, .. } => 2 + usize::from(amsgrad),
            Self::Rmsprop { momentum, centered, .. } => {
                1 + usize::from(centered) + usize::from(momentum != 0.0)
            }
            Self::Adagrad { .. } | Self::Lion { .. } => 1,
        }
    }
}

/// The weights and the rule's memory after a step, each in its own memory where nothing else holds it.
///
/// # Panics
///
/// Where the shapes differ, or `memory` is not as many tensors as the rule remembers.
#[must_use]
pub fn optimizer_step<const D: usize>(
    rule: Rule,
    weights: Tensor<D>,
    gradient: Tensor<D>,
    memory: Vec<Tensor<D>>,
) -> (Tensor<D>, Vec<Tensor<D>>) {
    assert_eq!(weights.dims(), gradient.dims(), "optimizer_step: weights and gradient");
    assert_eq!(memory.len(), rule.memory(), "optimizer_step: tensors of memory");
    for tensor in &memory {
        assert_eq!(weights.dims(), tensor.dims(), "optimizer_step: weights and memory");
    }
    let memory = Memory::<Dispatch>::new(memory.into_iter().map(Tensor::into_dispatch));
    let stepped = <Dispatch as OptimizerOps>::optimizer_step(
        weights.into_dispatch(),
        gradient.into_dispatch(),
        memory,
        rule,
    );
    let mut stepped = stepped.into_iter().map(Tensor::from_dispatch);
    (stepped.next().expect("the weights"), stepped.collect())
}

/// A rule's memory, in the form that Burn's dispatch takes: it knows no list of tensors.
#[derive(ExtensionType)]
pub(crate) enum Memory<B: Backend> {
    None,
    One(FloatTensor<B>),
    Two(FloatTensor<B>, FloatTensor<B>),
    Three(FloatTensor<B>, FloatTensor<B>, FloatTensor<B>),
}

impl<B: Backend> Memory<B> {
    fn new(tensors: impl IntoIterator<Item = FloatTensor<B>>) -> Self {
        let mut tensors = tensors.into_iter();
        match (tensors.next(), tensors.next(), tensors.next()) {
            (Some(a), Some(b), Some(c)) => Self::Three(a, b, c),
            (Some(a), Some(b), None) => Self::Two(a, b),
            (Some(a), None, _) => Self::One(a),
            (None, ..) => Self::None,
        }
    }

    fn into_vec(self) -> Vec<FloatTensor<B>> {
        match self {
            Self::None => vec![],
            Self::One(a) => vec![a],
            Self::Two(a, b) => vec![a, b],
            Self::Three(a, b, c) => vec![a, b, c],
        }
    }
}

#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "wgpu"))]
pub(crate) trait OptimizerOps: Backend {
    /// The weights, then the memory.
    fn optimizer_step(
        weights: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        #[extension_type] memory: Memory<Self>,
        rule: Rule,
    ) -> Vec<FloatTensor<Self>> {
        plain::<Self>(rule, weights, gradient, memory.into_vec())
    }
}

// Optimizers work below autodiff; a tracked step is made of Burn's operations.
impl<B: OptimizerOps, C: CheckpointStrategy> OptimizerOps for Autodiff<B, C> {}

impl OptimizerOps for Flex {
    fn optimizer_step(
        weights: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        memory: Memory<Self>,
        rule: Rule,
    ) -> Vec<FloatTensor<Self>> {
        let gradient = flex::contiguous(gradient);
        let g = flex::values(&gradient);
        let mut tensors: Vec<_> =
            iter::once(weights).chain(memory.into_vec()).map(flex::contiguous).collect();
        let targets = &mut tensors[..];
        match rule {
            Rule::Sgd { lr, momentum, nesterov, weight_decay } => {
                let step =
                    Sgd { lr: lr as f32, momentum: momentum as f32, nesterov, l2: weight_decay as f32 };
                match momentum == 0.0 {
                    true => run::<1>(step, targets, g),
                    false => run::<2>(step, targets, g),
                }
            }
            Rule::Adam { lr, beta1, beta2, eps, weight_decay, decoupled, amsgrad, time } => {
                let Correction { rate, root } = correction(lr, beta1, beta2, time);
                let step = Adam {
                    rate: rate as f32,
                    root: root as f32,
                    first: Mean::new(beta1),
                    second: Mean::new(beta2),
                    eps: eps as f32,
                    l2: if decoupled { 0.0 } else { weight_decay as f32 },
                    keep: if decoupled { (1.0 - lr * weight_decay) as f32 } else { 1.0 },
                };
                match amsgrad {
                    false => run::<3>(step, targets, g),
                    true => run::<4>(step, targets, g),
                }
            }
            Rule::Rmsprop { lr, alpha, eps, momentum, centered, weight_decay } => {
                let step = Rmsprop::<false, false> {
                    lr: lr as f32,
                    mean: Mean::new(alpha),
                    eps: eps as f32,
                    momentum: momentum as f32,
                    l2: weight_decay as f32,
                };
                match (centered, momentum != 0.0) {
                    (false, false) => run::<2>(step, targets, g),
                    (false, true) => run::<3>(step.like::<false, true>(), targets, g),
                    (true, false) => run::<3>(step.like::<true, false>(), targets, g),
                    (true, true) => run::<4>(step.like::<true, true>(), targets, g),
                }
            }
            Rule::Adagrad { lr, eps, weight_decay } => {
                let step = Adagrad { lr: lr as f32, eps: eps as f32, l2: weight_decay as f32 };
                run::<2>(step, targets, g);
            }
            Rule::Lion { lr, beta1, beta2, weight_decay } => {
                let step = Lion {
                    lr: lr as f32,
                    step: Mean::new(beta1),
                    momentum: Mean::new(beta2),
                    keep: (1.0 - lr * weight_decay) as f32,
                };
                run::<2>(step, targets, g);
            }
        }
        tensors
    }
}

fn run<const N: usize>(step: impl JointLanes<N>, tensors: &mut [FlexTensor], gradient: &[f32]) {
    let tensors: &mut [FlexTensor; N] = tensors.try_into().expect("as many as the rule remembers");
    simd::update_jointly(step, tensors.each_mut().map(FlexTensor::storage_mut), gradient);
}

/// `√v̂ = root · √v` and `η m̂ = rate · m`.
struct Correction {
    rate: f64,
    root: f64,
}

fn correction(lr: f64, beta1: f64, beta2: f64, time: u64) -> Correction {
    let time = time as f64;
    Correction { rate: lr / (1.0 - beta1.powf(time)), root: (1.0 - beta2.powf(time)).sqrt().recip() }
}

/// A running mean: `decay · mean + rest · value`.
#[derive(Clone, Copy)]
struct Mean {
    decay: f32,
    rest: f32,
}

impl Mean {
    fn new(decay: f64) -> Self {
        Self { decay: decay as f32, rest: (1.0 - decay) as f32 }
    }

    #[inline(always)]
    fn with<S: Simd>(self, simd: S, mean: S::f32s, value: S::f32s) -> S::f32s {
        simd.add_f32s(scale(simd, self.decay, mean), scale(simd, self.rest, value))
    }
}

// Products and sums are rounded one by one, never fused: a pass over memory leaves time enough, and every processor
// finds the same bytes.

#[inline(always)]
fn scale<S: Simd>(simd: S, factor: f32, x: S::f32s) -> S::f32s {
    simd.mul_f32s(simd.splat_f32s(factor), x)
}

#[inline(always)]
fn square<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    simd.mul_f32s(x, x)
}

/// `weights − lr · step`.
#[inline(always)]
fn descend<S: Simd>(simd: S, weights: S::f32s, lr: f32, step: S::f32s) -> S::f32s {
    simd.sub_f32s(weights, scale(simd, lr, step))
}

/// `gradient + l2 · weights`. Without the term, weights that are infinite must not make it NaN.
#[inline(always)]
fn regularize<S: Simd>(simd: S, gradient: S::f32s, l2: f32, weights: S::f32s) -> S::f32s {
    if l2 == 0.0 { gradient } else { simd.add_f32s(gradient, scale(simd, l2, weights)) }
}

/// `x / (√v + eps)`.
#[inline(always)]
fn over_root<S: Simd>(simd: S, x: S::f32s, v: S::f32s, eps: f32) -> S::f32s {
    simd.div_f32s(x, simd.add_f32s(simd.sqrt_f32s(v), simd.splat_f32s(eps)))
}

#[derive(Clone, Copy)]
struct Sgd {
    lr: f32,
    momentum: f32,
    nesterov: bool,
    l2: f32,
}

impl JointLanes<1> for Sgd {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, [w]: [S::f32s; 1], g: S::f32s) -> [S::f32s; 1] {
        [descend(simd, w, self.lr, regularize(simd, g, self.l2, w))]
    }
}

impl JointLanes<2> for Sgd {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, [w, v]: [S::f32s; 2], g: S::f32s) -> [S::f32s; 2] {
        let g = regularize(simd, g, self.l2, w);
        let v = simd.add_f32s(scale(simd, self.momentum, v), g);
        let step = if self.nesterov { simd.add_f32s(g, scale(simd, self.momentum, v)) } else { v };
        [descend(simd, w, self.lr, step), v]
    }
}

#[derive(Clone, Copy)]
struct Adam {
    rate: f32,
    root: f32,
    first: Mean,
    second: Mean,
    eps: f32,
    l2: f32,
    keep: f32,
}

impl Adam {
    #[inline(always)]
    fn moments<S: Simd>(self, simd: S, [w, m, v]: [S::f32s; 3], g: S::f32s) -> [S::f32s; 2] {
        let g = regularize(simd, g, self.l2, w);
        [self.first.with(simd, m, g), self.second.with(simd, v, square(simd, g))]
    }

    #[inline(always)]
    fn step<S: Simd>(self, simd: S, w: S::f32s, m: S::f32s, v: S::f32s) -> S::f32s {
        let root = scale(simd, self.root, simd.sqrt_f32s(v));
        let step = simd.div_f32s(m, simd.add_f32s(root, simd.splat_f32s(self.eps)));
        descend(simd, scale(simd, self.keep, w), self.rate, step)
    }
}

impl JointLanes<3> for Adam {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, [w, m, v]: [S::f32s; 3], g: S::f32s) -> [S::f32s; 3] {
        let [m, v] = self.moments(simd, [w, m, v], g);
        [self.step(simd, w, m, v), m, v]
    }
}

impl JointLanes<4> for Adam {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, [w, m, v, largest]: [S::f32s; 4], g: S::f32s) -> [S::f32s; 4] {
        let [m, v] = self.moments(simd, [w, m, v], g);
        // Not the processor's maximum, which may lose a NaN.
        let largest = simd.select_f32s(simd.less_than_f32s(v, largest), largest, v);
        [self.step(simd, w, m, largest), m, v, largest]
    }
}

#[derive(Clone, Copy)]
struct Rmsprop<const CENTERED: bool, const MOMENTUM: bool> {
    lr: f32,
    mean: Mean,
    eps: f32,
    momentum: f32,
    l2: f32,
}

impl Rmsprop<false, false> {
    fn like<const CENTERED: bool, const MOMENTUM: bool>(self) -> Rmsprop<CENTERED, MOMENTUM> {
        let Self { lr, mean, eps, momentum, l2 } = self;
        Rmsprop { lr, mean, eps, momentum, l2 }
    }
}

// The numbers of targets that go with the flags are 2, 3, 3 and 4; all indices are known once both are.
impl<const N: usize, const CENTERED: bool, const MOMENTUM: bool> JointLanes<N>
    for Rmsprop<CENTERED, MOMENTUM>
{
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, mut targets: [S::f32s; N], g: S::f32s) -> [S::f32s; N] {
        let g = regularize(simd, g, self.l2, targets[0]);
        targets[1] = self.mean.with(simd, targets[1], square(simd, g));
        let mut variance = targets[1];
        if CENTERED {
            targets[2] = self.mean.with(simd, targets[2], g);
            variance = simd.sub_f32s(variance, square(simd, targets[2]));
        }
        let mut step = over_root(simd, g, variance, self.eps);
        if MOMENTUM {
            step = simd.add_f32s(scale(simd, self.momentum, targets[N - 1]), step);
            targets[N - 1] = step;
        }
        targets[0] = descend(simd, targets[0], self.lr, step);
        targets
    }
}

#[derive(Clone, Copy)]
struct Adagrad {
    lr: f32,
    eps: f32,
    l2: f32,
}

impl JointLanes<2> for Adagrad {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, [w, sum]: [S::f32s; 2], g: S::f32s) -> [S::f32s; 2] {
        let g = regularize(simd, g, self.l2, w);
        let sum = simd.add_f32s(sum, square(simd, g));
        [descend(simd, w, self.lr, over_root(simd, g, sum, self.eps)), sum]
    }
}

#[derive(Clone, Copy)]
struct Lion {
    lr: f32,
    step: Mean,
    momentum: Mean,
    keep: f32,
}

impl JointLanes<2> for Lion {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, [w, m]: [S::f32s; 2], g: S::f32s) -> [S::f32s; 2] {
        let direction = self.step.with(simd, m, g);
        let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
        let above = simd.select_f32s(simd.less_than_f32s(zero, direction), one, zero);
        let below = simd.select_f32s(simd.less_than_f32s(direction, zero), one, zero);
        let sign = simd.sub_f32s(above, below);
        [descend(simd, scale(simd, self.keep, w), self.lr, sign), self.momentum.with(simd, m, g)]
    }
}

/// The rules in Burn's operations.
fn plain<B: Backend>(
    rule: Rule,
    w: FloatTensor<B>,
    g: FloatTensor<B>,
    memory: Vec<FloatTensor<B>>,
) -> Vec<FloatTensor<B>> {
    let scale = |x, factor: f64| B::float_mul_scalar(x, (factor as f32).into());
    let square = |x: FloatTensor<B>| B::float_mul(x.clone(), x);
    let mean = |decay: f64, mean, value| B::float_add(scale(mean, decay), scale(value, 1.0 - decay));
    let descend = |w, lr: f64, step| B::float_sub(w, scale(step, lr));
    let regularize = |g, l2: f64, w: &FloatTensor<B>| match l2 == 0.0 {
        true => g,
        false => B::float_add(g, scale(w.clone(), l2)),
    };
    let over_root =
        |x, v, eps: f64| B::float_div(x, B::float_add_scalar(B::float_sqrt(v), (eps as f32).into()));
    let mut memory = memory.into_iter();
    let mut next = || memory.next().expect("as many as the rule remembers");
    match rule {
        Rule::Sgd { lr, momentum, nesterov, weight_decay } => {
            let g = regularize(g, weight_decay, &w);
            if momentum == 0.0 {
                return vec![descend(w, lr, g)];
            }
            let v = B::float_add(scale(next(), momentum), g.clone());
            let step = if nesterov { B::float_add(g, scale(v.clone(), momentum)) } else { v.clone() };
            vec![descend(w, lr, step), v]
        }
        Rule::Adam { lr, beta1, beta2, eps, weight_decay, decoupled, amsgrad, time } => {
            let Correction { rate, root } = correction(lr, beta1, beta2, time);
            let g = if decoupled { g } else { regularize(g, weight_decay, &w) };
            let w = if decoupled { scale(w, 1.0 - lr * weight_decay) } else { w };
            let m = mean(beta1, next(), g.clone());
            let v = mean(beta2, next(), square(g));
            let largest = amsgrad.then(|| {
                let (before, bools) = (next(), get_or_init_device_settings::<B>(&v.device()).bool_dtype);
                let less = B::float_lower(v.clone(), before.clone(), bools);
                B::float_mask_where(v.clone(), less, before)
            });
            let root = scale(B::float_sqrt(largest.clone().unwrap_or_else(|| v.clone())), root);
            let step = B::float_div(m.clone(), B::float_add_scalar(root, (eps as f32).into()));
            [descend(w, rate, step), m, v].into_iter().chain(largest).collect()
        }
        Rule::Rmsprop { lr, alpha, eps, momentum, centered, weight_decay } => {
            let g = regularize(g, weight_decay, &w);
            let v = mean(alpha, next(), square(g.clone()));
            let center = centered.then(|| mean(alpha, next(), g.clone()));
            let variance = match &center {
                Some(center) => B::float_sub(v.clone(), square(center.clone())),
                None => v.clone(),
            };
            let step = over_root(g, variance, eps);
            let steps = (momentum != 0.0).then(|| B::float_add(scale(next(), momentum), step.clone()));
            let w = descend(w, lr, steps.clone().unwrap_or(step));
            [w, v].into_iter().chain(center).chain(steps).collect()
        }
        Rule::Adagrad { lr, eps, weight_decay } => {
            let g = regularize(g, weight_decay, &w);
            let sum = B::float_add(next(), square(g.clone()));
            vec![descend(w, lr, over_root(g, sum.clone(), eps)), sum]
        }
        Rule::Lion { lr, beta1, beta2, weight_decay } => {
            let m = next();
            let sign = B::float_sign(mean(beta1, m.clone(), g.clone()));
            vec![descend(scale(w, 1.0 - lr * weight_decay), lr, sign), mean(beta2, m, g)]
        }
    }
}

#[cfg(test)]
mod tests;
