//! Tensors to be: small enough to be printed when a case fails.

use burn::tensor::{DType, Device, Slice, Tensor, TensorData};
use proptest::prelude::*;

/// Which of the three runs that are held against each other a tensor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// The kernel: float32, in any layout.
    Ours,
    /// The reference: float64, contiguous.
    Exact,
    /// The sums of magnitudes that errors are relative to: the reference's operations on absolute values.
    Sizes,
}

/// How a tensor lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    Whole,
    /// The last two axes swapped.
    Transposed,
    /// All axes in reverse order.
    Reversed,
    /// Backwards along every axis.
    Flipped,
    /// The middle of a larger tensor of NaN.
    Sliced,
    /// Every second value along the last axis, NaN between them.
    Stepped,
    /// The same values for every index of the first axis, stored once.
    Repeated,
}

/// What numbers a tensor holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Of −1 to 1.
    Unit,
    /// Of −10⁴ to 10⁴.
    Large,
    /// Of 999 to 1001.
    Far,
    /// Whole numbers of −3 to 3: zeros and equal values.
    Few,
    /// Of either sign, from 10⁻⁶ to 10⁴ with every order of magnitude as likely.
    Mixed,
}

impl Numbers {
    /// The number at a place: a hash (Steele et al.: Fast splittable pseudorandom number generators, 2014).
    pub(crate) fn at(self, seed: u64, place: usize) -> f32 {
        let mut hash = seed.wrapping_add((place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^= hash >> 31;
        let unit = (hash >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        match self {
            Self::Unit => unit,
            Self::Large => unit * 1e4,
            Self::Far => unit + 1000.0,
            Self::Few => (unit * 3.5).trunc(),
            Self::Mixed => (if hash & 1 == 0 { 1.0 } else { -1.0 }) * 10f32.powf(5.0 * unit - 1.0),
        }
    }
}

/// One tensor of a case.
#[derive(Debug, Clone)]
pub(crate) struct Input<const D: usize> {
    pub(crate) shape: [usize; D],
    layout: Layout,
    numbers: Numbers,
    seed: u64,
    tracked: bool,
    /// Where a NaN or an infinity stands.
    special: Option<(usize, f32)>,
}

impl<const D: usize> Input<D> {
    pub(crate) fn values(&self) -> Vec<f32> {
        let count = self.shape.iter().product();
        let period = match self.layout {
            Layout::Repeated => self.shape[1..].iter().product(),
            _ => count,
        };
        let value = |i: usize| match self.special {
            Some((place, special)) if i % period == place % period => special,
            _ => self.numbers.at(self.seed, i % period),
        };
        (0..count).map(value).collect()
    }

    /// The values in float64.
    pub(crate) fn exact(&self) -> Vec<f64> {
        self.values().into_iter().map(f64::from).collect()
    }

    pub(crate) fn is_special(&self) -> bool {
        self.special.is_some()
    }

    pub(crate) fn leaf(&self, of: Of) -> Tensor<D> {
        let exact = |values: Vec<f64>| -> Tensor<D> {
            Tensor::from_data(TensorData::new(values, self.shape), (&Device::flex(), DType::F64))
        };
        let tensor = match of {
            Of::Ours => self.view(),
            Of::Exact => exact(self.exact()),
            Of::Sizes => exact(self.exact().into_iter().map(f64::abs).collect()),
        };
        if self.tracked { tensor.autodiff().require_grad() } else { tensor.autodiff() }
    }

    /// A constant.
    pub(crate) fn untracked(&self, of: Of) -> Tensor<D> {
        Self { tracked: false, ..self.clone() }.leaf(of)
    }

    /// The float32 tensor in its layout, not known to autodiff.
    pub(crate) fn view(&self) -> Tensor<D> {
        let device = Device::flex();
        let whole = Tensor::<D>::from_data(TensorData::new(self.values(), self.shape), &device);
        // Values in the order of another layout, and back by a view.
        let by = |there: &dyn Fn(Tensor<D>) -> Tensor<D>| {
            there(Tensor::from_data(there(whole.clone()).into_data(), &device))
        };
        let axes: [usize; D] = std::array::from_fn(|axis| axis);
        match self.layout {
            // Burn cannot read an empty tensor that begins behind its end.
            _ if whole.shape().num_elements() == 0 && self.layout == Layout::Flipped => whole,
            Layout::Whole => whole,
            Layout::Transposed => by(&|tensor| tensor.swap_dims(D.saturating_sub(2), D - 1)),
            Layout::Reversed => by(&|tensor| tensor.permute(axes.map(|axis| D - 1 - axis))),
            Layout::Flipped => by(&|tensor| tensor.flip(axes)),
            Layout::Sliced => {
                let around = Tensor::full(self.shape.map(|size| size + 3), f32::NAN, &device);
                let inside = self.shape.map(|size| Slice::from(1..size + 1));
                around.slice_assign(inside, whole).slice(inside)
            }
            Layout::Stepped => {
                let mut slices = self.shape.map(|size| Slice::from(0..size));
                slices[D - 1] = Slice::new(0, Some(2 * self.shape[D - 1] as isize), 2);
                let mut shape = self.shape;
                shape[D - 1] *= 2;
                Tensor::full(shape, f32::NAN, &device).slice_assign(slices, whole).slice(slices)
            }
            Layout::Repeated if self.shape[0] > 0 => whole.narrow(0, 0, 1).expand(self.shape),
            Layout::Repeated => whole,
        }
    }
}

/// The gradient of an output.
#[derive(Debug, Clone)]
pub(crate) struct Upstream<const D: usize> {
    /// Repeated is one number everywhere.
    of: Input<D>,
}

impl<const D: usize> Upstream<D> {
    pub(crate) fn shape(&self) -> [usize; D] {
        self.of.shape
    }

    pub(crate) fn values(&self) -> Vec<f32> {
        let of = &self.of;
        match of.layout {
            Layout::Repeated => vec![of.numbers.at(of.seed, 0); of.shape.iter().product()],
            _ => of.values(),
        }
    }

    /// Its magnitudes in float64, not known to autodiff.
    pub(crate) fn size(&self) -> Tensor<D> {
        let values: Vec<f64> = self.values().into_iter().map(|value| f64::from(value).abs()).collect();
        Tensor::from_data(TensorData::new(values, self.of.shape), (&Device::flex(), DType::F64))
    }

    /// A number whose gradient by `output` is this one, handed back in its layout.
    pub(crate) fn loss(&self, output: Tensor<D>, of: Of) -> Tensor<1> {
        let factor = self.of.leaf(of);
        match self.of.layout {
            Layout::Repeated => {
                let factor = self.of.numbers.at(self.of.seed, 0);
                output.sum() * if of == Of::Sizes { factor.abs() } else { factor }
            }
            Layout::Transposed if D > 1 => {
                (output.swap_dims(D - 2, D - 1) * factor.swap_dims(D - 2, D - 1)).sum()
            }
            _ => (output * factor).sum(),
        }
    }
}

pub(crate) fn batch() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(0), 2 => Just(1), 6 => 2..=9usize, 2 => 10..=40usize, 1 => 200..=600usize]
}

/// A size, mostly small and mostly no multiple of a vector's.
pub(crate) fn size() -> impl Strategy<Value = usize> {
    prop_oneof![5 => 1..=9usize, 4 => 10..=40usize, 1 => 41..=150usize]
}

/// Rows and columns, some of them many narrow rows: what is summed over them needs all of its digits.
pub(crate) fn rows() -> impl Strategy<Value = [usize; 2]> {
    prop_oneof![
        10 => (batch(), size()).prop_map(|(n, columns)| [n, columns]),
        1 => [2000..=20_000usize, 1..=3],
    ]
}

pub(crate) fn numbers() -> impl Strategy<Value = Numbers> {
    prop_oneof![
        4 => Just(Numbers::Unit),
        2 => Just(Numbers::Large),
        1 => Just(Numbers::Far),
        2 => Just(Numbers::Few),
        1 => Just(Numbers::Mixed),
    ]
}

fn layout() -> impl Strategy<Value = Layout> {
    prop_oneof![
        3 => Just(Layout::Whole),
        2 => Just(Layout::Transposed),
        1 => Just(Layout::Reversed),
        1 => Just(Layout::Flipped),
        2 => Just(Layout::Sliced),
        1 => Just(Layout::Stepped),
        1 => Just(Layout::Repeated),
    ]
}

pub(crate) fn input<const D: usize>(shape: [usize; D]) -> impl Strategy<Value = Input<D>> {
    input_of(shape, numbers())
}

pub(crate) fn input_of<const D: usize>(
    shape: [usize; D],
    numbers: impl Strategy<Value = Numbers>,
) -> impl Strategy<Value = Input<D>> {
    (layout(), numbers, any::<u64>().no_shrink(), prop::bool::weighted(0.9)).prop_map(
        move |(layout, numbers, seed, tracked)| Input {
            shape,
            layout,
            numbers,
            seed,
            tracked,
            special: None,
        },
    )
}

/// An input of moderate numbers with a NaN or an infinity somewhere.
pub(crate) fn special<const D: usize>(shape: [usize; D]) -> impl Strategy<Value = Input<D>> {
    let value = prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
    (ordinary(shape), any::<u16>(), value)
        .prop_map(|(input, place, value)| Input { special: Some((place.into(), value)), ..input })
}

pub(crate) fn upstream<const D: usize>(shape: [usize; D]) -> impl Strategy<Value = Upstream<D>> {
    let numbers = prop_oneof![3 => Just(Numbers::Unit), 1 => Just(Numbers::Large), 1 => Just(Numbers::Few)];
    upstream_of(shape, numbers)
}

pub(crate) fn upstream_of<const D: usize>(
    shape: [usize; D],
    numbers: impl Strategy<Value = Numbers>,
) -> impl Strategy<Value = Upstream<D>> {
    let layout =
        prop_oneof![3 => Just(Layout::Whole), 2 => Just(Layout::Transposed), 1 => Just(Layout::Repeated)];
    (layout, numbers, any::<u64>().no_shrink()).prop_map(move |(layout, numbers, seed)| Upstream {
        of: Input { shape, layout, numbers, seed, tracked: false, special: None },
    })
}

/// An input of moderate numbers.
pub(crate) fn ordinary<const D: usize>(shape: [usize; D]) -> impl Strategy<Value = Input<D>> {
    input_of(shape, Just(Numbers::Unit))
}

/// The gradient that goes with a [`special`] input.
pub(crate) fn moderate<const D: usize>(shape: [usize; D]) -> impl Strategy<Value = Upstream<D>> {
    upstream_of(shape, Just(Numbers::Unit))
}
