//! Columns of texts.

use std::path::Path;

use serde_json::{Map, Value};

use crate::file::{self, Stream};
use crate::table::Table;
use crate::{ByteProblem, DataError, TableProblem};

/// Most bytes of one file of texts, decompressed: 2 GiB.
const MAX_BYTES: u64 = 2 << 30;

/// The texts of one column, in the order of the rows, of a table with a header (`.csv`, `.tsv`) or of one JSON object a
/// line (`.jsonl`), gzipped or not.
///
/// # Errors
///
/// If the file is missing, damaged or of another kind, or lacks the column.
pub fn texts_from_file(path: &Path, column: &str) -> Result<Vec<String>, DataError> {
    Ok(Columns::read(path, &[Wanted::text(column)])?.values.remove(0))
}

/// A column to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    /// Whether JSON may have a number, true or false in it, and no row may be without.
    pub(crate) is_label: bool,
}

impl<'a> Wanted<'a> {
    pub(crate) fn text(name: &'a str) -> Self {
        Self { name, is_label: false }
    }

    pub(crate) fn label(name: &'a str) -> Self {
        Self { name, is_label: true }
    }
}

/// Columns of a file, and the line on which each row starts, from 1.
pub(crate) struct Columns {
    /// One list for each column that was asked for.
    pub(crate) values: Vec<Vec<String>>,
    pub(crate) lines: Vec<u64>,
}

impl Columns {
    /// Reads these columns of a table or of JSON lines, which the file's name tells.
    pub(crate) fn read(path: &Path, wanted: &[Wanted<'_>]) -> Result<Self, DataError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        let kind = name.rsplit_once('.').map_or("", |(_, kind)| kind);
        match kind {
            "csv" => Self::of_table(&Table::read(path, &file::read(path)?, b',')?, wanted),
            "tsv" => Self::of_table(&Table::read(path, &file::read(path)?, b'\t')?, wanted),
            "jsonl" | "ndjson" => Self::of_lines(path, &file::read(path)?, wanted),
            _ => Err(file::at(path, 0, ByteProblem::NoTexts)),
        }
    }

    fn of_table(table: &Table, wanted: &[Wanted<'_>]) -> Result<Self, DataError> {
        let column = |wanted: &Wanted<'_>| {
            let column = table.column(wanted.name)?;
            let cell = |row| match table.cell(row, column) {
                "" if wanted.is_label => {
                    let problem = TableProblem::MissingTarget(wanted.name.to_owned());
                    Err(table.problem(row, column, problem))
                }
                cell => Ok(cell.to_owned()),
            };
            (0..table.len()).map(cell).collect()
        };
        let values = wanted.iter().map(column).collect::<Result<_, _>>()?;
        Ok(Self { values, lines: (0..table.len()).map(|row| table.line(row)).collect() })
    }

    fn of_lines(path: &Path, bytes: &[u8], wanted: &[Wanted<'_>]) -> Result<Self, DataError> {
        let bytes = Stream::new(path, bytes).rest(MAX_BYTES)?;
        let fail = |line, problem| DataError::Table { path: path.to_owned(), line, column: 1, problem };
        let lines = (1..).zip(bytes.split(|&byte| byte == b'\n'));
        let mut all = Self { values: vec![Vec::new(); wanted.len()], lines: Vec::new() };
        for (line, bytes) in lines.filter(|(_, bytes)| !bytes.trim_ascii().is_empty()) {
            let object: Map<String, Value> = serde_json::from_slice(bytes)
                .map_err(|error| fail(line, TableProblem::NotAnObject(error.to_string())))?;
            for (wanted, values) in wanted.iter().zip(&mut all.values) {
                values.push(value(&object, *wanted).map_err(|problem| fail(line, problem))?);
            }
            all.lines.push(line);
        }
        if all.lines.is_empty() { Err(fail(1, TableProblem::NoRows)) } else { Ok(all) }
    }
}

/// What a line of JSON has in a column.
fn value(object: &Map<String, Value>, wanted: Wanted<'_>) -> Result<String, TableProblem> {
    let name = wanted.name.to_owned();
    match object.get(wanted.name) {
        Some(Value::String(text)) if wanted.is_label && text.trim().is_empty() => {
            Err(TableProblem::MissingTarget(name))
        }
        // As in tables, blanks around a label do not count.
        Some(Value::String(text)) if wanted.is_label => Ok(text.trim().to_owned()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(value @ (Value::Number(_) | Value::Bool(_))) if wanted.is_label => Ok(value.to_string()),
        Some(Value::Null) if wanted.is_label => Err(TableProblem::MissingTarget(name)),
        Some(value) if wanted.is_label => Err(TableProblem::NotALabel { name, value: value.to_string() }),
        Some(value) => Err(TableProblem::NotAText { name, value: value.to_string() }),
        None => Err(TableProblem::MissingColumn { name, present: object.keys().cloned().collect() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, content: &[u8]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let here = format!("{}/", folder.path().display());
        texts_from_file(&path, "text").map_err(|error| error.to_string().replace(&here, ""))
    }

    #[test]
    fn three_kinds_of_files_hold_the_same_texts() {
        let texts = ["one, two", "", "a \"b\" ö 漢\n🙂"].map(str::to_owned).to_vec();
        let csv = "id,text\n1,\"one, two\"\n2,\n3,\"a \"\"b\"\" ö 漢\n🙂\"\n";
        assert_eq!(read("a.csv", csv.as_bytes()), Ok(texts.clone()));
        let tsv = "id\ttext\n1\tone, two\n2\t\n3\t\"a \"\"b\"\" ö 漢\n🙂\"\n";
        assert_eq!(read("a.tsv", tsv.as_bytes()), Ok(texts.clone()));
        let lines = "{\"text\": \"one, two\"}\r\n\n{\"id\": 2, \"text\": \"\"}\n{\"text\": \"a \\\"b\\\" ö 漢\\n\\ud83d\\ude42\"}";
        assert_eq!(read("a.jsonl", lines.as_bytes()), Ok(texts));
    }

    #[test]
    fn what_is_no_column_of_texts_is_told() {
        for (name, content, words) in [
            ("a.csv", "id,body\n1,x\n", "a.csv:1:1: no column \"text\"; the columns are \"id\", \"body\""),
            (
                "a.jsonl",
                "{\"text\": \"x\"}\n{\"body\": 1}\n",
                "a.jsonl:2:1: no column \"text\"; the columns are \"body\"",
            ),
            ("a.jsonl", "{\"text\": 7}\n", "a.jsonl:1:1: 7 is not a text, as column \"text\" needs"),
            (
                "a.jsonl",
                "{\"text\": \"x\"\n",
                "a.jsonl:1:1: not a JSON object: EOF while parsing an object at line 1 column 12",
            ),
            ("a.jsonl", "\n", "a.jsonl:1:1: no rows"),
            ("a.txt", "x", "a.txt, byte 0: texts are read from files named .csv, .tsv or .jsonl"),
        ] {
            assert_eq!(read(name, content.as_bytes()), Err(words.to_owned()));
        }
    }
}
