use safetensors::Dtype;

use super::{super::error::OpenProblem, view::View};

/// The index of a value among [`Pickle::values`].
pub(super) type Id = u32;

/// What a pickle says. Values refer to each other by index: neither depth nor sharing costs anything, and a value that
/// holds itself is only a number.
#[derive(Debug, Default)]
pub(super) struct Pickle<'a> {
    pub(super) values: Vec<Value<'a>>,
    pub(super) root: Id,
    /// Every storage once.
    pub(super) storages: Vec<Storage<'a>>,
    pub(super) views: Vec<View>,
}

impl<'a> Pickle<'a> {
    pub(super) fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id as usize]
    }
}

/// A value, as far as tensors need it.
#[derive(Debug)]
pub(super) enum Value<'a> {
    /// Nothing, a boolean, a float, an integer of more than 64 bits, a list.
    Other,
    None,
    Int(i64),
    Text(&'a str),
    Tuple(Vec<Id>),
    /// Pairs of a key and a value; a later one of the same key counts.
    Dict(Vec<(Id, Id)>),
    /// The index of a storage.
    Storage(usize),
    /// The index of a view.
    Tensor(usize),
    Global(Global),
}

/// One array of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Storage<'a> {
    /// Its entry is `data/` and this.
    pub(super) key: &'a str,
    pub(super) dtype: Dtype,
    /// How many values.
    pub(super) length: u64,
}

/// The functions and classes that a pickle may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    /// `_rebuild_tensor_v2`
    Tensor,
    /// `_rebuild_parameter`
    Parameter,
    /// `torch.FloatStorage` and its like.
    Storage(Dtype),
}

impl Global {
    pub(super) fn named(module: &str, name: &str) -> Result<Self, OpenProblem> {
        let storage = |name: &str| name.strip_suffix("Storage").and_then(dtype);
        match (module, name) {
            ("collections", "OrderedDict") => Ok(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => Ok(Self::Tensor),
            ("torch._utils", "_rebuild_parameter") => Ok(Self::Parameter),
            ("torch", name) if let Some(dtype) = storage(name) => Ok(Self::Storage(dtype)),
            _ => Err(OpenProblem::Call(format!("{module}.{name}"))),
        }
    }
}

/// The type of a storage class's values.
fn dtype(class: &str) -> Option<Dtype> {
    Some(match class {
        "Float" => Dtype::F32,
        "Double" => Dtype::F64,
        "Half" => Dtype::F16,
        "BFloat16" => Dtype::BF16,
        "Long" => Dtype::I64,
        "Int" => Dtype::I32,
        "Short" => Dtype::I16,
        "Char" => Dtype::I8,
        "Byte" => Dtype::U8,
        "Bool" => Dtype::BOOL,
        "ComplexFloat" => Dtype::C64,
        _ => return None,
    })
}
