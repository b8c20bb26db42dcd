//! What a check is.

use crucible_data::DataConfig;
use crucible_measure::limits::Limit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Finding, Subject, Unmeasured};

/// A measurement of a model, with the limit that it is held against.
///
/// The type itself is the check's settings in the recipe; its documentation there is that of the fields.
pub(crate) trait Check: DeserializeOwned + JsonSchema {
    /// What it is about.
    const CONCERN: Concern;
    /// What it asks of the model.
    const NEEDS: Needs;
    /// How long it takes.
    const COST: Cost;

    /// What is measured, for people: `Robust accuracy within L∞ 0.1`.
    fn title(&self) -> String;

    /// What the number is held against.
    fn limit(&self) -> Limit;

    /// Data that it reads beside the model's own.
    fn others(&self) -> Option<&DataConfig> {
        None
    }

    /// Measures the model.
    ///
    /// # Errors
    ///
    /// Where there is nothing to measure, or something went wrong.
    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured>;
}

/// What a check is about; reports have a card for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Concern {
    /// Is it right?
    Performance,
    /// Is it right on what it has not seen?
    Generalization,
    /// Do its probabilities mean what they say?
    Calibration,
    /// Is it right when someone tampers with its inputs?
    Robustness,
    /// What does it tell of the examples that it was trained on?
    Privacy,
    /// Does it treat groups alike?
    Fairness,
    /// Is it as good when it is made smaller?
    Compression,
}

impl Concern {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Performance => "Performance",
            Self::Generalization => "Generalization",
            Self::Calibration => "Calibration",
            Self::Robustness => "Robustness",
            Self::Privacy => "Privacy",
            Self::Fairness => "Fairness",
            Self::Compression => "Compression",
        }
    }
}

/// What a check asks of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Needs {
    /// Its answers: a black box will do.
    Answers,
    /// Its gradients: a white box.
    Gradients,
    /// How it was trained: a run.
    Run,
}

impl Needs {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Answers => "answers only",
            Self::Gradients => "gradients",
            Self::Run => "a run of Crucible's",
        }
    }
}

/// How long a check takes on a small network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Cost {
    /// A pass over the data or two.
    Seconds,
    /// Hundreds of passes, or more.
    Minutes,
}

impl Cost {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
        }
    }
}

/// A check whose settings are known, whatever they are.
pub(crate) trait Measured {
    fn title(&self) -> String;
    fn limit(&self) -> Limit;
    fn others(&self) -> Option<&DataConfig>;
    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured>;
}

impl<C: Check> Measured for C {
    fn title(&self) -> String {
        Check::title(self)
    }

    fn limit(&self) -> Limit {
        Check::limit(self)
    }

    fn others(&self) -> Option<&DataConfig> {
        Check::others(self)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        Check::measure(self, subject)
    }
}

/// One line of the registry.
pub(crate) struct Kind {
    /// The recipe's key.
    pub(crate) key: &'static str,
    /// What it is, in a sentence.
    pub(crate) about: &'static str,
    pub(crate) concern: Concern,
    pub(crate) needs: Needs,
    pub(crate) cost: Cost,
    /// The JSON Schema of its settings.
    pub(crate) schema: fn() -> Value,
    /// The check of these settings.
    pub(crate) read: fn(Value) -> serde_json::Result<Box<dyn Measured>>,
}

impl Kind {
    pub(crate) fn of<C: Check + 'static>(key: &'static str, about: &'static str) -> Self {
        Self {
            key,
            about: about.trim_ascii(),
            concern: C::CONCERN,
            needs: C::NEEDS,
            cost: C::COST,
            schema: || schemars::schema_for!(C).to_value(),
            read: |settings| Ok(Box::new(serde_json::from_value::<C>(settings)?)),
        }
    }
}

/// A check that a recipe asks for.
pub(crate) struct Asked {
    /// The recipe's key; from the second of the same key on with its number, as `equalized_odds_difference-2`.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// As the recipe has them, defaults filled in.
    pub(crate) settings: Value,
    pub(crate) check: Box<dyn Measured>,
}

impl Asked {
    /// The settings without the limit: all that the measurement depends on.
    pub(crate) fn conditions(&self) -> Value {
        let mut settings = self.settings.clone();
        if let Some(settings) = settings.as_object_mut() {
            settings.retain(|key, _| key != "min" && key != "max");
        }
        settings
    }
}
