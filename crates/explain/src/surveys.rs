//! The explanations of what a network makes of the data as a whole, and the one list that names them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ExplainError,
    prototypes::Prototypes,
    tables::{PartialDependence, PermutationImportance},
};

/// A survey for lists, help texts and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SurveyInfo {
    /// The name that settings use.
    pub name: &'static str,
    /// One line on what it does.
    pub doc: &'static str,
    /// Whether it asks about the columns of a table, so that pictures have no answer to it.
    pub tables: bool,
}

/// One line a survey: its name, its settings, and whether it is for tables alone.
macro_rules! surveys {
    ($(#[doc = $doc:literal] $name:literal $variant:ident: $tables:literal;)*) => {
        /// Which survey, and its settings.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "name")]
        pub enum SurveyConfig {
            $(#[doc = $doc] #[serde(rename = $name)] $variant($variant),)*
        }

        /// All surveys.
        pub const SURVEYS: &[SurveyInfo] =
            &[$(SurveyInfo { name: $name, doc: $doc.trim_ascii(), tables: $tables },)*];

        impl SurveyConfig {
            /// The line of [`SURVEYS`] on it.
            #[must_use]
            pub fn info(&self) -> &'static SurveyInfo {
                let name = match self {
                    $(Self::$variant(_) => $name,)*
                };
                SURVEYS.iter().find(|info| info.name == name).expect("the list is made of the same lines")
            }

            /// The survey of this name with its defaults, if there is one.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant(<$variant>::default())),)*
                    _ => None,
                }
            }

            /// Refuses settings out of their range.
            ///
            /// # Errors
            ///
            /// Where there is one; the error says what is allowed.
            pub fn check(&self) -> Result<(), ExplainError> {
                match self {
                    $(Self::$variant(settings) => settings.check(),)*
                }
            }
        }
    };
}

surveys! {
    /// Which columns the network needs: the accuracy it loses where one is shuffled.
    "permutation-importance" PermutationImportance: true;
    /// How the probability of a class depends on each column.
    "partial-dependence" PartialDependence: true;
    /// Examples of each class: prototypes and criticisms, counter-examples, the most and the least certain.
    "prototypes" Prototypes: false;
}
