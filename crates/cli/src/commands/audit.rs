use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use crucible_report::{Outcome, to_html, to_junit};
use serde_json::{Value, json};

use super::train::stop_on_interrupt;
use crate::{
    audit::{
        Asked, Kind, Subject, Unmeasured,
        annex_iv::{ANNEX, outline},
        checks::kinds,
        gate::Gate,
        judged::Judged,
        kept::Came,
        model_card::{CARD, card},
        page::{JUNIT, PAGE, ROWS, Rows, page, sentence, verdict},
    },
    error::CliError,
    output::{Output, Status},
    progress, threads,
};

mod diff;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,

    /// The run folder
    #[arg(required_unless_present_any = ["list", "schema"])]
    run: Option<PathBuf>,

    /// Override a key of the run's recipe, such as audit.accuracy.min=0.97
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Stop measuring after so many minutes; checks that are left are skipped
    #[arg(long, value_name = "N")]
    minutes: Option<f64>,

    /// Measure everything anew, also what an earlier audit measured and nothing changed since
    #[arg(long)]
    fresh: bool,

    /// List the checks with what they need, what they cost and their settings, and stop
    #[arg(long)]
    list: bool,

    /// Print the JSON Schema of audit.json, and stop
    #[arg(long)]
    schema: bool,

    /// Make one measurement
    #[arg(long, hide = true, value_name = "CHECK", requires = "into")]
    measure: Option<String>,

    /// Where to leave it
    #[arg(long, hide = true, value_name = "FILE", requires = "measure")]
    into: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Hold what two audits found against each other
    Diff(diff::Args),
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    if let Some(Action::Diff(args)) = &args.action {
        return diff::run(args, output);
    }
    let Some(path) = args.run.as_deref().filter(|_| !args.list && !args.schema) else {
        match args.schema {
            true => output.result(&schema()),
            false => kinds().iter().for_each(|kind| list(kind, output)),
        }
        return Ok(Status::Done);
    };
    if args.minutes.is_some_and(|minutes| !(minutes > 0.0 && minutes.is_finite())) {
        return Err(CliError::Usage("--minutes is a number of minutes above 0".to_owned()));
    }
    threads::start(None)?;
    let subject = Subject::open(path, &args.set)?;
    let checks = subject.limits.checks();
    if let (Some(name), Some(into)) = (&args.measure, &args.into) {
        return measure(&subject, &checks, name, into);
    }
    if checks.is_empty() {
        return Err(CliError::Usage(format!(
            "the recipe of {} has no `[audit]` table, so that there is nothing to hold it against; give limits such as\n  \
             --set audit.accuracy.min=0.97 --set audit.ece.max=0.02\nand see `crucible audit --list` for all of them",
            path.display()
        )));
    }
    let stop = stop_on_interrupt();
    let budget = args.minutes.map(|minutes| 60.0 * minutes);
    let gate = Gate { run: path, set: &args.set, budget, fresh: args.fresh, stop: &stop };
    let bar = progress::count(output.is_watched(), checks.len() as u64);
    let judged = gate.run(&subject, &checks, |judged| {
        bar.inc(1);
        output.object(&judged.row());
        bar.suspend(|| output.line(line(judged)));
    })?;
    bar.finish_and_clear();
    if stop.load(Ordering::Relaxed) && judged.len() < checks.len() {
        output.object(
            &json!({ "event": "interrupted", "run": path, "checks": checks.len(), "done": judged.len() }),
        );
        output.line(format!(
            "Stopped after {} of {} checks; what was measured is kept, and the same command goes on.",
            judged.len(),
            checks.len()
        ));
        return Ok(Status::Interrupted);
    }
    conclude(&subject, &judged, output)
}

