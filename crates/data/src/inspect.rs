//! What is in a data set, told before anything is trained on it: counts, ranges, duplicates, and leakage.

use std::ops::Range;

use serde::Serialize;

use crate::duplicates::{Index, Overlap};
use crate::{Column, Dataset, Examples, InputFormat, Inputs, Task};

/// What is in a data set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The data set's name.
    pub name: String,
    /// Shape of one input.
    pub input_shape: Vec<usize>,
    /// One per split: train, validation, test.
    pub splits: Vec<SplitSummary>,
    /// One per pair of splits: inputs that both hold.
    pub leakage: Vec<Overlap>,
}

/// What is in one split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitSummary {
    /// `train`, `validation`, or `test`.
    pub name: String,
    /// How many examples it has.
    pub examples: usize,
    /// How many of each class, in the order of the classes; empty for a regression.
    pub classes: Vec<ClassCount>,
    /// One per channel (in pixel values, 0 to 255) or column (in the file's units); of texts the numbers of tokens.
    pub fields: Vec<FieldSummary>,
    /// Inputs that occur more than once in this split.
    pub duplicates: Overlap,
    /// Of texts: how many were cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<usize>,
    /// Of texts: the first of each class.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<ClassTexts>,
}

/// The beginnings of some texts of a class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassTexts {
    /// The class's name.
    pub class: String,
    /// At most two.
    pub excerpts: Vec<String>,
}

/// How many examples a class has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassCount {
    /// The class's name.
    pub class: String,
    /// Its examples.
    pub examples: usize,
    /// The same as a share of the split, 0 to 1.
    pub share: f64,
}

/// The values of one channel or column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldSummary {
    /// Name of the column, or of the channel.
    pub name: String,
    /// Cells without a value; they count for nothing else here.
    pub missing: usize,
    /// Numbers' range and moments, or texts' counts.
    #[serde(flatten)]
    pub values: FieldValues,
}

/// The values of one channel or column that are there.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum FieldValues {
    /// Numbers.
    Numeric {
        /// The least, or 0 if there are none; likewise below.
        min: f64,
        /// The greatest.
        max: f64,
        /// The mean.
        mean: f64,
        /// The population standard deviation.
        std: f64,
    },
    /// Texts.
    Categorical {
        /// Examples by level, in the format's order.
        levels: Vec<(String, usize)>,
        /// Texts that are in no training row.
        unseen: usize,
    },
}

/// Looks through all splits of a data set.
///
/// Two inputs are duplicates if they are equal in every value: pixels, a row's encoded columns, or a text's tokens.
#[must_use]
pub fn inspect(dataset: &Dataset) -> Inspection {
    let indices: Vec<Index<'_>> =
        dataset.splits().map(|(name, examples)| Index::new(name, examples)).collect();
    let summaries = dataset.splits().zip(&indices).map(|((name, examples), index)| SplitSummary {
        name: name.to_owned(),
        examples: examples.len(),
        classes: class_counts(examples, &dataset.format.task),
        fields: fields(examples, &dataset.format.input),
        duplicates: index.overlap(index),
        cut: examples.excerpts().map(|texts| texts.iter().filter(|text| text.is_cut).count()),
        texts: texts(examples, &dataset.format.task),
    });
    let pairs = indices
        .iter()
        .enumerate()
        .flat_map(|(end, second)| indices[..end].iter().map(move |first| (first, second)));
    Inspection {
        name: dataset.name.clone(),
        input_shape: dataset.train.shape().to_vec(),
        splits: summaries.collect(),
        leakage: pairs.map(|(first, second)| first.overlap(second)).collect(),
    }
}

fn class_counts(examples: &Examples, task: &Task) -> Vec<ClassCount> {
    let (Some(classes), Task::Classification { classes: names }) = (examples.classes(), task) else {
        return Vec::new();
    };
    let mut counts = vec![0usize; names.len()];
    for &class in classes {
        if let Some(count) = counts.get_mut(class as usize) {
            *count += 1;
        }
    }
    let total = classes.len().max(1) as f64;
    let count = |(name, count): (&String, usize)| ClassCount {
        class: name.clone(),
        examples: count,
        share: count as f64 / total,
    };
    names.iter().zip(counts).map(count).collect()
}

