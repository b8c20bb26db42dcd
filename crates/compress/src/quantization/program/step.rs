//! What a program does at a time.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use crucible_kernels::int8::{self, Path, PoolShape};
use crucible_models::Operation;

use super::{
    Kind, Slot,
    product::{Dequantize, Layer, Product, Requantize},
};
use crate::Affine;

/// One step: from slots to a slot.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) action: Action,
    pub(super) from: Vec<usize>,
    pub(super) to: usize,
}

#[derive(Debug)]
pub(super) enum Action {
    /// Floats to bytes; of a picture `[channels, pixels]`, which then lies with its channels last.
    Quantize { affine: Affine, picture: Option<[usize; 2]> },
    /// Bytes to bytes.
    Integers { product: Product, zero: u8, stage: Requantize },
    /// Bytes to floats.
    Leave { product: Product, zero: u8, stage: Dequantize },
    /// Floats to floats, through bytes whose range is found for each example.
    Dynamic { product: Product, scales: Vec<f32>, sums: Vec<i32>, bias: Vec<f32>, relu: bool },
    /// The maximum over windows of bytes.
    MaxPool2d(PoolShape),
    /// The mean over windows of bytes.
    AvgPool2d(PoolShape),
    /// Whatever else, in floats, of values that are read in these shapes.
    Floats { operation: Box<Operation>, shapes: Vec<Vec<usize>> },
}

/// The memory of one thread.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) bytes: Vec<Vec<u8>>,
    pub(super) floats: Vec<Vec<f32>>,
    /// A picture with its border.
    border: Vec<u8>,
    /// Bytes with the channels first, and last.
    first: Vec<u8>,
    last: Vec<u8>,
    /// Floats with the channels last.
    pixels: Vec<f32>,
    stage: Dequantize,
}

impl Buffers {
    pub(super) fn resize(&mut self, slots: &[Slot], examples: usize) {
        self.bytes.resize_with(slots.len(), Vec::new);
        self.floats.resize_with(slots.len(), Vec::new);
        for (index, slot) in slots.iter().enumerate() {
            let length = slot.length * if slot.all { examples } else { 1 };
            match slot.kind {
                Kind::Bytes => self.bytes[index].resize(length, 0),
                Kind::Floats => self.floats[index].resize(length, 0.0),
            }
        }
    }
}

/// Where the examples lie in a slot.
fn place(slot: &Slot, examples: &Range<usize>) -> Range<usize> {
    match slot.all {
        true => examples.start * slot.length..examples.end * slot.length,
        false => 0..slot.length,
    }
}

impl Step {
    /// Whether it takes one example at a time, so that the next step finds what it made in the cache.
    pub(super) fn takes_one(&self) -> bool {
        match &self.action {
            Action::Quantize { .. } | Action::MaxPool2d(_) | Action::AvgPool2d(_) => true,
            Action::Integers { product, .. } | Action::Leave { product, .. } => {
                matches!(product.kind, Layer::Conv2d(_))
            }
            Action::Dynamic { .. } => true,
            Action::Floats { .. } => false,
        }
    }

    /// The layer that it computes in integers, if it is one.
    pub(super) fn product(&self) -> Option<&Product> {
        match &self.action {
            Action::Integers { product, .. }
            | Action::Leave { product, .. }
            | Action::Dynamic { product, .. } => Some(product),
            _ => None,
        }
    }

    pub(super) fn run(
        &self,
        examples: Range<usize>,
        slots: &[Slot],
        path: Path,
        device: &Device,
        buffers: &mut Buffers,
    ) {
        let (from, to) = (self.from[0], self.to);
        let (read, write) = (place(&slots[from], &examples), place(&slots[to], &examples));
        // Taken out, so that the other buffers can be read meanwhile.
        match slots[to].kind {
            Kind::Bytes => {
                let mut target = std::mem::take(&mut buffers.bytes[to]);
                self.to_bytes(path, read, &mut target[write], buffers);
                buffers.bytes[to] = target;
            }
            Kind::Floats => {
                let mut target = std::mem::take(&mut buffers.floats[to]);
                match &self.action {
                    Action::Floats { operation, shapes } => {
                        let reads = self.from.iter().zip(shapes);
                        let reads = reads.map(|(from, shape)| {
                            let values = &buffers.floats[*from][place(&slots[*from], &examples)];
                            let sizes = [examples.len(), values.len() / examples.len()];
                            let tensor =
                                Tensor::<2>::from_data(TensorData::new(values.to_vec(), sizes), device);
                            (tensor, shape.as_slice())
                        });
                        let output = operation.forward(reads.collect()).into_data();
                        target[write]
                            .copy_from_slice(output.as_slice::<f32>().expect("networks here hold f32"));
                    }
                    _ => self.to_floats(path, read, &mut target[write], buffers),
                }
                buffers.floats[to] = target;
            }
        }
    }

