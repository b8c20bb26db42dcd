use crucible_data::{Examples, Targets, Task};
use crucible_measure::{MeanError, Regression};
use crucible_report::{Column, Section, Table, Value};
use crucible_train::Evaluation;

use super::CONFIDENCE;

/// Errors by target column, in the units of the data; `None` for classification.
pub(crate) fn regression(
    evaluation: &Evaluation,
    examples: &Examples,
    task: &Task,
) -> Option<Vec<(String, Regression)>> {
    let (Task::Regression { targets, mean, std }, Targets::Values { values, width }) =
        (task, examples.targets())
    else {
        return None;
    };
    let column = |all: &[f32], target: usize| -> Vec<f32> {
        all.iter().skip(target).step_by(*width).map(|value| value * std[target] + mean[target]).collect()
    };
    let named = targets.iter().enumerate();
    let errors = named.filter_map(|(target, name)| {
        let (predictions, actual) = (column(&evaluation.predictions, target), column(values, target));
        Some((name.clone(), crucible_measure::regression(&predictions, &actual, CONFIDENCE)?))
    });
    Some(errors.collect())
}

/// The result in one sentence.
pub(super) fn sentence(found: &[(String, Regression)], split: &str, count: usize) -> String {
    let parts: Vec<String> = found
        .iter()
        .map(|(target, errors)| format!("{target} within {:.4} (root mean squared error)", errors.rmse.value))
        .collect();
    format!("On {count} {split} examples the network predicts {}.", parts.join(" and "))
}

/// The table of errors.
pub(super) fn section(found: &[(String, Regression)]) -> Section {
    let error = |error: MeanError| match error.interval {
        Some(interval) => Value::interval(Some(error.value), [interval.low, interval.high], 4),
        None => Value::number(error.value, 4),
    };
    let rows = found.iter().map(|(target, errors)| {
        vec![
            Value::text(target.clone()),
            error(errors.rmse),
            error(errors.mae),
            errors.r2.map_or_else(|| Value::text("–"), |r2| Value::number(r2, 4)),
        ]
    });
    let columns = vec![
        Column::left("Target"),
        Column::right("Root mean squared error"),
        Column::right("Mean absolute error"),
        Column::right("R²"),
    ];
    let caption = "In the units of the data; brackets are 95% intervals.".to_owned();
    Section::new("errors", "How far off").block(Table { columns, rows: rows.collect(), caption })
}
