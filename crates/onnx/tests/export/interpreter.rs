//! The operators that an exported graph is made of, by their definitions, in `f64`.

use std::collections::HashMap;

use crucible_onnx::proto::{DataType, GraphProto, NodeProto, TensorProto};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

/// What the graph gives for an input.
pub(crate) fn run(onnx: &GraphProto, input: Array) -> Array {
    let constants = onnx.initializer.iter().map(|tensor| (tensor.name.as_str(), constant(tensor)));
    let mut known: HashMap<&str, Array> = constants.collect();
    known.insert("input", input);
    for node in &onnx.node {
        let inputs: Vec<&Array> = node.input.iter().map(|name| &known[name.as_str()]).collect();
        let outputs = operate(node, &inputs);
        known.extend(node.output.iter().map(String::as_str).zip(outputs));
    }
    known.remove("output").unwrap()
}

pub(crate) fn constant(tensor: &TensorProto) -> Array {
    let bytes = &tensor.raw_data;
    let shape: Vec<usize> = tensor.dims.iter().map(|&side| usize::try_from(side).unwrap()).collect();
    let four = |half: u8| f64::from((half << 4).cast_signed() >> 4);
    let mut values: Vec<f64> = match tensor.data_type() {
        DataType::Float => bytes.as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect(),
        DataType::Int32 => bytes.as_chunks().0.iter().map(|&b| f64::from(i32::from_le_bytes(b))).collect(),
        DataType::Int64 => bytes.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b) as f64).collect(),
        DataType::Uint8 => bytes.iter().map(|&b| f64::from(b)).collect(),
        DataType::Int8 => bytes.iter().map(|&b| f64::from(b.cast_signed())).collect(),
        DataType::Int4 => bytes.iter().flat_map(|&b| [four(b & 15), four(b >> 4)]).collect(),
        DataType::Undefined => panic!("`{}` has no type", tensor.name),
    };
    values.truncate(shape.iter().product());
    assert_eq!(values.len(), shape.iter().product::<usize>(), "`{}` has too few bytes", tensor.name);
    Array { shape, values }
}

