use crucible_data::{Column as DataColumn, Examples, InputFormat, Picture as Pixels, side_by_side};
use crucible_measure::{Interval, Proportion};
use crucible_privacy::extraction::{Inverted, Nearness};
use crucible_report::{Block, Column, Fact, Gallery, Picture, Png, Section, Table, Value};
use serde_json::{Value as Json, json};

use super::{CONFIDENCE, percent};

/// Columns between pictures.
const GAP: usize = 2;

/// What a method says: the section of the report, an object for machines, and lines for people.
type Told = (Section, Json, String);

/// What the network takes each class for.
pub(crate) struct Inversions<'a> {
    pub(crate) found: Vec<Inverted>,
    pub(crate) classes: &'a [String],
    pub(crate) format: &'a InputFormat,
}

impl Inversions<'_> {
    pub(crate) fn told(&self) -> Told {
        let lines: Vec<String> = self
            .found
            .iter()
            .map(|found| format!("  {}: {:.2}% sure", self.classes[found.class], 100.0 * found.probability))
            .collect();
        let text =
            format!("The input that the network is most sure of, for each class:\n{}", lines.join("\n"));
        let classes: Vec<Json> = self
            .found
            .iter()
            .map(|found| json!({ "class": self.classes[found.class], "probability": found.probability }))
            .collect();
        let section = Section::new("extract-inversion", "What the network takes each class for").paragraph(
            "Made from the network alone, by raising its confidence in a class (model inversion). Where the examples of a \
             class are many and differ, this looks like none of them; where they are alike, or one was learned by heart, it \
             gives them away.",
        );
        let section = match self.format {
            &InputFormat::Image { channels, height, width, .. } => {
                let pictures = self.found.iter().map(|found| {
                    let class = &self.classes[found.class];
                    let pixels = Pixels::from_unit([channels, height, width], &found.input);
                    Picture {
                        png: Png(pixels.to_png()),
                        alt: format!("What the network takes for {class}"),
                        caption: format!("{class}, {:.1}% sure", 100.0 * found.probability),
                    }
                });
                section.block(Gallery {
                    pictures: pictures.collect(),
                    caption: "One for each class.".to_owned(),
                })
            }
            InputFormat::Table { .. } | InputFormat::Text { .. } => section.block(self.table()),
        };
        (section, json!({ "classes": classes }), text)
    }

    /// A row for each class, of the cells that its input stands for.
    fn table(&self) -> Table {
        let columns = self.format.columns();
        let names = columns.iter().map(|(column, _)| Column::left(column.name()));
        let rows = self.found.iter().map(|found| {
            let cells = columns.iter().map(|(column, places)| cell(column, &found.input[places.clone()]));
            let class = Value::text(self.classes[found.class].clone());
            [class, Value::percent(found.probability, 2)].into_iter().chain(cells).collect()
        });
        Table {
            columns: [Column::left("Class"), Column::right("Sure")].into_iter().chain(names).collect(),
            rows: rows.collect(),
            caption: "Of a column of texts, the one that the input is nearest to.".to_owned(),
        }
    }
}

/// The cell that inputs, which need not be a row's, are nearest to.
fn cell(column: &DataColumn, inputs: &[f32]) -> Value {
    match column {
        DataColumn::Numeric { mean, std, .. } => Value::number(f64::from(inputs[0]) * std + mean, 3),
        DataColumn::Categorical { levels, .. } => {
            Value::text(levels.get(crucible_measure::argmax(inputs)).cloned().unwrap_or_default())
        }
    }
}

/// How near inputs that were made from the network are to training examples and to others.
pub(crate) struct Neighbours<'a> {
    pub(crate) made: Vec<Inverted>,
    pub(crate) found: Vec<Option<Nearness>>,
    pub(crate) classes: &'a [String],
    pub(crate) split: &'static str,
    pub(crate) train: &'a Examples,
    pub(crate) test: &'a Examples,
}

