//! Small pictures on a page: one row per class, or side by side.

use crate::{DataError, Dataset, Examples, Picture, Task};

/// Pixels between pictures.
const GAP: usize = 2;
/// Brightness of the gaps and of places without a picture.
const BACKGROUND: u8 = 128;

/// The first `columns` training pictures of each of the first `rows` classes, as the bytes of a PNG file: one row per
/// class, in the order of the classes. Places without a picture stay grey.
///
/// # Errors
///
/// If the inputs are not pictures.
pub fn contact_sheet(dataset: &Dataset, rows: usize, columns: usize) -> Result<Vec<u8>, DataError> {
    let failed = || DataError::NotPictures { name: dataset.name.clone() };
    let (&[channels, height, width], Task::Classification { classes }) =
        (dataset.train.shape(), &dataset.format.task)
    else {
        return Err(failed());
    };
    let (rows, columns) = (rows.clamp(1, classes.len().max(1)), columns.max(1));
    let row = |class: u32| {
        let indices = of_class(&dataset.train, class).take(columns);
        let picture = |index| dataset.train.picture(index).map(Some).ok_or_else(failed);
        let mut row: Vec<Option<Picture>> = indices.map(picture).collect::<Result<_, _>>()?;
        row.resize(columns, None);
        Ok(row)
    };
    let rows: Vec<Vec<Option<Picture>>> = (0u32..).take(rows).map(row).collect::<Result<_, _>>()?;
    Ok(grid([channels, height, width], &rows).to_png())
}

/// Rows of pictures of `shape` each, `[channels, height, width]`, on a grey page. Places without a picture stay grey.
///
/// # Panics
///
/// If a picture is of another shape.
#[must_use]
pub fn grid([channels, height, width]: [usize; 3], rows: &[Vec<Option<Picture>>]) -> Picture {
    let side = |count: usize, size: usize| count * (size + GAP) + GAP;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let (tall, wide) = (side(rows.len(), height), side(columns, width));
    let values = vec![BACKGROUND; channels * tall * wide];
    let mut sheet = Picture { channels, height: tall, width: wide, values };
    for (row, pictures) in rows.iter().enumerate() {
        for (column, picture) in pictures.iter().enumerate() {
            let Some(picture) = picture else { continue };
            let shape = [picture.channels, picture.height, picture.width];
            assert_eq!(shape, [channels, height, width], "pictures of one shape");
            paste(&mut sheet, picture, side(row, height), side(column, width));
        }
    }
    sheet
}

/// Pictures of one shape from left to right, `gap` white columns between them.
///
/// # Panics
///
/// If there is no picture, or they differ in shape.
#[must_use]
pub fn side_by_side(pictures: &[Picture], gap: usize) -> Picture {
    let (channels, height, width) = (pictures[0].channels, pictures[0].height, pictures[0].width);
    let total = pictures.len() * (width + gap) - gap;
    let mut sheet =
        Picture { channels, height, width: total, values: vec![u8::MAX; channels * height * total] };
    for (place, picture) in pictures.iter().enumerate() {
        let shape = (picture.channels, picture.height, picture.width);
        assert_eq!(shape, (channels, height, width), "pictures of one shape");
        paste(&mut sheet, picture, 0, place * (width + gap));
    }
    sheet
}

fn of_class(examples: &Examples, wanted: u32) -> impl Iterator<Item = usize> + '_ {
    let classes = examples.classes().unwrap_or_default();
    classes.iter().enumerate().filter(move |&(_, &class)| class == wanted).map(|(index, _)| index)
}

fn paste(sheet: &mut Picture, picture: &Picture, top: usize, left: usize) {
    let lines = picture.values.chunks_exact(picture.width).enumerate();
    for (line, pixels) in lines {
        let (channel, row) = (line / picture.height, line % picture.height);
        let start = (channel * sheet.height + top + row) * sheet.width + left;
        sheet.values[start..start + picture.width].copy_from_slice(pixels);
    }
}
