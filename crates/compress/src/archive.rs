//! A compressed network as a file: safetensors, and what its integers mean as JSON in the file's metadata.
//!
//! A tensor in integers keeps its name; its scales stand beside it under the name and `.scale`. Half bytes lie two to a
//! byte, the first in the low half, each channel beginning with a whole byte. What is coded is a row of bytes.

use std::collections::BTreeMap;

use burn::tensor::f16;
use crucible_models::weights::{HostTensor, State};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};

use crate::{Affine, ArchiveError, Integers, Stored, coding};

/// The key of the file's metadata that holds the [`Arithmetic`] and the formats of the tensors.
const KEY: &str = "crucible";

/// Raised whenever the file changes its meaning.
const VERSION: u32 = 1;

const SCALE: &str = ".scale";

/// A network's tensors, and what it computes with them.
#[derive(Debug, Clone, PartialEq)]
pub struct Archive {
    /// By parameter name, such as `fc1.weight`.
    pub tensors: BTreeMap<String, Stored>,
    /// What the layers whose weights are [`Stored::Channels`] compute with.
    pub arithmetic: Arithmetic,
}

/// What a compressed network computes with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Arithmetic {
    /// Floats: integers are made floats when the network is loaded.
    Float,
    /// Integers, activations by ranges that were chosen once.
    Static {
        /// The activations that are held in integers, by the name of what makes them: `input`, `fc1`, `fc1.activation`.
        values: BTreeMap<String, Affine>,
    },
    /// Integers within a layer, whose input's range is found for each example anew.
    Dynamic,
}

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    arithmetic: Arithmetic,
    /// Those that are not floats.
    tensors: BTreeMap<String, Format>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Format {
    Channels,
    Groups { bits: u8, group: usize, shape: Vec<usize> },
    Coded { shape: Vec<usize> },
}

impl Archive {
    /// The file; the same archive gives the same bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut formats = BTreeMap::new();
        let mut parts: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
        for (name, stored) in &self.tensors {
            match stored {
                Stored::Float(HostTensor { shape, values }) => {
                    parts.push((name.clone(), Dtype::F32, shape.clone(), floats(values)));
                }
                Stored::Channels(integers) => {
                    let bytes = integers.values.iter().map(|v| v.cast_unsigned()).collect();
                    parts.push((name.clone(), Dtype::I8, integers.shape.clone(), bytes));
                    let scales = floats(&integers.scales);
                    parts.push((name.clone() + SCALE, Dtype::F32, vec![integers.scales.len()], scales));
                    formats.insert(name.clone(), Format::Channels);
                }
                Stored::Groups { integers, bits, group } => {
                    let (dtype, bytes) = match bits {
                        4 => (Dtype::U8, pack(&integers.values, integers.inputs())),
                        _ => (Dtype::I8, integers.values.iter().map(|v| v.cast_unsigned()).collect()),
                    };
                    let channels = integers.channels();
                    let width = bytes.len() / channels.max(1);
                    parts.push((name.clone(), dtype, vec![channels, width], bytes));
                    let halves = integers.scales.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes());
                    let shape = vec![channels, integers.scales.len() / channels.max(1)];
                    parts.push((name.clone() + SCALE, Dtype::F16, shape, halves.collect()));
                    let (bits, group, shape) = (*bits, *group, integers.shape.clone());
                    formats.insert(name.clone(), Format::Groups { bits, group, shape });
                }
                Stored::Coded(coded) => {
                    let bytes = coding::encode(coded);
                    parts.push((name.clone(), Dtype::U8, vec![bytes.len()], bytes));
                    formats.insert(name.clone(), Format::Coded { shape: coded.tensor.shape.clone() });
                }
            }
        }
        let header = Header { version: VERSION, arithmetic: self.arithmetic.clone(), tensors: formats };
        let header = serde_json::to_string(&header).expect("plain data");
        let views = parts.iter().map(|(name, dtype, shape, bytes)| {
            let view = TensorView::new(*dtype, shape.clone(), bytes);
            (name.as_str(), view.expect("as many bytes as the shape has values"))
        });
        let metadata = [(KEY.to_owned(), header)].into();
        safetensors::serialize(views, Some(metadata)).expect("valid views make a valid file")
    }

    /// Whether these bytes are a compressed network's, and not those of plain weights.
    #[must_use]
    pub fn is_one(bytes: &[u8]) -> bool {
        // A checkpoint of training has metadata under the same key.
        let says = |header: String| {
            serde_json::from_str::<serde_json::Value>(&header).ok()?.get("arithmetic").cloned()
        };
        header(bytes).is_ok_and(|header| header.and_then(says).is_some())
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Where it is damaged, is no compressed network, or was written by a later version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ArchiveError> {
        let header = header(bytes)?.ok_or(ArchiveError::Plain)?;
        let Header { version, arithmetic, tensors: formats } =
            serde_json::from_str(&header).map_err(|error| ArchiveError::Header(error.to_string()))?;
        if version != VERSION {
            return Err(ArchiveError::Version { version, reads: VERSION });
        }
        let file = SafeTensors::deserialize(bytes)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            let is_scale = name.strip_suffix(SCALE).is_some_and(|tensor| formats.contains_key(tensor));
            if !is_scale {
                let tensor = Tensors { file: &file, name }.stored(&view, formats.get(name))?;
                tensors.insert(name.to_owned(), tensor);
            }
        }
        match formats.keys().find(|name| !tensors.contains_key(*name)) {
            Some(name) => Err(ArchiveError::tensor(name, "it is missing")),
            None => Ok(Self { tensors, arithmetic }),
        }
    }

    /// Every tensor in floats.
    #[must_use]
    pub fn state(&self) -> State {
        self.tensors.iter().map(|(name, stored)| (name.clone(), stored.dequantized())).collect()
    }
}

