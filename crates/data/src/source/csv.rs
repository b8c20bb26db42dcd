//! A local CSV file: one row per example, one column to predict.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Load;
use crate::raw::{Raw, RawContent, RawTable};
use crate::table::Table;
use crate::{ConfigProblem, DataError, file};

/// Settings of a CSV file (gzipped or not) with a header.
///
/// A column is numeric if every value in it is a number, else text. Text becomes one input per distinct text of the
/// training rows. A missing number counts as the training mean; a missing or new text sets none of its inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Csv {
    /// The file; a relative path starts at the recipe's folder.
    pub path: PathBuf,
    /// The column to predict.
    pub target: String,
    /// What is predicted; by default a regression if the target has more than 20 distinct values, all of them numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TableTask>,
    /// A column that says `train`, `validation`, or `test` for each row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_column: Option<String>,
    /// Columns that are not inputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// Columns to be taken as text even if every value is a number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categorical: Vec<String>,
    /// Texts that stand for "no value".
    #[serde(default = "default_missing")]
    pub missing: Vec<String>,
    /// What separates fields: one ASCII character.
    #[serde(default = "default_delimiter")]
    pub delimiter: char,
}

/// What a table's target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TableTask {
    /// Each distinct text is a class.
    Classification,
    /// A number.
    Regression,
}

fn default_missing() -> Vec<String> {
    ["", "?", "NA", "NaN"].map(str::to_owned).to_vec()
}

fn default_delimiter() -> char {
    ','
}

impl Csv {
    /// The settings for predicting the column `target` of the file at `path`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, target: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            target: target.into(),
            task: None,
            split_column: None,
            ignore: Vec::new(),
            categorical: Vec::new(),
            missing: default_missing(),
            delimiter: default_delimiter(),
        }
    }
}

impl Load for Csv {
    fn check(&self, problems: &mut Vec<ConfigProblem>) {
        if delimiter_byte(self.delimiter).is_none() {
            let problem = format!("{:?} cannot separate fields; give one ASCII character", self.delimiter);
            problems.push(ConfigProblem { field: "delimiter", problem });
        }
        for (field, names) in [("ignore", &self.ignore), ("categorical", &self.categorical)] {
            if names.contains(&self.target) {
                let problem = format!("\"{}\" is the target", self.target);
                problems.push(ConfigProblem { field, problem });
            }
        }
        if self.split_column.as_ref() == Some(&self.target) {
            let problem = format!("\"{}\" is the target", self.target);
            problems.push(ConfigProblem { field: "split_column", problem });
        }
    }

    fn load(&self, base: &Path) -> Result<Raw, DataError> {
        let path = base.join(&self.path);
        let delimiter = delimiter_byte(self.delimiter).unwrap_or(b',');
        let table = Table::read(&path, &file::read(&path)?, delimiter)?;
        let name = path.file_stem().map_or("csv".into(), |name| name.to_string_lossy().into_owned());
        Ok(Raw { name, content: RawContent::Table(RawTable { table, settings: self.clone() }) })
    }
}

/// The delimiter as a byte, if it can be one.
pub(crate) fn delimiter_byte(delimiter: char) -> Option<u8> {
    u8::try_from(delimiter).ok().filter(|byte| byte.is_ascii() && !b"\"\r\n".contains(byte))
}
