use crucible_data::{Examples, Task};
use crucible_measure::{Confusion, Interval, Proportion};
use crucible_report::{Chart, Column, ConfusionMatrix, Figure, Section, Table, Value};
use crucible_train::Evaluation;
use serde::Serialize;

use super::CONFIDENCE;

/// Classes answered on a split.
pub(crate) struct Classification {
    pub(crate) confusion: Confusion,
    classes: Vec<String>,
}

/// One class for machines.
#[derive(Serialize)]
pub(crate) struct ClassRow {
    class: String,
    precision: Option<f64>,
    precision_interval: [f64; 2],
    recall: Option<f64>,
    recall_interval: [f64; 2],
    f1: Option<f64>,
    support: u64,
}

/// Counts the answers; `None` for regression.
pub(crate) fn classification(
    evaluation: &Evaluation,
    examples: &Examples,
    task: &Task,
) -> Option<Classification> {
    let Task::Classification { classes } = task else { return None };
    let mut confusion = Confusion::new(classes.len());
    for (index, &actual) in examples.classes()?.iter().enumerate() {
        confusion.record(actual as usize, evaluation.class(index));
    }
    Some(Classification { confusion, classes: classes.clone() })
}

fn ends(proportion: Proportion) -> [f64; 2] {
    let Interval { low, high } = proportion.interval(CONFIDENCE);
    [low, high]
}

impl Classification {
    /// The result in one sentence.
    pub(crate) fn sentence(&self, split: &str) -> String {
        let accuracy = self.confusion.accuracy();
        let [low, high] = ends(accuracy).map(|end| end * 100.0);
        format!(
            "The network is right on {:.2}% of {} {split} examples (95% interval {low:.2}% to {high:.2}%).",
            accuracy.estimate().unwrap_or(0.0) * 100.0,
            accuracy.trials
        )
    }

    /// Everything, for a terminal.
    pub(crate) fn text(&self, split: &str, loss: f64) -> String {
        let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
        let mut out = format!("{}\nLoss: {loss:.4}\n\n", self.sentence(split));
        out += &format!("{:<16} {:>9} {:>9} {:>9} {:>9}\n", "class", "precision", "recall", "F1", "examples");
        for row in self.rows() {
            let (precision, recall, f1) = (number(row.precision), number(row.recall), number(row.f1));
            out += &format!("{:<16} {precision:>9} {recall:>9} {f1:>9} {:>9}\n", row.class, row.support);
        }
        let average = self.confusion.macro_average();
        let (precision, recall, f1) = (number(average.precision), number(average.recall), number(average.f1));
        out += &format!(
            "{:<16} {precision:>9} {recall:>9} {f1:>9} {:>9}\n",
            "macro average",
            self.confusion.total()
        );
        if self.classes.len() <= 20 {
            out += "\nConfusion (rows: true class, columns: answer)\n";
            for (class, row) in self.classes.iter().zip(self.confusion.rows()) {
                let counts: String = row.iter().map(|count| format!(" {count:>6}")).collect();
                out += &format!("{class:<16}{counts}\n");
            }
        }
        out.trim_end().to_owned()
    }

    /// Every class, for machines.
    pub(crate) fn rows(&self) -> Vec<ClassRow> {
        let per_class = self.classes.iter().zip(self.confusion.per_class());
        per_class
            .map(|(class, metrics)| ClassRow {
                class: class.clone(),
                precision: metrics.precision.estimate(),
                precision_interval: ends(metrics.precision),
                recall: metrics.recall.estimate(),
                recall_interval: ends(metrics.recall),
                f1: metrics.f1,
                support: metrics.support,
            })
            .collect()
    }

    /// The confusion matrix and the table of classes.
    pub(crate) fn sections(&self) -> [Section; 2] {
        let matrix = ConfusionMatrix { labels: self.classes.clone(), counts: self.confusion.rows() };
        let confusion = Section::new("confusion", "What is taken for what").block(Figure {
            title: "Confusion matrix".to_owned(),
            // The report itself says how to read a confusion matrix.
            caption: String::new(),
            chart: Chart::ConfusionMatrix(matrix),
        });
        let rows = self.rows().into_iter().map(|row| {
            vec![
                Value::text(row.class),
                Value::percent_interval(row.precision, row.precision_interval, 1),
                Value::percent_interval(row.recall, row.recall_interval, 1),
                row.f1.map_or_else(|| Value::text("–"), |f1| Value::percent(f1, 1)),
                Value::count(row.support),
            ]
        });
        let table = Table {
            columns: vec![
                Column::left("Class"),
                Column::right("Precision"),
                Column::right("Recall"),
                Column::right("F1"),
                Column::right("Examples"),
            ],
            rows: rows.collect(),
            caption: "Precision: of the answers \"this class\", the share that is right. Recall: of the examples of \
                      this class, the share that is found. Brackets are 95% Wilson intervals."
                .to_owned(),
        };
        [confusion, Section::new("classes", "Class by class").block(table)]
    }
}
