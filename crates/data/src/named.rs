//! Files to inputs for a network that is already trained.

use std::path::Path;

use crate::file::{self, Stream, at};
use crate::rows::RowEncoder;
use crate::source::delimiter_byte;
use crate::table::Table;
use crate::texts::{Columns, Wanted};
use crate::tokenizer::{Tokenizer, padded};
use crate::{ByteProblem, DataError, Format, InputFormat, Picture, idx, picture};

/// Inputs, and where each came from.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedInputs {
    /// One name per input: `7.png`, `t10k-images#12` (the picture's index), or `rows.csv:14` (the line of a row or text).
    pub names: Vec<String>,
    /// Shape of one input.
    pub shape: Vec<usize>,
    /// `[inputs, shape..]`, scaled as in training.
    pub values: Vec<f32>,
}

impl NamedInputs {
    /// How many inputs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The values of one input, if there are so many.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&[f32]> {
        self.values.chunks_exact(self.shape.iter().product::<usize>().max(1)).nth(index)
    }
}

/// Reads a file as inputs of `format`: a PNG or JPEG picture, or an IDX or CSV file, gzipped or not.
///
/// Pictures and IDX files are known by their first bytes, CSV by the extension `.csv`, `.tsv`, or `.txt` (before
/// `.gz`); if the format is a table, any text will do.
///
/// # Errors
///
/// If the file is missing, damaged, of unknown kind, or of another kind than the format's; if a table lacks a column.
pub fn inputs_from_file(path: &Path, format: &Format) -> Result<NamedInputs, DataError> {
    inputs_from_bytes(path, &file::read(path)?, format)
}

/// As [`inputs_from_file`], for bytes at hand; errors and names call the file `path`.
///
/// # Errors
///
/// As [`inputs_from_file`].
pub fn inputs_from_bytes(path: &Path, bytes: &[u8], format: &Format) -> Result<NamedInputs, DataError> {
    let input = &format.input;
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    if matches!(input, InputFormat::Text { .. }) {
        return Err(DataError::NeedsTokenizer { path: path.to_owned() });
    }
    let is_table = matches!(input, InputFormat::Table { .. });
    if picture::is_picture(bytes) {
        let values = input.encode_picture(path, bytes)?;
        return Ok(NamedInputs { names: vec![name], shape: input.shape(), values });
    }
    let head = Stream::new(path, bytes).head(4)?;
    if head == [0, 0, 8, 3] {
        return input.encode_idx(path, bytes);
    }
    let plain = name.strip_suffix(".gz").unwrap_or(&name).to_ascii_lowercase();
    let named_table = [".csv", ".tsv", ".txt"].iter().any(|extension| plain.ends_with(extension));
    if is_table || named_table {
        return input.encode_rows(path, bytes);
    }
    Err(at(path, 0, ByteProblem::UnknownKind))
}

/// Reads a table or JSON lines as inputs of a format of texts; each is named after its line.
///
/// # Errors
///
/// If the file is missing, damaged or of another kind, or lacks the column; if the format is another or of another
/// tokenizer.
pub fn inputs_from_texts(
    path: &Path,
    format: &Format,
    tokenizer: &Tokenizer,
) -> Result<NamedInputs, DataError> {
    let InputFormat::Text { column, max_tokens, tokenizer: digest, .. } = &format.input else {
        let path = path.to_owned();
        return Err(DataError::WrongKind { path, found: "texts", wanted: "pictures or table rows" });
    };
    if digest != tokenizer.digest() {
        let problem = "the network was trained on the tokens of another tokenizer".to_owned();
        return Err(DataError::Tokenizer { path: tokenizer.path().to_owned(), problem });
    }
    let Columns { values, lines } = Columns::read(path, &[Wanted::text(column)])?;
    let tokens = tokenizer.encode(&values[0])?;
    let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let names = lines.iter().map(|line| format!("{file}:{line}")).collect();
    let values = padded(tokens.texts.iter().map(Vec::as_slice), *max_tokens);
    Ok(NamedInputs { names, shape: vec![*max_tokens], values })
}

impl InputFormat {
    /// The input for a PNG or JPEG: made grey (luma of ITU-R BT.709) or coloured, and resized (linear interpolation)
    /// as the format asks. Errors call the file `path`.
    ///
    /// # Errors
    ///
    /// If the bytes are no readable picture, or the format is a table.
    pub fn encode_picture(&self, path: &Path, bytes: &[u8]) -> Result<Vec<f32>, DataError> {
        let shape = self.image_shape(path, "a picture")?;
        let mut values = Vec::new();
        self.scale_into(&picture::fit(&picture::decode(path, bytes)?, shape), &mut values);
        Ok(values)
    }

