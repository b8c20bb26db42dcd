//! Table rows to inputs, by the columns of an [`InputFormat::Table`](crate::InputFormat).

use std::collections::HashMap;

use crate::table::Table;
use crate::{Column, DataError, TableProblem};

/// Columns found in one table by name, ready to encode its rows.
pub(crate) struct RowEncoder<'a> {
    table: &'a Table,
    missing: &'a [String],
    columns: Vec<FoundColumn<'a>>,
}

struct FoundColumn<'a> {
    column: &'a Column,
    /// Where it is in the table.
    index: usize,
    /// The input that each level sets; empty for numeric columns.
    levels: HashMap<&'a str, usize>,
}

/// Inputs of some rows, one after the other, and the cells of them that had no value: (row, column), rising.
#[derive(Default)]
pub(crate) struct EncodedRows {
    pub(crate) values: Vec<f32>,
    pub(crate) missing: Vec<(u32, u32)>,
}

impl<'a> RowEncoder<'a> {
    /// Finds all `columns` in the table's header, in whatever order it has them.
    pub(crate) fn new(
        table: &'a Table,
        columns: &'a [Column],
        missing: &'a [String],
    ) -> Result<Self, DataError> {
        let found = |column: &'a Column| {
            let levels = match column {
                Column::Numeric { .. } => HashMap::new(),
                Column::Categorical { levels, .. } => {
                    levels.iter().enumerate().map(|(index, level)| (level.as_str(), index)).collect()
                }
            };
            Ok(FoundColumn { column, index: table.column(column.name())?, levels })
        };
        Ok(Self { table, missing, columns: columns.iter().map(found).collect::<Result<_, DataError>>()? })
    }

    /// Encodes the rows at `rows`, in that order.
    pub(crate) fn encode(&self, rows: &[usize]) -> Result<EncodedRows, DataError> {
        let width: usize = self.columns.iter().map(|found| found.column.width()).sum();
        let mut encoded = EncodedRows { values: Vec::with_capacity(width * rows.len()), missing: Vec::new() };
        for (position, &row) in (0u32..).zip(rows) {
            for (number, found) in (0u32..).zip(&self.columns) {
                if is_missing(self.missing, self.table.cell(row, found.index)) {
                    encoded.missing.push((position, number));
                }
                self.encode_cell(row, found, &mut encoded.values)?;
            }
        }
        Ok(encoded)
    }

    fn encode_cell(
        &self,
        row: usize,
        found: &FoundColumn<'_>,
        values: &mut Vec<f32>,
    ) -> Result<(), DataError> {
        let text = self.table.cell(row, found.index);
        let missing = is_missing(self.missing, text);
        match found.column {
            Column::Numeric { name, mean, std, fill } => {
                let number = if missing { *fill } else { self.table.number(row, found.index)? };
                let value = ((number - mean) / std) as f32;
                if !value.is_finite() {
                    let problem = TableProblem::NotANumber { name: name.clone(), value: text.to_owned() };
                    return Err(self.table.problem(row, found.index, problem));
                }
                values.push(value);
            }
            Column::Categorical { levels, .. } => {
                let start = values.len();
                values.resize(start + levels.len(), 0.0);
                if !missing && let Some(&level) = found.levels.get(text) {
                    values[start + level] = 1.0;
                }
            }
        }
        Ok(())
    }
}

/// Whether the text stands for "no value".
pub(crate) fn is_missing(missing: &[String], text: &str) -> bool {
    missing.iter().any(|marker| marker == text)
}
