use std::path::PathBuf;

use crucible_data::{Column, Dataset, Examples, InputFormat, seed};
use crucible_measure::Proportion;
use crucible_models::Classifier;
use crucible_privacy::extraction::{
    ExtractionConfig, Inversion, Inverted, Labelled, NearestNeighbour, infer_attribute, invert,
    nearest_neighbours,
};
use rand::RngExt;
use serde_json::json;

use crate::{
    error::CliError,
    findings::{
        self,
        extraction::{Attributes, Inversions, Neighbours},
    },
    output::{Output, Status},
    run::Run,
    settings::{choose, settings},
    texts, threads,
    view::{self, View},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run folder
    #[arg(required_unless_present = "list")]
    run: Option<PathBuf>,

    /// The method
    #[arg(long, default_value = "inversion")]
    method: String,

    /// The column of a table that `attribute` guesses
    #[arg(long, value_name = "NAME")]
    column: Option<String>,

    /// The seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Override a setting of the method, such as steps=1000
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// List the methods with their settings, and stop
    #[arg(long)]
    list: bool,
}

/// Values of a column among which one is guessed, at most.
const VALUES: usize = 64;

pub(super) fn run(args: &Args, output: &Output) -> Result<Status, CliError> {
    let Some(path) = args.run.as_deref().filter(|_| !args.list) else {
        list(output);
        return Ok(Status::Done);
    };
    let config = choose("extraction", &ExtractionConfig::all(), &args.method, &args.set)?;
    config.check()?;
    if args.column.is_some() != matches!(config, ExtractionConfig::Attribute(_)) {
        let problem = "--column NAME belongs to --method attribute: the column that is guessed";
        return Err(CliError::Usage(problem.to_owned()));
    }
    threads::start(None)?;
    let run = Run::open(path)?;
    texts::refuse(&run, "an extraction looks for inputs by gradients or columns")?;
    let recipe = run.recipe()?;
    let data = run.data(&recipe)?;
    let asked = Asked { view: &View::new(&run, &data.train)?, run: &run, data: &data, seed: args.seed };
    let (section, mut object, text) = match &config {
        ExtractionConfig::Inversion(settings) => asked.inversion(settings)?.told(),
        ExtractionConfig::NearestNeighbour(settings) => asked.neighbours(settings)?.told(),
        ExtractionConfig::Attribute(_) => asked.attribute(args.column.as_deref().unwrap_or_default())?.told(),
    };
    findings::keep(&run.folder, &section.id, &section)?;
    let report = findings::refresh(&run, &recipe, &data)?;
    object["method"] = json!(config.name());
    object["section"] = json!(run.folder.path(&findings::kept(&section.id)));
    object["report"] = json!(report);
    output.object(&object);
    output.line(text);
    if let Some(report) = report {
        output.line(format!("Report: {}", report.display()));
    }
    Ok(Status::Done)
}

struct Asked<'a> {
    view: &'a View,
    run: &'a Run,
    data: &'a Dataset,
    seed: u64,
}

