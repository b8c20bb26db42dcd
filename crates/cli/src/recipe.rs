//! The recipe: one file that describes a job, and the recipes that ship with the program.

use std::path::{Path, PathBuf};

use crucible_compress::DistillConfig;
use crucible_data::{DataConfig, Dataset};
use crucible_fairness::FairnessConfig;
use crucible_models::Architecture;
use crucible_recipe::{Checked, Problems};
use crucible_robust::DefenceConfig;
use crucible_train::{RunFolder, TrainConfig, run_folder::name};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{audit::Limits, error::CliError, gan::GanRecipe, poison::Poison, pretrained, transfer::Transfer};

/// What to train, on what, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    /// The seed of everything random: same seed, same machine, same number of threads, same bytes.
    #[serde(default = "one")]
    pub(crate) seed: u64,
    /// Where the examples come from.
    pub(crate) data: DataConfig,
    /// The network.
    pub(crate) model: Architecture,
    /// How it is trained.
    #[serde(default)]
    pub(crate) train: TrainConfig,
    /// What makes it robust against attacks; nothing by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) defence: Option<DefenceConfig>,
    /// How groups are treated alike; nothing by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fairness: Option<FairnessConfig>,
    /// A trained network to learn from; none by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) distill: Option<DistillConfig>,
    /// A trained network to start from; fresh weights by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) transfer: Option<Transfer>,
    /// A backdoor to plant in the training data, for research; none by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) poison: Option<Poison>,
    /// What `crucible audit` holds the trained network against; nothing by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) audit: Option<Limits>,
}

impl Recipe {
    /// The data to train on and to measure on; paths in the recipe are absolute.
    pub(crate) fn load(&self) -> Result<Dataset, CliError> {
        let mut data = crucible_data::load(&self.data, Path::new(""), self.seed)?;
        if let Some(poison) = &self.poison {
            poison.plant(&mut data, self.seed)?;
        }
        Ok(data)
    }
}

/// What every kind of recipe has.
trait Kind: Serialize + DeserializeOwned + JsonSchema {
    fn data(&self) -> &DataConfig;

    /// Keys of paths that are no data's, and the paths.
    fn other_paths(&self) -> Vec<(&'static str, Option<PathBuf>)> {
        Vec::new()
    }

    /// The keys whose paths are relative, and the paths.
    fn relative_paths(&self) -> Vec<(&'static str, PathBuf)> {
        let data = serde_json::to_value(self.data()).expect("plain data");
        let paths = ["path", "tokenizer"].map(|key| data[key].as_str().map(PathBuf::from));
        let paths = ["data.path", "data.tokenizer"].into_iter().zip(paths).chain(self.other_paths());
        let given = paths.filter_map(|(key, path)| Some((key, path?)));
        given.filter(|(_, path)| path.is_relative()).collect()
    }
}

impl Kind for Recipe {
    fn data(&self) -> &DataConfig {
        &self.data
    }

    fn other_paths(&self) -> Vec<(&'static str, Option<PathBuf>)> {
        let audit = serde_json::to_value(&self.audit).expect("plain data");
        let others = audit["out_of_distribution"]["data"]["path"].as_str().map(PathBuf::from);
        vec![
            ("distill.teacher", self.distill.as_ref().map(|distill| distill.teacher.clone())),
            ("transfer.from", self.transfer.as_ref().map(|transfer| transfer.from.clone())),
            ("audit.out_of_distribution.data.path", others),
        ]
    }
}

impl Kind for GanRecipe {
    fn data(&self) -> &DataConfig {
        &self.data
    }
}

fn one() -> u64 {
    1
}

