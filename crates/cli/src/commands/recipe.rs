use serde_json::json;

use crate::{
    error::CliError,
    output::{Output, Status},
    recipe::{Recipe, SHIPPED, Source},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// The shipped recipes
    List,
    /// A recipe as it stands, or with every default filled in
    Show {
        /// A shipped recipe's name, or a file
        recipe: String,
        /// Fill in every default
        #[arg(long)]
        full: bool,
        /// Override a key of the recipe, such as train.epochs=3 (implies --full)
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// Say everything that is wrong with a recipe
    Check {
        /// A recipe file, or a shipped recipe's name
        file: String,
        /// Override a key of the recipe, such as train.epochs=3
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// The JSON Schema of recipes, for editors
    Schema,
    /// Every key with its type, default and meaning
    Keys,
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    match args.action {
        Action::List => {
            for recipe in SHIPPED {
                output.object(&json!({ "name": recipe.name, "summary": recipe.summary() }));
                output.line(format!("{:<17} {}", recipe.name, recipe.summary()));
            }
        }
        Action::Show { recipe, full, set } => {
            let source = Source::find(Some(&recipe))?;
            let full = full || !set.is_empty() || output.is_json();
            let text = if full { source.check(&set)?.filled } else { source.text.clone() };
            match output.is_json() {
                true => output.object(&source.check(&set)?.value),
                false => output.result(&text),
            }
        }
        Action::Check { file, set } => {
            Source::find(Some(&file))?.check(&set)?;
            output.object(&json!({ "recipe": file, "ok": true }));
            output.line(format!("{file}: nothing wrong"));
        }
        Action::Schema => {
            let schema = crucible_recipe::schema::<Recipe>();
            let pretty = serde_json::to_string_pretty(&schema).expect("plain data");
            output.result(&if output.is_json() { schema.to_string() } else { pretty });
        }
        Action::Keys => keys(output),
    }
    Ok(Status::Done)
}

fn keys(output: &Output) {
    for key in crucible_recipe::describe::<Recipe>() {
        output.object(&key);
        let only = key.only_with.as_ref().map_or_else(String::new, |only| format!(" (with {only})"));
        let range = key.range.as_ref().map_or_else(String::new, |range| format!(", {range}"));
        let default = match (&key.default, key.required) {
            (Some(default), _) => format!(", default {default}"),
            (None, true) => ", required".to_owned(),
            (None, false) => String::new(),
        };
        output.line(format!(
            "{}{only}: {}{range}{default}\n    {}",
            key.path,
            key.kind,
            key.doc.replace('\n', "\n    ")
        ));
        for (choice, doc) in &key.choices {
            output.line(format!("      {choice:<22} {}", doc.lines().next().unwrap_or_default()));
        }
    }
}
