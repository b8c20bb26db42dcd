//! From measurements to the report: each section is a file, and [`write()`] is their order.

pub(crate) mod audit;
mod backdoor;
mod classification;
pub(crate) mod comparison;
pub(crate) mod compression;
mod cost;
mod curves;
pub(crate) mod dependence;
pub(crate) mod detection;
mod distillation;
pub(crate) mod explanation;
pub(crate) mod extraction;
pub(crate) mod generation;
pub(crate) mod generator;
mod guarantee;
pub(crate) mod importance;
pub(crate) mod membership;
mod mistakes;
pub(crate) mod prototypes;
pub(crate) mod pruning;
mod regression;
pub(crate) mod robustness;
mod row;
pub(crate) mod sides;
pub(crate) mod transfer;

use std::path::PathBuf;

use crucible_data::{Dataset, Examples};
use crucible_measure::{Interval, Proportion};
use crucible_models::summarize;
use crucible_report::{Fact, Report, Section, Value, to_html, to_json};
use crucible_train::{EpochRecord, Evaluation, RunFolder, StopReason, evaluate};
use serde::{Deserialize, Serialize};

pub(crate) use backdoor::Backdoor;
pub(crate) use classification::classification;
pub(crate) use guarantee::Guarantee;
pub(crate) use regression::regression;

use crate::{
    error::CliError,
    recipe::Recipe,
    run::{Run, parse},
};

/// The confidence of every interval in a report.
pub(crate) const CONFIDENCE: f64 = 0.95;

/// The report for people.
pub(crate) const REPORT: &str = "report.html";
/// The report for machines.
const REPORT_JSON: &str = "report.json";
/// How training ended.
const SUMMARY: &str = "summary.json";

/// How training ended; `summary.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ending {
    pub(crate) reason: StopReason,
    pub(crate) best_epoch: Option<u64>,
    pub(crate) steps: u64,
    pub(crate) seconds: f64,
    /// Bytes, where the system told.
    pub(crate) peak_memory: Option<u64>,
    pub(crate) epochs: Vec<EpochRecord>,
}

impl Ending {
    pub(crate) fn read(folder: &RunFolder) -> Result<Self, CliError> {
        parse(folder, SUMMARY)
    }

    pub(crate) fn write(&self, folder: &RunFolder) -> Result<(), CliError> {
        Ok(folder.write(SUMMARY, &serde_json::to_vec_pretty(self).expect("plain data"))?)
    }
}

/// The result in a few numbers, on the test split where there is one.
pub(crate) struct Summary {
    pub(crate) sentence: String,
    pub(crate) loss: Option<f64>,
    pub(crate) accuracy: Option<f64>,
    pub(crate) interval: Option<[f64; 2]>,
    /// What the recipe's backdoor does to the network, where it plants one.
    pub(crate) backdoor: Option<Backdoor>,
    /// What training with `train.privacy` promises.
    pub(crate) guarantee: Option<Guarantee>,
}

/// Where other verbs leave their sections of the report, one file each.
const KEPT: &str = "findings";

/// The place of a section in the run folder.
pub(crate) fn kept(name: &str) -> String {
    format!("{KEPT}/{name}.json")
}

/// Leaves a section in the run folder, for this report and for every later one.
pub(crate) fn keep(folder: &RunFolder, name: &str, section: &Section) -> Result<(), CliError> {
    Ok(folder.write(&kept(name), &serde_json::to_vec_pretty(section).expect("plain data"))?)
}

/// The sections that other verbs left, by name.
fn kept_sections(folder: &RunFolder) -> Result<Vec<Section>, CliError> {
    let Ok(files) = std::fs::read_dir(folder.path(KEPT)) else { return Ok(Vec::new()) };
    let names = files.flatten().filter_map(|file| file.file_name().into_string().ok());
    // Not what a stopped writer may have left.
    let mut names: Vec<String> =
        names.filter(|name| name.ends_with(".json") && !name.starts_with('.')).collect();
    names.sort();
    names.iter().map(|name| parse(folder, &format!("{KEPT}/{name}"))).collect()
}

/// Writes the report anew if the run has ended, and says where it is.
pub(crate) fn refresh(run: &Run, recipe: &Recipe, data: &Dataset) -> Result<Option<PathBuf>, CliError> {
    if !run.folder.has(SUMMARY) {
        return Ok(None);
    }
    write(run, recipe, data, &Ending::read(&run.folder)?)?;
    Ok(Some(run.folder.path(REPORT)))
}