/// The first texts of each class that has any.
fn texts(examples: &Examples, task: &Task) -> Vec<ClassTexts> {
    const SHOWN: usize = 2;
    let (Some(excerpts), Some(classes), Task::Classification { classes: names }) =
        (examples.excerpts(), examples.classes(), task)
    else {
        return Vec::new();
    };
    let of_class = |(number, name): (u32, &String)| {
        let all = excerpts.iter().zip(classes).filter(|(_, class)| **class == number);
        let excerpts = all.take(SHOWN).map(|(excerpt, _)| excerpt.text.clone()).collect();
        ClassTexts { class: name.clone(), excerpts }
    };
    (0..).zip(names).map(of_class).filter(|class| !class.excerpts.is_empty()).collect()
}

fn fields(examples: &Examples, format: &InputFormat) -> Vec<FieldSummary> {
    match (examples.inputs(), format) {
        (Inputs::Bytes { values, .. }, InputFormat::Image { channels, height, width, .. }) => {
            let names: &[&str] = if *channels == 3 { &["red", "green", "blue"] } else { &["grey"] };
            let summary = |(channel, name): (usize, &&str)| {
                let planes = values.chunks_exact(height * width).skip(channel).step_by(*channels);
                let values = numeric(planes.flatten().map(|&pixel| f64::from(pixel)));
                FieldSummary { name: (*name).to_owned(), missing: 0, values }
            };
            names.iter().enumerate().map(summary).collect()
        }
        (Inputs::Floats(values), InputFormat::Table { .. }) => {
            table_fields(examples, values, &format.columns())
        }
        (_, InputFormat::Text { column, .. }) => {
            let lengths = examples.lengths().unwrap_or_default();
            let values = numeric(lengths.iter().map(|&length| f64::from(length)));
            vec![FieldSummary { name: format!("tokens of {column}"), missing: 0, values }]
        }
        _ => Vec::new(),
    }
}

fn table_fields(
    examples: &Examples,
    values: &[f32],
    columns: &[(&Column, Range<usize>)],
) -> Vec<FieldSummary> {
    let width = examples.input_len();
    let mut fields = Vec::with_capacity(columns.len());
    for (number, (column, places)) in (0u32..).zip(columns) {
        let is_missing = |row: usize| examples.missing().binary_search(&(row as u32, number)).is_ok();
        let missing = examples.missing().iter().filter(|&&(_, column)| column == number).count();
        let cells = values.chunks_exact(width).map(|row| &row[places.clone()]);
        let values = match column {
            Column::Numeric { mean, std, .. } => {
                let present = cells.enumerate().filter(|&(row, _)| !is_missing(row));
                numeric(present.map(|(_, cell)| f64::from(cell[0]) * std + mean))
            }
            Column::Categorical { levels, .. } => {
                let mut counts = vec![0usize; levels.len()];
                cells
                    .filter_map(|cell| cell.iter().position(|&value| value == 1.0))
                    .for_each(|level| counts[level] += 1);
                let unseen = examples.len() - missing - counts.iter().sum::<usize>();
                FieldValues::Categorical { levels: levels.iter().cloned().zip(counts).collect(), unseen }
            }
        };
        fields.push(FieldSummary { name: column.name().to_owned(), missing, values });
    }
    fields
}

fn numeric(values: impl Iterator<Item = f64> + Clone) -> FieldValues {
    let (mut count, mut sum, mut min, mut max) = (0u64, 0.0, f64::INFINITY, f64::NEG_INFINITY);
    for value in values.clone() {
        (count, sum, min, max) = (count + 1, sum + value, min.min(value), max.max(value));
    }
    if count == 0 {
        return FieldValues::Numeric { min: 0.0, max: 0.0, mean: 0.0, std: 0.0 };
    }
    let mean = sum / count as f64;
    let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / count as f64;
    FieldValues::Numeric { min, max, mean, std: variance.sqrt() }
}