    /// The inputs for all pictures of an IDX file, gzipped or not; resized and coloured if need be.
    ///
    /// # Errors
    ///
    /// If the file is damaged, or the format is a table.
    pub fn encode_idx(&self, path: &Path, bytes: &[u8]) -> Result<NamedInputs, DataError> {
        let shape = self.image_shape(path, "a file of pictures")?;
        let file = idx::read(path, bytes, 3)?;
        let (height, width) = (file.dimensions[1], file.dimensions[2]);
        let mut values = Vec::new();
        for pixels in file.values.chunks_exact(height * width) {
            if shape == [1, height, width] {
                self.scale_into(pixels, &mut values);
                continue;
            }
            let picture = Picture { channels: 1, height, width, values: pixels.to_vec() };
            let image = picture.to_image().ok_or_else(|| at(path, 8, too_large(height, width)))?;
            self.scale_into(&picture::fit(&image, shape), &mut values);
        }
        let stem = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let stem = stem.strip_suffix(".gz").unwrap_or(&stem);
        let stem =
            ["-idx3-ubyte", ".idx3-ubyte"].iter().find_map(|end| stem.strip_suffix(end)).unwrap_or(stem);
        let names = (0..file.dimensions[0]).map(|index| format!("{stem}#{index}")).collect();
        Ok(NamedInputs { names, shape: self.shape(), values })
    }

    /// The inputs for all rows of a CSV file, gzipped or not. Columns are found by their names in the header, in any
    /// order; columns that are no input (such as the target) may be there or not.
    ///
    /// # Errors
    ///
    /// If the file is damaged, a column is missing, a number is none, or the format is not a table.
    pub fn encode_rows(&self, path: &Path, bytes: &[u8]) -> Result<NamedInputs, DataError> {
        let Self::Table { columns, missing, delimiter } = self else {
            let path = path.to_owned();
            return Err(DataError::WrongKind { path, found: "a table", wanted: "pictures" });
        };
        let byte = delimiter_byte(*delimiter)
            .ok_or_else(|| DataError::Format(format!("{delimiter:?} cannot separate fields")))?;
        let table = Table::read(path, bytes, byte)?;
        let rows: Vec<usize> = (0..table.len()).collect();
        let encoded = RowEncoder::new(&table, columns, missing)?.encode(&rows)?;
        let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let names = rows.iter().map(|&row| format!("{file}:{}", table.line(row))).collect();
        Ok(NamedInputs { names, shape: self.shape(), values: encoded.values })
    }

    /// The shape of pictures; checked, because the format may come from a file.
    fn image_shape(&self, path: &Path, found: &'static str) -> Result<[usize; 3], DataError> {
        let Self::Image { channels, height, width, mean, std } = self else {
            return Err(DataError::WrongKind { path: path.to_owned(), found, wanted: "table rows" });
        };
        if ![1, 3].contains(channels) || mean.len() != *channels || std.len() != *channels {
            return Err(DataError::Format(format!(
                "{channels} channels, {} means, {} deviations",
                mean.len(),
                std.len()
            )));
        }
        if !std.iter().all(|std| std.is_normal()) || !mean.iter().all(|mean| mean.is_finite()) {
            return Err(DataError::Format(format!("means {mean:?} and deviations {std:?}")));
        }
        if ![height, width].iter().all(|side| (1..=1 << 14).contains(*side)) {
            return Err(DataError::Format(format!("pictures of {height} x {width} pixels")));
        }
        Ok([*channels, *height, *width])
    }

    fn scale_into(&self, pixels: &[u8], values: &mut Vec<f32>) {
        let (scale, offset) = self.scale_and_offset();
        let plane = pixels.len() / scale.len().max(1);
        for ((pixels, scale), offset) in pixels.chunks_exact(plane.max(1)).zip(scale).zip(offset) {
            values.extend(pixels.iter().map(|&pixel| f32::from(pixel) * scale + offset));
        }
    }
}

fn too_large(height: usize, width: usize) -> ByteProblem {
    ByteProblem::Picture(format!("{height} x {width} pixels are too many"))
}
