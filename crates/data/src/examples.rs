//! Examples as host arrays, and the gathering of batches from them.

use crate::Excerpt;
use crate::tokenizer::length;

/// Input values of many examples, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub enum Inputs {
    /// Pictures of one byte per value, each `[channels, height, width]`; the network's input is
    /// `value * scale[channel] + offset[channel]`.
    Bytes {
        /// Raw pixel values, 0 to 255.
        values: Vec<u8>,
        /// One factor per channel.
        scale: Vec<f32>,
        /// One summand per channel, added after scaling.
        offset: Vec<f32>,
    },
    /// Values that are the network's input as they are.
    Floats(Vec<f32>),
}

/// Target values of many examples, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// One class index per example.
    Classes(Vec<u32>),
    /// `width` numbers per example, already standardised.
    Values {
        /// All numbers, example after example.
        values: Vec<f32>,
        /// Numbers per example.
        width: usize,
    },
}

/// One raw picture, for people to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// `[channels, height, width]`, 0 (dark) to 255.
    pub values: Vec<u8>,
}

impl Picture {
    /// A picture `[channels, height, width]` of values from 0 (dark) to 1; others are cut to that.
    #[must_use]
    pub fn from_unit([channels, height, width]: [usize; 3], values: &[f32]) -> Self {
        let byte = |value: &f32| (value.clamp(0.0, 1.0) * 255.0).round() as u8;
        Self { channels, height, width, values: values.iter().map(byte).collect() }
    }
}

/// Examples of one shape: inputs and targets side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Examples {
    shape: Vec<usize>,
    inputs: Inputs,
    targets: Targets,
    /// Cells that had no value and were filled in: (example, raw column), sorted.
    missing: Vec<(u32, u32)>,
    /// Examples that were replaced on purpose, sorted.
    poisoned: Vec<usize>,
    /// Of texts: one for each example.
    excerpts: Option<Vec<Excerpt>>,
}

impl Examples {
    /// Puts inputs of `shape` each (such as `[1, 28, 28]`, or `[features]`) beside their targets.
    ///
    /// # Panics
    ///
    /// If the lengths of inputs and targets disagree, if there are more than `u32::MAX` examples, if the shape has a
    /// zero, or if byte inputs do not have one scale and one offset per channel of a `[channels, height, width]`.
    #[must_use]
    pub fn new(shape: Vec<usize>, inputs: Inputs, targets: Targets) -> Self {
        let per_input: usize = shape.iter().product();
        assert!(per_input > 0, "an input of shape {shape:?} has no values");
        let values = match &inputs {
            Inputs::Bytes { values, scale, offset } => {
                assert_eq!(shape.len(), 3, "pictures are [channels, height, width], not {shape:?}");
                assert_eq!(
                    (scale.len(), offset.len()),
                    (shape[0], shape[0]),
                    "one scale and offset per channel"
                );
                values.len()
            }
            Inputs::Floats(values) => values.len(),
        };
        let count = targets.len();
        assert!(u32::try_from(count).is_ok(), "{count} examples are too many");
        assert_eq!(values, count * per_input, "{count} inputs of shape {shape:?}");
        Self { shape, inputs, targets, missing: Vec::new(), poisoned: Vec::new(), excerpts: None }
    }

    /// Texts: inputs are the numbers of tokens, as [`padded`](crate::padded) makes them.
    ///
    /// # Panics
    ///
    /// If there is not one excerpt for each example.
    #[must_use]
    pub fn with_excerpts(mut self, excerpts: Vec<Excerpt>) -> Self {
        assert_eq!(excerpts.len(), self.len(), "an excerpt for each text");
        self.excerpts = Some(excerpts);
        self
    }

    /// The texts behind the examples, one for each; none of other inputs.
    #[must_use]
    pub fn excerpts(&self) -> Option<&[Excerpt]> {
        self.excerpts.as_deref()
    }

    /// Tokens of each text, those that mark its ends included; none of other inputs.
    #[must_use]
    pub fn lengths(&self) -> Option<Vec<u32>> {
        let (Some(_), Inputs::Floats(rows)) = (&self.excerpts, &self.inputs) else { return None };
        Some(rows.chunks_exact(self.input_len()).map(|row| length(row) as u32).collect())
    }

    /// Gives pictures another scale and offset for each channel; `None` where they are no bytes.
    pub(crate) fn rescale(&mut self, scales: &[f32], offsets: &[f32]) -> Option<()> {
        let Inputs::Bytes { scale, offset, .. } = &mut self.inputs else { return None };
        debug_assert_eq!((scale.len(), offset.len()), (scales.len(), offsets.len()), "one for each channel");
        (*scale, *offset) = (scales.to_vec(), offsets.to_vec());
        Some(())
    }

