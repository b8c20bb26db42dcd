use std::collections::BTreeSet;

use crucible_report::{
    Block, Chart, Column, Fact, Figure, LineChart, Report, Section, Series, Table, Value, to_html,
};
use serde::Serialize;

use super::now;
use crate::transfer::Transfer;

/// What one way of learning from another run reached, over seeds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Way {
    pub(crate) mode: &'static str,
    /// Training examples of each class; all where there is no number.
    pub(crate) per_class: Option<u64>,
    /// The mean over seeds, on held-out examples.
    pub(crate) accuracy: f64,
    /// Of the mean, where there is more than one seed.
    pub(crate) interval: Option<[f64; 2]>,
    pub(crate) accuracies: Vec<f64>,
    pub(crate) trainable: usize,
    pub(crate) total: usize,
    /// Of training, in the mean.
    pub(crate) seconds: f64,
}

impl Way {
    fn examples(&self) -> String {
        self.per_class.map_or_else(|| "all".to_owned(), |count| count.to_string())
    }

    /// For people.
    pub(crate) fn line(&self) -> String {
        let interval = self.interval.map_or_else(String::new, |[low, high]| {
            format!(" ({:.2}% to {:.2}%)", 100.0 * low, 100.0 * high)
        });
        format!(
            "{:<8} {:>5} of each class: {:.2}%{interval}, {} of {} parameters, {:.1} s",
            self.mode,
            self.examples(),
            100.0 * self.accuracy,
            self.trainable,
            self.total,
            self.seconds
        )
    }
}

/// Ways held against each other.
pub(crate) struct Comparison<'a> {
    /// The recipe's name.
    pub(crate) recipe: &'a str,
    pub(crate) transfer: &'a Transfer,
    pub(crate) ways: &'a [Way],
    pub(crate) seeds: u64,
    /// The number of examples that the result is told for.
    pub(crate) shown: Option<u64>,
}

impl Comparison<'_> {
    /// The report, a page that stands alone.
    pub(crate) fn html(&self) -> String {
        let mut report =
            Report::new(format!("{}: ways of learning from another run", self.recipe), self.summary());
        report.created = now();
        report.facts = vec![
            Fact::new("Start", Value::text(self.transfer.from.display().to_string())),
            Fact::new("Seeds", Value::count(self.seeds)),
        ];
        let mut section = Section::new("comparison", "By the same budget").block(self.table());
        if self.ways.iter().map(|way| way.per_class).collect::<BTreeSet<_>>().len() > 1 {
            section = section.block(self.curve());
        }
        report.sections.push(section);
        to_html(&report)
    }

    fn summary(&self) -> String {
        let mut shown: Vec<&Way> = self.ways.iter().filter(|way| way.per_class == self.shown).collect();
        shown.sort_by(|a, b| b.accuracy.total_cmp(&a.accuracy));
        let said = shown.iter().map(|way| format!("{} {:.2}%", way.mode, 100.0 * way.accuracy));
        let examples = self.shown.map_or_else(|| "all".to_owned(), |count| count.to_string());
        format!("With {examples} examples of each class: {}.", said.collect::<Vec<_>>().join(", "))
    }

    fn table(&self) -> Table {
        let row = |way: &Way| {
            let accuracy = match way.interval {
                Some(interval) => Value::percent_interval(Some(way.accuracy), interval, 2),
                None => Value::percent(way.accuracy, 2),
            };
            vec![
                Value::text(way.mode),
                Value::text(way.examples()),
                accuracy,
                Value::count(way.trainable as u64),
                Value::count(way.total as u64),
                Value::quantity(way.seconds, 1, "s"),
            ]
        };
        Table {
            columns: vec![
                Column::left("Mode"),
                Column::right("Examples of each class"),
                Column::right("Accuracy"),
                Column::right("Trained"),
                Column::right("Parameters"),
                Column::right("Time"),
            ],
            rows: self.ways.iter().map(row).collect(),
            caption: "Means over the seeds, which draw examples, last layer and order anew, on the same held-out examples; \
                      intervals of 95% by Student's t."
                .to_owned(),
        }
    }

    fn curve(&self) -> Block {
        let mut modes: Vec<&str> = self.ways.iter().map(|way| way.mode).collect();
        modes.dedup();
        let series = modes.iter().map(|mode| {
            let of_mode = self.ways.iter().filter(|way| way.mode == *mode);
            let points = of_mode.filter_map(|way| Some([way.per_class? as f64, 100.0 * way.accuracy]));
            Series::new(*mode, points.collect::<Vec<_>>())
        });
        Figure {
            title: "Accuracy by examples".to_owned(),
            caption: "The mean over seeds, by training examples of each class.".to_owned(),
            chart: Chart::Line(LineChart {
                x_label: "training examples of each class".to_owned(),
                y_label: "accuracy, %".to_owned(),
                log_x: true,
                log_y: false,
                series: series.collect(),
            }),
        }
        .into()
    }
}
