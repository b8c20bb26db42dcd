use std::path::Path;

use crucible_data::{Examples, InputFormat};
use crucible_measure::{Interval, Proportion, Roc};
use crucible_report::{
    Block, Chart, Column, Fact, Figure, Gallery, Level, LineChart, Note, Picture, Png, Section, Series,
    Table, Value,
};
use serde_json::json;

use super::{CONFIDENCE, row};

/// The section's name.
pub(crate) const SECTION: &str = "membership";

/// The shares of false alarms at which it is told what is found, by their names for machines and for people.
const RATES: [(f64, &str, &str); 2] = [(0.001, "0.001", "0.1%"), (0.01, "0.01", "1%")];
/// Training examples that are shown.
const SHOWN: usize = 16;
/// Points of a curve.
const POINTS: usize = 60;

/// What an attack found.
pub(crate) struct Found {
    pub(crate) attack: &'static str,
    pub(crate) about: &'static str,
    pub(crate) roc: Roc,
    /// Its scores of the training examples.
    pub(crate) scores: Vec<f64>,
    /// The shadow models that it went by.
    pub(crate) shadows: usize,
}

impl Found {
    /// Of the training examples, those that are found at that share of false alarms.
    fn at(&self, rate: f64) -> Proportion {
        self.roc.at_false_positive_rate(rate).true_positives
    }

    fn auc_value(&self) -> Value {
        match self.roc.auc_interval(CONFIDENCE) {
            Some(interval) => Value::interval(Some(self.roc.auc()), interval.into(), 3),
            None => Value::number(self.roc.auc(), 3),
        }
    }
}

/// What attacks tell of the examples that a run was trained on.
pub(crate) struct Membership<'a> {
    /// The strongest one last.
    pub(crate) found: Vec<Found>,
    /// The training examples that are attacked, as the scores are ordered.
    pub(crate) members: &'a [usize],
    pub(crate) train: &'a Examples,
    /// How many examples the run was not trained on.
    pub(crate) others: usize,
    pub(crate) shadows: usize,
    /// Examples that a shadow model is trained on, about.
    pub(crate) side: usize,
    pub(crate) format: &'a InputFormat,
    pub(crate) classes: &'a [String],
    /// Whether the outputs were not trained as scores of classes.
    pub(crate) unscored: bool,
}

