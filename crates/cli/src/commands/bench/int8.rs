use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use crucible_compress::{Compressed, QuantizeConfig, quantize};
use crucible_data::seed;
use crucible_measure::median;
use crucible_models::{NoTap, Tapped};
use serde_json::json;

use super::step::Task;
use crate::{error::CliError, output::Output, threads};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The network
    #[arg(long, value_enum, default_value_t = Task::Cnn)]
    task: Task,
    /// Examples in the batch
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// Answers of each kind to time, after five to warm up
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Threads to use [default: one for each core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

const WARM_UP: u32 = 5;
const OUTPUTS: usize = 10;
const SEED: u64 = 1;

/// Answers of both kinds in turns, so that whatever else the machine does slows both.
pub(crate) fn run(args: &Args, output: &Output) -> Result<(), CliError> {
    threads::start(args.threads)?;
    let device = Device::flex();
    let (architecture, shape) = args.task.network(128);
    let network = architecture.init(shape, OUTPUTS, &mut seed::stream(SEED, "weights", 0), &device)?;
    device.seed(SEED);
    let size = [args.batch as usize, shape.features()];
    let inputs = Tensor::<2>::random(size, Distribution::Normal(0.0, 1.0), &device);
    let seen = inputs.clone().into_data().try_to_vec::<f32>().expect("networks here hold f32");
    let archive = quantize(&network, &seen, shape.features(), &QuantizeConfig::default(), &device)?;
    let compressed = Compressed::open(&archive, network.clone(), shape.features(), &device);
    let compressed = compressed.expect("an archive of this network");
    let path = compressed.program().map(|program| program.path().name());
    let (mut float_times, mut times) = (Vec::new(), Vec::new());
    for step in 0..WARM_UP + args.steps {
        let start = Instant::now();
        std::hint::black_box(network.forward(inputs.clone(), &mut NoTap).into_data());
        let between = Instant::now();
        std::hint::black_box(compressed.forward(inputs.clone(), &mut NoTap).into_data());
        if step >= WARM_UP {
            float_times.push((between - start).as_secs_f64());
            times.push(between.elapsed().as_secs_f64());
        }
    }
    let [float, integer] = [float_times, times].map(|times| median(&times).expect("at least one step") * 1e3);
    output.object(&json!({
        "task": args.task, "batch": args.batch, "ms": integer, "float_ms": float, "instructions": path,
    }));
    output.line(format!(
        "Integers ({}) answer in {integer:.3} ms, {:.2} times the floats' {float:.3} ms (medians of {}).",
        path.unwrap_or("none"),
        integer / float,
        args.steps
    ));
    Ok(())
}
