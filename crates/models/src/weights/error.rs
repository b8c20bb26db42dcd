use safetensors::Dtype;

/// Why weights cannot be read or do not fit a network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// Not a safetensors file, or a damaged one.
    #[error("not a whole safetensors file: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// A tensor of another type than `f32`.
    #[error("tensor `{name}` holds {dtype:?} values; only F32 is read")]
    Type {
        /// The tensor's name.
        name: String,
        /// Its type.
        dtype: Dtype,
    },
    /// The names or shapes are not the network's.
    #[error("the weights do not fit the network{}", list(missing, surplus, misshapen))]
    Mismatch {
        /// Parameters of the network that the file lacks.
        missing: Vec<String>,
        /// Tensors of the file that the network lacks.
        surplus: Vec<String>,
        /// `name: file's shape, network's shape`.
        misshapen: Vec<String>,
    },
}

fn list(missing: &[String], surplus: &[String], misshapen: &[String]) -> String {
    let part = |title: &str, names: &[String]| match names {
        [] => String::new(),
        names => format!("; {title}: {}", names.join(", ")),
    };
    part("missing", missing) + &part("surplus", surplus) + &part("of another shape", misshapen)
}
