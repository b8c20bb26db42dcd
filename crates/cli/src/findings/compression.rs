use std::path::Path;

use crucible_compress::{Formats, QuantizeConfig, Sensitivity, WeightFormat};
use crucible_report::{Bar, BarChart, Block, Chart, Fact, Figure, Level, Note, Section, Value};
use serde::Serialize;
use serde_json::json;

use super::sides::Sides;

/// What integers did to a network.
pub(crate) struct Compression<'a> {
    pub(crate) config: &'a QuantizeConfig,
    /// The integers of each layer's weights.
    pub(crate) formats: &'a Formats,
    /// The run that was compressed.
    pub(crate) source: &'a Path,
    /// The instructions of integer arithmetic, where there is any.
    pub(crate) path: Option<&'static str>,
    /// Training that knew of its integers, where there was any.
    pub(crate) trained: Option<Retrained>,
    pub(crate) sides: Sides,
    pub(crate) layers: &'a [Sensitivity],
}

/// Quantization-aware training.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Retrained {
    pub(crate) epochs: usize,
    /// The mean loss of the last epoch, with integers.
    pub(crate) loss: Option<f64>,
    pub(crate) seconds: f64,
}

impl Compression<'_> {
    /// The last object of `crucible compress --json`.
    pub(crate) fn object(&self, out: &Path, report: Option<&Path>) -> serde_json::Value {
        let layers: Vec<_> = self
            .layers
            .iter()
            .map(|layer| {
                let bits = self.bits(&layer.layer);
                json!({ "layer": layer.layer, "weights": layer.weights, "bits": bits, "error": layer.error })
            })
            .collect();
        let mut object = self.sides.object();
        object["run"] = json!(out);
        object["instructions"] = json!(self.path);
        object["layers"] = json!(layers);
        object["trained"] = json!(self.trained);
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
        if let Some(Retrained { epochs, loss, seconds }) = &self.trained {
            let loss = loss.map_or_else(String::new, |loss| format!(", the last with a loss of {loss:.4}"));
            let text =
                format!("{epochs} epochs with integers in every forward pass{loss}, in {seconds:.0} seconds");
            facts.push(Fact::new("Trained on", Value::text(text)));
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

    /// Bits of a layer's weights.
    fn bits(&self, layer: &str) -> u8 {
        match self.formats.get(layer) {
            Some(WeightFormat::Groups { bits, .. }) => *bits,
            Some(WeightFormat::Channels) => 8,
            None => 32,
        }
    }

    fn sensitivities(&self) -> Figure {
        let bars = self.layers.iter().map(|layer| Bar {
            label: format!("{} ({} weights, {} bits)", layer.layer, layer.weights, self.bits(&layer.layer)),
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
