//! Where each key of a checked recipe was written.

use serde::Serialize;

use crate::document::{Node, Place, Value};
use crate::path::{join, key_text};
use crate::text::Text;

/// Where a value of a checked recipe came from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "origin", rename_all = "kebab-case")]
pub enum Origin {
    /// It stands in the file.
    File {
        /// From one.
        line: usize,
        /// From one, in characters.
        column: usize,
    },
    /// An override gave it.
    Override {
        /// The override as it was given after `--set`.
        text: String,
    },
    /// Nobody wrote it: it is a default, or not part of the recipe at all.
    Default,
}

/// Where each key of a checked recipe was written.
#[derive(Debug, Clone)]
pub struct Places {
    pub(crate) root: Node,
    pub(crate) text: Text,
}

impl Places {
    /// Where the value at `path`, such as `train.optimizer.lr` or `audit.checks[0]`, came from.
    pub fn locate(&self, path: &str) -> Origin {
        match find(&self.root, "", &Place::Nowhere, path) {
            Some((place, true)) => self.origin(&place),
            _ => Origin::Default,
        }
    }

    /// The place of `path` or, if nobody wrote it, of the nearest table around it.
    pub(crate) fn nearest(&self, path: &str) -> Place {
        find(&self.root, "", &Place::Nowhere, path).map_or(Place::Nowhere, |(place, _)| place)
    }

    fn origin(&self, place: &Place) -> Origin {
        match place {
            Place::File(span) => {
                let (line, column, _) = self.text.resolve(span);
                Origin::File { line, column }
            }
            Place::Override(index) => {
                Origin::Override { text: self.text.overrides.get(*index).cloned().unwrap_or_default() }
            }
            Place::Nowhere => Origin::Default,
        }
    }
}

/// The place of `path` and true, or that of the deepest part of it that is in the tree and false.
fn find(node: &Node, here: &str, own: &Place, path: &str) -> Option<(Place, bool)> {
    let place = || match (&node.value, own) {
        (Value::Table(_), own) if *own != Place::Nowhere => own.clone(),
        _ => node.place.clone(),
    };
    if here == path {
        return Some((place(), true));
    }
    let rest = path.strip_prefix(here)?;
    if !here.is_empty() && !rest.starts_with(['.', '[']) {
        return None;
    }
    let deeper = match &node.value {
        Value::Table(table) => table.0.iter().find_map(|entry| {
            let name = key_text(&entry.key);
            let starts = rest.strip_prefix('.').unwrap_or(rest).starts_with(&name);
            starts.then(|| find(&entry.node, &join(here, &entry.key), &entry.key_place, path)).flatten()
        }),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            let name = format!("{here}[{index}]");
            path.starts_with(&name).then(|| find(item, &name, &item.place, path)).flatten()
        }),
        _ => None,
    };
    Some(deeper.filter(|(place, _)| *place != Place::Nowhere).unwrap_or_else(|| (place(), false)))
}
