use std::path::Path;

use burn::tensor::Device;
use crucible_models::{Summary, summarize};
use serde_json::json;

use crate::{
    error::CliError,
    output::{Output, Status},
    recipe::{Recipe, Source},
    run::{Run, RunConfig, open_folder},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// The architectures that a recipe's model.name can be
    List,
    /// Layers, output shapes, parameters, multiply-adds and memory
    Summary {
        /// A recipe file, a shipped recipe's name, or a run folder [default: mnist-mlp]
        of: Option<String>,
        /// Examples in a batch, for the memory
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
        batch: Option<u64>,
        /// Override a key of the recipe, such as model.activation=tanh
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    match args.action {
        Action::List => list(output),
        Action::Summary { of, batch, set } => {
            let (summary, recipe) = summary(of.as_deref(), &set)?;
            let batch = batch.unwrap_or(recipe.train.batch_size as u64);
            let states = recipe.train.optimizer.optimizer().states();
            let (training, inference) =
                (summary.training_bytes(batch, states), summary.inference_bytes(batch));
            let mut object = json!(summary);
            object["batch"] = json!(batch);
            object["training_bytes"] = json!(training);
            object["inference_bytes"] = json!(inference);
            output.object(&object);
            output.line(table(&summary, batch, training, inference));
        }
    }
    Ok(Status::Done)
}

fn list(output: &Output) {
    let keys = crucible_recipe::describe::<Recipe>();
    let names = keys.iter().find(|key| key.path == "model.name");
    for (name, summary) in names.into_iter().flat_map(|key| &key.choices) {
        output.object(&json!({ "name": name, "summary": summary }));
        output.line(format!("{name:<12} {summary}"));
    }
}

fn summary(of: Option<&str>, set: &[String]) -> Result<(Summary, Recipe), CliError> {
    let device = Device::flex();
    if let Some(path) = of.map(Path::new).filter(|path| path.is_dir()) {
        open_folder(path)?;
        let run = Run::open(path)?;
        return Ok((summarize(&run.network, run.config.input_shape().features(), &device), run.recipe()?));
    }
    let recipe = Source::find(of)?.check(set)?.value;
    let data = crucible_data::load(&recipe.data, Path::new("."), recipe.seed)?;
    let config = RunConfig::new(&recipe, &data)?;
    let network = config.fresh_network(recipe.seed, &device)?;
    Ok((summarize(&network, config.input_shape().features(), &device), recipe))
}

fn table(summary: &Summary, batch: u64, training: u64, inference: u64) -> String {
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let mut out = format!(
        "{:<10} {:<11} {:<16} {:>12} {:>14}\n",
        "layer", "kind", "output", "parameters", "multiply-adds"
    );
    for layer in &summary.layers {
        let shape = layer.output.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
        out += &format!(
            "{:<10} {:<11} {shape:<16} {:>12} {:>14}\n",
            layer.name, layer.kind, layer.parameters, layer.multiply_adds
        );
    }
    out += &format!("{:<39} {:>12} {:>14}\n", "total", summary.parameters, summary.multiply_adds);
    out += &format!(
        "\nTensors for a batch of {batch}: {:.1} MiB to train, {:.1} MiB to answer",
        mebibytes(training),
        mebibytes(inference)
    );
    out
}