    fn to_bytes(&self, path: Path, read: Range<usize>, target: &mut [u8], buffers: &mut Buffers) {
        let Buffers { bytes, floats, border, first, .. } = buffers;
        let from = self.from[0];
        match &self.action {
            Action::Quantize { affine, picture } => match picture {
                Some([channels, pixels]) if *channels > 1 => {
                    first.resize(target.len(), 0);
                    int8::quantize(path, first, &floats[from][read], affine.scale, affine.zero);
                    transpose(first, target, [*channels, *pixels]);
                }
                _ => int8::quantize(path, target, &floats[from][read], affine.scale, affine.zero),
            },
            Action::Integers { product, zero, stage } => {
                product.run(path, &bytes[from][read], *zero, &stage.stage(), target, border);
            }
            Action::MaxPool2d(shape) => int8::max_pool2d(path, &bytes[from][read], shape, target),
            Action::AvgPool2d(shape) => int8::avg_pool2d(path, &bytes[from][read], shape, target),
            Action::Leave { .. } | Action::Dynamic { .. } | Action::Floats { .. } => {
                unreachable!("its slot holds floats")
            }
        }
    }

    fn to_floats(&self, path: Path, read: Range<usize>, target: &mut [f32], buffers: &mut Buffers) {
        let Buffers { bytes, floats, border, first, last, pixels, stage: dequantize } = buffers;
        let from = self.from[0];
        let (product, input, zero, stage) = match &self.action {
            Action::Leave { product, zero, stage } => (product, &bytes[from][read], *zero, stage),
            Action::Dynamic { product, scales, sums, bias, relu } => {
                let input = &floats[from][read];
                let (low, high) = int8::range(path, input);
                let Affine { scale, zero } = Affine::covering([low.min(0.0), high.max(0.0)]);
                first.resize(input.len(), 0);
                int8::quantize(path, first, input, scale, zero);
                dequantize.offset.clear();
                dequantize
                    .offset
                    .extend(sums.iter().map(|sum| i32::from(zero).wrapping_mul(*sum).wrapping_neg()));
                dequantize.scale.clear();
                dequantize.scale.extend(scales.iter().map(|weights| weights * scale));
                dequantize.bias.clone_from(bias);
                dequantize.relu = *relu;
                let bytes = match &product.kind {
                    Layer::Conv2d(shape) if shape.channels > 1 => {
                        last.resize(first.len(), 0);
                        transpose(first, last, [shape.channels, first.len() / shape.channels]);
                        &last[..]
                    }
                    _ => &first[..],
                };
                (product, bytes, zero, &*dequantize)
            }
            _ => unreachable!("its slot holds bytes"),
        };
        match product.kind {
            Layer::Linear => product.run(path, input, zero, &stage.stage(), target, border),
            Layer::Conv2d(_) => {
                pixels.resize(target.len(), 0.0);
                product.run(path, input, zero, &stage.stage(), pixels, border);
                let channels = product.weights.outputs();
                transpose(pixels, target, [target.len() / channels, channels]);
            }
        }
    }
}

/// `[rows, columns]` to `[columns, rows]`.
fn transpose<T: Copy>(source: &[T], target: &mut [T], [rows, columns]: [usize; 2]) {
    for (column, values) in target.chunks_exact_mut(rows).enumerate().take(columns) {
        for (row, value) in values.iter_mut().enumerate() {
            *value = source[row * columns + column];
        }
    }
}