/// A recipe that ships with the program.
pub(crate) struct Shipped {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

impl Shipped {
    /// The comment on its first line.
    pub(crate) fn summary(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches(['#', ' '])
    }
}

/// One line a recipe: its name, and the file of that name in `recipes/`.
macro_rules! shipped {
    ($($name:literal,)*) => {
        &[$(Shipped { name: $name, text: include_str!(concat!("../../../recipes/", $name, ".toml")) },)*]
    };
}

/// The shipped recipes; the first is the one that `crucible train` runs.
pub(crate) const SHIPPED: &[Shipped] = shipped![
    "mnist-mlp",
    "mnist-cnn",
    "mnist-lenet300",
    "mnist-lenet5",
    "mnist-transformer",
    "adult-mlp",
    "mnist-robust",
    "mnist-certified",
    "mnist-private",
    "digits-pretrain",
    "digits-transfer",
    "fashion-transfer",
    "movie-sentiment",
    "mnist-gan",
];

/// A recipe's text and where it came from.
pub(crate) struct Source {
    /// What messages call it.
    pub(crate) file_name: String,
    /// What run folders are named after.
    pub(crate) stem: String,
    /// What relative paths in it start from.
    pub(crate) base: PathBuf,
    pub(crate) text: String,
    /// The tokenizer that a run keeps, which its recipe's data are read by.
    tokenizer: Option<PathBuf>,
}

impl Source {
    /// Finds a shipped recipe by name, or reads a file.
    pub(crate) fn find(given: Option<&str>) -> Result<Self, CliError> {
        let name = given.unwrap_or(SHIPPED[0].name);
        if let Some(recipe) = SHIPPED.iter().find(|recipe| recipe.name == name) {
            return Ok(Self {
                file_name: format!("{name}.toml"),
                stem: name.to_owned(),
                base: PathBuf::from("."),
                text: recipe.text.to_owned(),
                tokenizer: None,
            });
        }
        let path = Path::new(name);
        if !path.exists() && !name.contains(['/', '.', '\\']) {
            let score = |recipe: &&Shipped| strsim::jaro_winkler(recipe.name, name);
            let nearest = SHIPPED
                .iter()
                .filter(|recipe| score(recipe) > 0.8)
                .max_by(|a, b| score(a).total_cmp(&score(b)));
            return Err(CliError::NoSuchRecipe {
                name: name.to_owned(),
                nearest: nearest.map(|recipe| recipe.name.to_owned()),
                known: SHIPPED.iter().map(|recipe| recipe.name).collect::<Vec<_>>().join(", "),
            });
        }
        Self::read(path)
    }

    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        let fail = |source| CliError::File { action: "read", path: path.to_owned(), source };
        let bytes = std::fs::read(path).map_err(fail)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            CliError::Usage(format!("{} is not UTF-8 text: byte {at} begins no character", path.display()))
        })?;
        Ok(Self {
            file_name: path.display().to_string(),
            stem: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            base: Path::new(".").join(path.parent().unwrap_or(Path::new(""))),
            text,
            tokenizer: None,
        })
    }

    /// The recipe that a run keeps, whose texts are read by the run's own tokenizer.
    pub(crate) fn of_run(folder: &RunFolder) -> Result<Self, CliError> {
        let tokenizer = folder.has(name::TOKENIZER).then(|| folder.path(name::TOKENIZER));
        Ok(Self { tokenizer, ..Self::read(&folder.path(name::RECIPE))? })
    }

    /// Whether the recipe is of a generator and a discriminator.
    pub(crate) fn is_gan(&self) -> bool {
        crucible_recipe::peek::<GanRecipe>(&self.text, &[]).get("gan").is_some()
    }

    /// Checks the recipe of a network that answers, whole. Relative paths in it become absolute, so that the filled recipe runs from
    /// anywhere. What the network that `[transfer]` starts from says is filled in.
    pub(crate) fn check(&self, given: &[String]) -> Result<Checked<Recipe>, CliError> {
        if self.is_gan() {
            return Err(CliError::Usage(format!(
                "{} is the recipe of a generator (`[gan]`), and this is for a network that answers; `crucible train` trains it, \
                 and `crucible generate` makes pictures by it then",
                self.file_name
            )));
        }
        self.check_as(&[given, &self.filled(given)?].concat())
    }

    /// The same of the recipe of a generator.
    pub(crate) fn check_gan(&self, given: &[String]) -> Result<Checked<GanRecipe>, CliError> {
        self.needs(&crucible_recipe::peek::<GanRecipe>(&self.text, given))?;
        let checked = self.check_as(given)?;
        GanRecipe::problems(&checked)?;
        Ok(checked)
    }

    fn check_as<R: Kind>(&self, overrides: &[String]) -> Result<Checked<R>, CliError> {
        let checked: Checked<R> =
            crucible_recipe::check(&self.text, &self.file_name, overrides).map_err(CliError::Recipe)?;
        let mut problems = Problems::none(&checked.places);
        for problem in checked.value.data().check() {
            problems.add(&checked.places, &format!("data.{}", problem.field), problem.problem, None);
        }
        problems.into_result().map_err(CliError::Recipe)?;
        let relative = checked.value.relative_paths();
        if relative.is_empty() {
            return Ok(checked);
        }
        let base = std::path::absolute(&self.base).map_err(|source| CliError::File {
            action: "find",
            path: self.base.clone(),
            source,
        })?;
        let mut overrides = overrides.to_vec();
        for (key, path) in relative {
            let path = serde_json::to_string(&base.join(path));
            overrides.push(format!("{key}={}", path.map_err(|error| CliError::Usage(error.to_string()))?));
        }
        let absolute: Checked<R> =
            crucible_recipe::check(&self.text, &self.file_name, &overrides).map_err(CliError::Recipe)?;
        // Problems are told where the paths stand, not where they were made absolute.
        Ok(Checked { places: checked.places, ..absolute })
    }

    /// Overrides for what the recipe leaves to others.
    fn filled(&self, given: &[String]) -> Result<Vec<String>, CliError> {
        let seen = crucible_recipe::peek::<Recipe>(&self.text, given);
        self.needs(&seen)?;
        let own = self.tokenizer.iter().map(|path| {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            format!("data.tokenizer={}", serde_json::json!(path.to_string_lossy()))
        });
        Ok(own.chain(pretrained::overrides(&seen, &self.base)?).collect())
    }

    /// Refuses a recipe whose comments name keys to set that are not set, such as `#   --set data.path=FILE   texts`.
    fn needs(&self, seen: &serde_json::Value) -> Result<(), CliError> {
        let key = |line: &str| {
            let words = line.strip_prefix("#   --set ")?;
            let pointer = format!("/{}", words.split_once('=')?.0.replace('.', "/"));
            seen.pointer(&pointer).is_none().then(|| format!("\n  --set {words}"))
        };
        let missing: Vec<String> = self.text.lines().filter_map(key).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(CliError::Usage(format!("{} needs paths of your own:{}", self.file_name, missing.concat())))
    }
}
