use std::sync::Arc;
use std::time::Instant;

use burn::optim::{AdamConfig, AdamWConfig, DynOptimizer, SgdConfig, momentum::MomentumConfig};
use burn::tensor::{Device, Distribution, Tensor, TensorData, activation::log_softmax};
use crucible_data::seed;
use crucible_measure::median;
use crucible_models::{
    Architecture, InputShape, Network, NoTap, Plain, Tap, Tapped, Training,
    architectures::{BertConfig, CnnConfig, MlpConfig, TransformerConfig},
    summarize,
};
use crucible_train::{
    Stepper,
    losses::{CrossEntropy, Loss},
    optimizers::{Adam, Adamw, Optimizer, Sgd},
    transfer::{FineTuning, Lora, Mode, Places},
};
use serde_json::json;

use crate::{error::CliError, output::Output, threads};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The network and its optimizer
    #[arg(long, value_enum)]
    task: Task,
    /// Examples in the batch
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// Vectors in a sequence of the transformer, tokens in a text of MiniLM (at most 512)
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=65536))]
    tokens: u32,
    /// Steps to time, after five to warm up
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Threads to use [default: one for each core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Time the forward pass alone, without autodiff
    #[arg(long)]
    forward: bool,
    /// Use Burn's own operations in the place of the fused kernels
    #[arg(long)]
    plain: bool,
    /// Train adapters of rank 8 beside query and value (all linear layers where there is no attention) and the last layer
    #[arg(long, conflicts_with_all = ["forward", "plain"])]
    lora: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Task {
    /// 784-128-64-10, ReLU; SGD with momentum
    Mlp,
    /// Two 3x3 convolutions, max-pooling and two fully connected layers on 28x28 pictures; SGD with momentum
    Cnn,
    /// Four encoder layers of width 128, 4 heads, feedforward 512, GELU; Adam
    Transformer,
    /// MiniLM-L6, a BERT of six layers of width 384, with two classes and dropout 0.1 (but none of attention's weights), as
    /// it is fine-tuned; random texts without padding; AdamW
    #[value(name = "minilm")]
    #[serde(rename = "minilm")]
    MiniLm,
}

const WARM_UP: usize = 5;
const SEED: u64 = 1;

impl Task {
    pub(super) fn network(self, tokens: usize) -> (Architecture, InputShape) {
        match self {
            Self::Mlp => (Architecture::Mlp(MlpConfig::default()), InputShape::Features { count: 784 }),
            Self::Cnn => (
                Architecture::Cnn(CnnConfig::default()),
                InputShape::Image { channels: 1, height: 28, width: 28 },
            ),
            Self::Transformer => {
                let config = TransformerConfig { norm_first: false, ..TransformerConfig::default() };
                let shape = InputShape::Sequence { length: tokens, width: config.width };
                (Architecture::Transformer(config), shape)
            }
            Self::MiniLm => {
                let config = BertConfig::default();
                let shape = InputShape::Tokens { length: tokens, vocabulary: config.vocabulary };
                (Architecture::Bert(config), shape)
            }
        }
    }

    pub(super) fn outputs(self) -> usize {
        if matches!(self, Self::MiniLm) { 2 } else { 10 }
    }

    /// Random examples of a network that takes `shape`.
    pub(super) fn inputs(batch: usize, shape: InputShape, device: &Device) -> Tensor<2> {
        let (size, normal) = ([batch, shape.features()], Distribution::Normal(0.0, 1.0));
        match shape {
            InputShape::Tokens { vocabulary, .. } => {
                Tensor::random(size, Distribution::Uniform(0.0, vocabulary as f64), device).floor()
            }
            _ => Tensor::random(size, normal, device),
        }
    }

    pub(super) fn optimizer(self, plain: bool) -> Box<dyn Optimizer> {
        match self {
            Self::Mlp | Self::Cnn if plain => {
                let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
                Box::new(OfBurn(SgdConfig::new().with_momentum(Some(momentum)).build()))
            }
            Self::Transformer if plain => Box::new(OfBurn(AdamConfig::new().with_epsilon(1e-8).build())),
            Self::MiniLm if plain => {
                let adamw = AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(0.01);
                Box::new(OfBurn(adamw.build()))
            }
            Self::Mlp | Self::Cnn => Box::new(Sgd { lr: LR, momentum: 0.9, ..Sgd::default() }),
            Self::Transformer => Box::new(Adam { lr: LR, ..Adam::default() }),
            Self::MiniLm => Box::new(Adamw { lr: LR, ..Adamw::default() }),
        }
    }
}

const LR: f64 = 1e-3;

/// An optimizer of Burn's.
#[derive(Clone)]
struct OfBurn<T>(T);

impl<T: DynOptimizer + Clone + 'static> Optimizer for OfBurn<T> {
    fn lr(&self) -> f64 {
        LR
    }

    fn matrices(&self) -> Arc<dyn DynOptimizer> {
        Arc::new(self.0.clone())
    }

    fn states(&self) -> u64 {
        2
    }
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<(), CliError> {
    threads::start(args.threads)?;
    let batch = args.batch as usize;
    let device = Device::flex();
    let (architecture, shape) = args.task.network(args.tokens as usize);
    let outputs = args.task.outputs();
    let network = architecture.init(shape, outputs, &mut seed::stream(SEED, "weights", 0), &device)?;
    let sizes = summarize(&network, shape.features(), &device);
    let network = if args.lora { adapted(network, shape, &device)? } else { network };

    device.seed(SEED);
    let inputs = Task::inputs(batch, shape, &device);
    let training = Training { rng: seed::stream(SEED, "dropout", 0) };
    let mut times = if args.forward {
        let mut tap: Box<dyn Tap> = if args.plain { Box::new(Plain(training)) } else { Box::new(NoTap) };
        let run = || first(network.forward(inputs.clone(), &mut *tap));
        time(WARM_UP + args.steps as usize, run)
    } else {
        let fused = CrossEntropy::default();
        let mut targets = Vec::with_capacity(batch * outputs);
        (0..args.batch).for_each(|i| fused.encode_class(i * 7 % outputs as u32, outputs, &mut targets));
        let targets = Tensor::from_data(TensorData::new(targets, [batch, outputs]), &device);
        let optimizer = args.task.optimizer(args.plain);
        let loss = |outputs: Tensor<2>, targets: Tensor<2>| match args.plain {
            true => (log_softmax(outputs, 1) * targets).sum_dim(1).mean().neg(),
            false => fused.forward(outputs, targets),
        };
        let mut stepper = match args.plain {
            true => Stepper::new(network, &*optimizer, &loss, inputs, targets, Plain(training)),
            false => Stepper::new(network, &*optimizer, &loss, inputs, targets, training),
        };
        if matches!(args.task, Task::MiniLm) && !args.plain {
            stepper = stepper.in_parts();
        }
        time(WARM_UP + args.steps as usize, || stepper.step())
    };
    let steps = times.split_off(WARM_UP);

    let [a, b] = [(); 2].map(|()| Tensor::<2>::ones([1024, 1024], &device));
    let products = time(WARM_UP + 15, || first(a.clone().matmul(b.clone()))).split_off(WARM_UP);

    let middle_of = |times: &[f64]| median(times).expect("at least one step");
    let (middle, fastest) = (middle_of(&steps), steps.iter().copied().fold(f64::INFINITY, f64::min));
    // Forward, the gradient of each weight, and that of each layer's input but the first's.
    let input = sizes.layers.first().map_or(0, |layer| layer.multiply_adds);
    let passes = if args.forward { sizes.multiply_adds } else { 3 * sizes.multiply_adds - input };
    let operations = (2 * batch as u64 * passes) as f64;
    let rate = 2.0 * 1024f64.powi(3) / middle_of(&products);
    let share = operations / middle / rate;
    output.object(&json!({
        "task": args.task, "batch": args.batch, "ms": middle * 1e3, "min_ms": fastest * 1e3, "gemm_share": share,
        "gemm_gflops": rate / 1e9,
    }));
    output.line(format!(
        "A {} takes {:.3} ms (median of {}; fastest {:.3} ms), at {:.0}% of the rate of a 1024x1024x1024 product.",
        if args.forward { "forward pass" } else { "step" },
        middle * 1e3,
        args.steps,
        fastest * 1e3,
        share * 100.0
    ));
    Ok(())
}

/// The network with adapters, and the rest but the last layer frozen.
fn adapted(network: Network, shape: InputShape, device: &Device) -> Result<Network, CliError> {
    let mode = Mode::Lora(Lora::default());
    let network =
        mode.way().adapted(network, &mut seed::stream(SEED, "adapters", 0)).map_err(CliError::Usage)?;
    let places = Places::new(&network, shape.features(), device);
    Ok(FineTuning::frozen(&mode, &places, network))
}

/// One value of a tensor that has been computed.
fn first(tensor: Tensor<2>) -> f64 {
    f64::from(tensor.slice([0..1, 0..1]).into_scalar::<f32>())
}

/// Seconds of each of `count` runs.
fn time(count: usize, mut run: impl FnMut() -> f64) -> Vec<f64> {
    let mut once = || {
        let start = Instant::now();
        std::hint::black_box(run());
        start.elapsed().as_secs_f64()
    };
    (0..count).map(|_| once()).collect()
}
