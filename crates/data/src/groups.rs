//! Examples by the level of one column, as questions of fairness need them.

use crate::{Column, Examples, InputFormat, Inputs};

/// Which level of one categorical column each example has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    /// The column's levels in the format's order, then `(none)` for missing and unseen texts.
    pub names: Vec<String>,
    /// One index into `names` per example.
    pub of: Vec<u32>,
}

impl InputFormat {
    /// Sorts examples of this format by the categorical column called `name`; `None` if there is no such column among
    /// the inputs, or the examples are of another format.
    #[must_use]
    pub fn groups(&self, examples: &Examples, name: &str) -> Option<Groups> {
        let (Self::Table { columns, .. }, Inputs::Floats(values)) = (self, examples.inputs()) else {
            return None;
        };
        let position = columns.iter().position(|column| column.name() == name)?;
        let Column::Categorical { levels, .. } = &columns[position] else {
            return None;
        };
        if self.shape() != examples.shape() {
            return None;
        }
        let start: usize = columns[..position].iter().map(Column::width).sum();
        let of = values.chunks_exact(examples.input_len()).map(|row| {
            let inputs = &row[start..start + levels.len()];
            inputs.iter().position(|&input| input == 1.0).unwrap_or(levels.len()) as u32
        });
        let names = levels.iter().cloned().chain(std::iter::once("(none)".to_owned())).collect();
        Some(Groups { names, of: of.collect() })
    }
}
