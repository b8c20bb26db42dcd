use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use crucible_compress::{
    ActivationFormat, Archive, Compressed, QuantizeConfig, WeightFormat, calibration::CalibrationConfig,
    quantize, sensitivity,
};
use crucible_data::{Examples, seed};
use crucible_measure::median;
use crucible_models::{NoTap, Tapped};
use crucible_train::{Evaluation, RunFolder, evaluate, run_folder::name};
use rand::seq::SliceRandom;
use serde_json::json;

use crate::{
    error::CliError,
    findings::{
        self, Ending,
        compression::{Compression, Side},
    },
    output::{Output, Status},
    run::Run,
    settings::{choose, settings},
    threads,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run folder
    #[arg(required_unless_present = "list")]
    run: Option<PathBuf>,

    /// Weights of 8 bits, and integer arithmetic on activations of 8 bits
    #[arg(long, required_unless_present_any = ["int4", "list"])]
    int8: bool,

    /// Weights of 4 bits in groups, which become floats when the network is loaded
    #[arg(long, conflicts_with = "int8")]
    int4: bool,

    /// With --int8, also weights alone, in groups
    #[arg(long, conflicts_with_all = ["int4", "dynamic"])]
    weights_only: bool,

    /// Find the range of activations anew for each example, without calibration
    #[arg(long, conflicts_with = "int4")]
    dynamic: bool,

    /// How the range of an activation is chosen from the values seen
    #[arg(long, default_value = "percentile")]
    calibration: String,

    /// Override a setting of the calibration, such as percent=99.9
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Training examples that activations are seen on
    #[arg(long, default_value_t = 512, value_name = "N")]
    examples: u32,

    /// Weights of a group, which share a scale
    #[arg(long, default_value_t = 32, value_name = "N")]
    group: u32,

    /// Leave these layers in floats, such as conv1,fc3
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    keep: Vec<String>,

    /// Balance the channels of neighbouring layers before (cross-layer equalization)
    #[arg(long)]
    equalize: bool,

    /// Do not move biases by the mean error that integers make
    #[arg(long)]
    no_bias_correction: bool,

    /// The folder of the new run [default: the run's name with -int8 or -int4]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Examples in the batch that is timed, beside single ones
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    batch: u32,

    /// List the calibrations with their settings, and stop
    #[arg(long)]
    list: bool,
}

/// Rounds in which both networks answer in turns.
const ROUNDS: usize = 15;

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    let Some(path) = args.run.as_deref().filter(|_| !args.list) else {
        list(output);
        return Ok(Status::Done);
    };
    let config = args.config()?;
    let out = args.out.clone().unwrap_or_else(|| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.with_file_name(format!("{name}-{}", if args.int4 { "int4" } else { "int8" }))
    });
    threads::start(None)?;
    let before = Run::open(path)?;
    if Archive::is_one(&before.folder.read(name::MODEL)?) {
        let problem = "its network is compressed already; compress the run that it was made from".to_owned();
        return Err(CliError::NoRun { path: path.to_owned(), problem });
    }
    let recipe = before.recipe()?;
    let data = before.data(&recipe)?;
    let inputs = calibration_inputs(&data.train, args.examples as usize, recipe.seed);
    let (network, features) = (before.network.network(), before.config.input_shape().features());
    let archive = quantize(network, &inputs, features, &config, &before.device)?;
    let layers = sensitivity(network, &inputs, features, &config, &before.device)?;

    let after = write(&before, &archive, &out)?;
    let (split, examples) = data.splits().last().expect("the training split is always there");
    let task = &before.config.format.task;
    let measure = |run: &Run| evaluate(&run.network, examples, run.config.loss.loss(), task, &run.device);
    let [evaluated, evaluated_after] = [&before, &after].map(measure);
    let batch = args.batch as usize;
    let [[one, many], [one_after, many_after]] = times(&before, &after, examples, batch);
    let side = |run: &Run, evaluation: &Evaluation, one: f64, many: f64| -> Result<Side, CliError> {
        let correct = evaluation.accuracy.map(|share| (share * examples.len() as f64).round() as u64);
        let (file, memory) = (run.folder.read(name::MODEL)?.len() as u64, memory(&run.network));
        Ok(Side { correct, loss: evaluation.loss, bytes: file, memory, one, many })
    };
    let agreement = evaluated.accuracy.map(|_| {
        (0..examples.len()).filter(|i| evaluated.class(*i) == evaluated_after.class(*i)).count() as u64
    });
    let found = Compression {
        config: &config,
        source: path,
        path: after.network.program().map(|program| program.path().name()),
        split,
        examples: examples.len() as u64,
        before: side(&before, &evaluated, one, many)?,
        after: side(&after, &evaluated_after, one_after, many_after)?,
        agreement,
        batch,
        layers: &layers,
    };
    findings::keep(&after.folder, "compression", &found.section())?;
    let report = findings::refresh(&after, &recipe, &data)?;
    output.object(&found.object(&out, report.as_deref()));
    output.line(found.text(&out));
    Ok(Status::Done)
}

