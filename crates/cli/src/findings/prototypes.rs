use crucible_data::{Examples, InputFormat, Picture, grid};
use crucible_explain::prototypes::{Answered, Portrait};
use crucible_report::{Column as Heading, Gallery, Png, Section, Table, Value};
use serde_json::json;

use super::row;

/// The examples that explain each class.
pub(crate) struct Portraits<'a> {
    pub(crate) split: &'static str,
    pub(crate) examples: &'a Examples,
    pub(crate) format: &'a InputFormat,
    pub(crate) classes: &'a [String],
    /// The classes that are shown, and what is shown of them.
    pub(crate) portraits: Vec<(usize, Portrait)>,
    /// Examples of each kind at most.
    pub(crate) per_class: usize,
}

/// The kinds of examples: a name for machines, one for people, and which they are.
type Kind = (&'static str, &'static str, fn(&Portrait) -> &[Answered]);

const KINDS: [Kind; 5] = [
    ("prototypes", "prototype", |portrait| &portrait.prototypes),
    ("criticisms", "criticism", |portrait| &portrait.criticisms),
    ("counter_examples", "counter-example", |portrait| &portrait.counter_examples),
    ("most_certain", "most certain", |portrait| &portrait.most_certain),
    ("least_certain", "least certain", |portrait| &portrait.least_certain),
];

impl Portraits<'_> {
    fn truth(&self, answered: &Answered) -> usize {
        self.examples.classes().map_or(0, |classes| classes[answered.index] as usize)
    }

    fn name(&self, answered: &Answered) -> String {
        format!("{}#{}", self.split, answered.index)
    }

    /// One object for each class.
    pub(crate) fn objects(&self) -> Vec<serde_json::Value> {
        let example = |answered: &Answered| {
            json!({
                "example": self.name(answered), "class": self.classes[self.truth(answered)],
                "answer": self.classes[answered.answer], "probability": answered.probability,
            })
        };
        let object = |(class, portrait): &(usize, Portrait)| {
            let mut object = json!({ "method": "prototypes", "class": self.classes[*class] });
            for (name, _, examples) in KINDS {
                object[name] = examples(portrait).iter().map(example).collect();
            }
            object
        };
        self.portraits.iter().map(object).collect()
    }

    pub(crate) fn text(&self) -> String {
        let mut lines = vec!["prototypes:".to_owned()];
        for (class, portrait) in &self.portraits {
            lines.push(format!("  {}:", self.classes[*class]));
            for (_, kind, examples) in KINDS {
                let names: Vec<String> = examples(portrait)
                    .iter()
                    .map(|answered| match self.remark(*class, answered) {
                        Some(remark) => format!("{} ({remark})", self.name(answered)),
                        None => self.name(answered),
                    })
                    .collect();
                lines.push(format!("    {:<16} {}", format!("{kind}:"), names.join(", ")));
            }
        }
        lines.join("\n")
    }

    /// What is odd about an example: that it is of another class, or taken for one.
    fn remark(&self, class: usize, answered: &Answered) -> Option<String> {
        let truth = self.truth(answered);
        let (name, answer) = (&self.classes[truth], &self.classes[answered.answer]);
        match (truth == class, truth == answered.answer) {
            (true, true) => None,
            (true, false) => Some(format!("taken for {answer}")),
            (false, true) => Some(format!("is {name}")),
            (false, false) => Some(format!("is {name}, taken for {answer}")),
        }
    }

    fn picture(&self, answered: &Answered) -> Option<Picture> {
        self.examples.picture(answered.index)
    }

    /// All pictures on one sheet: a row for each class, and from left to right the kinds; none for tables.
    pub(crate) fn sheet(&self) -> Option<Picture> {
        let InputFormat::Image { channels, height, width, .. } = *self.format else { return None };
        let row = |(_, portrait): &(usize, Portrait)| {
            let kinds = KINDS.iter().map(|(_, _, examples)| {
                let mut pictures: Vec<Option<Picture>> =
                    examples(portrait).iter().map(|answered| self.picture(answered)).collect();
                pictures.resize(self.per_class, None);
                pictures
            });
            kinds.collect::<Vec<_>>().concat()
        };
        let rows: Vec<Vec<Option<Picture>>> = self.portraits.iter().map(row).collect();
        Some(grid([channels, height, width], &rows))
    }

    pub(crate) fn section(&self) -> Section {
        let mut section = Section::new("explain-prototypes", "Examples of each class").paragraph(format!(
            "From the {} split, compared by what the network's last layer reads. Prototypes together stand for their class \
             best; criticisms are what they leave out. A counter-example is of another class, and of all such the network \
             sees it as most like a prototype. The most and the least certain have the highest and the lowest probability \
             of their own class, which stands beside each.",
            self.split
        ));
        for (class, portrait) in &self.portraits {
            section = match self.format {
                InputFormat::Image { .. } => section.block(self.gallery(*class, portrait)),
                InputFormat::Table { .. } | InputFormat::Text { .. } => {
                    section.block(self.table(*class, portrait))
                }
            };
        }
        section
    }

    fn gallery(&self, class: usize, portrait: &Portrait) -> Gallery {
        let pictures = KINDS.iter().flat_map(|(_, kind, examples)| {
            examples(portrait).iter().filter_map(move |answered| {
                let remark =
                    self.remark(class, answered).map_or_else(String::new, |text| format!(": {text}"));
                let sure = 100.0 * answered.probability;
                Some(crucible_report::Picture {
                    png: Png(self.picture(answered)?.to_png()),
                    alt: format!("{}, {kind} of {}", self.name(answered), self.classes[class]),
                    caption: format!("{kind}{remark}, {sure:.1}%"),
                })
            })
        });
        Gallery { pictures: pictures.collect(), caption: self.classes[class].clone() }
    }

    fn table(&self, class: usize, portrait: &Portrait) -> Table {
        let own = ["", "Example", "Class", "Answer"].map(Heading::left).into_iter();
        let own = own.chain([Heading::right("Probability")]);
        let row = |kind: &str, answered: &Answered| {
            let own = [
                Value::text(kind),
                Value::text(self.name(answered)),
                Value::text(&self.classes[self.truth(answered)]),
                Value::text(&self.classes[answered.answer]),
                Value::percent(answered.probability, 2),
            ];
            own.into_iter().chain(row::cells(self.format, self.examples, answered.index)).collect()
        };
        let rows = KINDS.iter().flat_map(|(_, kind, examples)| {
            examples(portrait).iter().map(|answered| row(kind, answered)).collect::<Vec<_>>()
        });
        Table {
            columns: own.chain(row::headings(self.format)).collect(),
            rows: rows.collect(),
            caption: self.classes[class].clone(),
        }
    }
}
