//! A local file of texts with a class each.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Load;
use crate::learn::{OwnSplits, classes};
use crate::raw::{Raw, RawContent, RawTexts};
use crate::texts::{Columns, Wanted};
use crate::{ConfigProblem, DataError, Tokenizer};

/// Settings of a table with a header (`.csv`, `.tsv`) or of JSON lines (`.jsonl`), gzipped or not.
///
/// Texts become the numbers of their tokens. Each distinct label is a class; they are sorted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// The file; a relative path starts at the recipe's folder.
    pub path: PathBuf,
    /// The column that holds the texts.
    #[serde(default = "text")]
    pub column: String,
    /// The column to predict; in JSON lines a text, a number, true or false.
    #[serde(default = "label")]
    pub target: String,
    /// A `tokenizer.json` of Hugging Face's, or a folder with one. It may be left out where `transfer.from` is a folder with
    /// one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<PathBuf>,
    /// Tokens that texts are cut to, those included that mark their ends.
    #[serde(default = "tokens")]
    #[schemars(range(min = 1, max = 65_536))]
    pub max_tokens: usize,
    /// A column that says `train`, `validation`, or `test` for each row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_column: Option<String>,
}

fn text() -> String {
    "text".to_owned()
}

fn label() -> String {
    "label".to_owned()
}

fn tokens() -> usize {
    256
}

impl Texts {
    /// The settings for the texts of the file at `path`, with the tokenizer at `tokenizer`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, tokenizer: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            column: text(),
            target: label(),
            tokenizer: Some(tokenizer.into()),
            max_tokens: tokens(),
            split_column: None,
        }
    }
}

impl Load for Texts {
    fn check(&self, problems: &mut Vec<ConfigProblem>) {
        if self.tokenizer.is_none() {
            let problem =
                "texts become inputs by a tokenizer: name a tokenizer.json or a folder with one, or a \
                           `transfer.from` that has one"
                    .to_owned();
            problems.push(ConfigProblem { field: "tokenizer", problem });
        }
        for (field, column) in [("column", Some(&self.column)), ("split_column", self.split_column.as_ref())]
        {
            if column == Some(&self.target) {
                let problem = format!("\"{}\" is the target", self.target);
                problems.push(ConfigProblem { field, problem });
            }
        }
    }

    fn load(&self, base: &Path) -> Result<Raw, DataError> {
        // A tokenizer is small, and the texts are not.
        let tokenizer = base.join(self.tokenizer.as_deref().unwrap_or(Path::new(Tokenizer::FILE)));
        let tokenizer = Tokenizer::open(&tokenizer, self.max_tokens)?;
        let path = base.join(&self.path);
        let mut wanted = vec![Wanted::text(&self.column), Wanted::label(&self.target)];
        wanted.extend(self.split_column.as_deref().map(Wanted::text));
        let Columns { mut values, lines } = Columns::read(&path, &wanted)?;
        let fail = |row: usize, problem| DataError::Table {
            path: path.clone(),
            line: lines[row],
            column: 1,
            problem,
        };
        let own = match self.split_column {
            Some(_) => OwnSplits::of(values[2].iter().map(String::as_str))
                .map_err(|(row, problem)| fail(row, problem))?,
            None => OwnSplits::none(lines.len()),
        };
        let labels = values[1].iter().map(String::as_str);
        let (classes, labels) = classes(&self.target, labels).map_err(|problem| fail(0, problem))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = name.split('.').next().unwrap_or_default().to_owned();
        let (column, max_tokens) = (self.column.clone(), self.max_tokens);
        let texts = values.swap_remove(0);
        let texts = RawTexts { column, texts, classes, labels, own, tokenizer, max_tokens };
        Ok(Raw { name, content: RawContent::Texts(Box::new(texts)) })
    }
}
