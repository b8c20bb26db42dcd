//! A batch in parts, each on a thread of its own.
//!
//! Threads that share a product wait for each other at its end; a network of many small layers has hundreds. Threads that
//! each take a part of the batch through the whole network meet once a step.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use crucible_kernels::axpby;
use crucible_models::Network;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::rule::pull_back;

/// Threads that take a part of a batch each.
#[derive(Debug)]
pub(crate) struct SideBySide {
    /// Of one thread each: what a part computes, it computes alone.
    pools: Vec<ThreadPool>,
}

impl SideBySide {
    /// As many as the program has; `None` for one alone.
    pub(crate) fn new() -> Option<Self> {
        let threads = rayon::current_num_threads();
        let pool = |_| ThreadPoolBuilder::new().num_threads(1).build().ok();
        // Without threads of its own a batch goes through whole.
        let pools: Option<Vec<ThreadPool>> = (0..threads).map(pool).collect();
        pools.filter(|pools| pools.len() > 1).map(|pools| Self { pools })
    }

    /// How many parts a batch has.
    pub(crate) fn parts(&self) -> usize {
        self.pools.len()
    }

    /// The sum over the parts, and its gradient. `loss` is given a network and a part's number.
    pub(crate) fn gradient(
        &self,
        network: &Network,
        loss: impl Fn(&Network, usize) -> Tensor<1> + Sync,
    ) -> (f64, GradientsParams) {
        let one = |part: usize| {
            // With leaves of its own: graphs that share one lock each other out.
            let network = network.valid().train();
            pull_back(&network, &loss(&network, part), 1.0)
        };
        let mut found = std::thread::scope(|scope| {
            let one = &one;
            let started: Vec<_> = self
                .pools
                .iter()
                .enumerate()
                .map(|(part, pool)| scope.spawn(move || pool.install(|| one(part))))
                .collect();
            let results = started.into_iter().map(|thread| match thread.join() {
                Ok(found) => found,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            results.collect::<Vec<_>>().into_iter()
        });
        let (mut sum, mut gradients) = found.next().expect("there are at least two parts");
        for (value, others) in found {
            sum += value;
            let mut adder = Adder { gradients, others };
            network.visit(&mut adder);
            gradients = adder.gradients;
        }
        (sum, gradients)
    }
}

/// Adds other gradients to some.
struct Adder {
    gradients: GradientsParams,
    others: GradientsParams,
}

impl ModuleVisitor for Adder {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(other) = self.others.remove::<D>(param.id) else { return };
        let sum = match self.gradients.remove::<D>(param.id) {
            Some(gradient) => axpby(1.0, gradient, 1.0, other),
            None => other,
        };
        self.gradients.register(param.id, sum);
    }
}
