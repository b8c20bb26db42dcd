//! Writes a sample report about a network that never was: `sample.html`, `sample.json` and `sample.md` in the folder
//! given as the only argument.
//!
//! The numbers come from formulas, and each run writes the same bytes.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use crucible_report::{
    Bar, BarChart, Bound, Card, Chart, Column, ConfusionMatrix, Fact, Figure, Gallery, Level, Limit,
    LineChart, Measure, Note, Outcome, Picture, Png, Report, Section, Series, Table, Value, Verdict, to_html,
    to_json, to_markdown,
};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args_os().nth(1).ok_or("usage: sample FOLDER")?);
    let report = report()?;
    fs::write(folder.join("sample.html"), to_html(&report))?;
    fs::write(folder.join("sample.json"), to_json(&report))?;
    fs::write(folder.join("sample.md"), to_markdown(&report))?;
    Ok(())
}

fn report() -> Result<Report, Box<dyn Error>> {
    let counts = confusion();
    let mut report = Report::new(
        "A small convolutional network on MNIST",
        "The network reads 98.5% of unseen digits correctly; it mistakes 4 for 9 most often.",
    );
    report.created = "2026-03-14 09:26 UTC".to_owned();
    report.verdict = Some(Verdict {
        outcome: Outcome::Fail,
        text: "One of two limits is broken: accuracy under the worst corruption.".to_owned(),
        measured: None,
        limit: None,
    });
    let accuracy = Value::percent_interval(Some(0.9847), [0.9821, 0.9869], 1);
    report.add_highlight("Test accuracy", accuracy.clone(), "10,000 images, 95% confidence");
    report.add_highlight("Test loss", Value::number(0.0482, 4), "cross-entropy, nats");
    report.add_highlight("Parameters", Value::count(21_840), "85 KiB on disk");
    report.add_highlight("Training time", Value::quantity(74.3, 1, "s"), "10 epochs, 2 threads");
    report.cards = cards();
    report.facts = vec![
        Fact::new("Architecture", "cnn-small"),
        Fact::new("Seed", Value::text("1729")),
        Fact::new("Optimizer", "AdamW, learning rate 1e-3, cosine"),
        Fact::new("Batch size", Value::count(128)),
        Fact::new("Peak memory", Value::quantity(412.6, 0, "MiB")),
        Fact::new("Throughput", Value::quantity(8_075.0, 0, "images/s")),
        Fact::new("Training images", Value::count(55_000)),
        Fact::new("Data", "MNIST, IDX files, SHA-256 440fcabf…f7e2"),
    ];
    report.sections = vec![training(), accuracy_section(&counts, accuracy), mistakes()?, corruptions()];
    Ok(report)
}

fn cards() -> Vec<Card> {
    let measure = |label: &str, outcome, value, bound, limit, text: &str| Measure {
        label: label.to_owned(),
        outcome,
        value,
        limit: Limit { bound, value: limit },
        text: text.to_owned(),
        section: "accuracy".to_owned(),
    };
    let percent = |value, ends| Value::percent_interval(Some(value), ends, 1);
    let accuracy = measure(
        "Accuracy",
        Outcome::Pass,
        percent(0.9847, [0.9821, 0.9869]),
        Bound::AtLeast,
        Value::percent(0.97, 0),
        "Of 1,000 unseen digits the network reads 985 rightly.",
    );
    let calibration = measure(
        "Calibration error",
        Outcome::Undecided,
        percent(0.011, [0.004, 0.023]),
        Bound::AtMost,
        Value::percent(0.02, 0),
        "Its probabilities are 1.1 points off on average; there are too few examples to say whether that is enough.",
    );
    let corruption = measure(
        "Worst corruption",
        Outcome::Fail,
        percent(0.61, [0.58, 0.64]),
        Bound::AtLeast,
        Value::percent(0.8, 0),
        "In fog it reads 61 of 100.",
    );
    let sex = measure(
        "Equalized odds",
        Outcome::Skipped,
        Value::Missing,
        Bound::AtMost,
        Value::number(0.1, 2),
        "Pictures have no column `sex`.",
    );
    let card = |title: &str, outcome, measures| Card { title: title.to_owned(), outcome, measures };
    vec![
        card("Performance", Outcome::Pass, vec![accuracy]),
        card("Generalization", Outcome::Fail, vec![calibration, corruption]),
        card("Fairness", Outcome::Skipped, vec![sex]),
    ]
}

