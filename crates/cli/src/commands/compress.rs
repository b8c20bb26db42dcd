mod files;
pub(crate) mod integers;
mod plan;
mod prune;
mod rounds;
mod training;

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use crucible_compress::{Archive, Compressed, calibration::CalibrationConfig, pruning::CriterionConfig};
use crucible_data::{Dataset, Examples};
use crucible_measure::median;
use crucible_models::{NoTap, Tapped};
use crucible_train::{Evaluation, evaluate, run_folder::name};
use serde::Serialize;
use serde_json::json;

pub(crate) use plan::{PLAN, START};

use crate::{
    error::CliError,
    findings::{
        classification,
        sides::{Side, Sides},
    },
    output::{Output, Status},
    run::Run,
    settings::settings,
    texts, threads,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run folder
    #[arg(required_unless_present = "list")]
    run: Option<PathBuf>,

    /// Weights of 8 bits, and integer arithmetic on activations of 8 bits
    #[arg(long, required_unless_present_any = ["int4", "prune", "share", "code", "list"])]
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

    /// Override a setting of the calibration or of the criterion, such as percent=99.9, scope=layer, norm=l2
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

    /// Mixed precision: give the layers that lose most more bits (8, then floats), as long as the file is at most this
    /// share of the floats'
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["max_drop", "prune", "share", "code"])]
    max_size: Option<f64>,

    /// Mixed precision: give the layers that lose most more bits, until accuracy on the validation split (or, without one,
    /// on the examples of the calibration) falls by at most so many points
    #[arg(long, value_name = "POINTS", conflicts_with_all = ["prune", "share", "code"])]
    max_drop: Option<f64>,

    /// Remove this share of the weights, such as 0.9, and train what is left
    #[arg(long, value_name = "SHARE")]
    prune: Option<f64>,

    /// How the weights that go are chosen
    #[arg(long, default_value = "magnitude", requires = "prune", conflicts_with = "structured")]
    criterion: String,

    /// Remove whole channels and units, so that the network is narrower and faster
    #[arg(long, requires = "prune")]
    structured: bool,

    /// Rounds of pruning and training, in which the share rises [default: 3; 1 for whole channels and two-four]
    #[arg(long, requires = "prune", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,

    /// Epochs of training: with integers, in which the network learns to bear them (quantization-aware training, with
    /// learned steps) [default: 0]; with --prune, in each round [default: 2]
    #[arg(long, value_name = "N")]
    epochs: Option<u64>,

    /// The learning rate of these epochs [default: the recipe's]
    #[arg(long)]
    lr: Option<f64>,

    /// Give the weights of each layer 2^BITS values that they share
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(1..=8))]
    share: Option<u8>,

    /// Write weights as the gaps between those that are not zero, and gaps and values in Huffman's code
    #[arg(long)]
    code: bool,

    /// The folder of the new run [default: the run's name with -int8, -int4 or -pruned]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Examples in the batch that is timed, beside single ones
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    batch: u32,

    /// List the calibrations and criteria with their settings, and stop
    #[arg(long)]
    list: bool,
}

/// Rounds in which both networks answer in turns.
const ROUNDS: usize = 15;

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    let Some(path) = args.run.as_deref().filter(|_| !args.list) else {
        list("calibration", &CalibrationConfig::all(), output);
        list("criterion", &CriterionConfig::all(), output);
        return Ok(Status::Done);
    };
    if args.prune.is_none() && args.share.is_none() && !args.code {
        return integers::run(&args, path, output);
    }
    prune::run(&args, path, output)
}

impl Args {
    /// The folder of the new run.
    fn out(&self, path: &Path, ending: &str) -> PathBuf {
        self.out.clone().unwrap_or_else(|| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            path.with_file_name(format!("{name}-{ending}"))
        })
    }
}

/// The run to compress.
fn open(path: &Path) -> Result<Run, CliError> {
    threads::start(None)?;
    let run = Run::open(path)?;
    texts::refuse(&run, "networks that compute with their inputs are compressed")?;
    if Archive::is_one(&run.folder.read(name::MODEL)?) {
        let problem = "its network is compressed already; compress the run that it was made from".to_owned();
        return Err(CliError::NoRun { path: path.to_owned(), problem });
    }
    Ok(run)
}

/// Both runs, measured on the split that is held out.
fn sides(before: &Run, after: &Run, data: &Dataset, batch: usize) -> Result<Sides, CliError> {
    let (split, examples) = data.splits().last().expect("the training split is always there");
    let task = &before.config.format.task;
    let measure = |run: &Run| evaluate(&run.network, examples, run.config.loss.loss(), task, &run.device);
    let [evaluated, evaluated_after] = [before, after].map(measure);
    let [[one, many], [one_after, many_after]] = times(before, after, examples, batch);
    let side = |run: &Run, evaluation: &Evaluation, one: f64, many: f64| -> Result<Side, CliError> {
        let accuracy = classification(evaluation, examples, task).map(|found| found.confusion.accuracy());
        let (file, memory) = (run.folder.read(name::MODEL)?.len() as u64, memory(&run.network));
        Ok(Side { accuracy, loss: evaluation.loss, bytes: file, memory, one, many })
    };
    let agreement = evaluated.accuracy.map(|_| {
        (0..examples.len()).filter(|i| evaluated.class(*i) == evaluated_after.class(*i)).count() as u64
    });
    Ok(Sides {
        split,
        examples: examples.len() as u64,
        before: side(before, &evaluated, one, many)?,
        after: side(after, &evaluated_after, one_after, many_after)?,
        agreement,
        batch,
    })
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

fn list<T: Serialize>(kind: &str, all: &[(&'static str, &'static str, T)], output: &Output) {
    for (name, doc, config) in all {
        let settings = settings(config);
        let keyed: std::collections::BTreeMap<_, _> = settings.iter().cloned().collect();
        output.object(&json!({ "kind": kind, "name": name, "about": doc, "settings": keyed }));
        let settings: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        output.line(format!("{kind:<12} {name:<12} {doc} {}", settings.join(" ")).trim_end());
    }
}
