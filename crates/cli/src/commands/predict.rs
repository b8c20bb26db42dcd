use std::path::PathBuf;

use crucible_data::{InputFormat, Task, length};
use crucible_measure::argmax;
use crucible_train::predict;
use serde_json::json;

use crate::{
    error::CliError,
    output::{Output, Status},
    run::Run,
    texts,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run folder
    run: PathBuf,

    /// Pictures (PNG, JPEG), IDX files, CSV files or texts (.csv, .tsv, .jsonl)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// How to print the answers; --json is short for `json`
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    let run = Run::open(&args.run)?;
    let task = &run.config.format.task;
    let format = if output.is_json() { Format::Json } else { args.format };
    let mut first = true;
    for file in &args.files {
        let inputs = texts::inputs(&run, file)?;
        let features: usize = inputs.shape.iter().product();
        let lengths = matches!(run.config.format.input, InputFormat::Text { .. })
            .then(|| inputs.values.chunks_exact(features).map(|row| length(row) as u32).collect::<Vec<_>>());
        let (loss, lengths) = (run.config.loss.loss(), lengths.as_deref());
        let predictions = predict(&run.network, &inputs.values, features, lengths, loss, task, &run.device);
        let width = task.outputs();
        for (name, row) in inputs.names.iter().zip(predictions.chunks_exact(width)) {
            if first && format != Format::Json {
                output.result(&header(task, format));
            }
            first = false;
            output.result(&answer(name, row, task, format));
        }
    }
    Ok(Status::Done)
}

fn header(task: &Task, format: Format) -> String {
    match (task, format) {
        (Task::Classification { classes }, Format::Csv) => {
            let columns = classes.iter().map(|class| csv_field(&format!("p_{class}")));
            ["input".to_owned(), "class".to_owned()].into_iter().chain(columns).collect::<Vec<_>>().join(",")
        }
        (Task::Regression { targets, .. }, Format::Csv) => {
            let columns = targets.iter().map(|target| csv_field(target));
            std::iter::once("input".to_owned()).chain(columns).collect::<Vec<_>>().join(",")
        }
        (Task::Classification { .. }, _) => format!("{:<32} {:<16} {:>11}", "input", "class", "probability"),
        (Task::Regression { targets, .. }, _) => format!("{:<32} {}", "input", targets.join(" ")),
    }
}

fn answer(name: &str, row: &[f32], task: &Task, format: Format) -> String {
    match task {
        Task::Classification { classes } => {
            let best = argmax(row);
            let class = &classes[best];
            match format {
                Format::Json => json!({ "input": name, "class": class, "probabilities": row }).to_string(),
                Format::Csv => {
                    let fields = row.iter().map(ToString::to_string);
                    [csv_field(name), csv_field(class)]
                        .into_iter()
                        .chain(fields)
                        .collect::<Vec<_>>()
                        .join(",")
                }
                Format::Table => format!("{name:<32} {class:<16} {:>10.2}%", row[best] * 100.0),
            }
        }
        Task::Regression { targets, mean, std } => {
            let values: Vec<f32> =
                row.iter().zip(mean.iter().zip(std)).map(|(y, (mean, std))| y * std + mean).collect();
            match format {
                Format::Json => {
                    let values: serde_json::Map<_, _> =
                        targets.iter().cloned().zip(values.iter().map(|v| json!(v))).collect();
                    json!({ "input": name, "values": values }).to_string()
                }
                Format::Csv => {
                    let fields = values.iter().map(ToString::to_string);
                    std::iter::once(csv_field(name)).chain(fields).collect::<Vec<_>>().join(",")
                }
                Format::Table => {
                    let fields: Vec<String> = values.iter().map(ToString::to_string).collect();
                    format!("{name:<32} {}", fields.join(" "))
                }
            }
        }
    }
}

/// Quoted where RFC 4180 asks for it.
fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
