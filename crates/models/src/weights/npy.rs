use super::HostTensor;

/// The length of the header's beginning: the name of the format, its version and the length of the rest.
const START: usize = 10;
/// Values begin at a multiple of this.
const ALIGNMENT: usize = 64;

/// A tensor as the bytes of a `.npy` file of version 1.0: little-endian `f32`, row-major.
///
/// R. Kern: A simple file format for `NumPy` arrays, NEP 1, 2007; `numpy.lib.format`.
///
/// # Panics
///
/// If the tensor has some thousands of axes: the header's length is written in two bytes.
#[must_use]
pub fn to_npy(tensor: &HostTensor) -> Vec<u8> {
    // A tuple of Python: a single axis is `(3,)`.
    let axes: String = tensor.shape.iter().map(|size| format!("{size}, ")).collect();
    let shape = if tensor.shape.len() == 1 { axes.trim_end() } else { axes.trim_end_matches(", ") };
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
    let length = (START + header.len() + 1).next_multiple_of(ALIGNMENT) - START;
    let stated = u16::try_from(length).expect("a tensor has few axes");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(stated.to_le_bytes());
    bytes.extend(format!("{header:<width$}\n", width = length - 1).bytes());
    bytes.extend(tensor.values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the format as its description says: the header's text, and the values behind it.
    fn read(bytes: &[u8]) -> (String, Vec<f32>) {
        assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
        let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let (header, values) = bytes[10..].split_at(length);
        assert_eq!((10 + length) % 64, 0, "values are aligned");
        assert_eq!(header.last(), Some(&b'\n'));
        let values = values.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        (String::from_utf8(header.to_vec()).unwrap().trim_end().to_owned(), values)
    }

    #[test]
    fn what_is_written_is_what_the_format_says() {
        let long = vec![1; 40];
        for (shape, written) in [
            (vec![], "()".to_owned()),
            (vec![3], "(3,)".to_owned()),
            (vec![0, 4], "(0, 4)".to_owned()),
            (vec![2, 1, 3], "(2, 1, 3)".to_owned()),
            // Where the text fills its line to the end, and where it does not.
            (long, format!("({})", ["1"; 40].join(", "))),
        ] {
            let count: usize = shape.iter().product();
            let values: Vec<f32> = (0..count).map(|i| [-0.0, f32::NAN, 1.5e-42][i % 3]).collect();
            let (header, found) = read(&to_npy(&HostTensor { shape, values: values.clone() }));
            assert_eq!(header, format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {written}, }}"));
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&found), bits(&values));
        }
        for axes in 1..80 {
            read(&to_npy(&HostTensor { shape: vec![1; axes], values: vec![1.0] }));
        }
    }
}
