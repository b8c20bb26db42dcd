//! Data sources, splits, and seeded batches.
//!
//! A [`Source`] is read into a [`Dataset`]: plain host arrays by split, plus the [`Format`] that says how raw
//! pictures or table rows become those arrays, so that a trained network can later be fed files of the same kind.
//! This crate knows no tensors and no networks, never prints, and draws every random number from
//! [`seed::stream`].

mod animation;
mod config;
pub mod corruptions;
mod dataset;
mod duplicates;
mod error;
mod examples;
mod excerpt;
mod file;
mod groups;
pub mod idx;
mod inspect;
mod learn;
mod named;
mod picture;
mod plan;
mod prepare;
mod raw;
mod rows;
pub mod sampler;
pub mod seed;
mod sheet;
pub mod source;
pub mod split;
mod table;
mod texts;
mod tokenizer;

pub use animation::animation;
pub use config::{DataConfig, Normalize, load};
pub use dataset::{Cell, Column, Dataset, Format, InputFormat, Task};
pub use duplicates::Overlap;
pub use error::{ByteProblem, ConfigProblem, DataError, TableProblem};
pub use examples::{Examples, Inputs, Picture, Targets};
pub use excerpt::Excerpt;
pub use groups::Groups;
pub use inspect::{ClassCount, ClassTexts, FieldSummary, FieldValues, Inspection, SplitSummary, inspect};
pub use named::{NamedInputs, inputs_from_bytes, inputs_from_file, inputs_from_texts};
pub use sampler::{by_length, epoch_order, epoch_order_by_length, poisson_batch};
pub use sheet::{contact_sheet, grid, side_by_side};
pub use source::Source;
pub use texts::texts_from_file;
pub use tokenizer::{PADDING, Tokenizer, Tokens, length, padded};