/// Writes the reports and says what came out.
fn conclude(subject: &Subject, judged: &[Judged], output: &Output) -> Result<Status, CliError> {
    let folder = &subject.folder;
    let rows = Rows::new(subject, judged);
    let page = page(subject, judged);
    folder.write(PAGE, to_html(&page).as_bytes())?;
    folder.write(JUNIT, to_junit(&page).as_bytes())?;
    folder.write(CARD, card(subject, judged).as_bytes())?;
    folder.write(ANNEX, outline(subject, judged).as_bytes())?;
    folder.write(ROWS, &serde_json::to_vec_pretty(&rows).expect("plain data"))?;
    let report = folder.path(PAGE);
    output.object(
        &json!({ "event": "done", "verdict": rows.verdict, "report": report, "rows": folder.path(ROWS) }),
    );
    output.line(format!("\n{}\nReport: {}", sentence(judged), report.display()));
    Ok(match verdict(judged) {
        Outcome::Pass => Status::Done,
        Outcome::Fail => Status::NotMet,
        Outcome::Undecided | Outcome::Skipped => Status::Undecided,
    })
}

/// What the process of one check does.
fn measure(subject: &Subject, checks: &[Asked], name: &str, into: &Path) -> Result<Status, CliError> {
    let Some(asked) = checks.iter().find(|asked| asked.name == name) else {
        return Err(CliError::Usage(format!("the recipe asks for no check `{name}`")));
    };
    let came = match asked.check.measure(subject) {
        Ok(finding) => Came::Found(finding),
        Err(Unmeasured::Skipped(why)) => Came::Skipped(why),
        Err(Unmeasured::Failed(error)) => return Err(error),
    };
    let bytes = serde_json::to_vec(&came).expect("plain data");
    let fail = |source| CliError::File { action: "write", path: into.to_owned(), source };
    std::fs::write(into, bytes).map_err(fail)?;
    Ok(Status::Done)
}

/// `pass       accuracy                  98.10% (97.81–98.35%), limit ≥ 97%`
fn line(judged: &Judged) -> String {
    let mark = match judged.outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "FAIL",
        Outcome::Undecided => "undecided",
        Outcome::Skipped => "skipped",
    };
    let limit = judged.limit_shown();
    let sign = match limit.bound {
        crucible_report::Bound::AtLeast => "≥",
        crucible_report::Bound::AtMost => "≤",
    };
    let found = match (&judged.finding, &judged.reason) {
        (None, Some(reason)) => reason.clone(),
        _ => judged.shown().to_string(),
    };
    let kept = if judged.kept { ", as before" } else { "" };
    format!("{mark:<10} {:<30} {found}, limit {sign} {}{kept}", judged.check, limit.value)
}

fn schema() -> String {
    serde_json::to_string_pretty(&schemars::schema_for!(Rows)).expect("plain data")
}

/// A setting of a check: its name, whether it must be given, its default, and what it is.
struct Setting {
    name: String,
    required: bool,
    default: Value,
    about: String,
}

fn settings(kind: &Kind) -> Vec<Setting> {
    let schema = (kind.schema)();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let setting = |(name, of): (String, Value)| Setting {
        required: required.iter().any(|key| key == name.as_str()),
        default: of["default"].clone(),
        about: of["description"].as_str().unwrap_or_default().replace('\n', " "),
        name,
    };
    properties.into_iter().map(setting).collect()
}

fn list(kind: &Kind, output: &Output) {
    let settings = settings(kind);
    let listed: Vec<Value> = settings
        .iter()
        .map(|setting| {
            json!({
                "name": setting.name, "required": setting.required, "default": setting.default, "about": setting.about,
            })
        })
        .collect();
    output.object(&json!({
        "check": kind.key, "about": kind.about, "concern": kind.concern, "needs": kind.needs, "cost": kind.cost,
        "settings": listed,
    }));
    output.line(format!(
        "{}  {}\n    {}; needs {}; takes {}",
        kind.key,
        kind.about,
        kind.concern.title(),
        kind.needs.text(),
        kind.cost.text()
    ));
    for Setting { name, required, default, about } in settings {
        let given = match (required, default) {
            (true, _) => " (required)".to_owned(),
            (false, Value::Null) => String::new(),
            (false, default) => format!(" = {default}"),
        };
        output.line(format!("    {name}{given}: {about}"));
    }
}
