use std::io::Read;

use zip::{CompressionMethod, ZipArchive, result::ZipError};

use super::super::{Source, error::OpenProblem};

/// The zip archive that `torch.save` writes: stored entries, all in one folder of any name.
pub(super) struct Archive<S> {
    zip: ZipArchive<S>,
    /// The folder, with its slash; empty where the entries are in none.
    folder: String,
}

/// The entry that holds the pickle.
pub(super) const PICKLE: &str = "data.pkl";
/// What only TorchScript's archives hold.
const CONSTANTS: &str = "constants.pkl";

impl<S: Source> Archive<S> {
    /// Opens an archive and checks every entry: none is compressed, encrypted or listed twice, and together they are no
    /// longer than the file, so that no byte of it stands for two.
    pub(super) fn open(mut source: S) -> Result<Self, OpenProblem> {
        let length = source.measure()?;
        let zip = ZipArchive::new(source).map_err(problem)?;
        if zip.has_duplicate_names() {
            return Err(OpenProblem::Damaged("its archive holds two entries of one name".to_owned()));
        }
        let (mut total, mut folder, mut script) = (0u64, None, false);
        for index in 0..zip.len() {
            let entry = zip.by_index_data(index).map_err(problem)?;
            let name = entry.name().map_err(problem)?;
            if entry.encrypted() || entry.compression() != CompressionMethod::Stored {
                return Err(OpenProblem::Refused(format!(
                    "its entry `{name}` is compressed or encrypted, which `torch.save` never does"
                )));
            }
            if entry.size() != entry.compressed_size() {
                return Err(OpenProblem::Damaged(format!("its entry `{name}` has two lengths")));
            }
            total = total.saturating_add(entry.size());
            script |= in_folder(&name, CONSTANTS).is_some();
            if let Some(found) = in_folder(&name, PICKLE)
                && folder.replace(found.to_owned()).is_some()
            {
                return Err(OpenProblem::Refused(format!("its archive holds more than one {PICKLE}")));
            }
        }
        if total > length {
            return Err(OpenProblem::Damaged("the entries of its archive overlap".to_owned()));
        }
        match folder {
            _ if script => Err(OpenProblem::Script),
            Some(folder) => Ok(Self { zip, folder }),
            None => Err(OpenProblem::Refused(format!(
                "it is a zip archive without {PICKLE}, and so not one of `torch.save`"
            ))),
        }
    }

    /// The length of an entry, if there is one of that name.
    pub(super) fn length(&self, name: &str) -> Option<u64> {
        let index = self.zip.index_for_name(&self.path(name))?;
        Some(self.zip.by_index_data(index).ok()?.size())
    }

    /// The bytes of an entry, which agree with its checksum.
    pub(super) fn read(&mut self, name: &str) -> Result<Vec<u8>, OpenProblem> {
        let path = self.path(name);
        let lacks = || OpenProblem::Damaged(format!("its archive lacks `{path}`"));
        let index = self.zip.index_for_name(&path).ok_or_else(lacks)?;
        let entry = self.zip.by_index_data(index).map_err(problem)?;
        let (length, checked) = (entry.size(), entry.crc32() != 0);
        // PyTorch writes zero where it was told to compute no checksum. Stored bytes are the same raw.
        let entry = match checked {
            true => self.zip.by_index(index),
            false => self.zip.by_index_raw(index),
        };
        let mut bytes = Vec::new();
        let read = entry.map_err(problem)?.read_to_end(&mut bytes);
        match read {
            Ok(read) if read as u64 == length => Ok(bytes),
            Ok(read) => Err(OpenProblem::Damaged(format!("`{path}` is cut off: {read} bytes of {length}"))),
            Err(error) => Err(OpenProblem::Damaged(format!("`{path}` cannot be read: {error}"))),
        }
    }

    fn path(&self, name: &str) -> String {
        format!("{}{name}", self.folder)
    }
}

/// The folder, with its slash, of an entry that has this name in it.
fn in_folder<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    path.strip_suffix(name).filter(|folder| folder.is_empty() || folder.ends_with('/'))
}

fn problem(error: ZipError) -> OpenProblem {
    match error {
        ZipError::Io(error) => OpenProblem::Io(error),
        error => OpenProblem::Damaged(format!("its archive: {error}")),
    }
}
