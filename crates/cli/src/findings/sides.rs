//! A network before and after it was compressed.

use crucible_measure::{Interval, Proportion};
use crucible_report::{Bar, BarChart, Chart, Column, Fact, Figure, Table, Value};
use serde_json::json;

use super::{CONFIDENCE, percent, share};

/// Both networks, measured on the same examples.
pub(crate) struct Sides {
    pub(crate) split: &'static str,
    /// Examples of the split.
    pub(crate) examples: u64,
    pub(crate) before: Side,
    pub(crate) after: Side,
    /// Examples on which both give the same class.
    pub(crate) agreement: Option<u64>,
    /// Examples of the batch that was timed.
    pub(crate) batch: usize,
}

/// One of the two networks.
pub(crate) struct Side {
    /// Examples whose class is right, where there are classes.
    pub(crate) accuracy: Option<Proportion>,
    pub(crate) loss: f64,
    /// Of the file of weights.
    pub(crate) bytes: u64,
    /// Of the weights that an answer reads.
    pub(crate) memory: u64,
    /// Milliseconds for one example.
    pub(crate) one: f64,
    /// Milliseconds for the batch.
    pub(crate) many: f64,
}

impl Sides {
    /// Examples on which both give the same class, of all.
    fn alike(&self) -> Option<Proportion> {
        self.agreement.map(|successes| Proportion { successes, trials: self.examples })
    }

    /// Where the compressed network is slower than the one that it was made from.
    pub(super) fn slower(&self) -> Vec<String> {
        let cases = [
            ("one example".to_owned(), self.before.one, self.after.one),
            (format!("a batch of {}", self.batch), self.before.many, self.after.many),
        ];
        // Within a twentieth is noise.
        let slow = cases.into_iter().filter(|(_, before, after)| *after > 1.05 * before);
        slow.map(|(what, before, after)| {
            let ratio = after / before;
            format!("The compressed network is slower: {what} takes {ratio:.2} times as long as before on this machine.")
        })
        .collect()
    }

    /// What both sides are, for machines.
    pub(super) fn object(&self) -> serde_json::Value {
        let interval = |side: &Side| {
            side.accuracy.map(|accuracy| {
                let Interval { low, high } = accuracy.interval(CONFIDENCE);
                [low, high]
            })
        };
        let estimate = |side: &Side| side.accuracy.and_then(|accuracy| accuracy.estimate());
        let Self { before, after, .. } = self;
        json!({
            "accuracy": estimate(after), "accuracy_before": estimate(before),
            "accuracy_interval": interval(after), "accuracy_before_interval": interval(before),
            "agreement": self.alike().and_then(|alike| alike.estimate()),
            "loss": after.loss, "loss_before": before.loss, "split": self.split, "count": self.examples,
            "bytes": after.bytes, "bytes_before": before.bytes, "memory": after.memory, "memory_before": before.memory,
            "ms": after.many, "ms_before": before.many, "batch": self.batch, "ms_one": after.one,
            "ms_one_before": before.one, "slower": self.slower(),
        })
    }

    /// For people.
    pub(super) fn text(&self) -> Vec<String> {
        let rows = self
            .rows()
            .into_iter()
            .map(|(name, before, after)| format!("{name:<34} {before:>26} {after:>26}"));
        let head = format!("{:<34} {:>26} {:>26}", "", "before", "after");
        let mut lines: Vec<String> = [head].into_iter().chain(rows).collect();
        if let Some(alike) = self.alike() {
            lines.push(format!("Both give the same class to {} of the examples.", percent(&alike)));
        }
        lines.extend(self.slower());
        lines
    }

    /// Name, before, after.
    fn rows(&self) -> Vec<(String, Value, Value)> {
        let pair = |name: &str, value: &dyn Fn(&Side) -> Value| {
            (name.to_owned(), value(&self.before), value(&self.after))
        };
        let accuracy = |side: &Side| side.accuracy.as_ref().map_or(Value::Missing, share);
        let kibibytes = |bytes: u64| Value::quantity(bytes as f64 / 1024.0, 1, "KiB");
        let batch = self.batch as f64;
        vec![
            pair(&format!("Accuracy, {} {}", self.examples, self.split), &accuracy),
            pair("Loss", &|side| Value::number(side.loss, 4)),
            pair("File of weights", &|side| kibibytes(side.bytes)),
            pair("Weights that an answer reads", &|side| kibibytes(side.memory)),
            pair("One example", &|side| Value::quantity(side.one, 3, "ms")),
            pair(&format!("A batch of {}", self.batch), &|side| Value::quantity(side.many, 3, "ms")),
            pair("Throughput", &|side| Value::quantity(batch / side.many * 1e3, 0, "examples/s")),
        ]
    }

    /// For the report.
    pub(super) fn table(&self) -> Table {
        let rows = self.rows().into_iter().map(|(name, before, after)| {
            let ratio = match (before.estimate(), after.estimate()) {
                (Some(before), Some(after)) if before != 0.0 => Value::number(after / before, 3),
                _ => Value::Missing,
            };
            vec![Value::text(name), before, after, ratio]
        });
        Table {
            columns: vec![
                Column::left(""),
                Column::right("Before"),
                Column::right("After"),
                Column::right("After / before"),
            ],
            rows: rows.collect(),
            caption: "Times are medians of rounds in which both networks answered in turns, on this machine."
                .to_owned(),
        }
    }

    /// How often both answer alike.
    pub(super) fn fact(&self) -> Option<Fact> {
        Some(Fact::new("Same class from both", share(&self.alike()?)))
    }

    /// The files as bars.
    pub(super) fn sizes(&self) -> Figure {
        let bar = |label: &str, side: &Side| Bar {
            label: label.to_owned(),
            value: Value::quantity(side.bytes as f64 / 1024.0, 1, "KiB"),
        };
        Figure {
            title: "Size of the file of weights".to_owned(),
            caption: String::new(),
            chart: Chart::Bar(BarChart {
                value_label: "KiB".to_owned(),
                bars: vec![bar("before", &self.before), bar("after", &self.after)],
            }),
        }
    }
}
