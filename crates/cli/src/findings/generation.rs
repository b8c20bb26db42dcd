//! What a generator's pictures are like.

use std::path::Path;

use crucible_data::{Examples, Picture as Pixels, side_by_side};
use crucible_measure::{
    Proportion,
    generation::{ClassCoverage, Copying, KernelDistance, Prdc},
};
use crucible_report::{Bar, BarChart, Block, Chart, Fact, Figure, Gallery, Picture, Png, Section, Value};
use serde_json::json;

use super::share;

/// The section's name.
pub(crate) const SECTION: &str = "generation";

/// Every number, with what it depends on.
pub(crate) struct Generation {
    /// Whose features are compared.
    pub(crate) extractor: String,
    /// How often that classifier is right on real pictures.
    pub(crate) accuracy: Proportion,
    pub(crate) split: &'static str,
    /// Generated pictures.
    pub(crate) count: usize,
    /// Real pictures that they are held against.
    pub(crate) real: usize,
    pub(crate) frechet: Option<f64>,
    /// Between two halves of the real pictures.
    pub(crate) halves: Option<f64>,
    pub(crate) kernel: Option<KernelDistance>,
    pub(crate) prdc: Option<Prdc>,
    /// Pictures of either kind that this looked at.
    pub(crate) pairs: usize,
    pub(crate) classes: Option<ClassCoverage>,
    pub(crate) names: Vec<String>,
    pub(crate) copying: Option<Copying>,
    /// Training pictures that nearest ones were looked for among.
    pub(crate) training: usize,
    /// The nearest training picture of each of the first samples.
    pub(crate) nearest: Vec<usize>,
}

impl Generation {
    /// Least and largest share of a class.
    fn balance(&self) -> Option<[f64; 2]> {
        let classes = self.classes.as_ref()?;
        let shares = (0..classes.counts.len()).filter_map(|class| classes.share(class).estimate());
        let (low, high) =
            shares.fold((1.0f64, 0.0f64), |(low, high), share| (low.min(share), high.max(share)));
        Some([low, high])
    }

    pub(crate) fn object(&self, report: Option<&Path>) -> serde_json::Value {
        let classes = self.classes.as_ref();
        json!({
            "extractor": self.extractor, "extractor_accuracy": self.accuracy.estimate(), "resize": "none",
            "samples": self.count, "real": self.real, "split": self.split, "frechet_distance": self.frechet,
            "frechet_distance_of_halves": self.halves, "kernel_distance": self.kernel, "prdc": self.prdc,
            "prdc_samples": self.pairs, "confident": classes.and_then(|classes| classes.confident.estimate()),
            "as_asked": classes.and_then(|classes| classes.as_asked?.estimate()),
            "class_counts": classes.map(|classes| &classes.counts), "copying": self.copying, "report": report,
        })
    }

