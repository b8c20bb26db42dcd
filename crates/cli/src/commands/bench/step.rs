use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use crucible_data::seed;
use crucible_models::{
    Architecture, InputShape, architectures::CnnConfig, architectures::MlpConfig, summarize,
};
use crucible_train::{Stepper, losses::CrossEntropy, optimizers::Sgd};
use serde_json::json;

use crate::{error::CliError, output::Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The network: 784-128-64-10, or two convolutions and two fully connected layers on 28x28 pictures
    #[arg(long, value_enum)]
    task: Task,
    /// Examples in the batch
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// Steps to time, after five to warm up
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Threads to use [default: one for each core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
enum Task {
    Mlp,
    Cnn,
}

const OUTPUTS: usize = 10;
const WARM_UP: usize = 5;
const SEED: u64 = 1;

pub(crate) fn run(args: &Args, output: &Output) -> Result<(), CliError> {
    if let Some(threads) = args.threads {
        // The first use of the pool fixes its size; nothing has used it yet.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global();
        pool.map_err(|error| CliError::Usage(format!("--threads {threads}: {error}")))?;
    }
    let batch = args.batch as usize;
    let device = Device::flex();
    let (architecture, shape) = match args.task {
        Task::Mlp => (Architecture::Mlp(MlpConfig::default()), InputShape::Features { count: 784 }),
        Task::Cnn => (
            Architecture::Cnn(CnnConfig::default()),
            InputShape::Image { channels: 1, height: 28, width: 28 },
        ),
    };
    let network = architecture.init(shape, OUTPUTS, &mut seed::stream(SEED, "weights", 0), &device)?;
    let forward = summarize(&network, shape.features(), &device);

    device.seed(SEED);
    let inputs = Tensor::<2>::random([batch, shape.features()], Distribution::Normal(0.0, 1.0), &device);
    let classes: Vec<u32> = (0..args.batch).map(|i| i * 7 % OUTPUTS as u32).collect();
    let optimizer = Sgd { lr: 1e-3, momentum: 0.9, ..Sgd::default() };
    let loss = CrossEntropy::default();
    let mut stepper = Stepper::new(network, &optimizer, &loss, inputs, &classes, OUTPUTS, SEED);
    let mut times = time(WARM_UP + args.steps as usize, || stepper.step());
    let mut steps = times.split_off(WARM_UP);

    let [a, b] = [(); 2].map(|()| Tensor::<2>::ones([1024, 1024], &device));
    let product = || f64::from(a.clone().matmul(b.clone()).slice([0..1, 0..1]).into_scalar::<f32>());
    let mut products = time(WARM_UP + 15, product).split_off(WARM_UP);

    let (middle, fastest) = (median(&mut steps), steps[0]);
    // Forward, the gradient of each weight, and that of each layer's input but the first's.
    let first = forward.layers.first().map_or(0, |layer| layer.multiply_adds);
    let operations = (2 * batch as u64 * (3 * forward.multiply_adds - first)) as f64;
    let rate = 2.0 * 1024f64.powi(3) / median(&mut products);
    let share = operations / middle / rate;
    output.object(&json!({
        "task": args.task, "batch": args.batch, "ms": middle * 1e3, "min_ms": fastest * 1e3, "gemm_share": share,
    }));
    output.line(format!(
        "A step takes {:.3} ms (median of {}; fastest {:.3} ms), at {:.0}% of the rate of a 1024x1024x1024 product.",
        middle * 1e3,
        args.steps,
        fastest * 1e3,
        share * 100.0
    ));
    Ok(())
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

/// The middle of `values`, which are sorted afterwards.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    f64::midpoint(low, high)
}