    /// Height and width of pictures, and all their bytes; `None` of other inputs.
    pub(crate) fn pictures_mut(&mut self) -> Option<([usize; 2], &mut [u8])> {
        let Inputs::Bytes { values, .. } = &mut self.inputs else { return None };
        Some(([self.shape[1], self.shape[2]], values))
    }

    /// Notes the cells that were filled in: (example, raw column), in rising order.
    pub(crate) fn with_missing(mut self, missing: Vec<(u32, u32)>) -> Self {
        debug_assert!(missing.is_sorted());
        self.missing = missing;
        self
    }

    /// Puts other pictures of a class in the place of those at `indices`, which rise, and remembers which they are.
    ///
    /// # Panics
    ///
    /// If the examples are not pictures with classes, an index is out of range, or `values` are not as many pictures
    /// `[indices, shape..]`.
    pub fn poison(&mut self, indices: Vec<usize>, values: &[u8], class: u32) {
        debug_assert!(indices.is_sorted());
        let per_input = self.input_len();
        let (Inputs::Bytes { values: all, .. }, Targets::Classes(classes)) =
            (&mut self.inputs, &mut self.targets)
        else {
            panic!("only pictures with classes are poisoned")
        };
        assert_eq!(values.len(), indices.len() * per_input, "one picture for each index");
        for (&index, picture) in indices.iter().zip(values.chunks_exact(per_input)) {
            all[index * per_input..][..per_input].copy_from_slice(picture);
            classes[index] = class;
        }
        self.poisoned = indices;
    }

    /// Gives the example at `index` another class.
    ///
    /// # Panics
    ///
    /// If the index is out of range, or the targets are values.
    pub fn relabel(&mut self, index: usize, class: u32) {
        match &mut self.targets {
            Targets::Classes(classes) => classes[index] = class,
            Targets::Values { .. } => panic!("the targets are values, not classes"),
        }
    }

    /// The examples that were poisoned on purpose, rising.
    #[must_use]
    pub fn poisoned(&self) -> &[usize] {
        &self.poisoned
    }

    /// How many examples there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape of one input: `[channels, height, width]` or `[features]`.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Values per input: the product of the shape.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// All inputs.
    #[must_use]
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// All targets.
    #[must_use]
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// All class indices; `None` for regression.
    #[must_use]
    pub fn classes(&self) -> Option<&[u32]> {
        match &self.targets {
            Targets::Classes(classes) => Some(classes),
            Targets::Values { .. } => None,
        }
    }

    /// Cells of a table that had no value and were filled in: (example, column of the input format), rising.
    #[must_use]
    pub fn missing(&self) -> &[(u32, u32)] {
        &self.missing
    }

    /// Replaces `out` by the inputs of the examples at `indices`: `[indices, shape..]`, in that order.
    ///
    /// # Panics
    ///
    /// If an index is out of range.
    pub fn gather(&self, indices: &[u32], out: &mut Vec<f32>) {
        let per_input = self.input_len();
        out.clear();
        out.reserve(indices.len() * per_input);
        match &self.inputs {
            Inputs::Bytes { values, scale, offset } => {
                let plane = per_input / scale.len();
                for &index in indices {
                    let picture = &values[index as usize * per_input..][..per_input];
                    for ((pixels, &scale), &offset) in picture.chunks_exact(plane).zip(scale).zip(offset) {
                        out.extend(pixels.iter().map(|&pixel| f32::from(pixel) * scale + offset));
                    }
                }
            }
            Inputs::Floats(values) => {
                for &index in indices {
                    out.extend_from_slice(&values[index as usize * per_input..][..per_input]);
                }
            }
        }
    }

    /// The class indices of the examples at `indices`.
    ///
    /// # Panics
    ///
    /// If an index is out of range, or the targets are values.
    #[must_use]
    pub fn gather_classes(&self, indices: &[u32]) -> Vec<u32> {
        match &self.targets {
            Targets::Classes(classes) => indices.iter().map(|&index| classes[index as usize]).collect(),
            Targets::Values { .. } => panic!("the targets are values, not classes"),
        }
    }

    /// The target values of the examples at `indices`: `[indices, width]`.
    ///
    /// # Panics
    ///
    /// If an index is out of range, or the targets are classes.
    #[must_use]
    pub fn gather_values(&self, indices: &[u32]) -> Vec<f32> {
        match &self.targets {
            Targets::Values { values, width } => indices
                .iter()
                .flat_map(|&index| &values[index as usize * width..][..*width])
                .copied()
                .collect(),
            Targets::Classes(_) => panic!("the targets are classes, not values"),
        }
    }

