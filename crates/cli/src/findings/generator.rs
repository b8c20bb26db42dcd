//! The report of a generator.

use std::path::PathBuf;

use burn::tensor::{Int, Tensor};
use crucible_data::Picture as Pixels;
use crucible_models::{Generates, LayerSummary, Observe, Site};
use crucible_report::{
    Block, Chart, Fact, Figure, Gallery, Level, LineChart, Note, Picture, Png, Report, Section, Series,
    Value, to_html, to_json,
};
use crucible_train::{adversarial::PairRecord, run_folder::name};

use super::{REPORT, REPORT_JSON, kept_sections, now};
use crate::{
    error::CliError,
    gan::{GanEnding, GanRecipe, GanRun},
    run::shape,
};

/// Writes `report.html` and `report.json`; what they say in a sentence, and where they are.
pub(crate) fn write(
    run: &GanRun,
    recipe: &GanRecipe,
    ending: &GanEnding,
) -> Result<(String, PathBuf), CliError> {
    let sentence = sentence(run, ending);
    let mut report = Report::new(title(recipe), sentence.clone());
    report.created = now();
    if let Some(last) = ending.epochs.last() {
        let detail = "of samples over that of real pictures, in the last epoch";
        report.add_highlight("Spread", Value::percent(last.spread, 0), detail);
        if let Some(told) = last.told {
            report.add_highlight(
                "Told rightly",
                Value::percent(told, 1),
                "by the discriminator; half is chance",
            );
        }
    }
    report.facts = facts(run, recipe, ending);
    report.sections.extend(samples(run, &ending.epochs));
    report.sections.push(learning(&ending.epochs));
    report.sections.push(cost(run, ending));
    report.sections.extend(kept_sections(&run.folder)?);
    run.folder.write(REPORT, to_html(&report).as_bytes())?;
    run.folder.write(REPORT_JSON, to_json(&report).as_bytes())?;
    Ok((sentence, run.folder.path(REPORT)))
}

fn named(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).expect("plain data")["name"].as_str().unwrap_or_default().to_owned()
}

fn title(recipe: &GanRecipe) -> String {
    format!("{} generator on {}", named(&recipe.gan.generator), recipe.data.source.name())
}

fn sentence(run: &GanRun, ending: &GanEnding) -> String {
    let asked = match run.config.classes() {
        Some(classes) => format!("of any of {} classes", classes.len()),
        None => "of no class in particular".to_owned(),
    };
    let spread = ending.epochs.last().map_or(0.0, |last| last.spread);
    format!(
        "The generator makes pictures of {} {asked}; they differ from each other {:.0}% as much as real ones.",
        shape(&run.config.format.input.shape()),
        100.0 * spread
    )
}

fn facts(run: &GanRun, recipe: &GanRecipe, ending: &GanEnding) -> Vec<Fact> {
    let gan = &recipe.gan;
    let penalty = gan.penalty.as_ref().map_or("none", |penalty| penalty.name());
    let text = |name: &str, value: String| Fact::new(name, Value::text(value));
    vec![
        text("Run", run.folder.root().display().to_string()),
        text("Data", recipe.data.source.name().to_owned()),
        text("Generator", named(&gan.generator)),
        text("Discriminator", named(&gan.discriminator)),
        text("Objective", gan.objective.name().to_owned()),
        text("Penalty", penalty.to_owned()),
        text("Ended", format!("after epoch {} of {}", ending.epochs.len(), gan.epochs)),
        text("Seed", recipe.seed.to_string()),
        text("Crucible", env!("CARGO_PKG_VERSION").to_owned()),
    ]
}

/// Sheets from the first epoch to the last; none where someone removed them.
fn samples(run: &GanRun, epochs: &[PairRecord]) -> Option<Section> {
    let sheet = |record: &PairRecord| {
        let bytes = run.folder.read(&format!("{}/{:04}.png", name::SAMPLES, record.epoch)).ok()?;
        Pixels::from_png(&bytes).ok()?;
        let caption = format!("epoch {}", record.epoch);
        Some(Picture { png: Png(bytes), alt: format!("A sheet of samples after {caption}"), caption })
    };
    let last = epochs.last().and_then(sheet)?;
    let before = epochs.len() - 1;
    // Few, since most happens early: after epochs 1, 2, 4, 8 and so on.
    let early = (0..).map(|power| 1usize << power).take_while(|number| *number <= before);
    let early: Vec<Picture> = early.filter_map(|number| sheet(&epochs[number - 1])).collect();
    let rows = match run.config.classes() {
        Some(_) => "Each row is a class. ",
        None => "",
    };
    let caption = format!("{rows}None was chosen: the random numbers are the same after every epoch.");
    let mut section =
        Section::new("samples", "What it makes").block(Gallery { pictures: vec![last], caption });
    if !early.is_empty() {
        let caption = "The same random numbers earlier in training.".to_owned();
        section = section.block(Gallery { pictures: early, caption });
    }
    Some(section)
}