fn operate(node: &NodeProto, inputs: &[&Array]) -> Vec<Array> {
    let find = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
    let int = |name: &str| find(name).and_then(|attribute| attribute.i);
    let float = |name: &str| f64::from(find(name).and_then(|attribute| attribute.f).unwrap());
    let ints = |name: &str| -> Vec<usize> { find(name).unwrap().ints.iter().map(|&i| i as usize).collect() };
    let x = inputs[0];
    let each = |function: &dyn Fn(f64) -> f64| Array {
        shape: x.shape.clone(),
        values: x.values.iter().map(|&value| function(value)).collect(),
    };
    vec![match node.op_type.as_str() {
        "Identity" => x.clone(),
        "Relu" => each(&|v| v.max(0.0)),
        "LeakyRelu" => each(&|v| if v < 0.0 { v * float("alpha") } else { v }),
        "Sigmoid" => each(&|v| 1.0 / (1.0 + (-v).exp())),
        "Tanh" => each(&f64::tanh),
        "Gelu" => each(&|v| 0.5 * v * (1.0 + libm::erf(v / 2f64.sqrt()))),
        "Add" => pairwise(x, inputs[1], |a, b| a + b),
        "Mul" => pairwise(x, inputs[1], |a, b| a * b),
        "Reshape" => reshape(x, &inputs[1].values),
        "Transpose" => transpose(x, &ints("perm")),
        "Split" => return split(x, inputs[1], int("axis").unwrap() as usize),
        "MatMul" => matmul(x, inputs[1]),
        "Gemm" => {
            let flip = int("transB") == Some(1);
            let b = if flip { transpose(inputs[1], &[1, 0]) } else { inputs[1].clone() };
            let product = matmul(x, &b);
            inputs.get(2).map_or(product.clone(), |bias| pairwise(&product, bias, |a, b| a + b))
        }
        "Conv" => {
            let bias = Array { shape: vec![inputs[2].values.len(), 1, 1], values: inputs[2].values.clone() };
            let (groups, weight) = (int("group").unwrap() as usize, inputs[1]);
            let layout = [ints("strides"), ints("pads"), ints("dilations")];
            pairwise(&convolve(x, weight, groups, &layout), &bias, |a, b| a + b)
        }
        "MaxPool" => pool(x, &ints("kernel_shape"), |window| window.iter().copied().fold(f64::MIN, f64::max)),
        "AveragePool" => pool(x, &ints("kernel_shape"), mean),
        "BatchNormalization" => {
            let mut sides = vec![1; x.shape.len() - 1];
            sides[0] = x.shape[1];
            let [weight, bias, mean, var] =
                [1, 2, 3, 4].map(|i| Array { shape: sides.clone(), values: inputs[i].values.clone() });
            let normal =
                pairwise(&pairwise(x, &mean, |a, b| a - b), &var, |a, b| a / (b + float("epsilon")).sqrt());
            pairwise(&pairwise(&normal, &weight, |a, b| a * b), &bias, |a, b| a + b)
        }
        "LayerNormalization" => {
            let normal = rows(x, |row| {
                let middle = mean(row);
                let variance = mean(&row.iter().map(|v| (v - middle).powi(2)).collect::<Vec<_>>());
                row.iter_mut().for_each(|v| *v = (*v - middle) / (variance + float("epsilon")).sqrt());
            });
            pairwise(&pairwise(&normal, inputs[1], |a, b| a * b), inputs[2], |a, b| a + b)
        }
        "Softmax" => rows(x, |row| {
            let sum: f64 = row.iter().map(|v| v.exp()).sum();
            row.iter_mut().for_each(|v| *v = v.exp() / sum);
        }),
        "ReduceMean" => {
            assert_eq!((inputs[1].values.as_slice(), int("keepdims")), (&[1.0][..], Some(0)));
            let last = transpose(x, &[0, 2, 1]);
            let values = last.values.chunks(x.shape[1]).map(mean).collect();
            Array { shape: vec![x.shape[0], x.shape[2]], values }
        }
        "QuantizeLinear" => {
            let (scale, zero) = (inputs[1].values[0], inputs[2].values[0]);
            each(&|v| ((v / scale).round_ties_even() + zero).clamp(0.0, 255.0))
        }
        "DequantizeLinear" => dequantize(inputs, int("axis"), int("block_size")),
        other => panic!("no operator {other}"),
    }]
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Changes each row along the last axis.
fn rows(x: &Array, change: impl Fn(&mut [f64])) -> Array {
    let mut x = x.clone();
    x.values.chunks_mut(*x.shape.last().unwrap()).for_each(change);
    x
}

/// The position in an array of `shape` of what stands at a flat `index` of an array of the larger shape `of`.
fn position(index: usize, of: &[usize], shape: &[usize]) -> usize {
    let (mut index, mut step, mut at) = (index, 1, 0);
    for axis in (0..of.len()).rev() {
        let side = (axis + shape.len()).checked_sub(of.len()).map_or(1, |axis| shape[axis]);
        assert!(side == 1 || side == of[axis], "{shape:?} does not spread over {of:?}");
        at += if side == 1 { 0 } else { index % of[axis] * step };
        index /= of[axis];
        step *= side;
    }
    at
}

/// Two arrays element by element; the second is spread over the first.
fn pairwise(a: &Array, b: &Array, function: impl Fn(f64, f64) -> f64) -> Array {
    let second = |index| b.values[position(index, &a.shape, &b.shape)];
    let values = a.values.iter().enumerate().map(|(index, &value)| function(value, second(index))).collect();
    Array { shape: a.shape.clone(), values }
}

fn reshape(x: &Array, sides: &[f64]) -> Array {
    let copied = |(axis, &side): (usize, &f64)| if side == 0.0 { x.shape[axis] as f64 } else { side };
    let sides: Vec<f64> = sides.iter().enumerate().map(copied).collect();
    let known: f64 = sides.iter().filter(|side| **side > 0.0).product();
    let rest = x.values.len() as f64 / known;
    let shape: Vec<usize> = sides.iter().map(|&side| if side < 0.0 { rest } else { side } as usize).collect();
    assert_eq!(shape.iter().product::<usize>(), x.values.len(), "{:?} as {sides:?}", x.shape);
    Array { shape, values: x.values.clone() }
}

fn transpose(x: &Array, order: &[usize]) -> Array {
    let shape: Vec<usize> = order.iter().map(|&axis| x.shape[axis]).collect();
    let step = |axis: usize| x.shape[axis + 1..].iter().product::<usize>();
    let from = |mut index: usize| {
        let mut at = 0;
        for (&axis, side) in order.iter().zip(&shape).rev() {
            at += index % side * step(axis);
            index /= side;
        }
        x.values[at]
    };
    Array { values: (0..x.values.len()).map(from).collect(), shape }
}

fn split(x: &Array, sizes: &Array, axis: usize) -> Vec<Array> {
    assert_eq!(axis + 1, x.shape.len());
    let mut start = 0;
    let part = |&size: &f64| {
        let size = size as usize;
        let taken = x.values.chunks(x.shape[axis]).flat_map(|row| row[start..start + size].to_vec());
        let values = taken.collect();
        start += size;
        Array { shape: [&x.shape[..axis], &[size]].concat(), values }
    };
    sizes.values.iter().map(part).collect()
}

/// Matrices along the last two axes, as many on both sides.
fn matmul(a: &Array, b: &Array) -> Array {
    let (outer, [rows, inner]) = a.shape.split_last_chunk::<2>().unwrap();
    let columns = *b.shape.last().unwrap();
    let count: usize = outer.iter().product();
    assert_eq!(b.values.len(), count * inner * columns, "{:?} times {:?}", a.shape, b.shape);
    let cell = |index: usize| {
        let (row, column) = (index / columns, index % columns);
        let first = row / rows * inner * columns + column;
        (0..*inner).map(|i| a.values[row * inner + i] * b.values[first + i * columns]).sum()
    };
    let values = (0..count * rows * columns).map(cell).collect();
    Array { shape: [outer, &[*rows, columns]].concat(), values }
}

fn convolve(x: &Array, weight: &Array, groups: usize, layout: &[Vec<usize>; 3]) -> Array {
    let [stride, pad, dilation] = layout;
    let [outputs, inputs, high, wide] = weight.shape[..] else { panic!("{:?}", weight.shape) };
    let [batch, channels, height, width] = x.shape[..] else { panic!("{:?}", x.shape) };
    let kernel = [high, wide];
    let side = |axis: usize| {
        let padded = [height, width][axis] + pad[axis] + pad[axis + 2];
        (padded - dilation[axis] * (kernel[axis] - 1) - 1) / stride[axis] + 1
    };
    let shape = vec![batch, outputs, side(0), side(1)];
    let pixel = |example, channel, row: Option<usize>, column: Option<usize>| match (row, column) {
        (Some(row), Some(column)) if row < height && column < width => {
            x.values[((example * channels + channel) * height + row) * width + column]
        }
        _ => 0.0,
    };
    let cell = |index: usize| {
        let (column, rest) = (index % shape[3], index / shape[3]);
        let (row, rest) = (rest % shape[2], rest / shape[2]);
        let (output, example) = (rest % outputs, rest / outputs);
        let group = output / (outputs / groups);
        let taps = weight.values.iter().skip(output * inputs * high * wide).take(inputs * high * wide);
        let product = |(tap, weight): (usize, &f64)| {
            let (down, right, input) = (tap / wide % high, tap % wide, tap / (high * wide));
            let row = (row * stride[0] + down * dilation[0]).checked_sub(pad[0]);
            let column = (column * stride[1] + right * dilation[1]).checked_sub(pad[1]);
            weight * pixel(example, group * inputs + input, row, column)
        };
        taps.enumerate().map(product).sum()
    };
    let values = (0..shape.iter().product()).map(cell).collect();
    Array { shape, values }
}

fn pool(x: &Array, size: &[usize], take: impl Fn(&[f64]) -> f64) -> Array {
    let [batch, channels, height, width] = x.shape[..] else { panic!("{:?}", x.shape) };
    let shape = vec![batch, channels, height / size[0], width / size[1]];
    let cell = |index: usize| {
        let (column, rest) = (index % shape[3], index / shape[3]);
        let (row, map) = (rest % shape[2], rest / shape[2]);
        let first = map * height * width + row * size[0] * width + column * size[1];
        let line = |down: usize| x.values[first + down * width..][..size[1]].to_vec();
        take(&(0..size[0]).flat_map(line).collect::<Vec<_>>())
    };
    let values = (0..shape.iter().product()).map(cell).collect();
    Array { shape, values }
}

/// By one scale, by one for each place along an axis, or by one for each block along it.
fn dequantize(inputs: &[&Array], axis: Option<i64>, block: Option<i64>) -> Array {
    let (x, scale) = (inputs[0], inputs[1]);
    let axis = axis.map_or(0, |axis| axis as usize);
    let step: usize = x.shape.iter().skip(axis + 1).product();
    let place = |index: usize| match block {
        _ if scale.shape.is_empty() => 0,
        None => index / step % x.shape[axis],
        Some(block) => {
            let (outer, rest) = (index / (step * x.shape[axis]), index % (step * x.shape[axis]));
            (outer * scale.shape[axis] + rest / step / block as usize) * step + rest % step
        }
    };
    let zero = |place: usize| inputs.get(2).map_or(0.0, |zero| zero.values[place]);
    let real = |(index, &value): (usize, &f64)| (value - zero(place(index))) * scale.values[place(index)];
    Array { shape: x.shape.clone(), values: x.values.iter().enumerate().map(real).collect() }
}
