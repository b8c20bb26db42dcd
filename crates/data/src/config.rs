//! The `[data]` section of a recipe.

use std::collections::BTreeSet;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ConfigProblem, DataError, Dataset, Source, prepare};

/// The `[data]` section of a recipe: where examples come from, and how they are split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DataConfig {
    /// The source and its settings.
    #[serde(flatten)]
    pub source: Source,
    /// Share of the training examples set aside for validation, 0 to 0.9, if the source has no validation
    /// split of its own; classes keep their proportions.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 0.9))]
    pub validation: f64,
    /// Share of all examples set aside for testing, 0 to 0.9, if the source has no test split of its own; classes keep
    /// their proportions.
    #[serde(default = "default_test")]
    #[schemars(range(min = 0.0, max = 0.9))]
    pub test: f64,
    /// How pixel values are scaled. Columns of tables are always standardised.
    #[serde(default)]
    pub normalize: Normalize,
    /// The mean that `normalize = "fixed"` takes off pixels from 0 to 1, in each channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// The standard deviation that it then divides them by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub std: Option<f64>,
    /// Pictures of these classes only, which are numbered in this order; all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2))]
    pub only: Option<Vec<String>>,
    /// Use at most this many training examples of each class, drawn at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub per_class: Option<usize>,
    /// Use at most this many examples of each split, drawn at random: for quick runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub limit: Option<usize>,
}

/// How pixel values become inputs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Normalize {
    /// To mean 0 and standard deviation 1 per channel, as measured on the training split.
    #[default]
    Standard,
    /// To the range 0 to 1.
    Unit,
    /// By the `mean` and the `std` that are given, where nothing may be measured on the training split.
    Fixed,
}

fn default_test() -> f64 {
    0.2
}

impl DataConfig {
    /// The settings that `source` has when the recipe names nothing else.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self {
            source,
            validation: 0.0,
            test: default_test(),
            normalize: Normalize::default(),
            mean: None,
            std: None,
            only: None,
            per_class: None,
            limit: None,
        }
    }

    /// Every problem of the settings as such; no file is opened.
    #[must_use]
    pub fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        self.source.check(&mut problems);
        for (field, share) in [("validation", self.validation), ("test", self.test)] {
            if !(0.0..=0.9).contains(&share) {
                problems.push(ConfigProblem { field, problem: format!("{share} is not between 0 and 0.9") });
            }
        }
        let fixed = self.normalize == Normalize::Fixed;
        for (field, value) in [("mean", self.mean), ("std", self.std)] {
            let problem = match value {
                None if fixed => format!("`normalize = \"fixed\"` needs `{field}`"),
                Some(_) if !fixed => format!("`{field}` is for `normalize = \"fixed\"`"),
                Some(value) if !value.is_finite() || (field == "std" && value <= 0.0) => {
                    format!("{value} is no {field}")
                }
                _ => continue,
            };
            problems.push(ConfigProblem { field, problem });
        }
        for (field, most) in [("limit", self.limit), ("per_class", self.per_class)] {
            if most == Some(0) {
                problems.push(ConfigProblem { field, problem: "no example would be left".to_owned() });
            }
        }
        let classes = self.only.iter().flatten();
        let distinct: BTreeSet<&String> = classes.clone().collect();
        if self.only.is_some() && (distinct.len() < 2 || distinct.len() < classes.count()) {
            let problem = "at least two different classes are to be told apart, each named once".to_owned();
            problems.push(ConfigProblem { field: "only", problem });
        }
        problems
    }
}

/// Reads, splits, and scales. Relative paths start at the folder `base` (the recipe's).
///
/// The result depends on nothing but the files, `config`, and `seed`. What scales the inputs is measured on the
/// training split alone, after splitting and limiting.
///
/// # Errors
///
/// If a setting is out of range, a file is missing or damaged, or a split would be empty.
pub fn load(config: &DataConfig, base: &Path, seed: u64) -> Result<Dataset, DataError> {
    let problems = config.check();
    if !problems.is_empty() {
        return Err(DataError::Config { problems });
    }
    prepare::prepare(config.source.load(base)?, config, seed)
}
