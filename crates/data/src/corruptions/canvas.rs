//! Pictures while they are worked on.

use crate::Picture;

/// Side of the pictures that MNIST-C's lengths are made for.
const MNIST: f32 = 28.0;

/// A picture `[channels, height, width]` of values from 0 (dark) to 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Canvas {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) values: Vec<f32>,
}

impl Canvas {
    /// The picture of bytes `[channels, height, width]`.
    pub(super) fn new([height, width]: [usize; 2], bytes: &[u8]) -> Self {
        Self { height, width, values: bytes.iter().map(|byte| f32::from(*byte) / 255.0).collect() }
    }

    /// Writes the nearest bytes; what is darker than 0 or brighter than 1 is cut.
    pub(super) fn write(&self, bytes: &mut [u8]) {
        for (byte, value) in bytes.iter_mut().zip(&self.values) {
            *byte = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
        }
    }

    /// As a picture of bytes.
    pub(super) fn to_picture(&self) -> Picture {
        let mut values = vec![0; self.values.len()];
        self.write(&mut values);
        let channels = self.values.len() / self.area();
        Picture { channels, height: self.height, width: self.width, values }
    }

    /// A picture of the same size with other values.
    pub(super) fn with(&self, values: Vec<f32>) -> Self {
        Self { values, ..*self }
    }

    /// Pixels.
    pub(super) fn area(&self) -> usize {
        self.height * self.width
    }

    /// The channels, each `[height, width]`.
    pub(super) fn planes(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.area())
    }

    /// The channels, each `[height, width]`.
    pub(super) fn planes_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let area = self.area();
        self.values.chunks_exact_mut(area)
    }

    /// Pixels that a pixel of MNIST would be long here, by the shorter side.
    pub(super) fn unit(&self) -> f32 {
        self.height.min(self.width) as f32 / MNIST
    }

    /// Where the middles of `side` pixels lie along a side of MNIST, whose own are 0 to 27.
    pub(super) fn places(side: usize) -> impl Iterator<Item = f32> {
        (0..side).map(move |at| (at as f32 + 0.5) * MNIST / side as f32 - 0.5)
    }

    /// Adds a value to each pixel, in every channel.
    pub(super) fn add(&mut self, layer: &[f32]) {
        for plane in self.planes_mut() {
            plane.iter_mut().zip(layer).for_each(|(value, more)| *value += more);
        }
    }

    /// How bright each pixel is: the luma of three channels (ITU-R BT.709), the mean of other numbers.
    pub(super) fn luma(&self) -> Vec<f32> {
        let channels = self.values.len() / self.area();
        let share = |channel: usize| match channels {
            3 => [0.2125, 0.7154, 0.0721][channel],
            _ => 1.0 / channels as f32,
        };
        let mut luma = vec![0.0; self.area()];
        for (channel, plane) in self.planes().enumerate() {
            luma.iter_mut().zip(plane).for_each(|(sum, value)| *sum += share(channel) * value);
        }
        luma
    }
}
