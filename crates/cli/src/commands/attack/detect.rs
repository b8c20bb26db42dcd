use std::path::PathBuf;
use std::time::Instant;

use crucible_data::{InputFormat, seed};
use crucible_robust::backdoor::{DetectorConfig, Sees, Suspect};
use serde_json::json;

use crate::{
    error::CliError,
    findings::{
        self,
        detection::{Detection, Found},
    },
    output::{Output, Status},
    run::Run,
    settings::{override_settings, settings},
    texts, threads,
    view::{self, View},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run folder
    #[arg(required_unless_present = "list")]
    run: Option<PathBuf>,

    /// The detector; `all` for one after another
    #[arg(long, default_value = ALL)]
    method: String,

    /// Look at the first N training examples [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,

    /// The seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Override a setting of every detector that has it, such as smallest=20
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// List the detectors with their settings, and stop
    #[arg(long)]
    list: bool,
}

const ALL: &str = "all";

pub(super) fn run(args: &Args, output: &Output) -> Result<Status, CliError> {
    let Some(path) = args.run.as_deref().filter(|_| !args.list) else {
        list(output);
        return Ok(Status::Done);
    };
    let detectors = configure(&args.method, &args.set)?;
    threads::start(None)?;
    let run = Run::open(path)?;
    texts::refuse(&run, "backdoors are looked for in pictures")?;
    if matches!(run.config.format.input, InputFormat::Table { .. }) {
        return Err(CliError::Usage(
            "backdoors are looked for in pictures, but this run reads a table".to_owned(),
        ));
    }
    let recipe = run.recipe()?;
    let data = run.data(&recipe)?;
    let view = View::new(&run, &data.train)?;
    let count = args.count.map_or(data.train.len(), |count| (count as usize).min(data.train.len()));
    let inputs = view::inputs(&data.train, 0..count);
    let batch = view::batch(&data.train, &inputs);
    let mut found = Vec::new();
    for config in detectors {
        let start = Instant::now();
        let mut rng = seed::stream(args.seed, config.name(), 0);
        let inspection = config.run(Suspect::new(&view.model), batch, &mut rng)?;
        found.push(Found { config, inspection, seconds: start.elapsed().as_secs_f64() });
    }
    let detection =
        Detection { name: &args.method, found, train: &data.train, count, classes: &view.classes };
    findings::keep(&run.folder, &detection.name(), &detection.section())?;
    let report = findings::refresh(&run, &recipe, &data)?;
    for found in &detection.found {
        output.object(&detection.object(found));
        output.line(detection.text(found));
    }
    output.object(&json!({ "flagged": detection.flagged(), "count": count, "report": report }));
    output.line(detection.verdict());
    if let Some(report) = report {
        output.line(format!("Report: {}", report.display()));
    }
    Ok(Status::Done)
}

/// The detectors of that name with their settings overridden; of all, each by what it knows.
fn configure(method: &str, overrides: &[String]) -> Result<Vec<DetectorConfig>, CliError> {
    let all: Vec<DetectorConfig> = DetectorConfig::all().into_iter().map(|(_, _, config)| config).collect();
    if method != ALL {
        let Some(config) = all.iter().find(|config| config.name() == method) else {
            let names: Vec<&str> = all.iter().map(DetectorConfig::name).collect();
            return Err(CliError::Usage(format!(
                "there is no detector `{method}`; there are: {}, and {ALL} for one after another",
                names.join(", ")
            )));
        };
        return Ok(vec![override_settings(config, overrides)?]);
    }
    let knows = |config: &DetectorConfig, text: &String| {
        let key = text.split_once('=').map_or(text.as_str(), |(key, _)| key);
        settings(config).iter().any(|(name, _)| name == key)
    };
    if let Some(stray) = overrides.iter().find(|text| !all.iter().any(|config| knows(config, text))) {
        return Err(CliError::Usage(format!(
            "--set {stray}: no detector has this setting; --list shows what they have"
        )));
    }
    let own = |config: &DetectorConfig| {
        let known: Vec<String> = overrides.iter().filter(|text| knows(config, text)).cloned().collect();
        override_settings(config, &known)
    };
    all.iter().map(own).collect()
}

fn list(output: &Output) {
    for (name, about, config) in DetectorConfig::all() {
        let sees = match config.detector().sees() {
            Sees::Features => "features",
            Sees::Gradients => "gradients",
        };
        let settings = settings(&config);
        output.object(&json!({
            "name": name, "about": about, "sees": sees,
            "settings": settings.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        }));
        let settings: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        output.line(format!("{name:<12} {about}\n             needs {sees}; {}", settings.join(" ")));
    }
}
