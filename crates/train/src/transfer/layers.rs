use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Place, Places, Way};

/// Some layers are trained, and the last one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    /// Names of layers, such as `fc2`, or of what holds several, such as `layers.3`.
    pub layers: Vec<String>,
}

impl Layers {
    /// Whether a name means the layer that a parameter belongs to.
    pub(super) fn names(name: &str, place: &Place) -> bool {
        place.layer.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Whether all of these are names of layers.
    pub(super) fn known(layers: &[String], places: &Places) -> Result<(), String> {
        let known = |name: &&String| places.values().any(|place| Self::names(name, place));
        match layers.iter().find(|name| !known(name)) {
            Some(name) => {
                Err(format!("there is no layer `{name}`; there are: {}", places.layers().join(", ")))
            }
            None => Ok(()),
        }
    }
}

impl Way for Layers {
    fn trains(&self, place: &Place) -> bool {
        place.is_head || self.layers.iter().any(|name| Self::names(name, place))
    }

    fn check(&self, places: &Places) -> Result<(), String> {
        if self.layers.is_empty() {
            return Err(format!("`layers` names those to train, of: {}", places.layers().join(", ")));
        }
        Self::known(&self.layers, places)
    }
}
