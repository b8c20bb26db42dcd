use crucible_explain::tables::Importance;
use crucible_report::{Bar, BarChart, Chart, Figure, Section, Value};
use serde_json::json;

/// What the network loses without each column of a table.
pub(crate) struct Importances {
    /// The split, and how many of its examples were asked.
    pub(crate) split: &'static str,
    pub(crate) examples: usize,
    /// By name, the most important first.
    columns: Vec<(String, Importance)>,
}

impl Importances {
    pub(crate) fn new(
        split: &'static str,
        examples: usize,
        columns: impl Iterator<Item = (String, Importance)>,
    ) -> Self {
        let mut columns: Vec<(String, Importance)> = columns.collect();
        columns.sort_by(|a, b| b.1.accuracy_drop().0.total_cmp(&a.1.accuracy_drop().0));
        Self { split, examples, columns }
    }

    /// In the order of the chart.
    pub(crate) fn each(&self) -> impl Iterator<Item = &Importance> {
        self.columns.iter().map(|(_, importance)| importance)
    }

    fn repeats(&self) -> usize {
        self.each().next().map_or(0, |importance| importance.accuracy_drops.len())
    }

    pub(crate) fn object(&self) -> serde_json::Value {
        let column = |(name, importance): &(String, Importance)| {
            json!({
                "column": name,
                "accuracy_drop": importance.accuracy_drop().0, "accuracy_drop_range": ends(&importance.accuracy_drops),
                "loss_rise": importance.loss_rise().0, "loss_rise_range": ends(&importance.loss_rises),
            })
        };
        json!({
            "method": "permutation-importance", "split": self.split, "examples": self.examples,
            "repeats": self.repeats(), "columns": self.columns.iter().map(column).collect::<Vec<_>>(),
        })
    }

    pub(crate) fn text(&self) -> String {
        let column = |(name, importance): &(String, Importance)| {
            let [low, high] = ends(&importance.accuracy_drops).map(|end| 100.0 * end);
            let mean = 100.0 * importance.accuracy_drop().0;
            format!("\n  {name:<24} {mean:>6.2}% ({low:.2}% to {high:.2}%)")
        };
        let columns: String = self.columns.iter().map(column).collect();
        format!("permutation-importance: accuracy lost where a column is shuffled:{columns}")
    }

    pub(crate) fn figure(&self) -> Figure {
        let bars = self.columns.iter().map(|(name, importance)| {
            let (mean, _) = importance.accuracy_drop();
            Bar {
                label: name.clone(),
                value: Value::percent_interval(Some(mean), ends(&importance.accuracy_drops), 2),
            }
        });
        Figure {
            title: "Which columns the network needs".to_owned(),
            caption: format!(
                "The mean over {} shuffles, and from the least to the most of them; {} {} examples.",
                self.repeats(),
                self.examples,
                self.split
            ),
            chart: Chart::Bar(BarChart {
                value_label: "accuracy lost where the column is shuffled, of 100%".to_owned(),
                bars: bars.collect(),
            }),
        }
    }

    pub(crate) fn section(&self) -> Section {
        Section::new("explain-permutation-importance", "Which columns the network needs")
            .paragraph(
                "Each column is shuffled over the rows, so that it no longer belongs to them. What the network then loses \
                 is what this column alone gives it: two columns that say the same stand in for each other, and both look \
                 unimportant.",
            )
            .block(self.figure())
    }
}

/// The least and the most.
fn ends(values: &[f64]) -> [f64; 2] {
    values.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &v| [low.min(v), high.max(v)])
}
