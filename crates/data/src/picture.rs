//! Picture files to pixels of a wanted size, and pixels to PNG.

use std::io::Cursor;
use std::path::Path;

use image::imageops::FilterType;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, ImageReader, Limits};

use crate::file::at;
use crate::{ByteProblem, DataError, Picture};

/// Longest side of a picture file, in pixels.
const MAX_SIDE: u32 = 16_384;
/// Most memory that decoding one picture may take: 1 GiB.
const MAX_DECODING: u64 = 1 << 30;
/// How pictures are resized: linear interpolation, over a wider neighbourhood when shrinking.
const FILTER: FilterType = FilterType::Triangle;

/// Whether the bytes start like a PNG or JPEG file.
pub(crate) fn is_picture(bytes: &[u8]) -> bool {
    matches!(image::guess_format(bytes), Ok(ImageFormat::Png | ImageFormat::Jpeg))
}

/// Decodes a PNG or JPEG. The offset in an error is how far the decoder had read.
pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<DynamicImage, DataError> {
    if !is_picture(bytes) {
        return Err(at(path, 0, ByteProblem::Picture("neither a PNG nor a JPEG".to_owned())));
    }
    let mut cursor = Cursor::new(bytes);
    let decoded =
        ImageReader::new(&mut cursor).with_guessed_format().map_err(Into::into).and_then(|mut reader| {
            let mut limits = Limits::default();
            limits.max_image_width = Some(MAX_SIDE);
            limits.max_image_height = Some(MAX_SIDE);
            limits.max_alloc = Some(MAX_DECODING);
            reader.limits(limits);
            reader.decode()
        });
    decoded.map_err(|error| at(path, cursor.position(), ByteProblem::Picture(error.to_string())))
}

/// The picture as a file's decoder gave it: grey files have one channel, all others three.
pub(crate) fn channels_of(image: &DynamicImage) -> usize {
    if image.color().has_color() { 3 } else { 1 }
}

/// The pixels `[channels, height, width]` of the picture: made grey by its luma (ITU-R BT.709) or coloured by
/// repetition if need be, and resized if it has another size. Transparency is ignored.
pub(crate) fn fit(image: &DynamicImage, [channels, height, width]: [usize; 3]) -> Vec<u8> {
    let (wanted_width, wanted_height) = (width as u32, height as u32);
    let resized;
    let image = if (image.width(), image.height()) == (wanted_width, wanted_height) {
        image
    } else {
        resized = image.resize_exact(wanted_width, wanted_height, FILTER);
        &resized
    };
    if channels == 1 {
        return image.to_luma8().into_raw();
    }
    let interleaved = image.to_rgb8().into_raw();
    (0..3).flat_map(|channel| interleaved.iter().skip(channel).step_by(3).copied()).collect()
}

impl Picture {
    /// The picture as the bytes of a PNG file.
    ///
    /// # Panics
    ///
    /// If the channels are not 1 or 3, a side is zero, or the values are not as many as the sides say.
    #[must_use]
    pub fn to_png(&self) -> Vec<u8> {
        let color = if self.channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
        let interleaved = self.interleaved();
        let mut png = Vec::new();
        image::codecs::png::PngEncoder::new(&mut png)
            .write_image(&interleaved, self.width as u32, self.height as u32, color)
            .expect("writing to memory succeeds");
        png
    }

    /// The values as files have them: `[height, width, channels]`.
    ///
    /// # Panics
    ///
    /// As [`to_png`](Self::to_png).
    pub(crate) fn interleaved(&self) -> Vec<u8> {
        let plane = self.height * self.width;
        assert_eq!(self.values.len(), self.channels * plane, "values of a picture");
        match self.channels {
            1 => self.values.clone(),
            3 => {
                let pixels = (0..plane).flat_map(|pixel| (0..3).map(move |channel| channel * plane + pixel));
                pixels.map(|index| self.values[index]).collect()
            }
            other => panic!("a picture has 1 or 3 channels, not {other}"),
        }
    }

    /// The picture in the bytes of a PNG file; of an animated one, the first.
    ///
    /// # Errors
    ///
    /// Where they are none.
    pub fn from_png(bytes: &[u8]) -> Result<Self, DataError> {
        let image = decode(Path::new("the picture"), bytes)?;
        let (channels, height, width) =
            (channels_of(&image), image.height() as usize, image.width() as usize);
        Ok(Self { channels, height, width, values: fit(&image, [channels, height, width]) })
    }

    /// As the image library has it.
    pub(crate) fn to_image(&self) -> Option<DynamicImage> {
        let (width, height) = (u32::try_from(self.width).ok()?, u32::try_from(self.height).ok()?);
        let plane = self.height.checked_mul(self.width)?;
        match self.channels {
            1 => image::GrayImage::from_raw(width, height, self.values.clone()).map(Into::into),
            3 if self.values.len() == 3 * plane => {
                let pixels = (0..plane).flat_map(|pixel| (0..3).map(move |channel| channel * plane + pixel));
                let interleaved = pixels.map(|index| self.values[index]).collect();
                image::RgbImage::from_raw(width, height, interleaved).map(Into::into)
            }
            _ => None,
        }
    }
}