    pub(crate) fn text(&self) -> String {
        let number =
            |value: Option<f64>| value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.4}"));
        let percent = |value: Option<f64>| {
            value.map_or_else(|| "undefined".to_owned(), |value| format!("{:.2}%", 100.0 * value))
        };
        let mut out = format!(
            "{} pictures against {} real ones of the {} split, not resized, by the {} (right on {} of them)\n",
            self.count,
            self.real,
            self.split,
            self.extractor,
            percent(self.accuracy.estimate())
        );
        out += &format!(
            "Fréchet distance     {} (two halves of the real ones: {})\n",
            number(self.frechet),
            number(self.halves)
        );
        if let Some(KernelDistance { mean, deviation }) = self.kernel {
            out += &format!("Kernel distance      {mean:.4} ± {deviation:.4} over subsets\n");
        }
        if let Some(Prdc { precision, recall, density, coverage }) = self.prdc {
            out += &format!(
                "Precision {precision:.3}, recall {recall:.3}, density {density:.3}, coverage {coverage:.3}, of {} of each\n",
                self.pairs
            );
        }
        if let (Some(classes), Some([low, high])) = (&self.classes, self.balance()) {
            out += &format!(
                "Clear pictures       {} have a class of over 90%; classes between {:.1}% and {:.1}%\n",
                percent(classes.confident.estimate()),
                100.0 * low,
                100.0 * high
            );
            if let Some(asked) = classes.as_asked {
                out += &format!("Of the class asked   {}\n", percent(asked.estimate()));
            }
        }
        if let Some(copying) = self.copying {
            out += &format!(
                "Copies               nearer to a training picture than a held-out one in {:.1}% of pairs (50% where nothing is copied)\n",
                100.0 * copying.nearer.value
            );
        }
        out.trim_end().to_owned()
    }

    /// `samples` are the first pictures; their neighbours are found in `train`.
    pub(crate) fn section(&self, samples: &[Pixels], train: &Examples) -> Section {
        let number = |value: Option<f64>| value.map_or(Value::Missing, |value| Value::number(value, 4));
        let mut facts = vec![
            Fact::new("Features", Value::text(&self.extractor)),
            Fact::new("Its accuracy on real pictures", share(&self.accuracy)),
            Fact::new("Generated pictures", Value::count(self.count as u64)),
            Fact::new(
                "Real pictures",
                Value::text(format!("{} of the {} split, not resized", self.real, self.split)),
            ),
            Fact::new("Fréchet distance", number(self.frechet)),
            Fact::new("Between halves of the real ones", number(self.halves)),
        ];
        if let Some(KernelDistance { mean, deviation }) = self.kernel {
            facts.push(Fact::new(
                "Kernel distance",
                Value::interval(Some(mean), [mean - deviation, mean + deviation], 4),
            ));
        }
        if let Some(Prdc { precision, recall, density, coverage }) = self.prdc {
            let named =
                [("Precision", precision), ("Recall", recall), ("Density", density), ("Coverage", coverage)];
            facts.extend(named.map(|(name, value)| Fact::new(name, Value::number(value, 3))));
        }
        if let Some(classes) = &self.classes {
            facts.push(Fact::new("Clear pictures", share(&classes.confident)));
            facts.extend(
                classes.as_asked.as_ref().map(|asked| Fact::new("Of the class asked for", share(asked))),
            );
        }
        if let Some(copying) = self.copying {
            let ends = copying.nearer.interval.map(|interval| [interval.low, interval.high]);
            let value = copying.nearer.value;
            let value =
                ends.map_or(Value::percent(value, 1), |ends| Value::percent_interval(Some(value), ends, 1));
            facts.push(Fact::new("Nearer to training pictures than held-out ones", value));
        }
        let section = Section::new(SECTION, "What its pictures are like")
            .paragraph(
                "All numbers depend on whose features are compared, and on how many pictures there are: compare them only at \
                 equal ones. A Fréchet or kernel distance near that between two halves of the real pictures is as good as it \
                 gets. Precision is how many pictures are plausible, recall how much of reality is met. Where nothing is \
                 copied, generated pictures are nearer to a training picture than held-out ones in half of all pairs.",
            )
            .block(Block::Facts { facts });
        let section = match self.bars() {
            Some(bars) => section.block(bars),
            None => section,
        };
        section.block(self.pairs_of(samples, train))
    }

    fn bars(&self) -> Option<Figure> {
        let classes = self.classes.as_ref()?;
        let bar = |(class, name): (usize, &String)| Bar {
            label: name.clone(),
            value: share(&classes.share(class)),
        };
        Some(Figure {
            title: "Pictures by the class that the classifier sees".to_owned(),
            caption: String::new(),
            chart: Chart::Bar(BarChart {
                value_label: "share of the pictures".to_owned(),
                bars: self.names.iter().enumerate().map(bar).collect(),
            }),
        })
    }

    /// Each sample beside the training picture that is nearest by its features.
    fn pairs_of(&self, samples: &[Pixels], train: &Examples) -> Gallery {
        let pair = |(number, (sample, index)): (usize, (&Pixels, &usize))| {
            let both = side_by_side(&[sample.clone(), train.picture(*index)?], 1);
            Some(Picture {
                png: Png(both.to_png()),
                alt: format!("Picture {number} and training picture {index}"),
                caption: format!("{number} and training picture {index}"),
            })
        };
        Gallery {
            pictures: samples.iter().zip(&self.nearest).enumerate().filter_map(pair).collect(),
            caption: format!(
                "Pictures, left, and the nearest of {} training pictures by their features",
                self.training
            ),
        }
    }
}