fn header(bytes: &[u8]) -> Result<Option<String>, ArchiveError> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    Ok(header.metadata().as_ref().and_then(|map| map.get(KEY).cloned()))
}

/// One tensor of a file that is being read.
struct Tensors<'a> {
    file: &'a SafeTensors<'a>,
    name: &'a str,
}

impl Tensors<'_> {
    fn stored(&self, view: &TensorView<'_>, format: Option<&Format>) -> Result<Stored, ArchiveError> {
        let Some(format) = format else {
            let values = self.numbers(view, Dtype::F32)?;
            return Ok(Stored::Float(HostTensor { shape: view.shape().to_vec(), values }));
        };
        if let Format::Coded { shape } = format {
            self.typed(view, Dtype::U8)?;
            let coded = coding::decode(view.data(), shape);
            return coded.map(Stored::Coded).map_err(|problem| self.problem(problem));
        }
        let name = self.name.to_owned() + SCALE;
        let scales = self.file.tensor(&name)?;
        match format {
            Format::Channels => {
                let integers = Integers {
                    shape: view.shape().to_vec(),
                    values: self.bytes(view, Dtype::I8)?,
                    scales: self.numbers(&scales, Dtype::F32)?,
                };
                self.check(&integers, 1)?;
                Ok(Stored::Channels(integers))
            }
            Format::Groups { bits, group, shape } => {
                let count = shape.iter().try_fold(1usize, |count, side| count.checked_mul(*side));
                let inputs = count.zip(shape.first()).and_then(|(count, first)| count.checked_div(*first));
                let (Some(inputs), 1..) = (inputs, *group) else {
                    return Err(self.problem(&format!("its shape is {shape:?}, in groups of {group}")));
                };
                let values = match bits {
                    4 => unpack(&self.bytes(view, Dtype::U8)?, inputs),
                    8 => self.bytes(view, Dtype::I8)?,
                    _ => return Err(self.problem(&format!("it has {bits} bits; 4 and 8 are read"))),
                };
                let scales = self.numbers(&scales, Dtype::F16)?;
                let integers = Integers { shape: shape.clone(), values, scales };
                self.check(&integers, inputs.div_ceil(*group))?;
                Ok(Stored::Groups { integers, bits: *bits, group: *group })
            }
            Format::Coded { .. } => unreachable!("read above, without scales"),
        }
    }

    /// Whether there are as many integers and scales as the shape asks for, and whether the scales are scales.
    fn check(&self, integers: &Integers, scales_each: usize) -> Result<(), ArchiveError> {
        let Integers { shape, values, scales } = integers;
        let (count, channels) = (shape.iter().product::<usize>(), shape.first().copied().unwrap_or(0));
        if values.len() != count || Some(scales.len()) != channels.checked_mul(scales_each) || channels == 0 {
            let problem = format!("{} integers and {} scales for {shape:?}", values.len(), scales.len());
            return Err(self.problem(&problem));
        }
        match scales.iter().find(|scale| !(scale.is_finite() && **scale > 0.0)) {
            Some(scale) => Err(self.problem(&format!("it has the scale {scale}"))),
            None => Ok(()),
        }
    }

    fn numbers(&self, view: &TensorView<'_>, dtype: Dtype) -> Result<Vec<f32>, ArchiveError> {
        self.typed(view, dtype)?;
        Ok(match dtype {
            Dtype::F16 => {
                let (pairs, _) = view.data().as_chunks::<2>();
                pairs.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect()
            }
            _ => {
                let (quads, _) = view.data().as_chunks::<4>();
                quads.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
            }
        })
    }

    fn bytes(&self, view: &TensorView<'_>, dtype: Dtype) -> Result<Vec<i8>, ArchiveError> {
        self.typed(view, dtype)?;
        Ok(view.data().iter().map(|byte| byte.cast_signed()).collect())
    }

    fn typed(&self, view: &TensorView<'_>, dtype: Dtype) -> Result<(), ArchiveError> {
        if view.dtype() == dtype {
            return Ok(());
        }
        Err(self.problem(&format!("it or its scale is {:?}, not {dtype:?}", view.dtype())))
    }

    fn problem(&self, problem: &str) -> ArchiveError {
        ArchiveError::tensor(self.name, problem)
    }
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Two to a byte, the rows of `inputs` each beginning anew.
fn pack(values: &[i8], inputs: usize) -> Vec<u8> {
    let low = |value: &i8| value.cast_unsigned() & 0x0f;
    let byte = |pair: &[i8]| low(&pair[0]) | pair.get(1).map_or(0, |second| low(second) << 4);
    values.chunks(inputs.max(1)).flat_map(|row| row.chunks(2).map(byte)).collect()
}