fn learning(epochs: &[PairRecord]) -> Section {
    let series = |name: &str, value: &dyn Fn(&PairRecord) -> Option<f64>| {
        let points = epochs.iter().filter_map(|record| Some([record.epoch as f64, value(record)?]));
        let points: Vec<[f64; 2]> = points.collect();
        (!points.is_empty()).then(|| Series::new(name, points))
    };
    let figure = |title: &str, caption: &str, y_label: &str, series: Vec<Option<Series>>| Figure {
        title: title.to_owned(),
        caption: caption.to_owned(),
        chart: Chart::Line(LineChart {
            x_label: "epoch".to_owned(),
            y_label: y_label.to_owned(),
            log_x: false,
            log_y: false,
            series: series.into_iter().flatten().collect(),
        }),
    };
    let losses = vec![
        series("generator", &|record| Some(record.generator_loss)),
        series("discriminator", &|record| Some(record.discriminator_loss)),
        series("penalty", &|record| record.penalty),
    ];
    let scores = vec![
        series("real", &|record| Some(record.real_score)),
        series("generated", &|record| Some(record.fake_score)),
    ];
    let shares = vec![
        series("told rightly", &|record| record.told.map(|told| 100.0 * told)),
        series("spread", &|record| Some(100.0 * record.spread)),
    ];
    let mut section = Section::new("learning", "How it learned")
        .block(figure(
            "Losses by epoch",
            "Each side's loss depends on the other's play: neither says how good the pictures are.",
            "loss",
            losses,
        ))
        .block(figure("Scores by epoch", "What the discriminator thinks, as it learned.", "score", scores))
        .block(figure(
            "Balance by epoch",
            "Pictures that the discriminator told rightly, and the spread of samples over that of real ones.",
            "%",
            shares,
        ));
    let mut told: Vec<&crucible_train::adversarial::Alarm> = Vec::new();
    for record in epochs {
        for alarm in &record.alarms {
            if !told.iter().any(|before| before.is_like(alarm)) {
                let text = format!("In epoch {}, {alarm}.", record.epoch);
                section = section.block(Note { level: Level::Warning, text });
                told.push(alarm);
            }
        }
    }
    section
}

fn cost(run: &GanRun, ending: &GanEnding) -> Section {
    let layers = layers(run);
    let mut facts = vec![
        Fact::new("Training time", Value::quantity(ending.seconds, 1, "s")),
        Fact::new("Steps of the generator", Value::count(ending.steps)),
        Fact::new(
            "Parameters of the generator",
            Value::count(layers.iter().map(|layer| layer.parameters).sum()),
        ),
        Fact::new(
            "Multiply-adds for one picture",
            Value::count(layers.iter().map(|layer| layer.multiply_adds).sum()),
        ),
    ];
    if let Some(bytes) = ending.peak_memory {
        let mebibytes = bytes as f64 / f64::from(1 << 20);
        facts.push(Fact::new(
            "Peak memory of the process, data included",
            Value::quantity(mebibytes, 1, "MiB"),
        ));
    }
    Section::new("cost", "What it cost").block(Block::Facts { facts }).block(super::cost::rows(&layers))
}

/// The generator's layers, as one picture goes through them.
fn layers(run: &GanRun) -> Vec<LayerSummary> {
    let drawing = run.config.drawing;
    let mut layers = Vec::new();
    let mut tap = Observe(|site: &Site<'_>, _| {
        layers.push(LayerSummary {
            name: site.name.to_owned(),
            kind: site.kind.to_owned(),
            output: site.shape.clone(),
            parameters: site.parameters,
            multiply_adds: site.multiply_adds,
        });
    });
    let latent = Tensor::zeros([1, drawing.latent], &run.device);
    let class = drawing.classes.map(|_| Tensor::<2, Int>::zeros([1, 1], &run.device));
    let _ = run.generator.forward(latent, class, &mut tap);
    layers
}