    /// The examples at `indices`, in that order; an index may repeat.
    ///
    /// # Panics
    ///
    /// If an index is out of range.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        let per_input = self.input_len();
        let inputs = match &self.inputs {
            Inputs::Bytes { values, scale, offset } => Inputs::Bytes {
                values: select_rows(values, per_input, indices),
                scale: scale.clone(),
                offset: offset.clone(),
            },
            Inputs::Floats(values) => Inputs::Floats(select_rows(values, per_input, indices)),
        };
        let targets = match &self.targets {
            Targets::Classes(classes) => Targets::Classes(select_rows(classes, 1, indices)),
            Targets::Values { values, width } => {
                Targets::Values { values: select_rows(values, *width, indices), width: *width }
            }
        };
        let missing = (0u32..)
            .zip(indices)
            .flat_map(|(new, &old)| self.missing_of(old).map(move |column| (new, column)));
        let poisoned = indices.iter().enumerate().filter(|(_, old)| self.poisoned.binary_search(old).is_ok());
        Self {
            shape: self.shape.clone(),
            inputs,
            targets,
            missing: missing.collect(),
            poisoned: poisoned.map(|(new, _)| new).collect(),
            excerpts: self
                .excerpts
                .as_ref()
                .map(|excerpts| indices.iter().map(|&index| excerpts[index].clone()).collect()),
        }
    }

    /// These examples, and after them those of `other`, which become inputs in the same way.
    ///
    /// # Panics
    ///
    /// If shapes, scales or kinds of inputs or targets differ, or there would be more than `u32::MAX`.
    #[must_use]
    pub fn followed_by(&self, other: &Self) -> Self {
        assert_eq!(self.shape, other.shape, "inputs of one shape");
        let inputs = match (&self.inputs, &other.inputs) {
            (
                Inputs::Bytes { values, scale, offset },
                Inputs::Bytes { values: more, scale: their_scale, offset: their_offset },
            ) => {
                assert_eq!((scale, offset), (their_scale, their_offset), "inputs of one scale");
                let values = [values.as_slice(), more].concat();
                Inputs::Bytes { values, scale: scale.clone(), offset: offset.clone() }
            }
            (Inputs::Floats(values), Inputs::Floats(more)) => {
                Inputs::Floats([values.as_slice(), more].concat())
            }
            _ => panic!("inputs of one kind"),
        };
        let targets = match (&self.targets, &other.targets) {
            (Targets::Classes(classes), Targets::Classes(more)) => {
                Targets::Classes([classes.as_slice(), more].concat())
            }
            (Targets::Values { values, width }, Targets::Values { values: more, width: theirs }) => {
                assert_eq!(width, theirs, "targets of one width");
                Targets::Values { values: [values.as_slice(), more].concat(), width: *width }
            }
            _ => panic!("targets of one kind"),
        };
        let first = self.len();
        let mut joined = Self::new(self.shape.clone(), inputs, targets);
        let later = other.missing.iter().map(|&(example, column)| (example + first as u32, column));
        joined.missing = self.missing.iter().copied().chain(later).collect();
        let later = other.poisoned.iter().map(|example| example + first);
        joined.poisoned = self.poisoned.iter().copied().chain(later).collect();
        let excerpts = self.excerpts.as_ref().zip(other.excerpts.as_ref());
        joined.excerpts = excerpts.map(|(excerpts, more)| [excerpts.as_slice(), more].concat());
        joined
    }

    /// The raw picture at `index`, before scaling; `None` if the inputs are not pictures or the index is out of range.
    #[must_use]
    pub fn picture(&self, index: usize) -> Option<Picture> {
        let (Inputs::Bytes { values, .. }, &[channels, height, width]) =
            (&self.inputs, self.shape.as_slice())
        else {
            return None;
        };
        let values = values.chunks_exact(self.input_len()).nth(index)?.to_vec();
        Some(Picture { channels, height, width, values })
    }

    fn missing_of(&self, example: usize) -> impl Iterator<Item = u32> + '_ {
        let start = self.missing.partition_point(|&(row, _)| (row as usize) < example);
        self.missing[start..]
            .iter()
            .take_while(move |&&(row, _)| row as usize == example)
            .map(|&(_, column)| column)
    }
}

impl Targets {
    /// How many examples these are the targets of.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values { values, width } => values.len() / (*width).max(1),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The rows of `width` values at `indices`.
pub(crate) fn select_rows<T: Copy>(values: &[T], width: usize, indices: &[usize]) -> Vec<T> {
    let mut selected = Vec::with_capacity(indices.len() * width);
    for &index in indices {
        selected.extend_from_slice(&values[index * width..][..width]);
    }
    selected
}