impl Neighbours<'_> {
    pub(crate) fn told(&self) -> Told {
        let all: Vec<&Nearness> = self.found.iter().flatten().collect();
        let nearer = Proportion {
            successes: all.iter().filter(|near| near.train < near.test).count() as u64,
            trials: all.len() as u64,
        };
        let ratio = mean_ratio(&all);
        let by_class: Vec<(&String, f64, usize)> = (0u32..)
            .zip(self.classes)
            .map(|(class, name)| {
                let own: Vec<&Nearness> = all.iter().filter(|near| near.class == class).copied().collect();
                (name, mean_ratio(&own), own.len())
            })
            .collect();
        let sentence = format!(
            "{} of {} inputs made from the network are nearer to training examples than to {} examples; the distances' mean \
             ratio is {ratio:.3}.",
            nearer.successes, nearer.trials, self.split
        );
        let rows = by_class.iter().map(|(name, ratio, count)| {
            vec![Value::text((*name).clone()), Value::number(*ratio, 3), Value::count(*count as u64)]
        });
        let table = Table {
            columns: vec![Column::left("Class"), Column::right("Ratio"), Column::right("Inputs")],
            rows: rows.collect(),
            caption: "By class: the geometric mean of the distance to the nearest training example over that to the nearest \
                      unseen one."
                .to_owned(),
        };
        let section = Section::new("extract-nearest-neighbour", "Nearest neighbours of inputs made from the network")
            .paragraph(format!(
                "{sentence} A ratio below 1 says that training examples are nearer. So that the larger split has no \
                 advantage, the nearest of as many examples of each split is meant, on average over all choices of so many: \
                 one memorised example among many lowers it only a little. Inputs of a class are alike, so that their number \
                 is less evidence than it seems."
            ))
            .block(table);
        let section = match self.gallery() {
            Some(gallery) => section.block(gallery),
            None => section,
        };
        let classes: Vec<Json> = by_class
            .iter()
            .map(|(name, ratio, count)| json!({ "class": name, "ratio": ratio, "count": count }))
            .collect();
        let object = json!({
            "split": self.split, "made": nearer.trials, "nearer": nearer.successes, "ratio": ratio, "classes": classes,
        });
        (section, object, sentence)
    }

    /// Of each class the input of the lowest ratio, beside its nearest examples.
    fn gallery(&self) -> Option<Gallery> {
        let &[channels, height, width] = self.train.shape() else { return None };
        let pictures = self.classes.iter().enumerate().filter_map(|(class, name)| {
            let own = self.made.iter().zip(&self.found).filter(|(made, _)| made.class == class);
            let own = own.filter_map(|(made, near)| Some((made, near.as_ref()?)));
            let (made, near) = own.min_by(|a, b| a.1.ratio().total_cmp(&b.1.ratio()))?;
            let parts = [
                Pixels::from_unit([channels, height, width], &made.input),
                self.train.picture(near.nearest_train)?,
                self.test.picture(near.nearest_test)?,
            ];
            Some(Picture {
                png: Png(side_by_side(&parts, GAP).to_png()),
                alt: format!(
                    "An input made for {name}, the nearest training example and the nearest unseen one"
                ),
                caption: format!("{name}, ratio {:.3}", near.ratio()),
            })
        });
        let pictures: Vec<Picture> = pictures.collect();
        let caption =
            "Each: the input, the nearest training example of its class, and the nearest unseen one.";
        (!pictures.is_empty()).then(|| Gallery { pictures, caption: caption.to_owned() })
    }
}

/// The geometric mean; NaN of none.
fn mean_ratio(all: &[&Nearness]) -> f64 {
    (all.iter().map(|near| near.ratio().ln()).sum::<f64>() / all.len() as f64).exp()
}

/// How often a column was guessed right.
pub(crate) struct Attributes {
    pub(crate) column: String,
    /// How many values it has.
    pub(crate) values: usize,
    /// The most frequent of them in training.
    pub(crate) most: String,
    pub(crate) split: &'static str,
    pub(crate) train: Proportion,
    pub(crate) test: Proportion,
    /// By always guessing the most frequent value.
    pub(crate) train_base: Proportion,
    pub(crate) test_base: Proportion,
}

impl Attributes {
    pub(crate) fn told(&self) -> Told {
        let Self { column, values, most, split, train, test, train_base, test_base } = self;
        let text = format!(
            "`{column}`, of {values} values, guessed from the network and the label:\n  {} right of {} training examples; \
             always `{most}`: {}\n  {} right of {} {split} examples; always `{most}`: {}",
            percent(train),
            train.trials,
            percent(train_base),
            percent(test),
            test.trials,
            percent(test_base)
        );
        let ends = |share: &Proportion| {
            let Interval { low, high } = share.interval(CONFIDENCE);
            [low, high]
        };
        let value = |share: &Proportion| Value::percent_interval(share.estimate(), ends(share), 2);
        let advantage = train.estimate().zip(test.estimate()).map(|(train, test)| train - test);
        let row = |name: &str, guessed: &Proportion, base: &Proportion| {
            vec![Value::text(name), value(guessed), value(base), Value::count(guessed.trials)]
        };
        let section = Section::new(format!("extract-attribute-{column}"), format!("Guessing `{column}` from the network"))
            .paragraph(
                "Who knows an example but for this column, and its label, guesses the value with which the network's loss is \
                 least. To be right more often than by the most frequent value says that the network knows how column and \
                 label hang together; to be right more often for training examples than for unseen ones says that it knows \
                 the examples. Intervals are of 95%.",
            )
            .block(Block::Facts {
                facts: vec![
                    Fact::new("Values of the column", Value::count(*values as u64)),
                    Fact::new("The most frequent", Value::text(most.clone())),
                    Fact::new(
                        "Advantage on training examples",
                        advantage.map_or(Value::Missing, |advantage| Value::percent(advantage, 2)),
                    ),
                ],
            })
            .block(Table {
                columns: vec![
                    Column::left("Examples"),
                    Column::right("Guessed right"),
                    Column::right("Always the most frequent"),
                    Column::right("Number"),
                ],
                rows: vec![row("train", train, train_base), row(split, test, test_base)],
                caption: String::new(),
            });
        let object = json!({
            "column": column, "values": values, "split": split,
            "train_accuracy": train.estimate(), "train_accuracy_interval": ends(train),
            "test_accuracy": test.estimate(), "test_accuracy_interval": ends(test),
            "train_baseline": train_base.estimate(), "test_baseline": test_base.estimate(), "advantage": advantage,
        });
        (section, object, text)
    }
}
