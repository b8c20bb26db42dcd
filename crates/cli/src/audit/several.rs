//! One table, or an array of tables.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One check, or several of one kind with other settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Several<C> {
    One(C),
    Many(Vec<C>),
}

impl<C> Several<C> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &C> {
        match self {
            Self::One(check) => std::slice::from_ref(check),
            Self::Many(checks) => checks,
        }
        .iter()
    }
}