fn training() -> Section {
    let epochs = |f: fn(f64) -> f64| (1..=10).map(move |epoch| [f64::from(epoch), f(f64::from(epoch))]);
    let loss = LineChart {
        x_label: "epoch".to_owned(),
        y_label: "cross-entropy (nats)".to_owned(),
        log_x: false,
        log_y: true,
        series: vec![
            Series::new("training", epochs(|e| 0.42 * (-0.52 * e).exp() + 0.012 + 0.09 / e.powi(2))),
            Series::new("validation", epochs(|e| 0.31 * (-0.55 * e).exp() + 0.047 + 0.0004 * e)),
        ],
    };
    let accuracy = LineChart {
        x_label: "epoch".to_owned(),
        y_label: "accuracy".to_owned(),
        log_x: false,
        log_y: false,
        series: vec![
            Series::new("training", epochs(|e| 0.9975 - 0.11 * (-0.5 * e).exp())),
            Series::new(
                "validation",
                epochs(|e| 0.9852 - 0.07 * (-0.6 * e).exp() + 0.0008 * (3.0 * e).sin()),
            ),
        ],
    };
    let figure = |title: &str, caption: &str, chart| Figure {
        title: title.to_owned(),
        caption: caption.to_owned(),
        chart: Chart::Line(chart),
    };
    Section::new("training", "Training")
        .paragraph(
            "Ten passes over 55,000 images. Validation loss stops falling after epoch 8 while training loss goes on: \
             more epochs would only memorize. The weights kept are those of epoch 8.",
        )
        .block(figure("Loss by epoch", "Mean over each epoch; lower is better.", loss))
        .block(figure("Accuracy by epoch", "", accuracy))
}

/// Counts of a plausible classifier of digits.
fn confusion() -> Vec<Vec<u64>> {
    let likeness =
        [(4, 9, 14), (9, 4, 9), (7, 2, 8), (3, 5, 7), (5, 3, 8), (8, 3, 5), (2, 7, 6), (6, 0, 4), (9, 7, 6)];
    let support = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009];
    (0..10)
        .map(|actual| {
            let mut row: Vec<u64> =
                (0..10).map(|predicted| ((actual * 7 + predicted * 3) % 5) as u64 / 3).collect();
            for &(_, predicted, count) in likeness.iter().filter(|entry| entry.0 == actual) {
                row[predicted] += count;
            }
            row[actual] = 0;
            row[actual] = support[actual] - row.iter().sum::<u64>();
            row
        })
        .collect()
}

fn accuracy_section(counts: &[Vec<u64>], accuracy: Value) -> Section {
    let mut section = Section::new("accuracy", "Accuracy").paragraph(
        "Measured on the test images, which took no part in training or in any choice. Intervals are Wilson's at 95%.",
    );
    section.verdict = Some(Verdict {
        outcome: Outcome::Pass,
        text: "Accuracy on the test images".to_owned(),
        measured: Some(accuracy),
        limit: Some(Limit { bound: Bound::AtLeast, value: Value::percent(0.98, 1) }),
    });
    let around = |hits: u64, all: u64| {
        let (p, n) = (hits as f64 / all as f64, all as f64);
        let half = 1.96 * (p * (1.0 - p) / n).sqrt();
        Value::percent_interval(Some(p), [p - half, (p + half).min(1.0)], 1)
    };
    let rows = (0..10).map(|class| {
        let (hits, support) = (counts[class][class], counts[class].iter().sum());
        let answered = counts.iter().map(|row| row[class]).sum();
        let f1 = Value::number(2.0 * hits as f64 / (support + answered) as f64, 3);
        vec![
            Value::text(class.to_string()),
            around(hits, answered),
            around(hits, support),
            f1,
            Value::count(support),
        ]
    });
    let matrix =
        ConfusionMatrix { labels: (0..10).map(|class| class.to_string()).collect(), counts: counts.to_vec() };
    section
        .block(Figure {
            title: "Confusion matrix".to_owned(),
            caption: String::new(),
            chart: Chart::ConfusionMatrix(matrix),
        })
        .block(Table {
            columns: vec![
                Column::left("Digit"),
                Column::right("Precision"),
                Column::right("Recall"),
                Column::right("F1"),
                Column::right("Images"),
            ],
            rows: rows.collect(),
            caption: "Metrics by class".to_owned(),
        })
}

