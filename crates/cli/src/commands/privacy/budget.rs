use std::path::{Path, PathBuf};

use crucible_privacy::{
    Phase, PrivacyError,
    accountants::{Accountant, gdp, pld, rdp},
};
use crucible_report::{Chart, Figure, LineChart, Series, to_svg};
use serde_json::json;

use crate::{
    error::CliError,
    output::{Output, Status},
};

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("question").required(true).args(["noise", "epsilon"]))]
pub(crate) struct Args {
    /// The noise's standard deviation over the clipping norm: what is ε then?
    #[arg(long, allow_negative_numbers = true)]
    noise: Option<f64>,

    /// The ε that may be spent: how much noise does that ask for?
    #[arg(long, allow_negative_numbers = true)]
    epsilon: Option<f64>,

    /// The probability of each example to be in a step's sample: the batch size over the number of examples
    #[arg(long, allow_negative_numbers = true)]
    rate: f64,

    /// How many steps
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,

    /// The probability that the promise is not kept; below one over the number of examples
    #[arg(long, default_value_t = 1e-5, allow_negative_numbers = true)]
    delta: f64,

    /// Also draw ε over the steps, as an SVG file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// Parts of the steps, and more of them, that the table has a row for.
const PARTS: [f64; 5] = [0.25, 0.5, 1.0, 2.0, 4.0];

/// Points of each line of the plot.
const POINTS: u64 = 12;

pub(super) fn run(args: &Args, output: &Output) -> Result<Status, CliError> {
    let noise = match (args.noise, args.epsilon) {
        (Some(noise), _) => noise,
        (None, epsilon) => {
            let noise = |accountant: Accountant| {
                let epsilon = epsilon.expect("one of the two is there");
                accountant.noise(&[], (args.rate, args.steps), epsilon, args.delta)
            };
            let (rdp, pld, gdp) = (noise(Accountant::Rdp)?, noise(Accountant::Pld)?, noise(Accountant::Gdp)?);
            output.object(&json!({ "noise": { "rdp": rdp, "pld": pld, "gdp": gdp } }));
            output.line(format!(
                "Noise for ε = {} over {} steps at a rate of {}, δ = {:e}:\n  \
                 {pld:.4} by the privacy loss's distribution (to be used)\n  \
                 {rdp:.4} by Rényi divergences\n  {gdp:.4} in the limit of many steps (an estimate, which may be too low)",
                args.epsilon.unwrap_or_default(),
                args.steps,
                args.rate,
                args.delta
            ));
            pld
        }
    };
    let spent = Spent::of(Phase::new(noise, args.rate, args.steps)?, args.delta)?;
    if args.noise.is_some() {
        output.object(&json!({ "epsilon": spent }));
    }
    output.line(table(noise, args)?);
    if let Some(path) = &args.plot {
        plot(path, noise, args)?;
        output.line(format!("Plot: {}", path.display()));
    }
    Ok(Status::Done)
}

/// ε by each accountant.
#[derive(Debug, serde::Serialize)]
struct Spent {
    rdp: f64,
    pld_lower: f64,
    pld_upper: f64,
    gdp: f64,
}

impl Spent {
    fn of(phase: Phase, delta: f64) -> Result<Self, PrivacyError> {
        let bounds = pld(&[phase], delta)?;
        Ok(Self {
            rdp: rdp(&[phase], delta)?,
            pld_lower: bounds.lower,
            pld_upper: bounds.upper,
            gdp: gdp(&[phase], delta)?,
        })
    }
}

fn table(noise: f64, args: &Args) -> Result<String, CliError> {
    let mut lines = vec![
        format!(
            "ε for δ = {:e}, noise {noise:.4}, rate {} (each example protected; added or removed):",
            args.delta, args.rate
        ),
        format!("{:>10}  {:>10} {:>10} {:>10} {:>10}", "steps", "at least", "at most", "Rényi", "estimate"),
    ];
    for part in PARTS {
        let steps = ((part * args.steps as f64).round() as u64).max(1);
        let Spent { rdp, pld_lower, pld_upper, gdp } =
            Spent::of(Phase::new(noise, args.rate, steps)?, args.delta)?;
        lines.push(format!("{steps:>10}  {pld_lower:>10.4} {pld_upper:>10.4} {rdp:>10.4} {gdp:>10.4}"));
    }
    lines.push(
        "`at most` is what may be promised; `Rényi` is a looser bound, `estimate` no bound at all."
            .to_owned(),
    );
    Ok(lines.join("\n"))
}

/// ε over the steps.
fn plot(path: &Path, noise: f64, args: &Args) -> Result<(), CliError> {
    let mut all = Vec::new();
    for point in 1..=POINTS {
        let steps = (args.steps * point).div_ceil(POINTS);
        all.push((steps as f64, Spent::of(Phase::new(noise, args.rate, steps)?, args.delta)?));
    }
    let series = |name: &str, value: &dyn Fn(&Spent) -> f64| {
        Series::new(name, all.iter().map(|(steps, spent)| [*steps, value(spent)]).collect::<Vec<_>>())
    };
    let figure = Figure {
        title: format!("Privacy spent: noise {noise:.3}, rate {}, δ = {:e}", args.rate, args.delta),
        caption: "ε of each example, added or removed.".to_owned(),
        chart: Chart::Line(LineChart {
            x_label: "step".to_owned(),
            y_label: "ε".to_owned(),
            log_x: false,
            log_y: false,
            series: vec![
                series("at most", &|spent| spent.pld_upper),
                series("at least", &|spent| spent.pld_lower),
                series("Rényi", &|spent| spent.rdp),
                series("many steps", &|spent| spent.gdp),
            ],
        }),
    };
    let svg = to_svg(&figure).expect("the chart has points");
    std::fs::write(path, svg).map_err(|source| CliError::File {
        action: "write",
        path: path.to_owned(),
        source,
    })
}
