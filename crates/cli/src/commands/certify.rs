use std::path::PathBuf;
use std::time::Instant;

use crucible_data::seed;
use crucible_measure::{Interval, Proportion};
use crucible_report::{Block, Fact, Section, Value};
use crucible_robust::{
    Batch, Norm, Threat,
    certify::{CertificateConfig, Subject, Verdict},
};
use serde_json::json;

use crate::{
    commands::attack::valid_inputs,
    error::CliError,
    findings::{self, CONFIDENCE, percent, short},
    output::{Output, Status},
    run::Run,
    settings::{choose, settings},
    texts, threads,
    view::View,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run folder
    #[arg(required_unless_present = "list")]
    run: Option<PathBuf>,

    /// The certificate
    #[arg(long, default_value = "ibp")]
    method: String,

    /// The radius; for pictures in units where 0 is black and 1 is white
    #[arg(long, default_value_t = 0.3, allow_negative_numbers = true)]
    eps: f32,

    /// Certify the first N test examples [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,

    /// Also say of each example whether it is certain
    #[arg(long)]
    each: bool,

    /// The seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Override a setting of the certificate, such as sigma=0.5
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// List the certificates with their settings, and stop
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    let Some(path) = args.run.as_deref().filter(|_| !args.list) else {
        list(output);
        return Ok(Status::Done);
    };
    let config = choose("certificate", &CertificateConfig::all(), &args.method, &args.set)?;
    threads::start(None)?;
    let run = Run::open(path)?;
    texts::refuse(&run, "a certificate is about all inputs within a distance")?;
    if run.network.program().is_some() && config.certificate().reads_layers() {
        return Err(CliError::Usage(format!(
            "{} bounds a network's layers in floats, and this run answers in integers; `smoothing` asks for answers only",
            config.name()
        )));
    }
    let recipe = run.recipe()?;
    let data = run.data(&recipe)?;
    let (split, examples) = data.splits().last().expect("the training split is always there");
    let view = View::new(&run, &data.train)?;
    let (method, norm) = (config.name(), config.certificate().norm());
    let threat = Threat::new(norm, args.eps, view.range)?;
    let count = args.count.map_or(examples.len(), |count| (count as usize).min(examples.len()));
    let inputs = valid_inputs(examples, count, view.range);
    let labels = &examples.classes().expect("a classifier's examples have classes")[..count];
    let subject =
        Subject { model: &view.model, network: &run.network, scaling: &view.scaling, device: &run.device };
    let start = Instant::now();
    let mut rng = seed::stream(args.seed, "certify", 0);
    let verdicts = config.run(subject, Batch::new(&inputs, labels), &threat, &mut rng)?;
    let seconds = start.elapsed().as_secs_f64();
    if args.each {
        for (index, (Verdict { certain, .. }, label)) in verdicts.iter().zip(labels).enumerate() {
            output.object(&json!({ "index": index, "label": label, "certified": certain }));
            output.line(format!("{index}: {}certain, class {label}", if *certain { "" } else { "not " }));
        }
    }
    let share = |successes: usize| Proportion { successes: successes as u64, trials: count as u64 };
    let right = verdicts.iter().zip(labels).filter(|(verdict, label)| verdict.class == Some(**label));
    let clean = share(right.count());
    let verified = share(verdicts.iter().filter(|verdict| verdict.certain).count());
    let name = format!("certify-{method}-{}", args.eps);
    findings::keep(&run.folder, &name, &section(&name, &config, &threat, split, &clean, &verified))?;
    let report = findings::refresh(&run, &recipe, &data)?;
    let Interval { low, high } = verified.interval(CONFIDENCE);
    output.object(&json!({
        "method": method, "norm": norm.to_string(), "eps": short(args.eps), "split": split,
        "count": count, "clean_accuracy": clean.estimate(), "verified_accuracy": verified.estimate(),
        "verified_accuracy_interval": [low, high], "seconds": seconds, "report": report,
    }));
    output.line(format!(
        "{method} within {norm} {} on {count} {split} examples:\nAccuracy {}, of which certain within the ball {}; {seconds:.1} s.",
        args.eps,
        percent(&clean),
        percent(&verified)
    ));
    Ok(Status::Done)
}

fn section(
    name: &str,
    config: &CertificateConfig,
    threat: &Threat,
    split: &str,
    clean: &Proportion,
    verified: &Proportion,
) -> Section {
    let (norm, eps) = (threat.norm(), threat.eps());
    let mut facts = vec![
        Fact::new("Certificate", Value::text(config.name())),
        Fact::new("Ball", Value::text(format!("{norm} of radius {eps}"))),
        Fact::new("Examples", Value::text(format!("{} of the {split} split", clean.trials))),
        Fact::new("Accuracy", findings::share(clean)),
        Fact::new("Verified accuracy", findings::share(verified)),
    ];
    facts.extend(settings(config).into_iter().map(|(key, value)| Fact::new(key, Value::text(value))));
    Section::new(name, format!("Certain within {norm} {eps}"))
        .paragraph(
            "The share of examples that the network gets right and that no change within the ball can alter, by proof: a \
             lower bound on robust accuracy, whatever the attack.",
        )
        .block(Block::Facts { facts })
}

fn list(output: &Output) {
    for (name, about, config) in CertificateConfig::all() {
        let norm: Norm = config.certificate().norm();
        let settings = settings(&config);
        output.object(&json!({
            "name": name, "about": about, "norm": norm.to_string(),
            "settings": settings.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        }));
        let settings: String = settings.iter().map(|(key, value)| format!(" {key}={value}")).collect();
        output.line(format!("{name:<10} {about}\n           {norm};{settings}"));
    }
}
