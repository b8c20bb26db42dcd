//! The UCI Adult census table, built in: does a person earn more than 50,000 dollars a year?
//!
//! Becker & Kohavi, "Adult", UCI Machine Learning Repository, 1996. The file's origin and SHA-256 are in
//! `data/adult/SOURCE.txt`; a test holds the built-in bytes against that file.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Csv, Load};
use crate::DataError;
use crate::raw::{Raw, RawContent, RawTable};
use crate::table::Table;

static BYTES: &[u8] = include_bytes!("../../../../data/adult/adult.csv.gz");

/// Settings of the built-in Adult table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adult {
    /// Columns that are not inputs, such as `["sex", "race"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
}

impl Load for Adult {
    fn load(&self, _base: &Path) -> Result<Raw, DataError> {
        let path = Path::new("built-in adult/adult.csv.gz");
        let table = Table::read(path, BYTES, b',')?;
        let settings = Csv {
            split_column: Some("split".to_owned()),
            ignore: self.ignore.clone(),
            ..Csv::new(path, "income")
        };
        Ok(Raw { name: "adult".to_owned(), content: RawContent::Table(RawTable { table, settings }) })
    }
}
