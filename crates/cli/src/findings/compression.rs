use std::path::Path;

use crucible_compress::{QuantizeConfig, Sensitivity};
use crucible_report::{Bar, BarChart, Block, Chart, Fact, Figure, Level, Note, Section, Value};
use serde_json::json;

use super::sides::Sides;

/// What integers did to a network.
pub(crate) struct Compression<'a> {
    pub(crate) config: &'a QuantizeConfig,
    /// The run that was compressed.
    pub(crate) source: &'a Path,
    /// The instructions of integer arithmetic, where there is any.
    pub(crate) path: Option<&'static str>,
    pub(crate) sides: Sides,
    pub(crate) layers: &'a [Sensitivity],
}

impl Compression<'_> {
    /// The last object of `crucible compress --json`.
    pub(crate) fn object(&self, out: &Path, report: Option<&Path>) -> serde_json::Value {
        let layers: Vec<_> = self
            .layers
            .iter()
            .map(|layer| json!({ "layer": layer.layer, "weights": layer.weights, "error": layer.error }))
            .collect();
        let mut object = self.sides.object();
        object["run"] = json!(out);
        object["instructions"] = json!(self.path);
        object["layers"] = json!(layers);
        object["report"] = json!(report);
        object
    }

    /// For people.
    pub(crate) fn text(&self, out: &Path) -> String {
        let mut lines = self.sides.text();
        lines.push(format!("The compressed run is {}.", out.display()));
        lines.join("\n")
    }

    /// For the report.
    pub(crate) fn section(&self) -> Section {
        let mut facts = vec![
            Fact::new("Made from", Value::text(self.source.display().to_string())),
            Fact::new("How", Value::text(serde_json::to_string(self.config).expect("plain data"))),
        ];
        if let Some(path) = self.path {
            facts.push(Fact::new("Instructions", Value::text(path)));
        }
        facts.extend(self.sides.fact());
        let mut section = Section::new("compression", "Compression")
            .block(Block::Facts { facts })
            .block(self.sides.table())
            .block(self.sides.sizes())
            .block(self.sensitivities());
        for text in self.sides.slower() {
            section = section.block(Note { level: Level::Warning, text });
        }
        let text = "Explanations, gradients of attacks and views into layers are those of the network of floats that the \
                    integers stand for, which is kept beside them; answers, and so all accuracies, are the integers'.";
        section.block(Note { level: Level::Info, text: text.to_owned() })
    }

    fn sensitivities(&self) -> Figure {
        let bars = self.layers.iter().map(|layer| Bar {
            label: format!("{} ({} weights)", layer.layer, layer.weights),
            value: Value::number(layer.error * 1e6, 1),
        });
        Figure {
            title: "What each layer costs".to_owned(),
            caption: "The error that compressing one layer alone makes in the outputs: the mean of its square over that of \
                      the outputs, in millionths, on the examples of the calibration."
                .to_owned(),
            chart: Chart::Bar(BarChart { value_label: "millionths".to_owned(), bars: bars.collect() }),
        }
    }
}
