//! Pictures and labels in MNIST's IDX format, from a local folder: Fashion-MNIST, KMNIST, and the like.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Load;
use crate::raw::{PicturePart, Raw, RawContent, RawPictures};
use crate::{ByteProblem, ConfigProblem, DataError, file, idx};

/// Settings of a folder of IDX files.
///
/// The folder holds `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, and may hold `t10k-images-idx3-ubyte` and
/// `t10k-labels-idx1-ubyte`; a dot may stand in place of the hyphen before `idx`, and `.gz` may follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Idx {
    /// The folder; a relative path starts at the recipe's folder.
    pub path: PathBuf,
    /// Class names, in the order of the labels; the numbers from 0 on by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<String>>,
    /// SHA-256 of files, by file name, in hexadecimal; a file that differs is refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checksums: BTreeMap<String, String>,
}

/// One split's pictures and labels: what errors call each file, and its bytes.
pub(super) struct Files<'a> {
    pub(super) pictures: (&'a Path, &'a [u8]),
    pub(super) labels: (&'a Path, &'a [u8]),
}

impl Load for Idx {
    fn check(&self, problems: &mut Vec<ConfigProblem>) {
        if let Some(classes) = &self.classes
            && !(2..=256).contains(&classes.len())
        {
            let problem = format!("{} names, but IDX labels tell 2 to 256 classes apart", classes.len());
            problems.push(ConfigProblem { field: "classes", problem });
        }
        for (name, checksum) in &self.checksums {
            if checksum.len() != 64 || !checksum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                let problem = format!("the SHA-256 of \"{name}\" is not 64 hexadecimal digits");
                problems.push(ConfigProblem { field: "checksums", problem });
            }
        }
    }

    fn load(&self, base: &Path) -> Result<Raw, DataError> {
        let folder = base.join(&self.path);
        let missing = |name: &str| DataError::Folder {
            path: folder.clone(),
            problem: format!("no file {name} (nor with a dot before \"idx\", nor with .gz)"),
        };
        let find = |split: &str, kind: &str| {
            let name = format!("{split}-{kind}-ubyte");
            find(&folder, split, kind).ok_or_else(|| missing(&name))
        };
        for name in self.checksums.keys() {
            if !folder.join(name).is_file() {
                return Err(missing(name));
            }
        }
        let train = [find("train", "images-idx3")?, find("train", "labels-idx1")?];
        let test = match (find("t10k", "images-idx3"), find("t10k", "labels-idx1")) {
            (Ok(pictures), Ok(labels)) => Some([pictures, labels]),
            (Err(_), Err(_)) => None,
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        let train_bytes = [self.read(&train[0])?, self.read(&train[1])?];
        let test_bytes = match &test {
            Some([pictures, labels]) => Some([self.read(pictures)?, self.read(labels)?]),
            None => None,
        };
        let test = test.iter().zip(&test_bytes).map(|(paths, bytes)| Files::new(paths, bytes)).next();
        let name = folder.file_name().map_or("idx".into(), |name| name.to_string_lossy().into_owned());
        assemble(&name, self.classes.clone(), &Files::new(&train, &train_bytes), test.as_ref())
    }
}

impl Idx {
    fn read(&self, path: &Path) -> Result<Vec<u8>, DataError> {
        let bytes = file::read(path)?;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(expected) = self.checksums.get(name) {
            let actual: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            if !actual.eq_ignore_ascii_case(expected) {
                return Err(DataError::Checksum {
                    path: path.to_owned(),
                    expected: expected.clone(),
                    actual,
                });
            }
        }
        Ok(bytes)
    }
}

impl<'a> Files<'a> {
    fn new([pictures, labels]: &'a [PathBuf; 2], [picture_bytes, label_bytes]: &'a [Vec<u8>; 2]) -> Self {
        Self { pictures: (pictures, picture_bytes), labels: (labels, label_bytes) }
    }
}

/// The first of the names in use that exists: with hyphen or dot, plain or gzipped.
fn find(folder: &Path, split: &str, kind: &str) -> Option<PathBuf> {
    let hyphen = format!("{split}-{kind}-ubyte");
    let dot = hyphen.replace("-idx", ".idx");
    let names = [hyphen.clone(), hyphen + ".gz", dot.clone(), dot + ".gz"];
    names.into_iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

/// Decodes both splits and checks that they belong together.
pub(super) fn assemble(
    name: &str,
    classes: Option<Vec<String>>,
    train: &Files<'_>,
    test: Option<&Files<'_>>,
) -> Result<Raw, DataError> {
    let (size, train_part) = decode(train)?;
    let test_part = test.map(decode).transpose()?;
    if let (Some(files), Some((actual, _))) = (test, &test_part)
        && *actual != size
    {
        let problem = ByteProblem::PictureSize { expected: size, actual: *actual };
        return Err(file::at(files.pictures.0, 8, problem));
    }
    let test_part = test_part.map(|(_, part)| part);
    let classes = classes.unwrap_or_else(|| {
        let labels = train_part.labels.iter().chain(test_part.iter().flat_map(|part| &part.labels));
        (0..=*labels.max().unwrap_or(&0)).map(|class| class.to_string()).collect()
    });
    check_labels(train, &train_part, classes.len())?;
    if let (Some(files), Some(part)) = (test, &test_part) {
        check_labels(files, part, classes.len())?;
    }
    let shape = [1, size[0], size[1]];
    let pictures = RawPictures { shape, classes, train: train_part, test: test_part };
    Ok(Raw { name: name.to_owned(), content: RawContent::Pictures(pictures) })
}

fn decode(files: &Files<'_>) -> Result<([usize; 2], PicturePart), DataError> {
    let pictures = idx::read(files.pictures.0, files.pictures.1, 3)?;
    let labels = idx::read(files.labels.0, files.labels.1, 1)?;
    let (count, label_count) = (pictures.dimensions[0], labels.dimensions[0]);
    if count != label_count {
        let pictures_path = files.pictures.0.to_owned();
        let problem = ByteProblem::Count { labels: label_count, pictures: count, pictures_path };
        return Err(file::at(files.labels.0, 4, problem));
    }
    let labels = labels.values.into_iter().map(u32::from).collect();
    Ok(([pictures.dimensions[1], pictures.dimensions[2]], PicturePart { values: pictures.values, labels }))
}

fn check_labels(files: &Files<'_>, part: &PicturePart, classes: usize) -> Result<(), DataError> {
    match part.labels.iter().position(|&label| label as usize >= classes) {
        Some(index) => {
            let problem = ByteProblem::Label { label: part.labels[index] as u8, classes };
            Err(file::at(files.labels.0, 8 + index as u64, problem))
        }
        None => Ok(()),
    }
}
