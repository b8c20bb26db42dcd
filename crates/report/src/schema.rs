//! What a report consists of.
//!
//! Every type here is plain data with public fields. In JSON an enum is an object whose `kind` names the variant.

use serde::{Deserialize, Serialize};

use crate::number::Number;
use crate::outcome::{self, Outcome};
use crate::picture::Picture;
use crate::value::Value;

/// The version of the schema, raised whenever a reader of the previous one would misread a report.
pub const VERSION: u32 = 2;

/// A report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The schema's version, [`VERSION`].
    pub version: u32,
    /// What the report is about.
    pub title: String,
    /// The finding in one sentence.
    pub summary: String,
    /// Whether everything that had a limit kept it; `None` where nothing had one.
    pub verdict: Option<Verdict>,
    /// When the report was made, such as `2026-01-31 12:00 UTC`. Shown as it is.
    pub created: String,
    /// The few numbers that matter most, shown large.
    pub highlights: Vec<Highlight>,
    /// What was held against limits, by concern. Reports from before there were cards are read as having none.
    #[serde(default)]
    pub cards: Vec<Card>,
    /// The circumstances: data, seed, versions, machine.
    pub facts: Vec<Fact>,
    /// The findings.
    pub sections: Vec<Section>,
}

/// One number that matters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Highlight {
    /// What it is.
    pub label: String,
    /// The number.
    pub value: Value,
    /// A few words on how it came about; may be empty.
    pub detail: String,
}

/// One concern, and all that was held against a limit for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The concern.
    pub title: String,
    /// What became of the whole.
    pub outcome: Outcome,
    /// Each limit.
    pub measures: Vec<Measure>,
}

/// One measured value, and its limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// What was measured.
    pub label: String,
    /// Whether the limit was kept.
    pub outcome: Outcome,
    /// The value; [`Value::Missing`] where there is none.
    pub value: Value,
    /// What it was held against.
    pub limit: Limit,
    /// What it means, in a sentence.
    pub text: String,
    /// The id of the section that tells more; may be empty.
    #[serde(default)]
    pub section: String,
}

/// A name and its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// The name.
    pub name: String,
    /// The value.
    pub value: Value,
}

/// One part of a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// A stable name, such as `calibration`: the anchor of the section in HTML.
    pub id: String,
    /// The heading.
    pub title: String,
    /// Whether what this section measures kept its limit; `None` where there is none.
    pub verdict: Option<Verdict>,
    /// The content, in order.
    pub blocks: Vec<Block>,
}

/// Whether a limit was kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether it was. Reports from before there were four outcomes have `passed`, which is true or false.
    #[serde(alias = "passed", deserialize_with = "outcome::read")]
    pub outcome: Outcome,
    /// The judgement in words.
    pub text: String,
    /// What was measured, where it is one value.
    pub measured: Option<Value>,
    /// What it was held against.
    pub limit: Option<Limit>,
}

/// A limit on a measured value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// Which side is allowed.
    pub bound: Bound,
    /// Where the limit lies.
    pub value: Value,
}

/// The side of a limit that is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// measured ≥ limit.
    AtLeast,
    /// measured ≤ limit.
    AtMost,
}

/// A piece of content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Block {
    /// Running text.
    Paragraph {
        /// The text.
        text: String,
    },
    /// Names and values.
    Facts {
        /// The facts, in order.
        facts: Vec<Fact>,
    },
    /// A table.
    Table(Table),
    /// A chart with its caption.
    Figure(Figure),
    /// Small pictures side by side.
    Gallery(Gallery),
    /// A remark set apart from the text.
    Note(Note),
}

/// A table. Rows may be shorter or longer than the header.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The header.
    pub columns: Vec<Column>,
    /// The cells of each row; the first cell heads the row.
    pub rows: Vec<Vec<Value>>,
    /// What the table shows.
    pub caption: String,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its header.
    pub title: String,
    /// How its cells are set.
    pub align: Align,
}

/// Alignment of a column: words left, numbers right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Align {
    /// Flush left.
    #[default]
    Left,
    /// Centred.
    Center,
    /// Flush right.
    Right,
}

/// A chart with its words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What is drawn.
    pub title: String,
    /// What to see in it; may be empty.
    pub caption: String,
    /// The data.
    pub chart: Chart,
}

