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
        Self::of(rayon::current_num_threads())
    }

    fn of(threads: usize) -> Option<Self> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};
    use crucible_models::{
        Architecture, InputShape, NoTap, Tapped,
        architectures::BertConfig,
        weights::{self, State},
    };
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use crate::transfer::{FineTuning, Layers, Mode, Places};

    const COUNT: usize = 7;

    fn network(mode: Option<&Mode>) -> Network {
        let config = BertConfig {
            vocabulary: 20,
            width: 8,
            heads: 2,
            layers: 2,
            feedforward: 12,
            positions: 10,
            ..BertConfig::default()
        };
        let shape = InputShape::Tokens { length: 6, vocabulary: 20 };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let network = Architecture::Bert(config).init(shape, 3, &mut rng, &Device::flex()).unwrap();
        let places = Places::new(&network, 6, &Device::flex());
        match mode {
            Some(mode) => FineTuning::frozen(mode, &places, network).train(),
            None => network.train(),
        }
    }

    /// Scores of the texts `first..end`, of different lengths, as one number each.
    fn loss(network: &Network, first: usize, end: usize) -> Tensor<1> {
        let text = |row: usize| {
            (0..6).map(move |i| if i > row % 5 { -1.0 } else { ((row * 7 + i * 3) % 20) as f32 })
        };
        let values: Vec<f32> = (first..end).flat_map(text).collect();
        let device = Device::flex().autodiff();
        let x = Tensor::<2>::from_data(TensorData::new(values, [end - first, 6]), &device);
        let scores = network.forward(x, &mut NoTap);
        (scores.clone() * scores).sum()
    }

    /// Gradients under the names of their parameters.
    fn named(network: &Network, gradients: GradientsParams) -> State {
        struct Named(weights::Path, GradientsParams, State);
        impl ModuleVisitor for Named {
            fn enter_module(&mut self, name: &str, container: &str) {
                self.0.enter(name, container);
            }

            fn exit_module(&mut self, _: &str, _: &str) {
                self.0.exit();
            }

            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let Some(gradient) = self.1.get::<D>(param.id) else { return };
                let (shape, values) = (gradient.dims().to_vec(), gradient.into_data().try_to_vec().unwrap());
                self.2.insert(self.0.name(), weights::HostTensor { shape, values });
            }
        }
        let mut named = Named(weights::Path::default(), gradients, State::new());
        network.visit(&mut named);
        named.2
    }

    #[test]
    fn parts_add_up_to_the_batch() {
        let some = Mode::Layers(Layers { layers: vec!["layers.1".to_owned()] });
        for mode in [None, Some(&some)] {
            let network = network(mode);
            let (value, whole) = pull_back(&network, &loss(&network, 0, COUNT), 1.0);
            let whole = named(&network, whole);
            for threads in [2, 3] {
                let side_by_side = SideBySide::of(threads).unwrap();
                let run = || {
                    let part = |part: usize| part * COUNT / threads;
                    let loss = |network: &Network, i: usize| loss(network, part(i), part(i + 1));
                    let (value, gradients) = side_by_side.gradient(&network, loss);
                    (value, named(&network, gradients))
                };
                let (sum, parts) = run();
                assert_eq!((sum, &parts), (run().0, &run().1), "the same bytes again");
                assert!((sum - value).abs() < 1e-5 * value, "{sum}, not {value}");
                assert!(parts.keys().eq(whole.keys()), "what is frozen has no gradient");
                assert_eq!(parts.contains_key("words.weight"), mode.is_none());
                for (name, tensor) in &whole {
                    let size = tensor.values.iter().fold(1e-3_f32, |size, value| size.max(value.abs()));
                    for (sum, whole) in parts[name].values.iter().zip(&tensor.values) {
                        assert!((sum - whole).abs() < 1e-4 * size, "{name}: {sum}, not {whole}");
                    }
                }
            }
        }
        assert!(SideBySide::of(1).is_none());
    }
}