fn mistakes() -> Result<Section, Box<dyn Error>> {
    let wrong =
        [(4, 9), (5, 3), (7, 2), (9, 4), (3, 5), (8, 3), (2, 7), (6, 0), (9, 7), (4, 9), (1, 7), (5, 6)];
    let mut pictures = Vec::new();
    for (index, (actual, predicted)) in wrong.into_iter().enumerate() {
        pictures.push(Picture {
            png: Png(digit(index as u32)?),
            alt: format!("A handwritten {actual}"),
            caption: format!("{actual} read as {predicted} ({:.1}% sure)", 99.9 - index as f64 * 0.7),
        });
    }
    Ok(Section::new("mistakes", "Worst mistakes")
        .paragraph(
            "Wrong answers of which the network was surest. Some of these digits are hard for people, too.",
        )
        .block(Gallery { pictures, caption: "The twelve most confident mistakes".to_owned() }))
}

/// A 28 × 28 grey PNG of a stroke that bends more with every `index`.
fn digit(index: u32) -> Result<Vec<u8>, png::EncodingError> {
    let turn = 2.2 + f64::from(index) * 0.33;
    let pixels: Vec<u8> = (0..28 * 28)
        .map(|pixel| {
            let (x, y) = (f64::from(pixel % 28), f64::from(pixel / 28));
            let distances = (0..60).map(|step| {
                let t = f64::from(step) / 59.0;
                let (angle, radius) = (turn * t + f64::from(index), 8.5 * (1.0 - 0.45 * t));
                (x - 13.5 - radius * angle.cos()).hypot(y - 13.5 - radius * angle.sin())
            });
            (255.0 * (2.4 - distances.fold(f64::INFINITY, f64::min)).clamp(0.0, 1.0)) as u8
        })
        .collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 28, 28);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(bytes)
}

fn corruptions() -> Section {
    let measured = [
        ("clean", 0.985),
        ("brightness", 0.981),
        ("translation", 0.952),
        ("Gaussian noise", 0.921),
        ("fog", 0.637),
    ];
    let bars = measured.map(|(label, value)| Bar {
        label: label.to_owned(),
        value: Value::percent_interval(Some(value), [value - 0.012, value + 0.008], 1),
    });
    let mut section = Section::new("corruption", "Robustness to corruption").block(Note {
        level: Level::Warning,
        text: "Fog was never part of training. Do not rely on this network outdoors.".to_owned(),
    });
    section.verdict = Some(Verdict {
        outcome: Outcome::Fail,
        text: "Accuracy under the worst corruption".to_owned(),
        measured: Some(Value::percent(0.637, 1)),
        limit: Some(Limit { bound: Bound::AtLeast, value: Value::percent(0.9, 1) }),
    });
    section
        .block(Figure {
            title: "Accuracy by corruption".to_owned(),
            caption: "Severity 3 of 5, 1,000 images each.".to_owned(),
            chart: Chart::Bar(BarChart { value_label: "accuracy".to_owned(), bars: bars.to_vec() }),
        })
        .block(Note {
            level: Level::Info,
            text: "Corruptions are seeded, so that reports compare.".to_owned(),
        })
}