/// A number of single precision with no more digits than that has: 0.3, not 0.30000001192092896.
pub(crate) fn short(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

/// `97.10% (95.90% to 98.00%)`
pub(crate) fn percent(proportion: &Proportion) -> String {
    let Some(estimate) = proportion.estimate() else { return "undefined".to_owned() };
    let Interval { low, high } = proportion.interval(CONFIDENCE);
    format!("{:.2}% ({:.2}% to {:.2}%)", 100.0 * estimate, 100.0 * low, 100.0 * high)
}

/// Measures the network on the split that it was kept from, and writes `report.html` and `report.json`.
pub(crate) fn write(
    run: &Run,
    recipe: &Recipe,
    data: &Dataset,
    ending: &Ending,
) -> Result<Summary, CliError> {
    let (split, examples) = data.splits().last().expect("the training split is always there");
    let task = &run.config.format.task;
    let evaluation = evaluate(&run.network, examples, run.config.loss.loss(), task, &run.device);
    let mut report = Report::new(title(run, recipe), "");
    report.created = now();
    let mut summary = add_result(&mut report, split, examples, &evaluation, run);
    report.facts = facts(run, recipe, data, ending);
    report.sections.insert(0, curves::section(ending, recipe));
    if let Some(poison) = &recipe.poison {
        let backdoor = Backdoor::measure(poison, run, data)?;
        summary.sentence = format!("{} {}", backdoor.sentence(), summary.sentence);
        report.add_highlight("Trigger success", backdoor.value(), backdoor.detail());
        report.sections.insert(0, backdoor.section());
        summary.backdoor = Some(backdoor);
    }
    if let Some(guarantee) = Guarantee::read(&run.folder, recipe, data)? {
        summary.sentence = format!("{} {}", summary.sentence, guarantee.sentence());
        let detail = format!("δ = {:e}, each training example", guarantee.delta());
        report.add_highlight("Privacy, ε", guarantee.value(), detail);
        report.sections.insert(0, guarantee.section());
        summary.guarantee = Some(guarantee);
    }
    report.summary.clone_from(&summary.sentence);
    if let Some(settings) = &recipe.distill {
        report.sections.push(distillation::section(settings, run, (split, examples), &evaluation));
    }
    report.sections.extend(mistakes::section(&evaluation, examples, task));
    let features = run.config.input_shape().features();
    let layers = summarize(&run.network, features, &run.device);
    report.sections.push(cost::section(&layers, recipe, ending));
    report.sections.extend(kept_sections(&run.folder)?);
    run.folder.write(REPORT, to_html(&report).as_bytes())?;
    run.folder.write(REPORT_JSON, to_json(&report).as_bytes())?;
    Ok(summary)
}

/// A share of examples with its interval, as reports show it.
pub(crate) fn share(proportion: &Proportion) -> Value {
    let Interval { low, high } = proportion.interval(CONFIDENCE);
    Value::percent_interval(proportion.estimate(), [low, high], 2)
}

fn add_result(
    report: &mut Report,
    split: &str,
    examples: &Examples,
    evaluation: &Evaluation,
    run: &Run,
) -> Summary {
    let task = &run.config.format.task;
    let detail = format!("{} {split} examples", examples.len());
    let loss = (split == "test").then_some(evaluation.loss);
    if let Some(found) = classification(evaluation, examples, task) {
        let accuracy = found.confusion.accuracy();
        let interval = accuracy.interval(CONFIDENCE);
        let interval = [interval.low, interval.high];
        let value = Value::percent_interval(accuracy.estimate(), interval, 2);
        report.add_highlight("Accuracy", value, format!("{detail}, 95% interval"));
        report.add_highlight("Loss", Value::number(evaluation.loss, 4), "mean over the same examples");
        report.sections.extend(found.sections());
        let sentence = found.sentence(split);
        let (accuracy, interval) = (accuracy.estimate(), Some(interval));
        let on_test = split == "test";
        return Summary {
            sentence,
            loss,
            accuracy: accuracy.filter(|_| on_test),
            interval: interval.filter(|_| on_test),
            backdoor: None,
            guarantee: None,
        };
    }
    let found = regression(evaluation, examples, task).unwrap_or_default();
    report.add_highlight("Loss", Value::number(evaluation.loss, 4), detail);
    for (target, errors) in &found {
        report.add_highlight("Root mean squared error", Value::number(errors.rmse.value, 4), target.clone());
    }
    report.sections.push(regression::section(&found));
    Summary {
        sentence: regression::sentence(&found, split, examples.len()),
        loss,
        accuracy: None,
        interval: None,
        backdoor: None,
        guarantee: None,
    }
}

/// `mlp on mnist`
pub(crate) fn title(run: &Run, recipe: &Recipe) -> String {
    let name = |value: serde_json::Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let model = name(serde_json::to_value(&run.config.architecture).expect("plain data"), "name");
    let source = recipe.data.source.name();
    format!("{model} on {source}")
}

fn facts(run: &Run, recipe: &Recipe, data: &Dataset, ending: &Ending) -> Vec<Fact> {
    let splits: Vec<String> =
        data.splits().map(|(name, examples)| format!("{} {name}", examples.len())).collect();
    let how = match ending.reason {
        StopReason::Completed => "all epochs done",
        StopReason::TargetMet => "target met",
        StopReason::EarlyStopped => "stopped early, weights of the best epoch",
        StopReason::BudgetSpent => "the privacy budget is spent",
        StopReason::Interrupted => "interrupted",
    };
    let config = |value: serde_json::Value| value["name"].as_str().unwrap_or_default().to_owned();
    let train = &recipe.train;
    vec![
        Fact::new("Run", Value::text(run.folder.root().display().to_string())),
        Fact::new("Data", Value::text(format!("{}: {}", data.name, splits.join(", ")))),
        Fact::new("Loss", Value::text(config(serde_json::to_value(&train.loss).expect("plain data")))),
        Fact::new(
            "Optimizer",
            Value::text(config(serde_json::to_value(&train.optimizer).expect("plain data"))),
        ),
        Fact::new(
            "Ended",
            Value::text(format!("after epoch {} of {}: {how}", ending.epochs.len(), train.epochs)),
        ),
        Fact::new("Seed", Value::text(recipe.seed.to_string())),
        Fact::new("Crucible", Value::text(env!("CARGO_PKG_VERSION"))),
    ]
}

/// The moment, in UTC.
pub(crate) fn now() -> String {
    let now = time::OffsetDateTime::now_utc();
    let date = now.date();
    format!("{} {:02}:{:02} UTC", date, now.hour(), now.minute())
}
