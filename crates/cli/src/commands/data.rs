use std::path::{Path, PathBuf};

use crucible_data::{DataConfig, FieldValues, Inspection, contact_sheet, inspect, source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    error::CliError,
    output::{Output, Status},
    recipe::{SHIPPED, Source},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// The kinds of source that a recipe's data.source can name
    List,
    /// Counts, shapes, class balance, value ranges, duplicates within and across splits, and a contact sheet
    Inspect {
        /// A source's name, a recipe, a folder of IDX files or pictures, a CSV file, or JSON lines of texts (with --set
        /// tokenizer=FOLDER; for texts in a CSV file also --set source=texts)
        source: String,
        /// Set a key of the source, such as target=income
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Where to write the contact sheet [default: NAME-contact-sheet.png]
        #[arg(long, value_name = "FILE")]
        sheet: Option<PathBuf>,
        /// Write no contact sheet
        #[arg(long, conflicts_with = "sheet")]
        no_sheet: bool,
    },
}

/// The `[data]` table alone.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DataOnly {
    /// Where the examples come from.
    data: DataConfig,
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    match args.action {
        Action::List => {
            for entry in source::entries() {
                output.object(&json!({ "name": entry.name, "summary": entry.summary }));
                output.line(format!("{:<8} {}", entry.name, entry.summary));
            }
        }
        Action::Inspect { source, set, sheet, no_sheet } => {
            let (config, base, seed) = find(&source, &set)?;
            let data = crucible_data::load(&config, &base, seed)?;
            let inspection = inspect(&data);
            let mut object = json!(inspection);
            let pictures = data.train.picture(0).is_some() && !no_sheet;
            let path = sheet.unwrap_or_else(|| PathBuf::from(format!("{}-contact-sheet.png", data.name)));
            if pictures {
                let bytes = contact_sheet(&data, 10, 16)?;
                let fail = |source| CliError::File { action: "write", path: path.clone(), source };
                std::fs::write(&path, bytes).map_err(fail)?;
                object["contact_sheet"] = json!(path);
            }
            output.object(&object);
            output.line(text(&inspection));
            if pictures {
                output.line(format!("\nContact sheet: {}", path.display()));
            }
        }
    }
    Ok(Status::Done)
}

/// What to inspect: a recipe's data, a source by name, or a path whose kind is seen from what is there.
fn find(given: &str, set: &[String]) -> Result<(DataConfig, PathBuf, u64), CliError> {
    let path = Path::new(given);
    let is_recipe = SHIPPED.iter().any(|recipe| recipe.name == given) || given.ends_with(".toml");
    if is_recipe {
        let source = Source::find(Some(given))?;
        let overrides: Vec<String> = set.iter().map(|set| format!("data.{set}")).collect();
        if source.is_gan() {
            let recipe = source.check_gan(&overrides)?.value;
            return Ok((recipe.data, PathBuf::new(), recipe.seed));
        }
        let recipe = source.check(&overrides)?.value;
        return Ok((recipe.data, PathBuf::new(), recipe.seed));
    }
    let mut overrides = Vec::new();
    let name = if path.is_dir() {
        overrides.push(path_override(given));
        if holds_idx(path) { "idx" } else { "images" }
    } else if path.is_file() {
        overrides.push(path_override(given));
        if is_lines(given) { "texts" } else { "csv" }
    } else if source::entries().iter().any(|entry| entry.name == given) {
        given
    } else {
        let names: Vec<&str> = source::entries().iter().map(|entry| entry.name).collect();
        return Err(CliError::Usage(format!(
            "there is no `{given}` to inspect; a source is one of {}, a recipe, a folder of IDX files or pictures, or a \
             CSV file",
            names.join(", ")
        )));
    };
    overrides.extend(set.iter().map(|set| format!("data.{set}")));
    let text = format!("[data]\nsource = {}\n", quoted(name));
    let checked = crucible_recipe::check::<DataOnly>(&text, given, &overrides).map_err(CliError::Recipe)?;
    Ok((checked.value.data, PathBuf::new(), 1))
}

fn path_override(path: &str) -> String {
    format!("data.path={}", quoted(path))
}

/// As a TOML string; JSON's escapes are TOML's too.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// Whether a file is one of JSON lines.
fn is_lines(path: &str) -> bool {
    let path = path.to_lowercase();
    let path = path.strip_suffix(".gz").unwrap_or(&path);
    [".jsonl", ".ndjson"].iter().any(|end| path.ends_with(end))
}

fn holds_idx(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().contains("-ubyte"))
}

fn text(inspection: &Inspection) -> String {
    let shape = inspection.input_shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
    let mut out = format!("{}: inputs of {shape}\n", inspection.name);
    for split in &inspection.splits {
        out += &format!("\n{}: {} examples", split.name, split.examples);
        for class in &split.classes {
            out += &format!(
                "\n  class {:<16} {:>8}  {:>5.1}%",
                class.class,
                class.examples,
                class.share * 100.0
            );
        }
        for field in &split.fields {
            let missing =
                if field.missing > 0 { format!(", {} missing", field.missing) } else { String::new() };
            let values = match &field.values {
                FieldValues::Numeric { min, max, mean, std } => {
                    format!("{min:.4} to {max:.4}, mean {mean:.4}, standard deviation {std:.4}")
                }
                FieldValues::Categorical { levels, unseen } => {
                    let unseen =
                        if *unseen > 0 { format!(", {unseen} not seen in training") } else { String::new() };
                    format!("{} levels{unseen}", levels.len())
                }
            };
            out += &format!("\n  {:<22} {values}{missing}", field.name);
        }
        if let Some(cut) = split.cut {
            let most = inspection.input_shape.first().copied().unwrap_or_default();
            out += &format!("\n  cut to {most} tokens:     {cut} of {} texts", split.examples);
        }
        for class in &split.texts {
            for excerpt in &class.excerpts {
                out += &format!("\n  {}: {excerpt}", class.class);
            }
        }
        let duplicates = &split.duplicates;
        out += &format!(
            "\n  duplicates: {} ({} with another target)\n",
            duplicates.examples, duplicates.conflicting
        );
    }
    for overlap in &inspection.leakage {
        out += &format!(
            "\nleakage: {} of {} are in {} too ({} with another target)",
            overlap.examples, overlap.second, overlap.first, overlap.conflicting
        );
    }
    out
}