impl Membership<'_> {
    fn strongest(&self) -> &Found {
        self.found.last().expect("at least one attack is made")
    }

    /// What makes the result worth less than it seems.
    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for (rate, _, name) in RATES {
            if (self.others as f64) * rate < 1.0 {
                warnings.push(format!(
                    "{name} of {} examples that the run was not trained on is less than one: what is found at {name} false \
                     alarms says nothing of so few; it takes at least {:.0} such examples",
                    self.others,
                    (1.0 / rate).ceil()
                ));
            }
        }
        if self.shadows > 0 && self.side < self.train.len() {
            warnings.push(format!(
                "the shadow models are trained on about {} examples each and the run on {}, for there are no more that it \
                 was not trained on: they are not quite like it, and attacks that go by them may find less than they could",
                self.side,
                self.train.len()
            ));
        }
        if self.unscored {
            warnings.push(
                "the run's loss reads its outputs as numbers, not as scores of classes: confidences made of them are only \
                 an order"
                    .to_owned(),
            );
        }
        warnings
    }

    /// The object of one attack for machines.
    pub(crate) fn object(&self, found: &Found, section: &Path, report: Option<&Path>) -> serde_json::Value {
        let interval = |interval: Interval| [interval.low, interval.high];
        let rates = |value: &dyn Fn(Proportion) -> serde_json::Value| -> serde_json::Map<_, _> {
            RATES.iter().map(|(rate, name, _)| ((*name).to_owned(), value(found.at(*rate)))).collect()
        };
        json!({
            "attack": found.attack,
            "auc": found.roc.auc(), "auc_interval": found.roc.auc_interval(CONFIDENCE).map(interval),
            "tpr_at_fpr": rates(&|at| json!(at.estimate())),
            "tpr_at_fpr_interval": rates(&|at| json!(interval(at.exact_interval(CONFIDENCE)))),
            "members": self.members.len(), "nonmembers": self.others, "shadows": found.shadows,
            "warnings": self.warnings(), "section": section, "report": report,
        })
    }

    pub(crate) fn text(&self) -> String {
        let mut lines = vec![
            format!(
                "Membership of {} training examples among {} others, 95% intervals:",
                self.members.len(),
                self.others
            ),
            format!(
                "  {:<16} {:<24} {:<26} found at 1% false alarms",
                "attack", "AUC", "found at 0.1% false alarms"
            ),
        ];
        for found in &self.found {
            let auc = match found.roc.auc_interval(CONFIDENCE) {
                Some(Interval { low, high }) => format!("{:.3} ({low:.3} to {high:.3})", found.roc.auc()),
                None => format!("{:.3}", found.roc.auc()),
            };
            let [few, more] = RATES.map(|(rate, ..)| share(&found.at(rate)));
            lines.push(format!("  {:<16} {auc:<24} {few:<26} {more}", found.attack));
        }
        lines.push(self.sentence());
        lines.extend(self.warnings().into_iter().map(|text| format!("Warning: {text}")));
        lines.join("\n")
    }

    /// What it means.
    fn sentence(&self) -> String {
        let found = self.strongest();
        let (auc, name) = (found.roc.auc(), found.attack);
        let tells = found.roc.auc_interval(CONFIDENCE).map_or(auc > 0.5, |interval| interval.low > 0.5);
        if !tells {
            return format!(
                "{name} does not tell the run's training examples from others better than guessing would; a stronger attack \
                 may."
            );
        }
        format!(
            "Of a training example and another one, {name} takes the right one for the training example in {:.1}% of cases, \
             where guessing would in 50%. With one false alarm in a hundred other examples it finds {:.1}% of the training \
             examples: the run gives that much away to whoever may ask it and train models like it.",
            100.0 * auc,
            100.0 * found.at(0.01).estimate().unwrap_or(0.0)
        )
    }

    /// The section of the report.
    pub(crate) fn section(&self) -> Section {
        let models = match self.shadows {
            0 => "none".to_owned(),
            count => format!("{count}, each trained on about {} examples", self.side),
        };
        let facts = vec![
            Fact::new("Training examples attacked", Value::count(self.members.len() as u64)),
            Fact::new("Examples that the run was not trained on", Value::count(self.others as u64)),
            Fact::new("Shadow models", Value::text(models)),
        ];
        let mut section = Section::new(SECTION, "Which examples it was trained on")
            .paragraph(
                "Membership inference: telling from the network's answers which examples it was trained on. Each attack gives \
                 every example a score, and calls those training examples whose score is high. Shadow models are networks \
                 that were trained as this one was, each on its own random half of the examples, so that it is known how \
                 answers change when an example is learned from.",
            )
            .paragraph(self.sentence())
            .block(Block::Facts { facts })
            .block(self.table())
            .block(self.figure());
        for text in self.warnings() {
            section = section.block(Note { level: Level::Warning, text });
        }
        if let Some(block) = self.exposed() {
            section = section.block(block);
        }
        section
    }

    fn table(&self) -> Table {
        let rows = self.found.iter().rev().map(|found| {
            let at = |(rate, ..): (f64, &str, &str)| {
                let at = found.at(rate);
                Value::percent_interval(at.estimate(), at.exact_interval(CONFIDENCE).into(), 2)
            };
            let own = [Value::text(found.attack), found.auc_value()].into_iter();
            own.chain(RATES.map(at)).chain([Value::text(found.about)]).collect()
        });
        let found_at = RATES.map(|(_, _, name)| Column::right(format!("Found at {name} false alarms")));
        let columns = [Column::left("Attack"), Column::right("Area under the curve")].into_iter();
        Table {
            columns: columns.chain(found_at).chain([Column::left("What it goes by")]).collect(),
            rows: rows.collect(),
            caption: "With 95% intervals. An area of 0.5 tells nothing. False alarms are other examples that are taken for \
                      training examples; the intervals take the threshold as given."
                .to_owned(),
        }
    }

    /// The curves on logarithmic axes, where few false alarms can be seen.
    fn figure(&self) -> Figure {
        let counts = counts(self.others);
        let rates = || counts.iter().map(|count| *count as f64 / self.others as f64);
        let curves = self.found.iter().rev().map(|found| {
            let points = rates().map(|rate| [rate, found.at(rate).estimate().unwrap_or(f64::NAN)]);
            Series::new(found.attack, points)
        });
        Figure {
            title: "What is found over the false alarms".to_owned(),
            caption: "Where a line begins late, nothing is found at fewer false alarms.".to_owned(),
            chart: Chart::Line(LineChart {
                x_label: "share of other examples taken for training examples".to_owned(),
                y_label: "share of training examples found".to_owned(),
                log_x: true,
                log_y: true,
                series: curves.chain([Series::new("guessing", rates().map(|rate| [rate, rate]))]).collect(),
            }),
        }
    }

    /// The training examples with the highest scores; none where so many share the highest that these are no choice.
    fn exposed(&self) -> Option<Block> {
        let Found { attack, scores, .. } = self.strongest();
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
        let last = scores[*order.get(SHOWN.min(order.len()) - 1)?];
        if order.get(SHOWN).is_some_and(|&next| scores[next] == last) {
            return None;
        }
        order.truncate(SHOWN);
        let caption =
            format!("The training examples that {attack} is the most certain of, with their scores.");
        let examples = order.into_iter().map(|place| (self.members[place], scores[place]));
        Some(match self.format {
            InputFormat::Image { .. } => self.gallery(examples, caption).into(),
            InputFormat::Table { .. } | InputFormat::Text { .. } => self.rows(examples, caption).into(),
        })
    }

    fn class(&self, index: usize) -> &str {
        self.train.classes().map_or("", |classes| &self.classes[classes[index] as usize])
    }

    fn gallery(&self, examples: impl Iterator<Item = (usize, f64)>, caption: String) -> Gallery {
        let picture = |(index, score): (usize, f64)| {
            let class = self.class(index);
            Some(Picture {
                png: Png(self.train.picture(index)?.to_png()),
                alt: format!("Training example {index}, of class {class}"),
                caption: format!("train#{index}, {class}: {score:.2}"),
            })
        };
        Gallery { pictures: examples.filter_map(picture).collect(), caption }
    }

    fn rows(&self, examples: impl Iterator<Item = (usize, f64)>, caption: String) -> Table {
        let row = |(index, score): (usize, f64)| {
            let own = [
                Value::text(format!("train#{index}")),
                Value::text(self.class(index)),
                Value::number(score, 2),
            ];
            own.into_iter().chain(row::cells(self.format, self.train, index)).collect()
        };
        let own = [Column::left("Example"), Column::left("Class"), Column::right("Score")];
        Table {
            columns: own.into_iter().chain(row::headings(self.format)).collect(),
            rows: examples.map(row).collect(),
            caption,
        }
    }
}

/// `12.34% (11.20% to 13.55%)`
fn share(found: &Proportion) -> String {
    let Interval { low, high } = found.exact_interval(CONFIDENCE);
    let estimate = found.estimate().unwrap_or(f64::NAN);
    format!("{:.2}% ({:.2}% to {:.2}%)", 100.0 * estimate, 100.0 * low, 100.0 * high)
}

/// Numbers of false alarms from 1 to all, about evenly spaced on a logarithmic axis, each once.
fn counts(all: usize) -> Vec<usize> {
    let exponent = |point: usize| point as f64 / (POINTS - 1) as f64;
    let mut counts: Vec<usize> =
        (0..POINTS).map(|point| (all as f64).powf(exponent(point)).round() as usize).collect();
    counts.dedup();
    counts
}
