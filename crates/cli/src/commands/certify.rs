use std::path::PathBuf;
use std::time::Instant;

use crucible_data::seed;
use crucible_measure::{Interval, Proportion};
use crucible_report::{Block, Fact, Section, Value};
use crucible_robust::{
    Norm, Threat,
    certify::{Smoothing, certified},
};
use serde_json::json;

use crate::{
    error::CliError,
    findings::{self, CONFIDENCE, percent, short},
    output::{Output, Status},
    run::Run,
    threads,
    view::{self, View},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run folder
    run: PathBuf,

    /// The certificate
    #[arg(long, value_enum, default_value_t = Method::Ibp)]
    method: Method,

    /// The radius; for pictures in units where 0 is black and 1 is white
    #[arg(long, default_value_t = 0.3, allow_negative_numbers = true)]
    eps: f32,

    /// Certify the first N test examples [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,

    /// The standard deviation of smoothing's noise
    #[arg(long, default_value_t = 0.25)]
    sigma: f64,

    /// Noisy copies of each example that smoothing asks about
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    samples: u32,

    /// The seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Method {
    /// Interval bounds of every layer, within L∞
    Ibp,
    /// Randomised smoothing, within L2: of the network under noise, each certificate with 99.9% confidence
    Smoothing,
}

impl Method {
    fn norm(self) -> Norm {
        match self {
            Self::Ibp => Norm::Linf,
            Self::Smoothing => Norm::L2,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ibp => "ibp",
            Self::Smoothing => "smoothing",
        }
    }
}

pub(crate) fn run(args: Args, output: &Output) -> Result<Status, CliError> {
    threads::start(None)?;
    let run = Run::open(&args.run)?;
    let recipe = run.recipe()?;
    let data = run.data(&recipe)?;
    let (split, examples) = data.splits().last().expect("the training split is always there");
    let view = View::new(&run, &data.train)?;
    let threat = Threat::new(args.method.norm(), args.eps, view.range)?;
    let count = args.count.map_or(examples.len(), |count| (count as usize).min(examples.len()));
    let inputs = view::inputs(examples, 0..count);
    let labels = &examples.classes().expect("a classifier's examples have classes")[..count];
    let start = Instant::now();
    let Found { right, certain } = match args.method {
        Method::Ibp => {
            let answers = view.answers(&inputs);
            let right = answers.iter().zip(labels).filter(|(answer, label)| answer == label);
            let certain = certified(&run.network, &inputs, labels, &threat, &view.scaling, &run.device)?;
            let certain = certain.into_iter().filter(|certain| *certain).count();
            Found { right: right.count() as u64, certain: certain as u64 }
        }
        Method::Smoothing => smoothed(&args, &view, &inputs, labels)?,
    };
    let seconds = start.elapsed().as_secs_f64();
    let share = |successes: u64| Proportion { successes, trials: count as u64 };
    let (clean, verified) = (share(right), share(certain));
    let name = format!("certify-{}-{}", args.method.name(), args.eps);
    let section = section(&name, &args, split, &clean, &verified);
    findings::keep(&run.folder, &name, &section)?;
    let report = findings::refresh(&run, &recipe, &data)?;
    let Interval { low, high } = verified.interval(CONFIDENCE);
    output.object(&json!({
        "method": args.method.name(), "norm": args.method.norm().to_string(), "eps": short(args.eps), "split": split,
        "count": count, "clean_accuracy": clean.estimate(), "verified_accuracy": verified.estimate(),
        "verified_accuracy_interval": [low, high], "seconds": seconds, "report": report,
    }));
    output.line(format!(
        "{} within {} {} on {count} {split} examples:\nAccuracy {}, of which certain within the ball {}; {seconds:.1} s.",
        args.method.name(),
        args.method.norm(),
        args.eps,
        percent(&clean),
        percent(&verified)
    ));
    Ok(Status::Done)
}

struct Found {
    /// Examples that the model (smoothed, if it is) gets right.
    right: u64,
    /// Those among them that nothing in the ball can change.
    certain: u64,
}

fn smoothed(args: &Args, view: &View, inputs: &[f32], labels: &[u32]) -> Result<Found, CliError> {
    if !(args.sigma.is_finite() && args.sigma > 0.0) {
        return Err(CliError::Usage(format!("--sigma is {}, and must be a positive number", args.sigma)));
    }
    let smoothing = Smoothing { sigma: args.sigma, estimate: args.samples, ..Smoothing::default() };
    let mut found = Found { right: 0, certain: 0 };
    let rows = inputs.chunks_exact(view.scaling.scale.len());
    for ((index, input), label) in (0..).zip(rows).zip(labels) {
        let answer = smoothing.certify(&view.model, input, &mut seed::stream(args.seed, "smoothing", index));
        let right = answer.class == Some(*label);
        found.right += u64::from(right);
        found.certain += u64::from(right && answer.radius >= f64::from(args.eps));
    }
    Ok(found)
}

fn section(name: &str, args: &Args, split: &str, clean: &Proportion, verified: &Proportion) -> Section {
    let value = |proportion: &Proportion| {
        let Interval { low, high } = proportion.interval(CONFIDENCE);
        Value::percent_interval(proportion.estimate(), [low, high], 2)
    };
    let (norm, method) = (args.method.norm(), args.method.name());
    let mut facts = vec![
        Fact::new("Certificate", Value::text(method)),
        Fact::new("Ball", Value::text(format!("{norm} of radius {}", args.eps))),
        Fact::new("Examples", Value::text(format!("{} of the {split} split", clean.trials))),
        Fact::new("Accuracy", value(clean)),
        Fact::new("Verified accuracy", value(verified)),
    ];
    if args.method == Method::Smoothing {
        facts.push(Fact::new("Noise σ", Value::number(args.sigma, 3)));
        facts.push(Fact::new("Noisy copies", Value::count(args.samples.into())));
    }
    Section::new(name, format!("Certain within {norm} {}", args.eps))
        .paragraph(
            "The share of examples that the network gets right and that no change within the ball can alter, by proof: a \
             lower bound on robust accuracy, whatever the attack.",
        )
        .block(Block::Facts { facts })
}
