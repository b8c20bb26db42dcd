use std::path::PathBuf;

use crucible_models::weights::{State, to_npy, to_safetensors};
use crucible_report::{Figure, to_svg};

use crate::error::CliError;

/// The form of arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Arrays {
    /// One file for all arrays of a method
    Safetensors,
    /// One file for each array, as numpy.load reads it
    Npy,
}

/// Where pictures and arrays go, and in which form arrays do.
pub(super) struct Files {
    pub(super) folder: PathBuf,
    pub(super) arrays: Arrays,
}

impl Files {
    pub(super) fn save(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, CliError> {
        let path = self.folder.join(name);
        match std::fs::create_dir_all(&self.folder).and_then(|()| std::fs::write(&path, bytes)) {
            Ok(()) => Ok(path),
            Err(source) => Err(CliError::File { action: "write", path, source }),
        }
    }

    /// Writes arrays, in one file or one file each.
    pub(super) fn save_arrays(&self, name: &str, arrays: &State) -> Result<Vec<PathBuf>, CliError> {
        match self.arrays {
            Arrays::Safetensors => {
                let file = self.save(&format!("{name}.safetensors"), &to_safetensors(arrays, None))?;
                Ok(vec![file])
            }
            Arrays::Npy => {
                let save = |(array, tensor)| self.save(&format!("{name}-{array}.npy"), &to_npy(tensor));
                arrays.iter().map(save).collect()
            }
        }
    }

    /// Writes a chart as a picture, if there is anything to draw.
    pub(super) fn save_figure(&self, name: &str, figure: &Figure) -> Result<Option<PathBuf>, CliError> {
        to_svg(figure).map(|svg| self.save(&format!("{name}.svg"), svg.as_bytes())).transpose()
    }
}
