use super::super::error::OpenProblem;

/// Where the values of a tensor lie in a storage: the one at `index` is value `offset + index · strides`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// Which storage, of those that the pickle names.
    pub(super) storage: usize,
    /// Its first value.
    pub(super) offset: u64,
    /// The size of each axis.
    pub(super) shape: Vec<u64>,
    /// Values from one index of each axis to the next.
    pub(super) strides: Vec<u64>,
}

impl View {
    /// How many values, if the view stays within a storage of `length` of them.
    pub(super) fn check(&self, length: u64) -> Result<u64, OpenProblem> {
        let overflows = || {
            let shape = &self.shape;
            OpenProblem::Damaged(format!("a tensor of shape {shape:?} has more values than can be counted"))
        };
        let count = self.shape.iter().try_fold(1u64, |count, &size| count.checked_mul(size));
        // A size of zero makes all others harmless, wherever it stands.
        if self.shape.contains(&0) {
            return Ok(0);
        }
        let count = count.ok_or_else(overflows)?;
        let last = self.shape.iter().zip(&self.strides).try_fold(self.offset, |last, (&size, &stride)| {
            last.checked_add((size - 1).checked_mul(stride)?)
        });
        match last {
            Some(last) if last < length => Ok(count),
            _ => Err(OpenProblem::Damaged(format!(
                "a tensor of shape {:?} with strides {:?} from value {} reaches beyond its storage of {length}",
                self.shape, self.strides, self.offset
            ))),
        }
    }

    /// Whether the values of a view that is not empty lie one after another in its own order.
    pub(super) fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().filter(|(size, _)| **size != 1).all(|(&size, &stride)| {
            let follows = stride == expected;
            expected *= size;
            follows
        })
    }

    /// The smallest range of the storage that holds all values of a view that passed [`View::check`] and is not empty.
    pub(super) fn span(&self) -> std::ops::Range<usize> {
        let reach: u64 =
            self.shape.iter().zip(&self.strides).map(|(&size, &stride)| (size - 1) * stride).sum();
        self.offset as usize..(self.offset + reach + 1) as usize
    }

    /// The `count` values, row-major, given those of [`View::span`].
    pub(super) fn gather(&self, values: &[f32], count: u64) -> Vec<f32> {
        let mut gathered = Vec::with_capacity(count as usize);
        let (mut index, mut place) = (vec![0; self.shape.len()], 0u64);
        for _ in 0..count {
            gathered.push(values[place as usize]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                // An axis of one may have any stride, which is taken back at once.
                place = place.wrapping_add(self.strides[axis]);
                if index[axis] < self.shape[axis] {
                    break;
                }
                place = place.wrapping_sub(self.strides[axis].wrapping_mul(self.shape[axis]));
                index[axis] = 0;
            }
        }
        gathered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(offset: u64, shape: &[u64], strides: &[u64]) -> View {
        View { storage: 0, offset, shape: shape.to_vec(), strides: strides.to_vec() }
    }

    #[test]
    fn views_are_read_by_their_strides() {
        let values: Vec<f32> = (0..12u8).map(f32::from).collect();
        let read = |view: &View| {
            let count = view.check(12).unwrap();
            view.gather(&values[view.span()], count)
        };
        assert_eq!(read(&view(1, &[2, 3], &[1, 4])), [1.0, 5.0, 9.0, 2.0, 6.0, 10.0], "transposed");
        assert_eq!(read(&view(11, &[2, 2], &[0, 0])), [11.0; 4], "expanded");
        assert_eq!(read(&view(3, &[], &[])), [3.0], "a single number");
        assert_eq!(
            read(&view(3, &[1, 2, 1], &[u64::MAX, 5, u64::MAX])),
            [3.0, 8.0],
            "strides that nobody walks"
        );
        assert_eq!(view(2, &[2, 1, 3], &[3, 99, 1]).span(), 2..8);
        assert!(view(2, &[2, 1, 3], &[3, 99, 1]).is_contiguous());
        assert!(!view(2, &[2, 3], &[1, 2]).is_contiguous());
    }

    #[test]
    fn views_stay_within_their_storage() {
        assert_eq!(view(0, &[3, 4], &[4, 1]).check(12).unwrap(), 12);
        assert_eq!(view(99, &[0, 1 << 60, 1 << 60], &[0, 1, 1]).check(12).unwrap(), 0);
        for beyond in [
            view(1, &[3, 4], &[4, 1]),
            view(12, &[], &[]),
            view(0, &[2], &[u64::MAX]),
            view(u64::MAX, &[2], &[1]),
            view(0, &[1 << 60], &[1]),
            view(0, &[1 << 60, 1 << 60], &[0, 0]),
        ] {
            assert!(beyond.check(12).is_err(), "{beyond:?}");
        }
    }
}
