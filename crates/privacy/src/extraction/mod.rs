//! Extraction: what of its training examples a model gives away. The methods, one file each, and the one list that names
//! them.
//!
//! They ask a model through its views ([`Classifier`](crucible_models::Classifier),
//! [`Differentiable`](crucible_models::Differentiable)), so that one from elsewhere can be asked, too.

mod attribute;
mod inversion;
mod nearest_neighbour;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use attribute::{Attribute, infer_attribute};
pub use inversion::{Inversion, Inverted, Penalty, invert};
pub use nearest_neighbour::{Labelled, NearestNeighbour, Nearness, nearest_neighbours};

use crate::PrivacyError;

/// One line a method: its name and its settings.
macro_rules! extractions {
    ($(#[doc = $doc:literal] $variant:ident = $name:literal,)*) => {
        /// Which method, and its settings.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "name", rename_all = "kebab-case")]
        pub enum ExtractionConfig {
            $(#[doc = $doc] #[serde(rename = $name)] $variant($variant),)*
        }

        impl ExtractionConfig {
            /// Every method as its name, what it is, and its default settings.
            #[must_use]
            pub fn all() -> Vec<(&'static str, &'static str, Self)> {
                vec![$(($name, $doc.trim_ascii(), Self::$variant($variant::default())),)*]
            }

            /// The name that commands use.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                }
            }

            /// Refuses settings that cannot be.
            ///
            /// # Errors
            ///
            /// Where one cannot; the error says what is allowed.
            pub fn check(&self) -> Result<(), PrivacyError> {
                match self {
                    $(Self::$variant(settings) => settings.check(),)*
                }
            }
        }
    };
}

extractions! {
    /// For each class, the input that the network is most sure of.
    Inversion = "inversion",
    /// Whether inputs made from the network are nearer to training examples than to others.
    NearestNeighbour = "nearest-neighbour",
    /// Whether a column of a table can be guessed from the network and the label, better for training examples.
    Attribute = "attribute",
}

/// Refuses a setting unless it holds what is `needed`.
fn need(name: &'static str, value: f64, holds: bool, needed: &'static str) -> Result<(), PrivacyError> {
    if holds { Ok(()) } else { Err(PrivacyError::Setting { name, value, needed }) }
}

#[cfg(test)]
mod tests;
