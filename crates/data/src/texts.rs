//! A column of texts.

use std::path::Path;

use serde_json::Value;

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
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let kind = name.rsplit_once('.').map_or("", |(_, kind)| kind);
    match kind {
        "csv" => of_table(&Table::read(path, &file::read(path)?, b',')?, column),
        "tsv" => of_table(&Table::read(path, &file::read(path)?, b'\t')?, column),
        "jsonl" | "ndjson" => of_lines(path, &file::read(path)?, column),
        _ => Err(file::at(path, 0, ByteProblem::NoTexts)),
    }
}

fn of_table(table: &Table, column: &str) -> Result<Vec<String>, DataError> {
    let column = table.column(column)?;
    Ok((0..table.len()).map(|row| table.cell(row, column).to_owned()).collect())
}

fn of_lines(path: &Path, bytes: &[u8], column: &str) -> Result<Vec<String>, DataError> {
    let bytes = Stream::new(path, bytes).rest(MAX_BYTES)?;
    let fail = |line, problem| DataError::Table { path: path.to_owned(), line, column: 1, problem };
    let lines = (1..).zip(bytes.split(|&byte| byte == b'\n'));
    let mut texts = Vec::new();
    for (line, bytes) in lines.filter(|(_, bytes)| !bytes.trim_ascii().is_empty()) {
        let object: serde_json::Map<String, Value> = serde_json::from_slice(bytes)
            .map_err(|error| fail(line, TableProblem::NotAnObject(error.to_string())))?;
        match object.get(column) {
            Some(Value::String(text)) => texts.push(text.clone()),
            Some(value) => {
                let (name, value) = (column.to_owned(), value.to_string());
                return Err(fail(line, TableProblem::NotAText { name, value }));
            }
            None => {
                let present = object.keys().cloned().collect();
                return Err(fail(line, TableProblem::MissingColumn { name: column.to_owned(), present }));
            }
        }
    }
    if texts.is_empty() { Err(fail(1, TableProblem::NoRows)) } else { Ok(texts) }
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
