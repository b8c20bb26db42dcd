//! CSV as a table of text cells that know their line, so that every complaint can point at its cell.
//!
//! Format: RFC 4180, with a header, a delimiter of choice, and blanks around fields ignored. May be gzipped.

use std::path::{Path, PathBuf};

use crate::file::Stream;
use crate::{DataError, TableProblem};

/// Most bytes of text in one table: 2 GiB.
const MAX_BYTES: u64 = 2 << 30;

/// A header, and rows of as many text cells.
pub(crate) struct Table {
    path: PathBuf,
    header: Vec<String>,
    header_line: u64,
    /// All cells, one after the other.
    text: String,
    /// Where each cell ends in `text`.
    ends: Vec<usize>,
    /// The line on which each row starts.
    lines: Vec<u64>,
}

impl Table {
    /// Reads CSV (gzipped or not); errors call the file `path`.
    pub(crate) fn read(path: &Path, bytes: &[u8], delimiter: u8) -> Result<Self, DataError> {
        let bytes = Stream::new(path, bytes).rest(MAX_BYTES)?;
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(bytes.as_slice());
        let failed = |error: csv::Error| from_csv(path, &bytes, &error);
        let headers = reader.headers().map_err(failed)?;
        let mut table = Self {
            path: path.to_owned(),
            header: headers.iter().map(str::to_owned).collect(),
            header_line: line_of(&bytes, headers.position()),
            text: String::new(),
            ends: Vec::new(),
            lines: Vec::new(),
        };
        table.check_header()?;
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(failed)? {
            let line = line_of(&bytes, record.position());
            if table.lines.len() == u32::MAX as usize {
                let problem = TableProblem::TooLarge { limit: u64::from(u32::MAX), unit: "rows" };
                return Err(table.problem_at_line(line, 0, problem));
            }
            for cell in &record {
                table.text.push_str(cell);
                table.ends.push(table.text.len());
            }
            table.lines.push(line);
        }
        if table.lines.is_empty() {
            return Err(table.problem_at_line(table.header_line + 1, 0, TableProblem::NoRows));
        }
        Ok(table)
    }

    fn check_header(&self) -> Result<(), DataError> {
        if self.header.iter().all(String::is_empty) {
            return Err(self.column_problem(0, TableProblem::NoHeader));
        }
        let mut seen = std::collections::HashSet::new();
        match self.header.iter().position(|name| !seen.insert(name)) {
            Some(column) => {
                Err(self.column_problem(column, TableProblem::DuplicateColumn(self.header[column].clone())))
            }
            None => Ok(()),
        }
    }

    /// Column names.
    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    /// How many rows there are, the header not counted.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The text at `row` and `column`, both from 0.
    pub(crate) fn cell(&self, row: usize, column: usize) -> &str {
        let index = row * self.header.len() + column;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[index]]
    }

    /// The line on which a row starts, from 1.
    pub(crate) fn line(&self, row: usize) -> u64 {
        self.lines[row]
    }

    /// Finds a column by its name.
    pub(crate) fn column(&self, name: &str) -> Result<usize, DataError> {
        self.header.iter().position(|present| present == name).ok_or_else(|| {
            let problem = TableProblem::MissingColumn { name: name.to_owned(), present: self.header.clone() };
            self.column_problem(0, problem)
        })
    }

    /// A [`DataError`] about one cell.
    pub(crate) fn problem(&self, row: usize, column: usize, problem: TableProblem) -> DataError {
        self.problem_at_line(self.lines[row], column, problem)
    }

    /// A [`DataError`] about a whole column, pointing at its name in the header.
    pub(crate) fn column_problem(&self, column: usize, problem: TableProblem) -> DataError {
        self.problem_at_line(self.header_line, column, problem)
    }

    /// The cell as a number that single precision can hold.
    pub(crate) fn number(&self, row: usize, column: usize) -> Result<f64, DataError> {
        let text = self.cell(row, column);
        number(text).ok_or_else(|| {
            let problem =
                TableProblem::NotANumber { name: self.header[column].clone(), value: text.to_owned() };
            self.problem(row, column, problem)
        })
    }

    fn problem_at_line(&self, line: u64, column: usize, problem: TableProblem) -> DataError {
        DataError::Table { path: self.path.clone(), line, column: column + 1, problem }
    }
}

/// A number that single precision can hold, if that is what the text is.
pub(crate) fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| number.abs() <= f64::from(f32::MAX))
}

/// The line on which a record starts. The reader's own position is where it began to look for the record: before the
/// rest of the last line's end, and before blank lines.
fn line_of(bytes: &[u8], position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else { return 1 };
    let skipped =
        usize::try_from(position.byte()).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
    let blank = skipped.iter().take_while(|byte| b"\r\n".contains(byte));
    position.line() + blank.filter(|&&byte| byte == b'\n').count() as u64
}

fn from_csv(path: &Path, bytes: &[u8], error: &csv::Error) -> DataError {
    let line = line_of(bytes, error.position());
    let (column, problem) = match error.kind() {
        csv::ErrorKind::Utf8 { err, .. } => (err.field() + 1, TableProblem::NotUtf8),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let (expected, actual) = (*expected_len as usize, *len as usize);
            (expected.min(actual) + 1, TableProblem::Ragged { expected, actual })
        }
        _ => (1, TableProblem::Other(error.to_string())),
    };
    DataError::Table { path: path.to_owned(), line, column, problem }
}
