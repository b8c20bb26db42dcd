use std::path::PathBuf;
use std::process::ExitCode;

use crucible_compress::{CompressError, OpenError};
use crucible_data::DataError;
use crucible_explain::ExplainError;
use crucible_hub::HubError;
use crucible_models::{
    ModelError, adapters::peft::PeftError, architectures::hugging_face::PretrainedError,
    weights::WeightsError,
};
use crucible_onnx::ExportError;
use crucible_privacy::PrivacyError;
use crucible_recipe::Problems;
use crucible_robust::RobustError;
use crucible_train::TrainError;

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error("{0}")]
    Recipe(Problems),
    #[error(
        "there is no recipe named `{name}`{}; shipped recipes: {known}; a file is given by its path",
        suggestion(nearest)
    )]
    NoSuchRecipe { name: String, nearest: Option<String>, known: String },
    #[error("{}", .0)]
    Usage(String),
    #[error("{} is no run: {problem}", path.display())]
    NoRun { path: PathBuf, problem: String },
    #[error(
        "{0} holds a generator, which makes pictures and answers nothing: `crucible generate {0}` asks it for some, `crucible \
         report {0}` writes its report anew, and `crucible train --resume {0}` goes on with its training",
        path.display()
    )]
    Generator { path: PathBuf },
    #[error("{} is no generator: {problem}", path.display())]
    NoGenerator { path: PathBuf, problem: String },
    #[error("{} is no folder of an encoder: {problem}", path.display())]
    NoModel { path: PathBuf, problem: String },
    #[error("{} holds no adapters: {problem}", path.display())]
    NoAdapters { path: PathBuf, problem: String },
    #[error("{}: {source}", path.display())]
    Adapters { path: PathBuf, source: PeftError },
    #[error("{}: {source}", path.display())]
    Pretrained { path: PathBuf, source: PretrainedError },
    #[error(
        "the {name} data are not those that {} was written for: {problem}; train a new run on them",
        config.display()
    )]
    OtherData { name: String, config: PathBuf, problem: String },
    #[error("cannot {action} {}: {source}", path.display())]
    File { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{}: {source}", path.display())]
    Archive { path: PathBuf, source: OpenError },
    #[error(transparent)]
    Compress(#[from] CompressError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Corruption(#[from] crucible_data::corruptions::NotCorrupted),
    #[error(transparent)]
    Hub(#[from] HubError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Robust(#[from] RobustError),
    #[error(transparent)]
    Explain(#[from] ExplainError),
    #[error(transparent)]
    Privacy(#[from] PrivacyError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Foreign(#[from] crucible_models::weights::OpenError),
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

impl CliError {
    /// 2 where the words or the recipe are wrong, 1 where something went wrong.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Recipe(_) | Self::NoSuchRecipe { .. } | Self::Usage(_) => 2,
            Self::NoRun { .. }
            | Self::Generator { .. }
            | Self::NoGenerator { .. }
            | Self::NoModel { .. }
            | Self::NoAdapters { .. } => 2,
            Self::Hub(HubError::Name { .. }) => 2,
            Self::Model(_)
            | Self::Compress(_)
            | Self::Export(_)
            | Self::Robust(_)
            | Self::Explain(_)
            | Self::Privacy(_) => 2,
            Self::Train(
                TrainError::Loss(_)
                | TrainError::NothingToMeasure
                | TrainError::NoAccuracy
                | TrainError::Pair { .. },
            ) => 2,
            Self::OtherData { .. }
            | Self::Weights(_)
            | Self::Foreign(_)
            | Self::Hub(_)
            | Self::Adapters { .. }
            | Self::Pretrained { .. }
            | Self::Archive { .. }
            | Self::File { .. }
            | Self::Data(_)
            | Self::Corruption(_)
            | Self::Train(_) => 1,
        })
    }

    /// The problems of a recipe, for machines.
    pub(crate) fn problems(&self) -> Option<&Problems> {
        match self {
            Self::Recipe(problems) => Some(problems),
            _ => None,
        }
    }
}
