//! A local folder of PNG or JPEG pictures, one subfolder per class.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Load;
use crate::raw::{PicturePart, Raw, RawContent, RawPictures};
use crate::{ConfigProblem, DataError, file, picture};

/// Longest side that pictures are resized to.
const MAX_SIDE: u32 = 4096;

/// Settings of a folder of pictures.
///
/// The folder holds either `train/CLASS/PICTURE` and perhaps `test/CLASS/PICTURE`, or `CLASS/PICTURE`. Classes and
/// pictures are taken in the order of their names. Only files named `.png`, `.jpg`, or `.jpeg` are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Images {
    /// The folder; a relative path starts at the recipe's folder.
    pub path: PathBuf,
    /// Width to resize to; that of the first picture by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4096))]
    pub width: Option<u32>,
    /// Height to resize to; that of the first picture by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4096))]
    pub height: Option<u32>,
    /// 1 for grey, 3 for colour; as the first picture by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3))]
    pub channels: Option<u32>,
}

/// One picture file and its class.
type Labelled = (PathBuf, u32);

impl Load for Images {
    fn check(&self, problems: &mut Vec<ConfigProblem>) {
        for (field, side) in [("width", self.width), ("height", self.height)] {
            if let Some(side) = side.filter(|side| !(1..=MAX_SIDE).contains(side)) {
                problems.push(ConfigProblem {
                    field,
                    problem: format!("{side} is not between 1 and {MAX_SIDE}"),
                });
            }
        }
        if let Some(channels) = self.channels.filter(|channels| ![1, 3].contains(channels)) {
            let problem = format!("{channels} is neither 1 (grey) nor 3 (colour)");
            problems.push(ConfigProblem { field: "channels", problem });
        }
    }

    fn load(&self, base: &Path) -> Result<Raw, DataError> {
        let folder = base.join(&self.path);
        let (train_folder, test_folder) = match folder.join("train") {
            train if train.is_dir() => (train, Some(folder.join("test")).filter(|test| test.is_dir())),
            _ => (folder.clone(), None),
        };
        let classes = class_names(&train_folder)?;
        let train = listing(&train_folder, &classes)?;
        let test = match &test_folder {
            Some(test) => Some(test_listing(test, &classes)?),
            None => None,
        };
        let shape = self.shape(&train[0].0)?;
        let pictures = RawPictures {
            shape,
            classes,
            train: read_all(&train, shape)?,
            test: test.map(|test| read_all(&test, shape)).transpose()?,
        };
        let name = folder.file_name().map_or("images".into(), |name| name.to_string_lossy().into_owned());
        Ok(Raw { name, content: RawContent::Pictures(pictures) })
    }
}

impl Images {
    /// Channels, height, and width: as set, or else as the first picture has them.
    fn shape(&self, first: &Path) -> Result<[usize; 3], DataError> {
        let image = picture::decode(first, &file::read(first)?)?;
        let side = |set: Option<u32>, own: u32| set.unwrap_or(own.min(MAX_SIDE)) as usize;
        Ok([
            self.channels.map_or(picture::channels_of(&image), |channels| channels as usize),
            side(self.height, image.height()),
            side(self.width, image.width()),
        ])
    }
}

/// Names of the subfolders, sorted; at least two.
fn class_names(folder: &Path) -> Result<Vec<String>, DataError> {
    let mut names = Vec::new();
    for path in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        let name = path.file_name().and_then(|name| name.to_str());
        let problem =
            || DataError::Folder { path: path.clone(), problem: "the name is not UTF-8".to_owned() };
        names.push(name.ok_or_else(problem)?.to_owned());
    }
    if names.len() < 2 {
        let problem = format!(
            "{} subfolders, but a classification needs one for each of 2 or more classes",
            names.len()
        );
        return Err(DataError::Folder { path: folder.to_owned(), problem });
    }
    Ok(names)
}

fn test_listing(folder: &Path, classes: &[String]) -> Result<Vec<Labelled>, DataError> {
    let unknown = class_names(folder)?.into_iter().find(|name| !classes.contains(name));
    if let Some(name) = unknown {
        let problem = format!("class \"{name}\" is not among the training classes");
        return Err(DataError::Folder { path: folder.to_owned(), problem });
    }
    listing(folder, classes)
}

/// All pictures of all classes, by class and then by name; every class folder that exists has at least one.
fn listing(folder: &Path, classes: &[String]) -> Result<Vec<Labelled>, DataError> {
    let mut pictures = Vec::new();
    for (label, class) in (0u32..).zip(classes) {
        let folder = folder.join(class);
        if !folder.is_dir() {
            continue;
        }
        let before = pictures.len();
        pictures.extend(
            entries(&folder)?.into_iter().filter(|path| is_picture_name(path)).map(|path| (path, label)),
        );
        if pictures.len() == before {
            return Err(DataError::Folder {
                path: folder,
                problem: "no .png, .jpg, or .jpeg file".to_owned(),
            });
        }
    }
    Ok(pictures)
}

/// What is in a folder, hidden entries left out, sorted by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let failed = |cause| DataError::Io { path: folder.to_owned(), cause };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn is_picture_name(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    ["png", "jpg", "jpeg"].iter().any(|known| extension.eq_ignore_ascii_case(known)) && path.is_file()
}

fn read_all(pictures: &[Labelled], shape: [usize; 3]) -> Result<PicturePart, DataError> {
    let mut part = PicturePart { values: Vec::new(), labels: Vec::new() };
    for (path, label) in pictures {
        let image = picture::decode(path, &file::read(path)?)?;
        part.values.extend(picture::fit(&image, shape));
        part.labels.push(*label);
    }
    Ok(part)
}
