use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use crucible_data::seed;
use crucible_measure::median;
use crucible_models::{
    DiscriminatorConfig, GeneratorConfig,
    discriminators::{self, Gaze, Normalization},
    generators::{self, Drawing, Upsampling},
};
use crucible_train::adversarial::{GanConfig, Pair, PairStepper};
use serde_json::json;

use crate::{error::CliError, output::Output, threads};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Pictures in the batch, real and generated ones
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(2..=4096))]
    batch: u32,
    /// Height and width of a picture
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(4..=256))]
    size: u32,
    /// Colour channels
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=3))]
    colours: u32,
    /// Channels of the largest hidden map
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    channels: u32,
    /// Make maps larger by repeating pixels, with convolutions after that
    #[arg(long)]
    nearest: bool,
    /// Spectral norm in the place of batch norm
    #[arg(long)]
    spectral: bool,
    /// Steps to time, after two to warm up
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Threads to use [default: one for each core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

const WARM_UP: usize = 2;
const SEED: u64 = 1;

/// One step of each side of a DCGAN, as PyTorch's example takes it.
pub(crate) fn run(args: &Args, output: &Output) -> Result<(), CliError> {
    threads::start(args.threads)?;
    let device = Device::flex();
    let (channels, size) = (args.colours as usize, args.size as usize);
    let upsampling = if args.nearest { Upsampling::Nearest } else { Upsampling::Transposed };
    let normalization = if args.spectral { Normalization::Spectral } else { Normalization::Batch };
    let width = args.channels as usize;
    let config = GanConfig {
        batch_size: args.batch as usize,
        generator: GeneratorConfig::Dcgan(generators::DcganConfig {
            channels: width,
            upsampling,
            ..generators::DcganConfig::default()
        }),
        discriminator: DiscriminatorConfig::Dcgan(discriminators::DcganConfig {
            channels: width,
            normalization,
        }),
        ..GanConfig::default()
    };
    let drawing = Drawing { channels, size, latent: config.latent, classes: None };
    let gaze = Gaze { channels, size, classes: None };
    let stream = |name| seed::stream(SEED, name, 0);
    let pair = Pair {
        generator: config.generator.init(drawing, &mut stream("weights/generator"), &device)?,
        discriminator: config.discriminator.init(gaze, &mut stream("weights/discriminator"), &device)?,
    };
    device.seed(SEED);
    let shape = [args.batch as usize, drawing.features()];
    let reals = Tensor::<2>::random(shape, Distribution::Uniform(-1.0, 1.0), &device);
    let mut stepper = PairStepper::new(pair, &config, drawing, reals, &device);
    let mut once = || {
        let start = Instant::now();
        std::hint::black_box(stepper.step());
        start.elapsed().as_secs_f64()
    };
    let times: Vec<f64> = (0..WARM_UP + args.steps as usize).map(|_| once()).collect();
    let steps = &times[WARM_UP..];
    let middle = median(steps).expect("at least one step");
    let fastest = steps.iter().copied().fold(f64::INFINITY, f64::min);
    output.object(&json!({ "batch": args.batch, "ms": middle * 1e3, "min_ms": fastest * 1e3 }));
    output.line(format!(
        "A step of both sides takes {:.1} ms (median of {}; fastest {:.1} ms).",
        middle * 1e3,
        args.steps,
        fastest * 1e3
    ));
    Ok(())
}
