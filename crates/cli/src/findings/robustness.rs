use std::path::Path;

use crucible_data::{Examples, side_by_side};
use crucible_measure::{Interval, Proportion};
use crucible_report::{
    Block, Chart, Column, Fact, Figure, Gallery, Level, LineChart, Note, Picture, Png, Section, Series,
    Table, Value,
};
use crucible_robust::{Adversarial, Batch, Norm, Threat};
use serde_json::json;

use super::{CONFIDENCE, percent, share, short};
use crate::view::View;

/// Columns between pictures.
const GAP: usize = 2;

/// Pictures on the sheet.
const PICTURES: usize = 8;

/// What an attack did to a network.
pub(crate) struct Robustness {
    pub(crate) method: &'static str,
    pub(crate) settings: Vec<(String, String)>,
    /// The run whose network the inputs were found on, where that is another one.
    pub(crate) from: Option<String>,
    pub(crate) threat: Threat,
    pub(crate) split: &'static str,
    pub(crate) clean: Proportion,
    pub(crate) robust: Proportion,
    pub(crate) classes: Vec<(String, Proportion)>,
    /// Radii, and what stands at each.
    pub(crate) curve: Vec<(f32, Proportion)>,
    /// What makes the result worth less than it seems.
    pub(crate) warnings: Vec<String>,
    pub(crate) forwards: u64,
    pub(crate) backwards: u64,
    pub(crate) seconds: f64,
}

impl Robustness {
    /// `attack-pgd-linf-0.3`
    pub(crate) fn name(&self) -> String {
        let from = if self.from.is_some() { "transfer-" } else { "" };
        format!("attack-{from}{}-{}-{}", self.method, self.threat.norm().name(), self.threat.eps())
    }

    /// The last object of `crucible attack --json`.
    pub(crate) fn object(&self, section: &Path, report: Option<&Path>) -> serde_json::Value {
        let interval = |proportion: &Proportion| {
            let Interval { low, high } = proportion.interval(CONFIDENCE);
            [low, high]
        };
        let classes: Vec<_> = self
            .classes
            .iter()
            .map(|(class, robust)| json!({ "class": class, "robust_accuracy": robust.estimate(), "count": robust.trials }))
            .collect();
        let curve: Vec<_> = self
            .curve
            .iter()
            .map(|(eps, robust)| json!({ "eps": short(*eps), "robust_accuracy": robust.estimate() }))
            .collect();
        json!({
            "method": self.method, "norm": self.threat.norm().name(), "eps": short(self.threat.eps()), "from": self.from,
            "split": self.split, "count": self.robust.trials,
            "clean_accuracy": self.clean.estimate(), "clean_accuracy_interval": interval(&self.clean),
            "robust_accuracy": self.robust.estimate(), "robust_accuracy_interval": interval(&self.robust),
            "classes": classes, "curve": curve, "warnings": self.warnings, "forwards": self.forwards, "backwards": self.backwards,
            "seconds": self.seconds, "section": section, "report": report,
        })
    }

    pub(crate) fn text(&self) -> String {
        let lowest = self
            .classes
            .iter()
            .filter(|(_, robust)| robust.trials > 0)
            .min_by(|a, b| a.1.estimate().unwrap_or(1.0).total_cmp(&b.1.estimate().unwrap_or(1.0)));
        let lowest = lowest.map_or_else(String::new, |(class, robust)| {
            format!("\nThe weakest class is {class}: {:.2}%", 100.0 * robust.estimate().unwrap_or(0.0))
        });
        let curve: Vec<String> =
            self.curve.iter().map(|(eps, robust)| format!("\n  ε {eps}: {}", percent(robust))).collect();
        let warnings: Vec<String> = self.warnings.iter().map(|text| format!("\nWarning: {text}")).collect();
        format!(
            "{} within {} {} on {} {} examples:\nAccuracy {} without an attack, {} under it.{lowest}{}{}\n{} forward and {} \
             backward passes of one example, {:.1} s.",
            self.method,
            self.threat.norm(),
            self.threat.eps(),
            self.robust.trials,
            self.split,
            percent(&self.clean),
            percent(&self.robust),
            curve.concat(),
            warnings.concat(),
            self.forwards,
            self.backwards,
            self.seconds
        )
    }