/// The data of a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Chart {
    /// Values over a numeric axis.
    Line(LineChart),
    /// Values of named things.
    Bar(BarChart),
    /// Counts of classes against classes.
    ConfusionMatrix(ConfusionMatrix),
}

/// Lines over a common axis.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LineChart {
    /// Name and unit of the horizontal axis.
    pub x_label: String,
    /// Name and unit of the vertical axis.
    pub y_label: String,
    /// Whether the horizontal axis is logarithmic; points at zero and below are then not drawn. Reports from before there was
    /// a choice are read as linear.
    #[serde(default)]
    pub log_x: bool,
    /// Whether the vertical axis is logarithmic; values of zero and below are then not drawn.
    pub log_y: bool,
    /// The lines. Seven can be told apart; an eighth looks like the first.
    pub series: Vec<Series>,
}

/// One line of a chart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its points `[x, y]` in the order in which they are joined. One that is not finite leaves a gap.
    pub points: Vec<[Number; 2]>,
}

/// Horizontal bars from zero. An interval is drawn as a whisker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BarChart {
    /// Name and unit of the values.
    pub value_label: String,
    /// The bars, from top to bottom.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// Its name.
    pub label: String,
    /// Its length.
    pub value: Value,
}

/// How often each class was taken for each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    /// Names of the classes.
    pub labels: Vec<String>,
    /// Counts, `[actual][predicted]`.
    pub counts: Vec<Vec<u64>>,
}

/// Small pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gallery {
    /// The pictures, in order.
    pub pictures: Vec<Picture>,
    /// What they have in common.
    pub caption: String,
}

/// A remark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// How much it matters.
    pub level: Level,
    /// The remark.
    pub text: String,
}

/// How much a remark matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Good to know.
    Info,
    /// Must be known before the findings are used.
    Warning,
}

impl Report {
    /// A report of the current version without content.
    pub fn new(title: impl Into<String>, summary: impl Into<String>) -> Self {
        Self {
            version: VERSION,
            title: title.into(),
            summary: summary.into(),
            verdict: None,
            created: String::new(),
            highlights: Vec::new(),
            cards: Vec::new(),
            facts: Vec::new(),
            sections: Vec::new(),
        }
    }

    /// Appends a number that matters.
    pub fn add_highlight(&mut self, label: impl Into<String>, value: Value, detail: impl Into<String>) {
        self.highlights.push(Highlight { label: label.into(), value, detail: detail.into() });
    }
}

impl Bound {
    /// `≥` or `≤`.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::AtLeast => "≥",
            Self::AtMost => "≤",
        }
    }
}

impl Fact {
    /// A name and its value.
    pub fn new(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

impl Section {
    /// A section without content.
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        Self { id: id.into(), title: title.into(), verdict: None, blocks: Vec::new() }
    }

    /// Appends running text.
    #[must_use]
    pub fn paragraph(self, text: impl Into<String>) -> Self {
        self.block(Block::Paragraph { text: text.into() })
    }

    /// Appends any block.
    #[must_use]
    pub fn block(mut self, block: impl Into<Block>) -> Self {
        self.blocks.push(block.into());
        self
    }
}

impl Column {
    /// A column of words.
    pub fn left(title: impl Into<String>) -> Self {
        Self { title: title.into(), align: Align::Left }
    }

    /// A column of numbers.
    pub fn right(title: impl Into<String>) -> Self {
        Self { title: title.into(), align: Align::Right }
    }
}

impl Series {
    /// A line through `points`, `[x, y]`.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = [f64; 2]>) -> Self {
        Self { name: name.into(), points: points.into_iter().map(|point| point.map(Number)).collect() }
    }
}

impl From<Table> for Block {
    fn from(table: Table) -> Self {
        Self::Table(table)
    }
}

impl From<Figure> for Block {
    fn from(figure: Figure) -> Self {
        Self::Figure(figure)
    }
}

impl From<Gallery> for Block {
    fn from(gallery: Gallery) -> Self {
        Self::Gallery(gallery)
    }
}

impl From<Note> for Block {
    fn from(note: Note) -> Self {
        Self::Note(note)
    }
}
