use half::{bf16, f16};
use safetensors::Dtype;

use super::error::{OpenProblem, refused_type};

/// Whether tensors of a type are read (as `f32`) or left out.
///
/// # Errors
///
/// For types that are neither floats nor integers: complex numbers, eight bits and fewer.
pub(super) fn is_read(name: &str, dtype: Dtype) -> Result<bool, OpenProblem> {
    match dtype {
        Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F64 => Ok(true),
        Dtype::BOOL
        | Dtype::U8
        | Dtype::I8
        | Dtype::U16
        | Dtype::I16
        | Dtype::U32
        | Dtype::I32
        | Dtype::U64
        | Dtype::I64 => Ok(false),
        _ => Err(refused_type(name, dtype)),
    }
}

/// Little-endian values of a type for which [`is_read`] says so, as `f32`: exact for all but `F64`, which is rounded.
///
/// # Errors
///
/// For a finite value whose nearest `f32` is infinite.
pub(super) fn floats(name: &str, dtype: Dtype, bytes: &[u8]) -> Result<Vec<f32>, OpenProblem> {
    match dtype {
        Dtype::F32 => Ok(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
        Dtype::F16 => Ok(bytes.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect()),
        Dtype::BF16 => {
            Ok(bytes.as_chunks::<2>().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect())
        }
        Dtype::F64 => bytes.as_chunks::<8>().0.iter().map(|b| narrow(name, f64::from_le_bytes(*b))).collect(),
        _ => Err(refused_type(name, dtype)),
    }
}

fn narrow(name: &str, value: f64) -> Result<f32, OpenProblem> {
    let near = value as f32;
    match near.is_infinite() && value.is_finite() {
        true => Err(OpenProblem::Range { name: name.to_owned(), value }),
        false => Ok(near),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_exact_and_doubles_are_rounded() {
        let f16 = [0x3c00_u16, 0x0001, 0x7bff, 0x8000].map(u16::to_le_bytes).concat();
        let expected = [1.0, 2f32.powi(-24), 65504.0, -0.0];
        assert_eq!(floats("a", Dtype::F16, &f16).unwrap(), expected);
        let bf16 = [0x3f80_u16, 0x7f7f, 0x0001].map(u16::to_le_bytes).concat();
        let expected = [1.0, f32::from_bits(0x7f7f_0000), f32::from_bits(0x0001_0000)];
        assert_eq!(floats("a", Dtype::BF16, &bf16).unwrap(), expected);
        let f64 = [0.1, f64::INFINITY, 1e-300].map(f64::to_le_bytes).concat();
        assert_eq!(floats("a", Dtype::F64, &f64).unwrap(), [0.1, f32::INFINITY, 0.0]);
        let error = floats("a", Dtype::F64, &1e300f64.to_le_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "tensor `a` holds 1e300, which is more than an f32 can be");
    }
}
