//! Integers in the place of floats.

use std::path::Path;

use crucible_compress::{
    ActivationFormat, Archive, QuantizeConfig, WeightFormat, calibration::CalibrationConfig, quantize,
    sensitivity,
};
use crucible_data::{Examples, seed};
use crucible_train::{RunFolder, run_folder::name};
use rand::seq::SliceRandom;

use super::{Args, open, sides};
use crate::{
    error::CliError,
    findings::{self, Ending, compression::Compression},
    output::{Output, Status},
    run::Run,
    settings::choose,
};

pub(super) fn run(args: &Args, path: &Path, output: &Output) -> Result<Status, CliError> {
    let config = args.config()?;
    let out = args.out(path, if args.int4 { "int4" } else { "int8" });
    let before = open(path)?;
    let recipe = before.recipe()?;
    let data = before.data(&recipe)?;
    let inputs = calibration_inputs(&data.train, args.examples as usize, recipe.seed);
    let (network, features) = (before.network.network(), before.config.input_shape().features());
    let archive = quantize(network, &inputs, features, &config, &before.device)?;
    let layers = sensitivity(network, &inputs, features, &config, &before.device)?;

    let after = write(&before, &archive, &out)?;
    let found = Compression {
        config: &config,
        source: path,
        path: after.network.program().map(|program| program.path().name()),
        sides: sides(&before, &after, &data, args.batch as usize)?,
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
