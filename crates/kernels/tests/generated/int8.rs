//! Integer kernels: every path against loops of plain integers, to the last bit.

use crucible_kernels::int8::{
    ConvShape, Dequantize, PackedWeights, Path, PoolShape, Requantize, avg_pool2d, conv2d, dequantize,
    linear, max_pool2d, quantize, range,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::property::check;

/// A number at a place (Steele et al.: Fast splittable pseudorandom number generators, 2014).
fn hash(seed: u64, place: usize) -> u64 {
    let mut hash = seed.wrapping_add((place as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

fn pick<T: Copy>(values: &[T], seed: u64, place: usize) -> T {
    values[(hash(seed, place) >> 20) as usize % values.len()]
}

/// What bytes a product is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bytes {
    Any,
    /// The least and the largest, mixed.
    Ends,
    /// 255 and −128 throughout.
    Extreme,
}

impl Bytes {
    fn inputs(self, seed: u64, count: usize) -> Vec<u8> {
        let at = |i| match self {
            Self::Any => hash(seed, i) as u8,
            Self::Ends => pick(&[0, 1, 127, 128, 255], seed, i),
            Self::Extreme => 255,
        };
        (0..count).map(at).collect()
    }

    fn weights(self, seed: u64, count: usize) -> Vec<i8> {
        let at = |i| match self {
            Self::Any => hash(!seed, i) as i8,
            Self::Ends => pick(&[-128, -127, -1, 0, 127], !seed, i),
            Self::Extreme => -128,
        };
        (0..count).map(at).collect()
    }
}

/// What becomes of the sums.
#[derive(Debug, Clone)]
struct Stages {
    offset: Vec<i32>,
    /// Of each output.
    factor: Vec<f32>,
    bias: Vec<f32>,
    zero: u8,
    low: u8,
    high: u8,
    table: Option<Box<[u8; 256]>>,
    relu: bool,
}

/// Of numbers that round to bytes, lie in the middle of two integers, or overflow.
const FACTORS: [f32; 12] =
    [1e-3, 0.5, 0.25, 0.125, 1.0, 3e-4, 7e-6, 0.0, -0.015_625, 1e30, f32::INFINITY, f32::NAN];

fn stages(outputs: usize) -> impl Strategy<Value = Stages> {
    let bounds = (any::<u8>(), any::<u8>(), any::<u8>());
    let offsets = prop_oneof![Just(None), Just(Some(i32::MIN)), Just(Some(i32::MAX)), Just(Some(0))];
    (any::<u64>(), bounds, offsets, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        move |(seed, (zero, a, b), near, whole, table, relu)| {
            let offset = |i| match near {
                None => hash(seed, i) as i32,
                Some(near) => near.wrapping_add((hash(seed, i) % 2001) as i32 - 1000),
            };
            let (low, high) = if whole { (0, 255) } else { (a.min(b), a.max(b)) };
            let table = table.then(|| Box::new(std::array::from_fn(|i| hash(seed, i) as u8)));
            Stages {
                offset: (0..outputs).map(offset).collect(),
                factor: (0..outputs).map(|i| pick(&FACTORS, !seed, i)).collect(),
                bias: (0..outputs).map(|i| hash(seed, i) as i32 as f32 * 1e-7).collect(),
                zero,
                low,
                high,
                table,
                relu,
            }
        },
    )
}

impl Stages {
    fn requantize(&self) -> Requantize<'_> {
        let Self { offset, factor, zero, low, high, table, .. } = self;
        let (multiplier, table) = (factor, table.as_deref());
        Requantize { offset, multiplier, zero: *zero, low: *low, high: *high, table }
    }

    fn dequantize(&self) -> Dequantize<'_> {
        Dequantize { offset: &self.offset, scale: &self.factor, bias: &self.bias, relu: self.relu }
    }

    fn value(&self, sum: i64, output: usize) -> f32 {
        (sum as i32).wrapping_add(self.offset[output]) as f32 * self.factor[output]
    }

    fn byte(&self, sum: i64, output: usize) -> u8 {
        let value = f64::from(self.value(sum, output)).round_ties_even() + f64::from(self.zero);
        let byte = if value.is_nan() {
            self.low
        } else {
            value.clamp(f64::from(self.low), f64::from(self.high)) as u8
        };
        self.table.as_ref().map_or(byte, |table| table[usize::from(byte)])
    }

    fn number(&self, sum: i64, output: usize) -> f32 {
        let value = self.value(sum, output) + self.bias[output];
        if self.relu && value < 0.0 { 0.0 } else { value }
    }

    /// Both results of a layer, on every path, from its sums `[…, outputs]`.
    fn compare(
        &self,
        sums: &[i64],
        bytes: impl Fn(Path, Requantize<'_>, &mut [u8]),
        numbers: impl Fn(Path, Dequantize<'_>, &mut [f32]),
    ) -> TestCaseResult {
        let outputs = self.offset.len();
        let exact: Vec<_> = sums.iter().enumerate().map(|(i, sum)| self.byte(*sum, i % outputs)).collect();
        let exact_numbers: Vec<_> =
            sums.iter().enumerate().map(|(i, sum)| self.number(*sum, i % outputs)).collect();
        for path in Path::available() {
            let mut found = vec![99; sums.len()];
            bytes(path, self.requantize(), &mut found);
            prop_assert_eq!(&found, &exact, "{}", path.name());
            let mut found = vec![99.0; sums.len()];
            numbers(path, self.dequantize(), &mut found);
            same_bits(path, &found, &exact_numbers)?;
        }
        Ok(())
    }
}

fn same_bits(path: Path, found: &[f32], exact: &[f32]) -> TestCaseResult {
    prop_assert_eq!(found.len(), exact.len());
    for (i, (found, exact)) in found.iter().zip(exact).enumerate() {
        let same = found.to_bits() == exact.to_bits() || found.is_nan() && exact.is_nan();
        prop_assert!(same, "{} at {}: {} for {}", path.name(), i, found, exact);
    }
    Ok(())
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![3 => Just(Bytes::Any), 1 => Just(Bytes::Ends), 1 => Just(Bytes::Extreme)]
}

#[derive(Debug)]
struct Linear {
    rows: usize,
    inputs: usize,
    bytes: Bytes,
    seed: u64,
    stages: Stages,
}

impl Linear {
    fn check(&self) -> TestCaseResult {
        let Self { rows, inputs, bytes, seed, ref stages } = *self;
        let outputs = stages.offset.len();
        let (input, weight) = (bytes.inputs(seed, rows * inputs), bytes.weights(seed, inputs * outputs));
        let mut sums = Vec::new();
        for row in input.chunks_exact(inputs) {
            for weights in weight.chunks_exact(inputs) {
                sums.push(row.iter().zip(weights).map(|(x, w)| i64::from(*x) * i64::from(*w)).sum());
            }
        }
        let packed = PackedWeights::new(&weight, outputs, inputs);
        prop_assert_eq!((packed.outputs(), packed.inputs()), (outputs, inputs));
        prop_assert_eq!(packed.bytes(), outputs.div_ceil(16) * inputs.div_ceil(4) * 64);
        stages.compare(
            &sums,
            |path, stage, output| linear(path, &input, &packed, &stage, output),
            |path, stage, output| linear(path, &input, &packed, &stage, output),
        )
    }
}

#[test]
fn fully_connected_layers_are_exact() {
    let rows = prop_oneof![1 => Just(0usize), 2 => Just(1), 3 => 2..=8usize, 3 => 9..=50usize];
    let outputs = prop_oneof![4 => 1..=40usize, 2 => 41..=300usize, 1 => Just(64)];
    let inputs = prop_oneof![3 => 1..=20usize, 3 => 21..=300usize];
    let cases = (rows, outputs, inputs, bytes(), any::<u64>()).prop_flat_map(
        |(rows, outputs, inputs, bytes, seed)| {
            stages(outputs).prop_map(move |stages| Linear { rows, inputs, bytes, seed, stages })
        },
    );
    check("int8 linear", 256, cases, |case, _| case.check());
}

#[test]
fn sums_wrap_alike() {
    // 131,586 · 255 · −128 is less than −2³².
    let cases = stages(17).prop_map(|stages| Linear {
        rows: 3,
        inputs: 131_586,
        bytes: Bytes::Extreme,
        seed: 0,
        stages,
    });
    check("int8 linear, wrapping", 3, cases, |case, _| case.check());
}

#[derive(Debug)]
struct Conv {
    shape: ConvShape,
    zero: u8,
    bytes: Bytes,
    seed: u64,
    stages: Stages,
}

fn conv_shape() -> impl Strategy<Value = ConvShape> {
    let kernel = [1..=5usize, 1..=5];
    let dilation = prop_oneof![2 => Just([1, 1]), 1 => [1..=3usize, 1..=3]];
    let padding = prop_oneof![1 => Just([0, 0]), 2 => [0..=4usize, 0..=4]];
    let stride = prop_oneof![1 => Just([1, 1]), 1 => [1..=3usize, 1..=3]];
    let rest = prop_oneof![3 => [0..=7usize, 0..=7], 1 => [0..=2usize, 12..=30]];
    let channels = prop_oneof![2 => 1..=4usize, 1 => 5..=40usize, 1 => (1..=10usize).prop_map(|n| 4 * n)];
    (kernel, stride, padding, dilation, channels, rest).prop_map(
        |(kernel, stride, padding, dilation, channels, rest)| {
            let [height, width] = [0, 1].map(|a| {
                let extent = dilation[a] * (kernel[a] - 1) + 1;
                extent.saturating_sub(2 * padding[a]).max(1) + rest[a]
            });
            ConvShape { height, width, channels, kernel, stride, padding, dilation }
        },
    )
}

impl Conv {
    /// The sums by the definition: `[h, w, outputs]`.
    fn sums(&self, input: &[u8], weight: &[i8]) -> Vec<i64> {
        let ConvShape { height, width, channels, kernel, stride, padding, dilation } = self.shape;
        let size = |image: usize, a: usize| {
            (image + 2 * padding[a] - dilation[a] * (kernel[a] - 1) - 1) / stride[a] + 1
        };
        let (rows, columns, outputs) = (size(height, 0), size(width, 1), self.stages.offset.len());
        let value = |i: usize| {
            let (row, column, output) = (i / outputs / columns, i / outputs % columns, i % outputs);
            let mut sum = 0;
            for tap in 0..kernel[0] * kernel[1] * channels {
                let (y, x, channel) =
                    (tap / channels / kernel[1], tap / channels % kernel[1], tap % channels);
                let y = (row * stride[0] + y * dilation[0]).wrapping_sub(padding[0]);
                let x = (column * stride[1] + x * dilation[1]).wrapping_sub(padding[1]);
                let inside = y < height && x < width;
                let byte = if inside { input[(y * width + x) * channels + channel] } else { self.zero };
                sum += i64::from(byte) * i64::from(weight[output * kernel[0] * kernel[1] * channels + tap]);
            }
            sum
        };
        (0..rows * columns * outputs).map(value).collect()
    }

    fn check(&self, scratch: &mut Vec<u8>) -> TestCaseResult {
        let Self { ref shape, zero, bytes, seed, ref stages } = *self;
        let outputs = stages.offset.len();
        let inputs = shape.kernel[0] * shape.kernel[1] * shape.channels;
        let input = bytes.inputs(seed, shape.height * shape.width * shape.channels);
        let weight = bytes.weights(seed, inputs * outputs);
        let packed = PackedWeights::conv2d(&weight, outputs, shape);
        prop_assert_eq!((packed.outputs(), packed.inputs()), (outputs, inputs));
        let sums = self.sums(&input, &weight);
        prop_assert_eq!(shape.output().iter().product::<usize>() * outputs, sums.len());
        // Scratch keeps what the call before left in it.
        let scratch = std::cell::RefCell::new(scratch);
        stages.compare(
            &sums,
            |path, stage, output| {
                conv2d(path, &input, shape, zero, &packed, &stage, output, &mut scratch.borrow_mut());
            },
            |path, stage, output| {
                conv2d(path, &input, shape, zero, &packed, &stage, output, &mut scratch.borrow_mut());
            },
        )
    }
}

#[test]
fn convolutions_are_exact() {
    let outputs = prop_oneof![3 => 1..=40usize, 1 => 41..=140usize];
    let cases = (conv_shape(), any::<u8>(), outputs, bytes(), any::<u64>()).prop_flat_map(
        |(shape, zero, outputs, bytes, seed)| {
            stages(outputs).prop_map(move |stages| Conv { shape, zero, bytes, seed, stages })
        },
    );
    let scratch = std::cell::RefCell::new(Vec::new());
    check("int8 conv2d", 256, cases, |case, _| case.check(&mut scratch.borrow_mut()));
}

#[test]
fn weights_of_another_kernel_are_refused() {
    let shape = |kernel, dilation| ConvShape {
        height: 8,
        width: 8,
        channels: 4,
        kernel: [kernel; 2],
        stride: [1; 2],
        padding: [0; 2],
        dilation: [dilation; 2],
    };
    let stage = Requantize { offset: &[0], multiplier: &[1.0], zero: 0, low: 0, high: 255, table: None };
    let run = |packed: ConvShape, shape: ConvShape| {
        let weights = PackedWeights::conv2d(&[1; 36][..packed.kernel[0].pow(2) * 4], 1, &packed);
        let mut output = vec![0; shape.output().iter().product()];
        let run = || {
            conv2d(Path::best(), &[1; 256], &shape, 0, &weights, &stage, &mut output, &mut Vec::new());
        };
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_ok()
    };
    assert!(run(shape(3, 1), shape(3, 1)));
    assert!(!run(shape(2, 1), shape(3, 1)));
    assert!(!run(shape(3, 1), shape(3, 2)));
}

/// The windows of a picture, their bytes of each channel by the definition.
fn windows(input: &[u8], shape: PoolShape) -> Vec<Vec<u8>> {
    let PoolShape { height, width, channels, size } = shape;
    let (rows, columns) = (height / size[0], width / size[1]);
    let window = |i: usize| {
        let (row, column, channel) = (i / channels / columns, i / channels % columns, i % channels);
        let pixels = (0..size[0] * size[1]).map(|tap| {
            let (y, x) = (row * size[0] + tap / size[1], column * size[1] + tap % size[1]);
            input[(y * width + x) * channels + channel]
        });
        pixels.collect()
    };
    (0..rows * columns * channels).map(window).collect()
}

#[test]
fn pools_are_exact() {
    let size = prop_oneof![2 => Just([2, 2]), 2 => [1..=4usize, 1..=4], 1 => [5..=16usize, 5..=16]];
    let channels = prop_oneof![1..=8usize, 9..=150usize];
    let cases = (size, [1..=4usize, 1..=4], [0..=3usize, 0..=3], channels, bytes(), any::<u64>());
    let cases = cases.prop_map(|(size, count, rest, channels, bytes, seed)| {
        let [height, width] = [0, 1].map(|a| size[a] * count[a] + rest[a]);
        (PoolShape { height, width, channels, size }, bytes, seed)
    });
    check("int8 pools", 128, cases, |(shape, bytes, seed), _| {
        let input = bytes.inputs(*seed, shape.height * shape.width * shape.channels);
        let windows = windows(&input, *shape);
        let maxima: Vec<_> = windows.iter().map(|window| *window.iter().max().unwrap()).collect();
        let mean = |window: &Vec<u8>| {
            let sum: u32 = window.iter().map(|byte| u32::from(*byte)).sum();
            (sum as f32 * (1.0 / window.len() as f32)).round_ties_even() as u8
        };
        let means: Vec<_> = windows.iter().map(mean).collect();
        for path in Path::available() {
            let mut found = vec![99; windows.len()];
            max_pool2d(path, &input, shape, &mut found);
            prop_assert_eq!(&found, &maxima, "{}", path.name());
            avg_pool2d(path, &input, shape, &mut found);
            prop_assert_eq!(&found, &means, "{}", path.name());
        }
        Ok(())
    });
}

/// Numbers of all kinds: in the middle of two integers times the scale, huge, special.
fn numbers() -> impl Strategy<Value = Vec<f32>> {
    let special = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, f32::MIN, 1e-45];
    let number = prop_oneof![
        3 => -300.0..300.0f32,
        3 => (-600..600i32).prop_map(|half| half as f32 / 2.0),
        1 => proptest::sample::select(special.to_vec()),
        1 => any::<f32>(),
    ];
    proptest::collection::vec(number, 0..=200)
}

#[test]
fn conversions_are_exact() {
    let scale = prop_oneof![
        3 => Just(1.0f32),
        2 => Just(0.5f32),
        3 => 1e-3..10.0f32,
        1 => proptest::sample::select(vec![f32::MIN_POSITIVE, 1e-45, 1e38, 0.0]),
    ];
    let zero = prop_oneof![Just(0), Just(255), any::<u8>()];
    check("int8 conversions", 256, (numbers(), scale, zero), |(source, scale, zero), _| {
        let byte = |x: &f32| {
            let value = x / scale;
            let value = if value.is_nan() { 0.0 } else { f64::from(value).round_ties_even() };
            (value + f64::from(*zero)).clamp(0.0, 255.0) as u8
        };
        let exact: Vec<u8> = source.iter().map(byte).collect();
        let back: Vec<f32> =
            exact.iter().map(|byte| (i32::from(*byte) - i32::from(*zero)) as f32 * scale).collect();
        for path in Path::available() {
            let mut found = vec![99; source.len()];
            quantize(path, &mut found, source, *scale, *zero);
            prop_assert_eq!(&found, &exact, "{}", path.name());
            let mut found = vec![99.0; source.len()];
            dequantize(path, &mut found, &exact, *scale, *zero);
            same_bits(path, &found, &back)?;
        }
        Ok(())
    });
}

#[test]
fn ranges_are_exact() {
    check("int8 range", 128, numbers(), |source, _| {
        let (least, most) = source
            .iter()
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), x| (least.min(*x), most.max(*x)));
        let found: Vec<_> = Path::available().into_iter().map(|path| range(path, source)).collect();
        for (a, b) in &found {
            // Zeros of either sign are equal, but must be the same on all paths.
            prop_assert_eq!((*a, *b), (least, most));
            prop_assert_eq!([a.to_bits(), b.to_bits()], [found[0].0.to_bits(), found[0].1.to_bits()]);
        }
        Ok(())
    });
}

#[test]
fn ranges_look_at_every_number() {
    for count in [2, 63, 64, 65, 200] {
        for place in 0..count {
            let mut source = vec![f32::NAN; count];
            source[place] = -5.0;
            source[(place + 1) % count] = 5.0;
            for path in Path::available() {
                assert_eq!(range(path, &source), (-5.0, 5.0), "{} of {count} on {}", place, path.name());
            }
        }
    }
}
