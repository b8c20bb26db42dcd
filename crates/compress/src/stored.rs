//! Weights as they lie in a file: floats, bytes, or half bytes.

use burn::tensor::f16;
use crucible_models::weights::HostTensor;

use crate::WeightFormat;

/// One tensor of a compressed network.
#[derive(Debug, Clone, PartialEq)]
pub enum Stored {
    /// As it was.
    Float(HostTensor),
    /// Integers, each a multiple of its output channel's scale.
    Channels(Integers),
    /// Integers, each a multiple of the scale of its group: so many neighbours within one output channel, the last group
    /// perhaps fewer.
    Groups {
        /// Integers and scales, one scale for each group of each channel.
        integers: Integers,
        /// 4 or 8.
        bits: u8,
        /// Neighbours that share a scale.
        group: usize,
    },
    /// Few values among many zeros, coded.
    Coded(Coded),
}

/// A sparse tensor, coded in a file by the gaps between its weights that are not zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Coded {
    /// The weights.
    pub tensor: HostTensor,
    /// The values that the weights share, ascending, at most 256 and none of them zero; empty where each weight has its own.
    pub codebook: Vec<f32>,
}

/// A tensor of integers and what they are multiples of. The first axis is the output channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Integers {
    /// The size of each axis.
    pub shape: Vec<usize>,
    /// The integers, row-major.
    pub values: Vec<i8>,
    /// The scales, channel by channel.
    pub scales: Vec<f32>,
}

impl Integers {
    /// Output channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.shape[0]
    }

    /// Integers of one channel.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.shape[1..].iter().product()
    }
}

impl Stored {
    /// One scale for each output channel of `weight`, whose largest value becomes 127.
    #[must_use]
    pub fn channels(weight: &HostTensor) -> Self {
        Self::rounded(weight, WeightFormat::Channels, WeightFormat::Channels.scales(weight))
    }

    /// A scale for each `group` neighbours, chosen for the least squared error.
    #[must_use]
    pub fn groups(weight: &HostTensor, bits: u8, group: usize) -> Self {
        let format = WeightFormat::Groups { bits, group };
        Self::rounded(weight, format, format.scales(weight))
    }

    /// The integers nearest to `weight` as multiples of these scales, which have the order of [`WeightFormat::scales`].
    #[must_use]
    pub fn rounded(weight: &HostTensor, format: WeightFormat, scales: Vec<f32>) -> Self {
        let inputs = weight.shape[1..].iter().product::<usize>().max(1);
        let scales = match format {
            WeightFormat::Channels => scales,
            WeightFormat::Groups { .. } => scales.into_iter().map(half).collect(),
        };
        let integers = Integers { shape: weight.shape.clone(), values: Vec::new(), scales };
        let integers = integers.round(weight, format.group(inputs), format.largest());
        match format {
            WeightFormat::Channels => Self::Channels(integers),
            WeightFormat::Groups { bits, group } => Self::Groups { integers, bits, group },
        }
    }

    /// Bytes of its integers and scales in a file; those of what is coded are not known before.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Float(tensor) | Self::Coded(Coded { tensor, .. }) => 4 * tensor.values.len(),
            Self::Channels(integers) => integers.values.len() + 4 * integers.scales.len(),
            Self::Groups { integers, bits: 4, .. } => {
                integers.channels() * integers.inputs().div_ceil(2) + 2 * integers.scales.len()
            }
            Self::Groups { integers, .. } => integers.values.len() + 2 * integers.scales.len(),
        }
    }

    /// The real numbers that it stands for.
    #[must_use]
    pub fn dequantized(&self) -> HostTensor {
        let (integers, group) = match self {
            Self::Float(tensor) | Self::Coded(Coded { tensor, .. }) => return tensor.clone(),
            Self::Channels(integers) => (integers, integers.inputs()),
            Self::Groups { integers, group, .. } => (integers, *group),
        };
        let rows = integers.values.chunks(integers.inputs().max(1));
        let groups = rows.flat_map(|row| row.chunks(group.max(1))).zip(&integers.scales);
        let values = groups.flat_map(|(values, scale)| values.iter().map(move |v| f32::from(*v) * scale));
        HostTensor { shape: integers.shape.clone(), values: values.collect() }
    }
}

impl WeightFormat {
    /// The scales that suit a weight: of each output channel, so that its largest value becomes the largest integer, or of
    /// each group of each channel, for the least squared error.
    #[must_use]
    pub fn scales(self, weight: &HostTensor) -> Vec<f32> {
        let inputs = weight.shape[1..].iter().product::<usize>().max(1);
        let groups = weight.values.chunks(inputs).flat_map(|row| row.chunks(self.group(inputs)));
        match self {
            Self::Channels => groups.map(|values| scale(values, self.largest())).collect(),
            Self::Groups { .. } => groups.map(|values| half(least_squares(values, self.largest()))).collect(),
        }
    }

