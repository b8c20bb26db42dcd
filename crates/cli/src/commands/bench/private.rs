use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use crucible_data::seed;
use crucible_measure::median;
use crucible_models::{Network, Training};
use crucible_privacy::{
    Draws,
    clipping::{Clipping, clipped_sum},
};
use crucible_train::{
    Stepper, Updater,
    losses::{CrossEntropy, Loss},
};
use serde_json::json;

use super::step::Task;
use crate::{error::CliError, output::Output, threads};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The network
    #[arg(long, value_enum)]
    task: Task,
    /// Examples in the batch
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// Steps of each kind to time, after five to warm up
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Threads to use [default: one for each core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

const WARM_UP: u64 = 5;
const CLIP: f64 = 1.0;
const NOISE: f64 = 1.0;
const SEED: u64 = 1;

/// Steps of both kinds in turns, so that whatever else the machine does slows both.
pub(crate) fn run(args: &Args, output: &Output) -> Result<(), CliError> {
    threads::start(args.threads)?;
    let batch = args.batch as usize;
    let device = Device::flex();
    let (architecture, shape) = args.task.network(128);
    let outputs = args.task.outputs();
    let network = architecture.init(shape, outputs, &mut seed::stream(SEED, "weights", 0), &device)?;
    device.seed(SEED);
    let inputs = Task::inputs(batch, shape, &device);
    let loss = CrossEntropy::default();
    let mut targets = Vec::with_capacity(batch * outputs);
    (0..args.batch).for_each(|i| loss.encode_class(i * 7 % outputs as u32, outputs, &mut targets));
    let targets = Tensor::from_data(TensorData::new(targets, [batch, outputs]), &device);

    let optimizer = args.task.optimizer(false);
    let training = || Training { rng: seed::stream(SEED, "dropout", 0) };
    let forward = |outputs, targets| loss.forward(outputs, targets);
    let mut plain =
        Stepper::new(network.clone(), &*optimizer, &forward, inputs.clone(), targets.clone(), training());
    let mut private = Private {
        network: Some(network.train()),
        updater: Updater::new(&*optimizer),
        lr: optimizer.lr(),
        draws: Draws::secret().map_err(|error| CliError::Usage(error.to_string()))?,
        inputs: Tensor::from_inner(inputs),
        targets: Tensor::from_inner(targets),
        tap: training(),
    };
    let (mut plain_times, mut times) = (Vec::new(), Vec::new());
    for step in 1..=WARM_UP + u64::from(args.steps) {
        let start = Instant::now();
        std::hint::black_box(plain.step());
        let between = Instant::now();
        private.step(&loss, step)?;
        if step > WARM_UP {
            plain_times.push((between - start).as_secs_f64());
            times.push(between.elapsed().as_secs_f64());
        }
    }
    let [plain, private] = [plain_times, times].map(|times| median(&times).expect("at least one step") * 1e3);
    output.object(&json!({ "task": args.task, "batch": args.batch, "ms": private, "plain_ms": plain }));
    output.line(format!(
        "A private step takes {private:.3} ms, {:.2} times a plain one's {plain:.3} ms (medians of {}).",
        private / plain,
        args.steps
    ));
    Ok(())
}

/// A step with clipped gradients and noise on the same batch again and again.
struct Private {
    network: Option<Network>,
    updater: Updater,
    lr: f64,
    draws: Draws,
    inputs: Tensor<2>,
    targets: Tensor<2>,
    tap: Training,
}

impl Private {
    fn step(&mut self, loss: &dyn Loss, step: u64) -> Result<(), CliError> {
        let network = self.network.take().expect("put back below");
        let (inputs, targets) = (self.inputs.clone(), self.targets.clone());
        let scale = 1.0 / inputs.dims()[0] as f64;
        let flat = Clipping::Flat { norm: CLIP };
        let tap = &mut self.tap;
        let work = || clipped_sum(&network, inputs, targets, loss, flat, tap);
        let (clipped, noise) = self.draws.noise_beside(&network, step, work);
        let gradients = noise.add(&network, clipped?.gradients, scale, NOISE * CLIP * scale);
        let lr = self.lr;
        self.network = Some(self.updater.step(network, gradients, &|_| lr));
        Ok(())
    }
}