impl Asked<'_> {
    /// For each class, what the network takes it for, from each of the starts.
    fn invert(
        &self,
        settings: &Inversion,
        mut starts: impl FnMut() -> Vec<f32>,
    ) -> Result<Vec<Inverted>, CliError> {
        let (model, shape) = (&self.view.model, self.data.train.shape());
        let mut all = Vec::new();
        for class in 0..model.classes() {
            all.extend(invert(model, shape, self.view.range, class, &starts(), settings)?);
        }
        Ok(all)
    }

    fn inversion(&self, settings: &Inversion) -> Result<Inversions<'_>, CliError> {
        let [low, high] = self.view.range;
        let found = self.invert(settings, || vec![0.5 * (low + high); self.view.model.features()])?;
        let (classes, format) = (&self.view.classes, &self.run.config.format.input);
        Ok(Inversions { found, classes, format })
    }

    /// The split that the network did not learn from.
    fn unseen(&self) -> Result<(&'static str, &Examples), CliError> {
        self.data.splits().skip(1).last().ok_or_else(|| {
            let problem = "training examples are compared with unseen ones, and this recipe has none: set `data.test` or \
                           `data.validation`";
            CliError::Usage(problem.to_owned())
        })
    }

    fn neighbours(&self, settings: &NearestNeighbour) -> Result<Neighbours<'_>, CliError> {
        let (split, test) = self.unseen()?;
        let ([low, high], features) = (self.view.range, self.view.model.features());
        let mut rng = seed::stream(self.seed, "inversion", 0);
        let made = self.invert(&settings.inversion, || {
            (0..settings.per_class * features).map(|_| rng.random_range(low..high)).collect()
        })?;
        let inputs: Vec<f32> = made.iter().flat_map(|made| made.input.iter().copied()).collect();
        let labels: Vec<u32> = made.iter().map(|made| made.class as u32).collect();
        let [seen, unseen] =
            [&self.data.train, test].map(|examples| view::inputs(examples, 0..examples.len()));
        let found = nearest_neighbours(
            Labelled { inputs: &inputs, labels: &labels },
            labelled(&seen, &self.data.train),
            labelled(&unseen, test),
            features,
        );
        Ok(Neighbours { made, found, classes: &self.view.classes, split, train: &self.data.train, test })
    }

    fn attribute(&self, name: &str) -> Result<Attributes, CliError> {
        let InputFormat::Table { .. } = self.run.config.format.input else {
            let problem = "`attribute` guesses a column of a table, but this run reads pictures";
            return Err(CliError::Usage(problem.to_owned()));
        };
        let columns = self.run.config.format.input.columns();
        let names: Vec<&str> = columns.iter().map(|(column, _)| column.name()).collect();
        let Some(number) = names.iter().position(|other| *other == name) else {
            return Err(CliError::Usage(format!(
                "there is no column `{name}`; there are: {}",
                names.join(", ")
            )));
        };
        let (column, places) = (columns[number].0, columns[number].1.clone().collect::<Vec<_>>());
        let (split, test) = self.unseen()?;
        let [train, test] = [&self.data.train, test].map(|examples| known(examples, number, &places));
        let values = values(column, &places, &train)?;
        let guess = |rows: &Rows| {
            let guesses = infer_attribute(&self.view.model, &rows.inputs, &rows.labels, &places, &values);
            let truths = rows.inputs.chunks_exact(self.view.model.features());
            let truths = truths.map(|row| values.iter().position(|value| is(row, &places, value)));
            let pairs: Vec<(usize, Option<usize>)> = guesses.into_iter().zip(truths).collect();
            let share = |right: fn(&(usize, Option<usize>)) -> bool| Proportion {
                successes: pairs.iter().filter(|pair| right(pair)).count() as u64,
                trials: pairs.len() as u64,
            };
            [share(|(guess, truth)| Some(*guess) == *truth), share(|(_, truth)| *truth == Some(0))]
        };
        let ([train, train_base], [test, test_base]) = (guess(&train), guess(&test));
        let most = column.cell(&values[0]).map_or_else(String::new, |cell| cell.to_string());
        let (column, values) = (name.to_owned(), values.len());
        Ok(Attributes { column, values, most, split, train, test, train_base, test_base })
    }
}

/// Inputs with the classes of the examples that they are.
fn labelled<'a>(inputs: &'a [f32], examples: &'a Examples) -> Labelled<'a> {
    Labelled { inputs, labels: examples.classes().expect("a classifier's examples have classes") }
}

/// Rows whose value of the column is known.
struct Rows {
    /// `[n, features]`.
    inputs: Vec<f32>,
    /// `[n]`.
    labels: Vec<u32>,
}

/// The examples that have a value in the column with this number and these places.
fn known(examples: &Examples, number: usize, places: &[usize]) -> Rows {
    let classes = examples.classes().expect("a classifier's examples have classes");
    let all = view::inputs(examples, 0..examples.len());
    let (mut inputs, mut labels) = (Vec::new(), Vec::new());
    for ((index, row), label) in (0u32..).zip(all.chunks_exact(examples.input_len())).zip(classes) {
        let filled = examples.missing().binary_search(&(index, number as u32)).is_ok();
        // A text that training never saw is no level.
        let unknown = places.len() > 1 && places.iter().all(|&place| row[place] == 0.0);
        if !filled && !unknown {
            inputs.extend_from_slice(row);
            labels.push(*label);
        }
    }
    Rows { inputs, labels }
}

/// Whether a row has this value.
fn is(row: &[f32], places: &[usize], value: &[f32]) -> bool {
    places.iter().zip(value).all(|(&place, value)| row[place] == *value)
}

/// The values that stand in the column's places in training, the most frequent first.
fn values(column: &Column, places: &[usize], train: &Rows) -> Result<Vec<Vec<f32>>, CliError> {
    let features = train.inputs.len() / train.labels.len().max(1);
    let mut counts: Vec<(usize, Vec<f32>)> = Vec::new();
    for row in train.inputs.chunks_exact(features.max(1)) {
        if let Some((count, _)) = counts.iter_mut().find(|(_, value)| is(row, places, value)) {
            *count += 1;
            continue;
        }
        counts.push((1, places.iter().map(|&place| row[place]).collect()));
        if counts.len() > VALUES {
            return Err(CliError::Usage(format!(
                "the column `{}` has more than {VALUES} different values, which cannot be guessed one by one",
                column.name()
            )));
        }
    }
    if counts.len() < 2 {
        return Err(CliError::Usage(format!(
            "the column `{}` has {} different values, and there is nothing to guess",
            column.name(),
            counts.len()
        )));
    }
    counts.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    Ok(counts.into_iter().map(|(_, value)| value).collect())
}

fn list(output: &Output) {
    for (name, about, config) in ExtractionConfig::all() {
        let settings = settings(&config);
        output.object(&json!({
            "name": name, "about": about,
            "settings": settings.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        }));
        let settings: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        output.line(format!("{name:<18} {about}\n                   {}", settings.join(" ")).trim_end());
    }
}