    /// How many neighbours share a scale, in a channel of so many inputs.
    pub(crate) fn group(self, inputs: usize) -> usize {
        match self {
            Self::Channels => inputs.max(1),
            Self::Groups { group, .. } => group,
        }
    }

    /// The largest integer.
    pub(crate) fn largest(self) -> f32 {
        match self {
            Self::Channels => 127.0,
            Self::Groups { bits, .. } => f32::from((1i16 << (bits - 1)) - 1),
        }
    }
}

impl Integers {
    /// The integers nearest to `weight`, of which `group` neighbours in a row share a scale.
    fn round(mut self, weight: &HostTensor, group: usize, largest: f32) -> Self {
        let rows = weight.values.chunks(self.inputs().max(1));
        let groups = rows.flat_map(|row| row.chunks(group)).zip(&self.scales);
        let nearest =
            |value: f32, scale: f32| (value / scale).round_ties_even().clamp(-largest, largest) as i8;
        self.values = groups.flat_map(|(row, scale)| row.iter().map(|v| nearest(*v, *scale))).collect();
        self
    }
}

/// What makes the largest of `values` the largest integer; any positive number where all are zero.
fn scale(values: &[f32], largest: f32) -> f32 {
    let most = values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    if most / largest < f32::MIN_POSITIVE { 1.0 } else { most / largest }
}

/// The scale of the least squared error among those that cut ever more off.
fn least_squares(values: &[f32], largest: f32) -> f32 {
    const STEPS: usize = 24;
    let whole = scale(values, largest);
    let error = |scale: f32| -> f32 {
        let nearest = |value: f32| (value / scale).round_ties_even().clamp(-largest, largest) * scale;
        values.iter().map(|value| (nearest(*value) - value).powi(2)).sum()
    };
    let candidates = (0..STEPS).map(|step| whole * (1.0 - 0.5 * step as f32 / STEPS as f32));
    let errors = candidates.map(|scale| (error(half(scale)), scale));
    errors.fold((f32::INFINITY, whole), |best, next| if next.0 < best.0 { next } else { best }).1
}

/// The nearest number that 16 bits hold, as groups' scales are stored; at least the smallest.
fn half(scale: f32) -> f32 {
    f16::from_f32(scale).max(f16::from_bits(1)).to_f32()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(shape: &[usize]) -> HostTensor {
        let count = shape.iter().product::<usize>();
        let values = (0..count).map(|i| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0).collect();
        HostTensor { shape: shape.to_vec(), values }
    }

    fn largest_error(weight: &HostTensor, stored: &Stored) -> f32 {
        let again = stored.dequantized();
        assert_eq!(again.shape, weight.shape);
        let errors = again.values.iter().zip(&weight.values).map(|(a, b)| (a - b).abs());
        errors.fold(0.0, f32::max)
    }

    #[test]
    fn a_channel_is_off_by_half_a_step_at_most() {
        let weight = weight(&[5, 3, 2, 2]);
        let stored = Stored::channels(&weight);
        assert!(largest_error(&weight, &stored) <= 1.0 / 127.0 * 0.5001);
        let Stored::Channels(integers) = &stored else { panic!("{stored:?}") };
        let fills = |row: &[i8]| row.iter().any(|v| v.unsigned_abs() == 127);
        assert!(integers.values.chunks(12).all(fills), "{integers:?}");
    }

    #[test]
    fn groups_end_with_their_channel() {
        let weight = weight(&[3, 10]);
        for bits in [4, 8] {
            let stored = Stored::groups(&weight, bits, 4);
            let Stored::Groups { integers, .. } = &stored else { panic!("{stored:?}") };
            assert_eq!(integers.scales.len(), 3 * 3);
            let largest = (1i16 << (bits - 1)) - 1;
            assert!(integers.values.iter().all(|v| i16::from(*v).abs() <= largest));
            // Half a step, and what cutting off and 16 bits for the scale may add.
            assert!(largest_error(&weight, &stored) <= 1.0 / f32::from(largest), "{bits} bits");
        }
    }

    #[test]
    fn zeros_stay_zeros() {
        let zeros = HostTensor { shape: vec![2, 3], values: vec![0.0; 6] };
        assert_eq!(Stored::channels(&zeros).dequantized(), zeros);
        assert_eq!(Stored::groups(&zeros, 4, 2).dequantized(), zeros);
    }
}
