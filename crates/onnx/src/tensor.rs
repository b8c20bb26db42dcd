//! Constants and settings as ONNX's messages.

use crate::proto::{AttributeProto, AttributeType, DataType, TensorProto};

fn tensor(data_type: DataType, shape: &[usize], raw_data: Vec<u8>) -> TensorProto {
    let dims = shape.iter().map(|&size| size as i64).collect();
    TensorProto { dims, data_type: data_type.into(), name: String::new(), raw_data }
}

pub(crate) fn floats(shape: &[usize], values: &[f32]) -> TensorProto {
    tensor(DataType::Float, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

pub(crate) fn byte(value: u8) -> TensorProto {
    tensor(DataType::Uint8, &[], vec![value])
}

pub(crate) fn int8(shape: &[usize], values: &[i8]) -> TensorProto {
    tensor(DataType::Int8, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

pub(crate) fn int32(shape: &[usize], values: &[i32]) -> TensorProto {
    tensor(DataType::Int32, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

pub(crate) fn int64(values: &[i64]) -> TensorProto {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(DataType::Int64, &[values.len()], bytes)
}

/// Two to a byte, the first in the lower half.
pub(crate) fn int4(shape: &[usize], values: &[i8]) -> TensorProto {
    let half = |value: i8| value.cast_unsigned() & 0xf;
    let pack = |pair: &[i8]| half(pair[0]) | pair.get(1).map_or(0, |&second| half(second) << 4);
    tensor(DataType::Int4, shape, values.chunks(2).map(pack).collect())
}

pub(crate) fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: Some(value), ..attribute(name, AttributeType::Float) }
}

pub(crate) fn int(name: &str, value: usize) -> AttributeProto {
    AttributeProto { i: Some(value as i64), ..attribute(name, AttributeType::Int) }
}

/// An axis counted from the end, -1 for the last.
pub(crate) fn axis(value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute("axis", AttributeType::Int) }
}

pub(crate) fn ints(name: &str, values: &[usize]) -> AttributeProto {
    let ints = values.iter().map(|&value| value as i64).collect();
    AttributeProto { ints, ..attribute(name, AttributeType::Ints) }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: kind.into(), ..AttributeProto::default() }
}
