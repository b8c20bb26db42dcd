//! The run folder: where a job leaves everything, and the only place that it writes to.
//!
//! | path | what |
//! |---|---|
//! | `recipe.toml` | the recipe as it ran, every default filled in |
//! | `config.json` | architecture, input format and task: what it takes to use the weights |
//! | `tokenizer.json` | of a run that reads texts: what makes numbers of them |
//! | `model.safetensors` | the weights, under PyTorch's names |
//! | `metrics.jsonl` | one JSON object for every logged step and every epoch |
//! | `events.out.tfevents.crucible` | the same for TensorBoard |
//! | `checkpoints/last.safetensors` | the whole state of training, to continue from |
//! | `checkpoints/best.safetensors` | the weights with the lowest monitored loss |
//! | `adapter/` | adapters of low rank apart from the weights, as Hugging Face's `peft` has them; `model.safetensors` has them merged |
//! | `findings/` | sections of the report that other verbs left, one JSON file each |
//! | `prune/` | the plan by which a network was pruned, and while it goes on the run folder of each round |
//! | `privacy/` | what training with a guarantee spent, and while it goes on the key of its draws |
//! | `shadows/` | the plan and the run folders of shadow models, which attacks on membership go by |
//! | `samples/` | of a generator: a sheet of its pictures after each epoch |
//! | `report.html`, `report.json` | the report |
//!
//! A file is written under a temporary name, flushed to the disk, and renamed, so that a reader finds either the old
//! file or the new one, whole. Only the two logs grow in place; a resumed run cuts them back to what its checkpoint
//! knows of.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::TrainError;

/// Names of files in a run folder.
pub mod name {
    /// The recipe as it ran.
    pub const RECIPE: &str = "recipe.toml";
    /// What it takes to use the weights.
    pub const CONFIG: &str = "config.json";
    /// What makes numbers of texts.
    pub const TOKENIZER: &str = "tokenizer.json";
    /// The weights.
    pub const MODEL: &str = "model.safetensors";
    /// Steps and epochs as JSON lines.
    pub const METRICS: &str = "metrics.jsonl";
    /// Steps and epochs for TensorBoard.
    pub const EVENTS: &str = "events.out.tfevents.crucible";
    /// The whole state of training.
    pub const LAST: &str = "checkpoints/last.safetensors";
    /// The weights with the lowest monitored loss.
    pub const BEST: &str = "checkpoints/best.safetensors";
    /// The folder of a generator's sheets, `0001.png` after the first epoch.
    pub const SAMPLES: &str = "samples";
    /// The settings of adapters.
    pub const ADAPTER_CONFIG: &str = "adapter/adapter_config.json";
    /// Adapters, apart from the weights that they change.
    pub const ADAPTER: &str = "adapter/adapter_model.safetensors";
}

/// A folder that holds one run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    root: PathBuf,
}

impl RunFolder {
    /// Makes the folder, and its recipe in the same moment: the folder either does not exist or says what it is for.
    ///
    /// # Errors
    ///
    /// Where `root` exists and is not empty, or cannot be created.
    pub fn create(root: &Path, recipe: &str) -> Result<Self, TrainError> {
        let fail = |action, path: &Path| {
            let path = path.to_owned();
            move |source| TrainError::File { action, path, source }
        };
        let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(fail("create", parent))?;
        let name = root.file_name().unwrap_or_default().to_string_lossy();
        let temporary = Self { root: parent.join(format!(".{name}.{}.new", std::process::id())) };
        fs::create_dir_all(temporary.path("checkpoints")).map_err(fail("create", &temporary.root))?;
        let made = temporary.write(name::RECIPE, recipe.as_bytes());
        // Renaming replaces an empty folder and refuses any other.
        let made = made.and_then(|()| fs::rename(&temporary.root, root).map_err(fail("create", root)));
        if let Err(error) = made {
            // Best effort: the first error is the one that matters.
            let _ = fs::remove_dir_all(&temporary.root);
            return Err(error);
        }
        Ok(Self { root: root.to_owned() })
    }

    /// A folder that exists.
    ///
    /// # Errors
    ///
    /// Where it holds no recipe, and so no run.
    pub fn open(root: &Path) -> Result<Self, TrainError> {
        let folder = Self { root: root.to_owned() };
        folder.read(name::RECIPE)?;
        Ok(folder)
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The place of a file.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Whether a file exists.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.path(name).is_file()
    }

    /// The bytes of a file.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, TrainError> {
        let path = self.path(name);
        fs::read(&path).map_err(|source| TrainError::File { action: "read", path, source })
    }

    /// Replaces a file in one moment.
    ///
    /// # Errors
    ///
    /// Where it cannot be written; the old file, if any, is untouched then.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), TrainError> {
        self.write_with(File::options().write(true).create(true).truncate(true), name, bytes)
    }

    /// The same, in a file that the system lets nobody but its owner read.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn write_secret(&self, name: &str, bytes: &[u8]) -> Result<(), TrainError> {
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        self.write_with(&options, name, bytes)
    }

    fn write_with(&self, options: &OpenOptions, name: &str, bytes: &[u8]) -> Result<(), TrainError> {
        let path = self.path(name);
        write_atomic(&path, options, bytes).map_err(|source| TrainError::File {
            action: "write",
            path,
            source,
        })
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    ///
    /// Where it cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), TrainError> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(TrainError::File { action: "remove", path, source })
            }
            _ => Ok(()),
        }
    }
}

fn write_atomic(path: &Path, options: &OpenOptions, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let written = options.open(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&temporary, path));
    if renamed.is_err() {
        // Best effort: the first error is the one that matters.
        let _ = fs::remove_file(&temporary);
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_anything_in_it_is_refused_and_untouched() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("run");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("thesis.txt"), "years of work").unwrap();
        let error = RunFolder::create(&root, "seed = 1").unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot create {}:", root.display())), "{error}");
        assert_eq!(fs::read_to_string(root.join("thesis.txt")).unwrap(), "years of work");
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let parent = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&parent.path().join("run"), "seed = 1").unwrap();
        fs::create_dir(folder.path("config.json")).unwrap();
        assert!(folder.write("config.json", b"{}").is_err());
        assert!(folder.path("config.json").is_dir());
        assert_eq!(
            fs::read_dir(folder.root()).unwrap().count(),
            3,
            "recipe, checkpoints, and the folder in the way"
        );
    }

    #[test]
    fn a_folder_without_a_recipe_is_no_run() {
        let parent = tempfile::tempdir().unwrap();
        assert!(RunFolder::open(parent.path()).is_err());
    }
}
