use std::path::Path;

use crucible_report::{Block, Column, Fact, Section, Table, Value};
use serde::Serialize;
use serde_json::json;

use super::sides::Sides;

/// What pruning, sharing and coding did to a network.
pub(crate) struct Pruning<'a> {
    /// The run that it was made from.
    pub(crate) source: &'a Path,
    /// What was asked for.
    pub(crate) how: String,
    pub(crate) sides: Sides,
    pub(crate) rounds: &'a [Round],
    pub(crate) stages: &'a [Stage],
    pub(crate) layers: &'a [Layer],
}

/// One round of pruning and retraining.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Round {
    /// The share that was pruned.
    pub(crate) share: f64,
    /// Of the last epoch, where there was one.
    pub(crate) loss: Option<f64>,
    /// On held-out examples after the last epoch.
    pub(crate) accuracy: Option<f64>,
}

/// The size of the file of weights after a step.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) bytes: u64,
}

/// What is left of a layer's weights.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Layer {
    /// The parameter's name.
    pub(crate) name: String,
    pub(crate) shape_before: Vec<usize>,
    pub(crate) shape: Vec<usize>,
    pub(crate) nonzero: u64,
    /// Different values among those that are not zero.
    pub(crate) values: u64,
}

impl Layer {
    fn weights(&self) -> u64 {
        self.shape.iter().product::<usize>() as u64
    }

    fn sparsity(&self) -> f64 {
        1.0 - self.nonzero as f64 / self.weights().max(1) as f64
    }
}

impl Pruning<'_> {
    /// The last object of `crucible compress --json`.
    pub(crate) fn object(&self, out: &Path, report: Option<&Path>) -> serde_json::Value {
        let mut object = self.sides.object();
        object["run"] = json!(out);
        object["rounds"] = json!(self.rounds);
        object["stages"] = json!(self.stages);
        object["layers"] = json!(self.layers);
        object["report"] = json!(report);
        object
    }

    /// For people.
    pub(crate) fn text(&self, out: &Path) -> String {
        let mut lines: Vec<String> = self
            .layers
            .iter()
            .map(|layer| {
                let (name, nonzero, weights) = (&layer.name, layer.nonzero, layer.weights());
                let (pruned, values) = (100.0 * layer.sparsity(), layer.values);
                format!("{name:<20} {nonzero} of {weights} weights are not zero ({pruned:.1}% are), {values} values")
            })
            .collect();
        lines.extend(self.stages.iter().map(|stage| format!("{:<20} {} bytes", stage.name, stage.bytes)));
        lines.extend(self.sides.text());
        lines.push(format!("The compressed run is {}.", out.display()));
        lines.join("\n")
    }

    /// For the report.
    pub(crate) fn section(&self) -> Section {
        let mut facts = vec![
            Fact::new("Made from", Value::text(self.source.display().to_string())),
            Fact::new("How", Value::text(self.how.clone())),
        ];
        facts.extend(self.sides.fact());
        let mut section = Section::new("pruning", "Pruning")
            .block(Block::Facts { facts })
            .block(self.sides.table())
            .block(self.layer_table())
            .block(self.stage_table());
        if !self.rounds.is_empty() {
            section = section.block(self.round_table());
        }
        section.block(self.sides.sizes())
    }

    fn layer_table(&self) -> Table {
        let shape = |shape: &[usize]| shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" × ");
        let rows = self.layers.iter().map(|layer| {
            vec![
                Value::text(layer.name.clone()),
                Value::text(shape(&layer.shape_before)),
                Value::text(shape(&layer.shape)),
                Value::count(layer.nonzero),
                Value::percent(layer.sparsity(), 2),
                Value::count(layer.values),
            ]
        });
        let columns = vec![
            Column::left("Weights"),
            Column::left("Shape before"),
            Column::left("Shape after"),
            Column::right("Not zero"),
            Column::right("Zero"),
            Column::right("Different values"),
        ];
        Table { columns, rows: rows.collect(), caption: "What is left of each layer.".to_owned() }
    }

    fn stage_table(&self) -> Table {
        let first = self.stages.first().map_or(1, |stage| stage.bytes) as f64;
        let rows = self.stages.iter().map(|stage| {
            let times = first / stage.bytes.max(1) as f64;
            vec![Value::text(stage.name), Value::count(stage.bytes), Value::number(times, 1)]
        });
        let columns =
            vec![Column::left("After"), Column::right("Bytes of the file"), Column::right("Times smaller")];
        let caption = "The whole file of weights, names and code tables included.".to_owned();
        Table { columns, rows: rows.collect(), caption }
    }

    fn round_table(&self) -> Table {
        let number = |value: Option<f64>, make: &dyn Fn(f64) -> Value| value.map_or(Value::Missing, make);
        let rows = (1..).zip(self.rounds).map(|(round, found)| {
            vec![
                Value::count(round),
                Value::percent(found.share, 1),
                number(found.loss, &|loss| Value::number(loss, 4)),
                number(found.accuracy, &|accuracy| Value::percent(accuracy, 2)),
            ]
        });
        let columns = ["Round", "Pruned", "Training loss", "Accuracy"].map(Column::right).to_vec();
        let caption =
            "Each round removes more and trains what is left; the accuracy is that of held-out examples.";
        Table { columns, rows: rows.collect(), caption: caption.to_owned() }
    }
}