fn unpack(bytes: &[i8], inputs: usize) -> Vec<i8> {
    let halves = |byte: &i8| [(byte << 4) >> 4, byte >> 4];
    let rows = bytes.chunks(inputs.div_ceil(2).max(1));
    rows.flat_map(|row| row.iter().flat_map(halves).take(inputs).collect::<Vec<i8>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Coded;
    use proptest::prelude::*;

    fn weight(shape: &[usize], seed: usize) -> HostTensor {
        let count = shape.iter().product::<usize>();
        let values = (0..count).map(|i| ((i * 37 + seed) % 101) as f32 / 50.0 - 1.0).collect();
        HostTensor { shape: shape.to_vec(), values }
    }

    fn archive(channels: usize, inputs: usize, group: usize, seed: usize) -> Archive {
        let weight = weight(&[channels, inputs], seed);
        let affine = Affine { scale: 0.1, zero: 7 };
        let (shared, codebook) = crate::share(&weight, 3);
        Archive {
            tensors: [
                ("a.bias".to_owned(), Stored::Float(HostTensor { shape: vec![2], values: vec![0.5, -1.5] })),
                ("a.weight".to_owned(), Stored::channels(&weight)),
                ("b.weight".to_owned(), Stored::groups(&weight, 4, group)),
                ("c.weight".to_owned(), Stored::groups(&weight, 8, group)),
                ("d.weight".to_owned(), Stored::Coded(Coded { tensor: shared, codebook })),
            ]
            .into(),
            arithmetic: Arithmetic::Static { values: [("input".to_owned(), affine)].into() },
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(channels in 1usize..6, inputs in 1usize..20, group in 1usize..8, seed in 0usize..99) {
            let archive = archive(channels, inputs, group, seed);
            let bytes = archive.to_bytes();
            prop_assert!(Archive::is_one(&bytes));
            prop_assert_eq!(&bytes, &archive.to_bytes());
            prop_assert_eq!(Archive::from_bytes(&bytes).unwrap(), archive);
        }

        #[test]
        fn no_bytes_make_it_panic(place in 0usize..1200, value: u8, cut in 0usize..1200) {
            let mut bytes = archive(3, 7, 4, 1).to_bytes();
            let place = place % bytes.len();
            bytes[place] = value;
            let _ = Archive::from_bytes(&bytes);
            bytes.truncate(cut % bytes.len());
            prop_assert!(Archive::from_bytes(&bytes).is_err());
        }
    }

    #[test]
    fn four_bits_take_half_a_byte() {
        let archive = archive(4, 64, 32, 1);
        let file = archive.to_bytes();
        let file = SafeTensors::deserialize(&file).unwrap();
        assert_eq!(file.tensor("b.weight").unwrap().data().len(), 4 * 32);
        assert_eq!(file.tensor("b.weight.scale").unwrap().data().len(), 4 * 2 * 2);
    }

    #[test]
    fn plain_weights_are_told_apart() {
        let plain =
            crucible_models::weights::to_safetensors(&State::new(), Some(("format", "pt".to_owned())));
        assert!(!Archive::is_one(&plain));
        assert_eq!(Archive::from_bytes(&plain).unwrap_err().to_string(), ArchiveError::Plain.to_string());
    }
}
