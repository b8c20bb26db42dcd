use crucible_report::{Chart, Figure, Level, LineChart, Note, Section, Series};
use crucible_train::{EpochRecord, StopReason};

use super::Ending;
use crate::recipe::Recipe;

/// Learning curves, and what must be known about how training ended.
pub(super) fn section(ending: &Ending, recipe: &Recipe) -> Section {
    let series = |name: &str, value: &dyn Fn(&EpochRecord) -> Option<f64>| {
        let points: Vec<[f64; 2]> =
            ending.epochs.iter().filter_map(|record| Some([record.epoch as f64, value(record)?])).collect();
        (!points.is_empty()).then(|| Series::new(name, points))
    };
    let losses = [
        series("training", &|record| Some(record.loss)),
        series("validation", &|record| record.validation_loss),
        series("test", &|record| record.test_loss),
    ];
    let accuracies = [
        series("validation", &|record| record.validation_accuracy.map(|share| share * 100.0)),
        series("test", &|record| record.test_accuracy.map(|share| share * 100.0)),
    ];
    let chart = |y_label: &str, series: Vec<Series>| {
        Chart::Line(LineChart {
            x_label: "epoch".to_owned(),
            y_label: y_label.to_owned(),
            log_x: false,
            log_y: false,
            series,
        })
    };
    let mut section = Section::new("learning", "How it learned").block(Figure {
        title: "Loss by epoch".to_owned(),
        caption: "Training loss is the mean over the epoch's steps, while the weights still moved."
            .to_owned(),
        chart: chart("loss", losses.into_iter().flatten().collect()),
    });
    let accuracies: Vec<Series> = accuracies.into_iter().flatten().collect();
    if !accuracies.is_empty() {
        section = section.block(Figure {
            title: "Accuracy by epoch".to_owned(),
            caption: "Measured after each epoch.".to_owned(),
            chart: chart("accuracy, %", accuracies),
        });
    }
    for text in notes(ending, recipe) {
        section = section.block(Note { level: Level::Warning, text });
    }
    section
}

fn notes(ending: &Ending, recipe: &Recipe) -> Vec<String> {
    let mut notes = Vec::new();
    let validated = ending.epochs.iter().any(|record| record.validation_loss.is_some());
    if recipe.train.until.is_some() {
        if ending.reason != StopReason::TargetMet {
            notes.push("The target of `train.until` was never met.".to_owned());
        } else if !validated {
            notes.push(
                "Training stopped when the test split met the target, so the test result is optimistic: it was used \
                 to choose when to stop. Set `data.validation` for an unbiased one."
                    .to_owned(),
            );
        }
    }
    notes
}
