use crucible_recipe::Checked;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    error::CliError,
    gan::GanRecipe,
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
            let (filled, value) = if full { check(&source, &set)? } else { Default::default() };
            match output.is_json() {
                true => output.object(&value),
                false => output.result(if full { &filled } else { &source.text }),
            }
        }
        Action::Check { file, set } => {
            check(&Source::find(Some(&file))?, &set)?;
            output.object(&json!({ "recipe": file, "ok": true }));
            output.line(format!("{file}: nothing wrong"));
        }
        Action::Schema => {
            let schema = schema();
            let pretty = serde_json::to_string_pretty(&schema).expect("plain data");
            output.result(&if output.is_json() { schema.to_string() } else { pretty });
        }
        Action::Keys => keys(output),
    }
    Ok(Status::Done)
}

/// A recipe of either kind with every default filled in, as TOML and as JSON.
fn check(source: &Source, set: &[String]) -> Result<(String, Value), CliError> {
    fn both<R: Serialize>(checked: Checked<R>) -> (String, Value) {
        (checked.filled, serde_json::to_value(checked.value).expect("plain data"))
    }
    Ok(if source.is_gan() { both(source.check_gan(set)?) } else { both(source.check(set)?) })
}

/// The schema of both kinds of recipes: which one it is, the table `gan` says.
fn schema() -> Value {
    let mut all = crucible_recipe::schema::<Recipe>();
    let gan = crucible_recipe::schema::<GanRecipe>();
    let names = |schema: &Value| {
        schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    let only = |schema: &Value| json!({ "required": schema["required"], "propertyNames": { "enum": names(schema) } });
    let (then, otherwise) = (only(&gan), only(&all));
    all["properties"]["gan"] = gan["properties"]["gan"].clone();
    all["if"] = json!({ "required": ["gan"] });
    (all["then"], all["else"]) = (then, otherwise);
    if let Some(root) = all.as_object_mut() {
        root.remove("required");
    }
    all
}

fn keys(output: &Output) {
    let own = crucible_recipe::describe::<GanRecipe>().into_iter().filter(|key| key.path.starts_with("gan"));
    for key in crucible_recipe::describe::<Recipe>().into_iter().chain(own) {
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
