//! Pictures that move: animated PNG, which every browser shows.

use crate::Picture;

/// Pictures of one shape as the bytes of a PNG file that shows them one after the other for ever, `milliseconds` each. Programs
/// that know no animation show the first.
///
/// # Panics
///
/// If there is no picture, they differ in shape, or are not of 1 or 3 channels.
#[must_use]
pub fn animation(frames: &[Picture], milliseconds: u16) -> Vec<u8> {
    let first = &frames[0];
    let shape = [first.channels, first.height, first.width];
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, first.width as u32, first.height as u32);
    encoder.set_color(if first.channels == 1 { png::ColorType::Grayscale } else { png::ColorType::Rgb });
    encoder.set_depth(png::BitDepth::Eight);
    // The specification knows no animation of one picture but as this.
    encoder.set_animated(frames.len() as u32, 0).expect("there is a picture");
    encoder.set_frame_delay(milliseconds, 1000).expect("it is animated");
    let mut writer = encoder.write_header().expect("writing to memory succeeds");
    for frame in frames {
        assert_eq!([frame.channels, frame.height, frame.width], shape, "pictures of one shape");
        writer.write_image_data(&frame.interleaved()).expect("as many values as the sides say");
    }
    writer.finish().expect("all frames were written");
    png
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_is_there_and_still_viewers_see_the_first() {
        for channels in [1, 3] {
            let frame = |value: u8| Picture {
                channels,
                height: 3,
                width: 2,
                values: (0..channels as u8 * 6).map(|i| value + i).collect(),
            };
            let frames = [frame(0), frame(100), frame(200)];
            let bytes = animation(&frames, 80);
            let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().expect("a PNG");
            assert_eq!(reader.info().animation_control().map(|control| control.num_frames), Some(3));
            for frame in &frames {
                let mut pixels = vec![0; reader.output_buffer_size().expect("small")];
                reader.next_frame(&mut pixels).expect("a frame");
                assert_eq!(pixels, frame.interleaved());
                let control = reader.info().frame_control().expect("animated");
                assert_eq!((control.delay_num, control.delay_den), (80, 1000));
            }
            assert_eq!(Picture::from_png(&bytes).expect("a PNG"), frames[0]);
        }
    }
}