    /// The section of the report.
    pub(crate) fn section(&self, sheet: Option<Gallery>) -> Section {
        let mut facts = vec![
            Fact::new("Attack", Value::text(self.method)),
            Fact::new("Ball", Value::text(format!("{} of radius {}", self.threat.norm(), self.threat.eps()))),
            Fact::new("Examples", Value::text(format!("{} of the {} split", self.robust.trials, self.split))),
            Fact::new("Accuracy without attack", share(&self.clean)),
            Fact::new("Robust accuracy", share(&self.robust)),
        ];
        if let Some(from) = &self.from {
            facts.push(Fact::new("Inputs found on", Value::text(from.clone())));
        }
        let settings =
            self.settings.iter().map(|(key, value)| Fact::new(key.clone(), Value::text(value.clone())));
        facts.extend(settings);
        let title =
            format!("Under attack: {} within {} {}", self.method, self.threat.norm(), self.threat.eps());
        let mut section = Section::new(self.name(), title)
            .paragraph(
                "The share of examples that the network still gets right when each value may be changed within the ball, \
                 with 95% intervals. It is an upper bound: a stronger attack may find more.",
            )
            .block(Block::Facts { facts });
        if self.curve.len() > 1 {
            let clean = [[0.0, self.clean.estimate().unwrap_or(f64::NAN)]];
            let points =
                self.curve.iter().map(|(eps, robust)| [short(*eps), robust.estimate().unwrap_or(f64::NAN)]);
            section = section.block(Figure {
                title: "Accuracy over the radius".to_owned(),
                caption: String::new(),
                chart: Chart::Line(LineChart {
                    x_label: format!("ε ({})", self.threat.norm()),
                    y_label: "accuracy".to_owned(),
                    log_x: false,
                    log_y: false,
                    series: vec![Series::new(self.method, clean.into_iter().chain(points))],
                }),
            });
        }
        let rows = self.classes.iter().map(|(class, robust)| {
            vec![Value::text(class.clone()), share(robust), Value::count(robust.trials)]
        });
        section = section.block(Table {
            columns: vec![Column::left("Class"), Column::right("Robust accuracy"), Column::right("Examples")],
            rows: rows.collect(),
            caption: "By class.".to_owned(),
        });
        for text in &self.warnings {
            section = section.block(Note { level: Level::Warning, text: text.clone() });
        }
        match sheet {
            Some(sheet) => section.block(sheet),
            None => section,
        }
    }
}

/// The first pictures that the attack changed: the clean one, the change magnified around grey, and what fools the
/// network, side by side.
pub(crate) fn sheet(
    found: &Adversarial,
    examples: &Examples,
    batch: Batch<'_>,
    view: &View,
) -> Option<Gallery> {
    let &[channels, height, width] = examples.shape() else { return None };
    let features = channels * height * width;
    let answers = view.answers(&found.inputs);
    let changed = |index: &usize| found.inputs[index * features..][..features] != *batch.input(*index);
    let chosen: Vec<usize> =
        (0..batch.len()).filter(|&index| found.fooled[index] && changed(&index)).take(PICTURES).collect();
    let pictures: Vec<Picture> = chosen
        .into_iter()
        .map(|index| {
            let (clean, moved) = (batch.input(index), &found.inputs[index * features..][..features]);
            let largest = Norm::Linf.distance(clean, moved).max(1e-9) as f32;
            let change: Vec<f32> =
                clean.iter().zip(moved).map(|(clean, moved)| 0.5 + 0.5 * (moved - clean) / largest).collect();
            let parts = [clean, &change, moved];
            let parts =
                parts.map(|values| crucible_data::Picture::from_unit([channels, height, width], values));
            let picture = side_by_side(&parts, GAP);
            let name = |class: u32| &view.classes[class as usize];
            let (truth, answer) = (name(batch.labels[index]), name(answers[index]));
            Picture {
                png: Png(picture.to_png()),
                alt: format!("Example {index}, a {truth}, the change, and the picture taken for a {answer}"),
                caption: format!("{truth} taken for {answer}"),
            }
        })
        .collect();
    if pictures.is_empty() {
        return None;
    }
    let caption = "Each: the picture, the change made as large as can be shown, and the picture that fools the network.";
    Some(Gallery { pictures, caption: caption.to_owned() })
}