impl Args {
    fn config(&self) -> Result<QuantizeConfig, CliError> {
        let calibration = choose("calibration", &CalibrationConfig::all(), &self.calibration, &self.set)?;
        let groups = |bits| WeightFormat::Groups { bits, group: self.group as usize };
        let (weights, activations) = match (self.int4, self.weights_only, self.dynamic) {
            (true, ..) => (groups(4), ActivationFormat::Float),
            (_, true, _) => (groups(8), ActivationFormat::Float),
            (.., true) => (WeightFormat::Channels, ActivationFormat::Dynamic),
            _ => (WeightFormat::Channels, ActivationFormat::Static { calibration }),
        };
        Ok(QuantizeConfig {
            weights,
            activations,
            equalize: self.equalize,
            correct_biases: !self.no_bias_correction,
            keep: self.keep.clone(),
        })
    }
}

/// Some training examples as the network reads them, drawn from the seed.
fn calibration_inputs(examples: &Examples, count: usize, seed: u64) -> Vec<f32> {
    let mut indices: Vec<u32> = (0..examples.len() as u32).collect();
    indices.shuffle(&mut seed::stream(seed, "calibration", 0));
    indices.truncate(count);
    let mut inputs = Vec::new();
    examples.gather(&indices, &mut inputs);
    inputs
}

/// A new run of the compressed network. The folder appears whole or not at all.
fn write(before: &Run, archive: &Archive, out: &Path) -> Result<Run, CliError> {
    let recipe = before.folder.read(name::RECIPE)?;
    let folder = RunFolder::create(out, &String::from_utf8_lossy(&recipe))?;
    before.config.write(&folder)?;
    if let Ok(ending) = Ending::read(&before.folder) {
        ending.write(&folder)?;
    }
    folder.write(name::MODEL, &archive.to_bytes())?;
    Run::open(out)
}

/// Bytes of the weights that an answer reads.
fn memory(network: &Compressed) -> u64 {
    let (integers, bytes) = network.program().map_or((0, 0), |program| program.integers());
    (bytes + 4 * (network.network().num_params() - integers)) as u64
}

/// Milliseconds for one example and for a batch, of each network: medians of rounds in turns.
fn times(before: &Run, after: &Run, examples: &Examples, batch: usize) -> [[f64; 2]; 2] {
    let inputs = |count: usize| {
        let indices: Vec<u32> = (0..count).map(|i| (i % examples.len()) as u32).collect();
        let mut inputs = Vec::new();
        examples.gather(&indices, &mut inputs);
        Tensor::<2>::from_data(TensorData::new(inputs, [count, examples.input_len()]), &before.device)
    };
    let inputs = [inputs(1), inputs(batch)];
    let mut times = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
    for round in 0..=ROUNDS {
        for (network, times) in [&before.network, &after.network].into_iter().zip(&mut times) {
            for (input, times) in inputs.iter().zip(times) {
                let start = Instant::now();
                std::hint::black_box(network.forward(input.clone(), &mut NoTap).into_data());
                // The first round warms up.
                if round > 0 {
                    times.push(start.elapsed().as_secs_f64() * 1e3);
                }
            }
        }
    }
    times.map(|times| times.map(|times| median(&times).expect("at least one round")))
}

fn list(output: &Output) {
    for (name, doc, config) in CalibrationConfig::all() {
        let settings = settings(&config);
        let keyed: std::collections::BTreeMap<_, _> = settings.iter().cloned().collect();
        output.object(&json!({ "name": name, "about": doc, "settings": keyed }));
        let settings: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        output.line(format!("{name:<12} {doc} {}", settings.join(" ")).trim_end());
    }
}
