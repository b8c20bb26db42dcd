//! What every source is read into: host arrays by split, and how they came to be.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::Examples;

/// Examples by split, and the format that all of them share.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The name that reports use, such as `mnist`.
    pub name: String,
    /// What one input and one target are.
    pub format: Format,
    /// Examples to learn from.
    pub train: Examples,
    /// Examples to choose by (early stopping, best checkpoint); none unless asked for.
    pub validation: Option<Examples>,
    /// Examples to measure on; none if the source has none and none was split off.
    pub test: Option<Examples>,
}

impl Dataset {
    /// The same pictures with the scaling of `input`, or `None` where it is of other inputs: those of a network that was
    /// trained on other data must be scaled as its were. Texts must be of one tokenizer.
    #[must_use]
    pub fn scaled_as(mut self, input: &InputFormat) -> Option<Self> {
        if let (InputFormat::Text { tokenizer: own, .. }, InputFormat::Text { tokenizer, .. }) =
            (&self.format.input, input)
        {
            // Nothing is scaled, and where texts are cut is each network's own affair.
            return (own == tokenizer).then_some(self);
        }
        if self.format.input.shape() != input.shape() {
            return None;
        }
        if self.format.input != *input {
            let InputFormat::Image { .. } = input else { return None };
            let (scale, offset) = input.scale_and_offset();
            let splits = [Some(&mut self.train), self.validation.as_mut(), self.test.as_mut()];
            for split in splits.into_iter().flatten() {
                split.rescale(&scale, &offset)?;
            }
            self.format.input = input.clone();
        }
        Some(self)
    }

    /// The splits that exist, by name: `train`, then `validation`, then `test`.
    pub fn splits(&self) -> impl Iterator<Item = (&'static str, &Examples)> {
        let held_out = [("validation", &self.validation), ("test", &self.test)];
        let held_out = held_out.into_iter().filter_map(|(name, split)| Some((name, split.as_ref()?)));
        std::iter::once(("train", &self.train)).chain(held_out)
    }
}

/// How a raw picture, table row or text becomes an input, and what the outputs mean. Saved with every trained network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Format {
    /// The input side.
    pub input: InputFormat,
    /// The output side.
    pub task: Task,
}

/// How a raw picture, table row or text becomes an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum InputFormat {
    /// `[channels, height, width]`; each value is `(pixel / 255 - mean[channel]) / std[channel]`.
    Image {
        /// 1 (grey) or 3 (red, green, blue).
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// One per channel, of pixel / 255.
        mean: Vec<f32>,
        /// One per channel, of pixel / 255; never zero.
        std: Vec<f32>,
    },
    /// `[features]`: the columns' inputs side by side, in this order.
    Table {
        /// The columns that are read, found in a file by name.
        columns: Vec<Column>,
        /// Texts that stand for "no value".
        missing: Vec<String>,
        /// What separates fields.
        delimiter: char,
    },
    /// `[max_tokens]`: the numbers of a text's tokens, padded with [`PADDING`](crate::PADDING).
    Text {
        /// The column that holds the texts.
        column: String,
        /// Tokens that texts are cut to.
        max_tokens: usize,
        /// Kinds of tokens: each number is below.
        vocabulary: usize,
        /// The SHA-256 of the tokenizer's file.
        tokenizer: String,
    },
}

/// How one column of a table becomes inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Column {
    /// One input: `(value - mean) / std`.
    Numeric {
        /// Name in the header.
        name: String,
        /// Mean of the training rows that have a value.
        mean: f64,
        /// Standard deviation of the same (1 if they are all equal).
        std: f64,
        /// The value taken where there is none: the mean.
        fill: f64,
    },
    /// One input per level: 1 for the level found, else 0. All are 0 where the value is missing or was never seen in
    /// training.
    Categorical {
        /// Name in the header.
        name: String,
        /// Texts seen in the training rows, sorted.
        levels: Vec<String>,
    },
}

/// What stands in a cell of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// A number, in the table's units.
    Number(f64),
    /// A text.
    Text(String),
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// What the network is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Task {
    /// One of two or more named classes.
    Classification {
        /// Class names; a class is the index into this list.
        classes: Vec<String>,
    },
    /// One or more real numbers.
    Regression {
        /// Names of the target columns.
        targets: Vec<String>,
        /// What was subtracted from each target, from the training split.
        mean: Vec<f32>,
        /// What each target was then divided by, from the training split.
        std: Vec<f32>,
    },
}

