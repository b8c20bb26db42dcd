use crucible_data::{Examples, Picture as Pixels, side_by_side};
use crucible_report::{
    Bar, BarChart, Block, Chart, Fact, Figure, Gallery, Picture, Png, Section, Value, Verdict,
};
use crucible_robust::backdoor::{DetectorConfig, Inspection, Reconstruction};
use serde_json::json;

use crate::settings::settings;

/// Columns between pictures.
const GAP: usize = 2;
/// Pictures that are held to be poisoned, of each detector.
const PICTURES: usize = 24;
/// Classes that are shown, of many those with the highest scores.
const CLASSES: usize = 24;

/// What a detector found, and in which time.
pub(crate) struct Found {
    pub(crate) config: DetectorConfig,
    pub(crate) inspection: Inspection,
    pub(crate) seconds: f64,
}

/// What detectors found in a run.
pub(crate) struct Detection<'a> {
    /// What was asked for.
    pub(crate) name: &'a str,
    pub(crate) found: Vec<Found>,
    pub(crate) train: &'a Examples,
    /// Training examples that were looked at.
    pub(crate) count: usize,
    pub(crate) classes: &'a [String],
}

impl Detection<'_> {
    /// The name of the section.
    pub(crate) fn name(&self) -> String {
        format!("backdoors-{}", self.name)
    }

    /// The class that a detector flags.
    fn flag(&self, found: &Found) -> Option<&str> {
        found.inspection.flagged.map(|class| self.classes[class as usize].as_str())
    }

    /// Every class that some detector flags.
    pub(crate) fn flagged(&self) -> Vec<&str> {
        let flagged = |class: &u32| self.found.iter().any(|found| found.inspection.flagged == Some(*class));
        let classes = (0..self.classes.len() as u32).filter(flagged);
        classes.map(|class| self.classes[class as usize].as_str()).collect()
    }

    /// The poisoned ones of the examples that were looked at; none where nobody knows.
    fn poisoned(&self) -> Option<&[usize]> {
        let poisoned = self.train.poisoned();
        let seen = poisoned.partition_point(|&index| index < self.count);
        (!poisoned.is_empty()).then(|| &poisoned[..seen])
    }

    /// How many of the suspicious examples are poisoned, where that is known.
    fn hits(&self, found: &Found) -> Option<usize> {
        let poisoned = self.poisoned()?;
        let suspicious = found.inspection.suspicious.iter();
        Some(suspicious.filter(|index| poisoned.binary_search(index).is_ok()).count())
    }

    /// The object of one detector for machines.
    pub(crate) fn object(&self, found: &Found) -> serde_json::Value {
        let Inspection { scores, evidence, suspicious, .. } = &found.inspection;
        let scores: serde_json::Map<_, _> =
            self.classes.iter().zip(scores).map(|(class, score)| (class.clone(), json!(score))).collect();
        let mut object = json!({
            "detector": found.config.name(), "flagged": self.flag(found), "scores": scores,
            "suspicious": suspicious, "evidence": evidence, "seconds": found.seconds,
        });
        if let (Some(hits), Some(poisoned)) = (self.hits(found), self.poisoned()) {
            object["suspicious_poisoned"] = json!(hits);
            object["poisoned"] = json!(poisoned.len());
        }
        object
    }

    /// How many examples are suspicious, and how many of them rightly so.
    fn suspicion(&self, found: &Found) -> Option<String> {
        let count = found.inspection.suspicious.len();
        let known = match (self.hits(found), self.poisoned()) {
            (Some(hits), Some(poisoned)) => {
                format!("; {hits} of them are poisoned, of {} that are", poisoned.len())
            }
            _ => String::new(),
        };
        (count > 0).then(|| format!("{count} training examples are suspicious{known}"))
    }

    pub(crate) fn text(&self, found: &Found) -> String {
        let suspicion = self.suspicion(found).map_or_else(String::new, |text| format!("\n  {text}"));
        format!(
            "{}: {}\n  {}{suspicion}\n  {:.1} s",
            found.config.name(),
            self.flag(found)
                .map_or_else(|| "nothing flagged".to_owned(), |class| format!("class {class} flagged")),
            found.inspection.evidence,
            found.seconds
        )
    }

    /// The judgement in one sentence.
    pub(crate) fn verdict(&self) -> String {
        let flagged = self.flagged();
        if flagged.is_empty() {
            return format!("No sign of a backdoor in {} training examples.", self.count);
        }
        let by = |class: &str| {
            let names = self.found.iter().filter(|found| self.flag(found) == Some(class));
            let names: Vec<&str> = names.map(|found| found.config.name()).collect();
            format!("class {class} is held to be the target of a backdoor by {}", names.join(", "))
        };
        let all: Vec<String> = flagged.into_iter().map(by).collect();
        format!("Signs of a backdoor in {} training examples: {}.", self.count, all.join("; "))
    }

    /// The section of the report.
    pub(crate) fn section(&self) -> Section {
        let names: Vec<&str> = self.found.iter().map(|found| found.config.name()).collect();
        let mut section = Section::new(self.name(), format!("Backdoors: {}", names.join(", "))).paragraph(
            "Whether the network answers with one class as soon as a trigger is in the picture, by the training examples \
             that would have taught it so and by the smallest trigger that would do. Where nothing is flagged there may \
             still be a backdoor of another kind.",
        );
        if self.classes.iter().enumerate().any(|(index, name)| *name != index.to_string()) {
            section = section.paragraph(format!(
                "The evidence calls classes by their number: {}.",
                self.classes
                    .iter()
                    .enumerate()
                    .map(|(i, name)| format!("{i} is {name}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ));
        }
        section.verdict = Some(Verdict {
            outcome: self.flagged().is_empty().into(),
            text: self.verdict(),
            measured: None,
            limit: None,
        });
        for found in &self.found {
            section = section.block(Block::Facts { facts: self.facts(found) }).block(self.bars(found));
            let galleries = [self.suspects(found), self.triggers(found)].into_iter().flatten();
            section = galleries.fold(section, Section::block);
        }
        section
    }

    fn facts(&self, found: &Found) -> Vec<Fact> {
        let flag = self.flag(found).map_or_else(|| "none".to_owned(), |class| format!("class {class}"));
        let mut facts = vec![
            Fact::new("Detector", Value::text(found.config.name())),
            Fact::new("Flagged", Value::text(flag)),
            Fact::new("Evidence", Value::text(found.inspection.evidence.clone())),
        ];
        facts.extend(self.suspicion(found).map(|text| Fact::new("Examples", Value::text(text))));
        let settings = settings(&found.config).into_iter();
        facts.extend(settings.map(|(key, value)| Fact::new(key, Value::text(value))));
        facts
    }

    /// The classes to show, rising.
    fn shown(&self, found: &Found) -> Vec<usize> {
        let score = |class: usize| found.inspection.scores[class].unwrap_or(f64::NEG_INFINITY);
        let mut order: Vec<usize> = (0..self.classes.len()).collect();
        order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
        order.truncate(CLASSES);
        order.sort_unstable();
        order
    }

    fn bars(&self, found: &Found) -> Figure {
        let bar = |class: usize| Bar {
            label: self.classes[class].clone(),
            value: found.inspection.scores[class].map_or(Value::Missing, |score| Value::number(score, 2)),
        };
        Figure {
            title: format!("{}: how much each class looks like a target", found.config.name()),
            caption: String::new(),
            chart: Chart::Bar(BarChart {
                value_label: "score".to_owned(),
                bars: self.shown(found).into_iter().map(bar).collect(),
            }),
        }
    }

    /// The first suspicious training pictures.
    fn suspects(&self, found: &Found) -> Option<Gallery> {
        let suspicious = &found.inspection.suspicious;
        let labels = self.train.classes()?;
        let pictures = suspicious.iter().take(PICTURES).filter_map(|&index| {
            let known = self.poisoned().map(|poisoned| match poisoned.binary_search(&index) {
                Ok(_) => ", poisoned",
                Err(_) => ", not poisoned",
            });
            let caption = format!(
                "#{index}, labelled {}{}",
                self.classes[labels[index] as usize],
                known.unwrap_or_default()
            );
            Some(Picture {
                png: Png(self.train.picture(index)?.to_png()),
                alt: format!("Training example {caption}"),
                caption,
            })
        });
        let pictures: Vec<Picture> = pictures.collect();
        let caption = format!(
            "{}: {} of {} suspicious training pictures.",
            found.config.name(),
            pictures.len(),
            suspicious.len()
        );
        (!pictures.is_empty()).then_some(Gallery { pictures, caption })
    }

    /// The reconstructed triggers.
    fn triggers(&self, found: &Found) -> Option<Gallery> {
        let &[channels, height, width] = self.train.shape() else { return None };
        let picture = |class: usize| {
            let Reconstruction { mask, pattern, success } = found.inspection.triggers.get(class)?;
            let mask: Vec<f32> = mask.iter().cycle().take(pattern.len()).copied().collect();
            let painted: Vec<f32> = mask.iter().zip(pattern).map(|(mask, pattern)| mask * pattern).collect();
            let parts = [&mask, &painted].map(|values| Pixels::from_unit([channels, height, width], values));
            let size: f32 = mask.iter().sum::<f32>() / channels as f32;
            let caption = format!("{}: {size:.1} pixels turn {:.0}%", self.classes[class], 100.0 * success);
            Some(Picture {
                png: Png(side_by_side(&parts, GAP).to_png()),
                alt: format!("The mask and the trigger for class {caption} of other pictures"),
                caption,
            })
        };
        let pictures: Vec<Picture> = self.shown(found).into_iter().filter_map(picture).collect();
        let caption =
            "Each: which pixels the smallest trigger found for the class covers, and what it puts there.";
        (!pictures.is_empty()).then(|| Gallery { pictures, caption: caption.to_owned() })
    }
}
