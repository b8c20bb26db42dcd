//! Rows of equal length in one slice.

/// Rows of `width` numbers each, one after the other: what a network says of one example after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rows<'a> {
    values: &'a [f64],
    width: usize,
}

impl<'a> Rows<'a> {
    /// Takes `values` `[rows, width]` as rows.
    ///
    /// # Panics
    ///
    /// If `width` is 0, or the number of values no multiple of it.
    pub fn new(values: &'a [f64], width: usize) -> Self {
        assert!(width > 0, "rows of no numbers");
        assert!(values.len().is_multiple_of(width), "{} values are no rows of {width}", values.len());
        Self { values, width }
    }

    /// Numbers in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.width
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The row at `index`.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn row(&self, index: usize) -> &'a [f64] {
        &self.values[index * self.width..][..self.width]
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [f64]> + Clone + use<'a> {
        self.values.chunks_exact(self.width)
    }

    /// Whether no value is infinite or NaN.
    pub(crate) fn are_finite(&self) -> bool {
        self.values.iter().all(|value| value.is_finite())
    }

    /// The rows in blocks that stay in a processor's nearest memory, each with the index of its first: where every row is
    /// held against every other, a block at a time is many times as fast as a row.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (usize, Self)> + Clone + use<'a> {
        const VALUES: usize = 2048;
        let rows = (VALUES / self.width).max(1);
        self.chunks(rows).enumerate().map(move |(at, block)| (at * rows, block))
    }

    /// The rows, `count` at a time, and the last fewer.
    pub(crate) fn chunks(&self, count: usize) -> impl Iterator<Item = Self> + Clone + use<'a> {
        let width = self.width;
        self.values.chunks(count * width).map(move |values| Self { values, width })
    }

    /// Each row with its label.
    pub(crate) fn labelled<'l>(
        &self,
        labels: &'l [usize],
    ) -> impl Iterator<Item = (&'a [f64], usize)> + Clone + use<'a, 'l> {
        self.check_labels(labels);
        self.iter().zip(labels.iter().copied())
    }

    /// Panics where there is not one label per row, or one is none of the classes that the columns stand for.
    pub(crate) fn check_labels(&self, labels: &[usize]) {
        assert_eq!(labels.len(), self.len(), "one label per row");
        let classes = self.width;
        assert!(labels.iter().all(|label| *label < classes), "a label is not below {classes}");
    }
}
