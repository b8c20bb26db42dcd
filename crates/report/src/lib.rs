//! Typed findings in, one self-contained page out.
//!
//! A [`Report`] is plain data with a versioned schema. It is written as HTML for people, as JSON for machines, as
//! Markdown for terminals and model cards, and its limits as JUnit XML for continuous integration; a figure also as a
//! picture of its own ([`to_svg`]):
//!
//! ```
//! use crucible_report::{Report, Section, Value, to_html, to_json, to_markdown};
//!
//! let mut report = Report::new("Digits", "The network reads 98.3% of unseen digits.");
//! report.add_highlight("Test accuracy", Value::percent(0.983, 1), "10,000 images");
//! report.sections.push(Section::new("data", "Data").paragraph("MNIST, with its own split."));
//!
//! let (page, json, text) = (to_html(&report), to_json(&report), to_markdown(&report));
//! assert_eq!(crucible_report::from_json(&json).unwrap(), report);
//! # assert!(page.contains("98.3%") && text.contains("98.3%"));
//! ```
//!
//! Absent by design: any type of machine learning, any measuring, the clock, files. Rendering is total: whatever a
//! report holds, ragged tables and infinite numbers included, it renders, and no text in it can become markup.

mod chart;
mod format;
mod html;
mod json;
mod junit;
mod markdown;
mod number;
mod outcome;
mod picture;
mod schema;
mod svg;
mod value;

pub use html::to_html;
pub use json::{ReadError, from_json, to_json};
pub use junit::to_junit;
pub use markdown::to_markdown;
pub use number::Number;
pub use outcome::Outcome;
pub use picture::{Picture, Png};
pub use schema::{
    Align, Bar, BarChart, Block, Bound, Card, Chart, Column, ConfusionMatrix, Fact, Figure, Gallery,
    Highlight, Level, Limit, LineChart, Measure, Note, Report, Section, Series, Table, VERSION, Verdict,
};
pub use svg::to_svg;
pub use value::Value;
