//! Values and parameters in integers, each with the operators that lead back to `f32`: a runtime looks for them around
//! a layer and computes the layer in integers. Zero points are written even where they are zero; ONNX Runtime
//! recognizes nothing without them.

use burn::tensor::Tensor;

use crate::{
    Affine, ExportError, Weights,
    builder::Builder,
    proto::TensorProto,
    site::{Site, host, parameter},
    tensor,
};

/// A weight matrix as an operator reads it.
pub(crate) struct Matrix {
    pub(crate) name: String,
    /// It is `[in, out]`, not the parameter's own `[out, in]`.
    pub(crate) transposed: bool,
}

/// A value rounded to `u8`, in `f32` again. `name` is whose value it is.
pub(crate) fn quantize(
    builder: &mut Builder,
    name: &str,
    value: &str,
    affine: Affine,
) -> Result<String, ExportError> {
    let scale = builder.auxiliary(&format!("{name}/scale"), tensor::floats(&[], &[affine.scale]))?;
    let zero = builder.auxiliary(&format!("{name}/zero"), tensor::byte(affine.zero))?;
    let integers = builder.node(
        &format!("{name}/QuantizeLinear"),
        "QuantizeLinear",
        &[value, &scale, &zero],
        Vec::new(),
    );
    let inputs = [integers.as_str(), &scale, &zero];
    Ok(builder.node(&format!("{name}/DequantizeLinear"), "DequantizeLinear", &inputs, Vec::new()))
}

impl Site<'_> {
    /// The weight of a layer, in the shape of its parameter, the outputs first.
    pub(crate) fn weight<const D: usize>(&mut self, values: Tensor<D>) -> Result<String, ExportError> {
        let name = parameter(&self.node().name, "weight");
        let shape = values.dims();
        match self.quantization.weights.get(&name) {
            None => self.parameter("weight", values),
            Some(Weights::Int8 { values, scales }) => self.int8(&name, &shape, values, scales),
            Some(Weights::Int4 { values, scales, group }) => {
                let inputs = shape[1..].iter().product();
                let rows = Rows { outputs: shape[0], inputs, group: *group };
                let sides: Vec<i64> = shape.iter().map(|&side| side as i64).collect();
                let flat = self.int4(&name, &rows, 1, values, scales)?;
                self.reshape_to(&flat, &sides)
            }
        }
    }

    /// The weight `[out, in]` of a fully connected layer. In four bits it is transposed: so a runtime multiplies by
    /// the integers, where it would else dequantize the whole matrix for every input.
    pub(crate) fn matrix(&mut self, values: Tensor<2>) -> Result<Matrix, ExportError> {
        let name = parameter(&self.node().name, "weight");
        let [outputs, inputs] = values.dims();
        if let Some(Weights::Int4 { values, scales, group }) = self.quantization.weights.get(&name) {
            let rows = Rows { outputs, inputs, group: *group };
            let (values, scales) = (transposed(values, inputs), transposed(scales, rows.groups()));
            let name = self.int4(&name, &rows, 0, &values, &scales)?;
            return Ok(Matrix { name, transposed: true });
        }
        Ok(Matrix { name: self.weight(values)?, transposed: false })
    }

    /// The bias of a layer, in `i32` if its input and its weight are integers of eight bits.
    pub(crate) fn bias(&mut self, values: Tensor<1>) -> Result<String, ExportError> {
        let input = self.quantization.values.get(&self.node().inputs[0].value);
        let weight = self.quantization.weights.get(&parameter(&self.node().name, "weight"));
        let (Some(input), Some(Weights::Int8 { scales, .. })) = (input, weight) else {
            return self.parameter("bias", values);
        };
        let name = parameter(&self.node().name, "bias");
        let scales: Vec<f32> = scales.iter().map(|scale| scale * input.scale).collect();
        let floats = host(&name, values.clone())?;
        let steps: Vec<f64> =
            floats.iter().zip(&scales).map(|(bias, scale)| f64::from(*bias) / f64::from(*scale)).collect();
        // A bias of more steps than 32 bits count dwarfs everything else that its output adds up.
        if !steps.iter().all(|steps| steps.abs() < f64::from(i32::MAX)) {
            return self.parameter("bias", values);
        }
        let integers: Vec<i32> = steps.iter().map(|steps| steps.round_ties_even() as i32).collect();
        let shape = [integers.len()];
        let zeros = tensor::int32(&shape, &vec![0; integers.len()]);
        self.dequantized(&name, tensor::int32(&shape, &integers), &scales, zeros)
    }

    fn int8(
        &mut self,
        name: &str,
        shape: &[usize],
        values: &[i8],
        scales: &[f32],
    ) -> Result<String, ExportError> {
        let zeros = tensor::int8(&[scales.len()], &vec![0; scales.len()]);
        self.dequantized(name, tensor::int8(shape, values), scales, zeros)
    }

    /// A parameter in integers with one scale for each output, in `f32` again.
    fn dequantized(
        &mut self,
        name: &str,
        integers: TensorProto,
        scales: &[f32],
        zeros: TensorProto,
    ) -> Result<String, ExportError> {
        let integers = self.builder.constant(name.to_owned(), integers)?;
        let scale =
            self.builder.auxiliary(&format!("{name}/scale"), tensor::floats(&[scales.len()], scales))?;
        let zero = self.builder.auxiliary(&format!("{name}/zero"), zeros)?;
        let operator = "DequantizeLinear";
        let settings = vec![tensor::axis(0)];
        Ok(self.builder.node(&format!("{name}/{operator}"), operator, &[&integers, &scale, &zero], settings))
    }

    /// A matrix of four bits with its inputs along `axis`, in `f32` again.
    fn int4(
        &mut self,
        name: &str,
        rows: &Rows,
        axis: usize,
        values: &[i8],
        scales: &[f32],
    ) -> Result<String, ExportError> {
        let sides = |inputs: usize| if axis == 0 { [inputs, rows.outputs] } else { [rows.outputs, inputs] };
        let integers = self.builder.constant(name.to_owned(), tensor::int4(&sides(rows.inputs), values))?;
        let scales = tensor::floats(&sides(rows.groups()), scales);
        let scale = self.builder.auxiliary(&format!("{name}/scale"), scales)?;
        let operator = "DequantizeLinear";
        let settings = vec![tensor::axis(axis as i64), tensor::int("block_size", rows.size())];
        Ok(self.builder.node(&format!("{name}/{operator}"), operator, &[&integers, &scale], settings))
    }
}

/// The weights of each output in groups.
pub(crate) struct Rows {
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
    pub(crate) group: usize,
}

impl Rows {
    /// Weights of a group, of which an output may have fewer.
    fn size(&self) -> usize {
        self.group.clamp(1, self.inputs.max(1))
    }

    /// Groups of an output.
    pub(crate) fn groups(&self) -> usize {
        self.inputs.div_ceil(self.size())
    }
}

/// Rows of `columns` values as columns.
fn transposed<T: Copy>(values: &[T], columns: usize) -> Vec<T> {
    (0..columns).flat_map(|column| values.iter().skip(column).step_by(columns.max(1)).copied()).collect()
}
