//! The sources of data, one per file, and the registry that makes the recipe's choice out of them.
//!
//! To add a source, copy the file of the one that resembles it most, declare it with a `mod` line below, and give it
//! one line in `sources!`. The recipe, its schema, and the help are made from that line.

mod adult;
mod csv;
mod idx;
mod images;
mod mnist;
mod texts;

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::raw::Raw;
use crate::{ConfigProblem, DataError};

/// What every source does.
pub(crate) trait Load {
    /// Adds to `problems` what is wrong with the settings as such, before any file is opened.
    fn check(&self, _problems: &mut Vec<ConfigProblem>) {}

    /// Reads everything; relative paths start at the folder `base`.
    fn load(&self, base: &Path) -> Result<Raw, DataError>;
}

/// A source's name in recipes, and one line about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The value of `source` in a recipe.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
}

macro_rules! sources {
    ($($name:literal $variant:ident($config:ty): $summary:literal;)+) => {
        /// Where examples come from: the `source` of a recipe's `[data]` section, with that source's settings.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "source")]
        pub enum Source {
            $(#[doc = $summary] #[serde(rename = $name)] $variant($config),)+
        }

        impl Source {
            /// The value of `source` in a recipe.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)+ }
            }

            pub(crate) fn check(&self, problems: &mut Vec<ConfigProblem>) {
                match self { $(Self::$variant(config) => config.check(problems),)+ }
            }

            pub(crate) fn load(&self, base: &Path) -> Result<Raw, DataError> {
                match self { $(Self::$variant(config) => config.load(base),)+ }
            }
        }

        /// All sources, in the order of their registration.
        #[must_use]
        pub fn entries() -> &'static [Entry] {
            &[$(Entry { name: $name, summary: $summary },)+]
        }
    };
}

pub use adult::Adult;
pub(crate) use csv::delimiter_byte;
pub use csv::{Csv, TableTask};
pub use idx::Idx;
pub use images::Images;
pub use mnist::Mnist;
pub use texts::Texts;

sources! {
    "mnist" Mnist(Mnist): "60,000 + 10,000 handwritten digits, 28 x 28 grey pixels (built in).";
    "idx" Idx(Idx): "A folder of picture and label files in MNIST's IDX format.";
    "images" Images(Images): "A folder of PNG or JPEG pictures, one subfolder per class.";
    "csv" Csv(Csv): "A CSV file, to predict one column from the others.";
    "texts" Texts(Texts): "A table or JSON lines of texts with a class each.";
    "adult" Adult(Adult): "The UCI Adult census table: who earns more than 50,000 dollars a year (built in)?";
}
