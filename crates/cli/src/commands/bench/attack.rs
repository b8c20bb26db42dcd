use std::time::Instant;

use burn::tensor::Device;
use crucible_data::seed;
use crucible_measure::median;
use crucible_models::{Architecture, InputShape, Network, Scaling, WhiteBox, architectures::CnnConfig};
use crucible_robust::{AttackConfig, Batch, Norm, Threat, Victim, attacks::Pgd};
use rand::RngExt;
use serde_json::json;

use crate::{error::CliError, output::Output, threads};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Pictures in the batch
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(super) batch: u32,
    /// Runs to time, after one to warm up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) runs: u32,
    /// Threads to use [default: one for each core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,
}

pub(super) const SEED: u64 = 1;
const CLASSES: usize = 10;

/// The `cnn` with fresh weights, and random pictures from 0 to 1 with random labels.
pub(super) struct Scene {
    pub(super) model: WhiteBox<Network>,
    pub(super) inputs: Vec<f32>,
    pub(super) labels: Vec<u32>,
}

impl Scene {
    pub(super) fn new(batch: usize) -> Result<Self, CliError> {
        let device = Device::flex();
        let shape = InputShape::Image { channels: 1, height: 28, width: 28 };
        let network = Architecture::Cnn(CnnConfig::default());
        let network = network.init(shape, CLASSES, &mut seed::stream(SEED, "weights", 0), &device)?;
        let model = WhiteBox::new(&network, &Scaling::none(shape.features()), CLASSES, &device);
        let mut rng = seed::stream(SEED, "batch", 0);
        let inputs = (0..batch * shape.features()).map(|_| rng.random()).collect();
        let labels = (0..batch).map(|_| rng.random_range(0..CLASSES as u32)).collect();
        Ok(Self { model, inputs, labels })
    }
}

/// PGD-40 within L∞ 0.3, on all pictures to the last step.
pub(super) fn run(args: &Args, output: &Output) -> Result<(), CliError> {
    threads::start(args.threads)?;
    let Scene { model, inputs, labels } = Scene::new(args.batch as usize)?;
    let threat = Threat::new(Norm::Linf, 0.3, [0.0, 1.0])?;
    let attack = |stop| AttackConfig::Pgd(Pgd { stop, ..Pgd::default() });
    let time = |stop: bool| -> Result<f64, CliError> {
        let mut times = Vec::new();
        for _ in 0..=args.runs {
            let (mut rng, start) = (seed::stream(SEED, "attack", 0), Instant::now());
            let batch = Batch::new(&inputs, &labels);
            attack(stop).run(Victim::WhiteBox(&model), batch, &threat, &mut rng)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        Ok(median(&times[1..]).expect("at least one run"))
    };
    let (ms, stopping) = (time(false)?, time(true)?);
    output.object(&json!({ "task": "pgd", "batch": args.batch, "ms": ms, "stopping_ms": stopping }));
    output.line(format!(
        "PGD-40, batch {}: {ms:.1} ms to the last step, {stopping:.1} ms when it leaves fooled examples alone",
        args.batch
    ));
    Ok(())
}