impl Task {
    /// How many outputs a network for this task has: classes, or target columns.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self {
            Self::Classification { classes } => classes.len(),
            Self::Regression { targets, .. } => targets.len(),
        }
    }
}

impl InputFormat {
    /// Shape of one input: `[channels, height, width]`, `[features]` or `[max_tokens]`.
    #[must_use]
    pub fn shape(&self) -> Vec<usize> {
        match self {
            Self::Image { channels, height, width, .. } => vec![*channels, *height, *width],
            Self::Table { columns, .. } => vec![columns.iter().map(Column::width).sum()],
            Self::Text { max_tokens, .. } => vec![*max_tokens],
        }
    }

    /// The columns of a table, each with the places of its inputs; none for pictures and texts.
    #[must_use]
    pub fn columns(&self) -> Vec<(&Column, Range<usize>)> {
        let Self::Table { columns, .. } = self else { return Vec::new() };
        let mut start = 0;
        let placed = columns.iter().map(|column| {
            let places = start..start + column.width();
            start = places.end;
            (column, places)
        });
        placed.collect()
    }

    /// Per channel, what a pixel of 0 to 255 is multiplied by and what is then added; empty for tables and texts.
    #[must_use]
    pub fn scale_and_offset(&self) -> (Vec<f32>, Vec<f32>) {
        match self {
            Self::Image { mean, std, .. } => {
                mean.iter().zip(std).map(|(mean, std)| (1.0 / (255.0 * std), -mean / std)).unzip()
            }
            Self::Table { .. } | Self::Text { .. } => (Vec::new(), Vec::new()),
        }
    }
}

impl Column {
    /// Name in the header.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Numeric { name, .. } | Self::Categorical { name, .. } => name,
        }
    }

    /// How many inputs the column becomes.
    #[must_use]
    pub fn width(&self) -> usize {
        match self {
            Self::Numeric { .. } => 1,
            Self::Categorical { levels, .. } => levels.len(),
        }
    }

    /// The cell that this column's inputs of one row stand for: a number to a hundred-thousandth of its column's standard
    /// deviation, for inputs are rounded; `None` for a text that was never seen in training, or none at all.
    ///
    /// # Panics
    ///
    /// If there are not [`width`](Self::width) inputs.
    #[must_use]
    pub fn cell(&self, inputs: &[f32]) -> Option<Cell> {
        assert_eq!(inputs.len(), self.width(), "the inputs of one column");
        match self {
            Self::Numeric { mean, std, .. } => {
                let parts = 10f64.powf((5.0 - std.log10().floor()).max(0.0));
                let value = (f64::from(inputs[0]) * std + mean) * parts;
                // Without the sign of a rounded zero.
                Some(Cell::Number(value.round() / parts + 0.0))
            }
            Self::Categorical { levels, .. } => {
                let level = inputs.iter().position(|&input| input == 1.0)?;
                Some(Cell::Text(levels[level].clone()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_back_from_inputs() {
        let columns = [("age", 38.6, 13.6), ("gain", 1079.0, 7452.0), ("weight", 189_664.1, 105_604.0)];
        for ((name, mean, std), values) in columns.into_iter().zip([
            [17.0, 39.5, 90.0],
            [0.0, 15024.0, 99999.0],
            [13492.0, 201.0, 1_490_400.0],
        ]) {
            let column = Column::Numeric { name: name.to_owned(), mean, std, fill: mean };
            for value in values {
                let input = ((value - mean) / std) as f32;
                assert_eq!(column.cell(&[input]).map(|cell| cell.to_string()), Some(value.to_string()));
            }
        }
        let levels = ["no", "yes"].map(str::to_owned).to_vec();
        let column = Column::Categorical { name: "paid".to_owned(), levels };
        assert_eq!(column.cell(&[0.0, 1.0]), Some(Cell::Text("yes".to_owned())));
        assert_eq!(column.cell(&[0.0, 0.0]), None);
    }
}
