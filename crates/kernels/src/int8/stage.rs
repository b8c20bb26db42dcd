//! What becomes of the sums of a product.

use super::{
    path::{Checked, Loops},
    tile::Sums,
    vectors::Vectors,
    weights::LANES,
};

/// What a layer makes of its sums: [`Requantize`] or [`Dequantize`].
pub trait Stage: sealed::Stage {}

impl Stage for Requantize<'_> {}
impl Stage for Dequantize<'_> {}

/// Bytes: `clamp(round_ties_even((sum + offset[c]) as f32 * multiplier[c]) + zero, low, high)` for the output `c`, and
/// then what a table makes of it.
#[derive(Debug, Clone, Copy)]
pub struct Requantize<'a> {
    /// Added to each output's sum, wrapping: its bias, less the inputs' zero point times the sum of its weights.
    pub offset: &'a [i32],
    /// The scales of inputs and weights over that of the outputs, for each output. A product that is NaN becomes `low`.
    pub multiplier: &'a [f32],
    /// The zero point of the outputs.
    pub zero: u8,
    /// The least byte: the zero point for a `ReLU`.
    pub low: u8,
    /// The largest byte.
    pub high: u8,
    /// An activation function of the byte, by table.
    pub table: Option<&'a [u8; 256]>,
}

/// Numbers: `(sum + offset[c]) as f32 * scale[c] + bias[c]` for the output `c`, product and sum rounded each.
#[derive(Debug, Clone, Copy)]
pub struct Dequantize<'a> {
    /// Added to each output's sum, wrapping: the inputs' zero point times the sum of its weights, negated.
    pub offset: &'a [i32],
    /// The scale of the inputs times that of the weights, for each output.
    pub scale: &'a [f32],
    /// Added last.
    pub bias: &'a [f32],
    /// Whether numbers below zero become zero.
    pub relu: bool,
}

pub(super) mod sealed {
    use super::{LANES, Vectors};

    /// A function of sums, over the outputs of a panel at once.
    pub trait Stage: Copy {
        type Value: Copy;
        /// What is known of the outputs of a panel.
        type Panel: Copy;

        /// # Panics
        ///
        /// Where the stage is not one of as many outputs.
        fn check(&self, outputs: usize);

        /// The parameters of `count` outputs, any for those beyond.
        fn panel(&self, first: usize, count: usize) -> Self::Panel;

        /// The values of one row.
        fn values<V: Vectors>(
            &self,
            vectors: V,
            panel: &Self::Panel,
            sums: &[i32; LANES],
        ) -> [Self::Value; LANES];
    }
}

/// Some values of a slice, zeros after them.
#[inline(always)]
fn padded<T: Copy + Default>(values: &[T], first: usize, count: usize) -> [T; LANES] {
    let values = &values[first..first + count];
    // A copy of known length takes no call.
    if let Ok(values) = <[T; LANES]>::try_from(values) {
        return values;
    }
    let mut padded = [T::default(); LANES];
    padded[..count].copy_from_slice(values);
    padded
}

impl sealed::Stage for Requantize<'_> {
    type Value = u8;
    type Panel = ([i32; LANES], [f32; LANES]);

    fn check(&self, outputs: usize) {
        let (offsets, multipliers) = (self.offset.len(), self.multiplier.len());
        assert!(
            [offsets, multipliers] == [outputs; 2],
            "{offsets} offsets and {multipliers} multipliers for {outputs} outputs"
        );
        assert!(self.low <= self.high, "bytes of {} to {}", self.low, self.high);
    }

    #[inline(always)]
    fn panel(&self, first: usize, count: usize) -> Self::Panel {
        (padded(self.offset, first, count), padded(self.multiplier, first, count))
    }

    #[inline(always)]
    fn values<V: Vectors>(
        &self,
        vectors: V,
        (offset, multiplier): &Self::Panel,
        sums: &[i32; LANES],
    ) -> [u8; LANES] {
        // The bounds are integers, so that it is all one whether clamping or rounding comes first.
        let low = f32::from(i16::from(self.low) - i16::from(self.zero));
        let high = f32::from(i16::from(self.high) - i16::from(self.zero));
        let products = vectors.mul(vectors.sums(sums, offset), multiplier);
        let mut bytes = vectors.bytes(vectors.clamp(products, low, high), self.zero);
        if let Some(table) = self.table {
            for byte in &mut bytes {
                *byte = table[usize::from(*byte)];
            }
        }
        bytes
    }
}

impl sealed::Stage for Dequantize<'_> {
    type Value = f32;
    type Panel = ([i32; LANES], [f32; LANES], [f32; LANES]);

    fn check(&self, outputs: usize) {
        let [offsets, scales, biases] = [self.offset.len(), self.scale.len(), self.bias.len()];
        assert!(
            [offsets, scales, biases] == [outputs; 3],
            "{offsets} offsets, {scales} scales and {biases} biases for {outputs} outputs"
        );
    }

    #[inline(always)]
    fn panel(&self, first: usize, count: usize) -> Self::Panel {
        (padded(self.offset, first, count), padded(self.scale, first, count), padded(self.bias, first, count))
    }

    #[inline(always)]
    fn values<V: Vectors>(
        &self,
        vectors: V,
        (offset, scale, bias): &Self::Panel,
        sums: &[i32; LANES],
    ) -> [f32; LANES] {
        let values = vectors.add(vectors.mul(vectors.sums(sums, offset), scale), bias);
        vectors.store(if self.relu { vectors.relu(values) } else { values })
    }
}

/// Where the sums of a tile stand, and where they go.
pub(super) struct Finish<'a, S: Stage> {
    pub(super) stage: S,
    /// `[rows, panels]`.
    pub(super) sums: &'a [Sums],
    pub(super) panels: usize,
    /// The first of the tile's outputs.
    pub(super) first: usize,
    /// All outputs of a row.
    pub(super) outputs: usize,
    /// Whole rows.
    pub(super) target: &'a mut [S::Value],
}

impl<S: Stage> Finish<'_, S> {
    pub(super) fn run_on(self, path: Checked) {
        path.run(self);
    }
}

impl<S: Stage> Loops for Finish<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vectors>(self, vectors: V) {
        let Self { stage, sums, panels, first, outputs, target } = self;
        for panel in 0..panels {
            let first = first + panel * LANES;
            let count = LANES.min(outputs - first);
            let parameters = stage.panel(first, count);
            // By index: two iterators over chunks would divide twice, in tiles that take no longer than ten divisions.
            let (mut at, mut start) = (panel, first);
            while at < sums.len() {
                let values = stage.values(vectors, &parameters, &sums[at].0);
                let target = &mut target[start..start + count];
                (at, start) = (at + panels, start + outputs);
                // A copy of known length is one store.
                match <&mut [S::Value; LANES]>::try_from(&mut *target) {
                    Ok(target) => *target = values,
                    Err(_) => target.copy_from_slice(&values[..count]),
                }
            }
        }
    }
}
