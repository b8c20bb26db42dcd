use crucible_models::InputShape;

/// Features that are removed together: squares of a picture over all its channels, tokens of a sequence, single
/// values of a table row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Groups {
    /// The group of each feature.
    pub(crate) of: Vec<usize>,
    /// Groups.
    pub(crate) count: usize,
}

impl Groups {
    /// Groups of one input; `side` is the height and width of a picture's squares, which its edge may cut.
    pub(crate) fn new(shape: InputShape, side: usize) -> Self {
        match shape {
            InputShape::Image { channels, height, width } => {
                let across = width.div_ceil(side);
                let cell = |pixel: usize| pixel / width / side * across + pixel % width / side;
                let of = (0..channels * height * width).map(|i| cell(i % (height * width))).collect();
                Self { of, count: height.div_ceil(side) * across }
            }
            InputShape::Features { count } | InputShape::Tokens { length: count, .. } => {
                Self { of: (0..count).collect(), count }
            }
            InputShape::Sequence { length, width } => {
                Self { of: (0..length * width).map(|i| i / width).collect(), count: length }
            }
        }
    }

    /// Writes the input's features where `kept`, else the baseline's.
    pub(crate) fn mix(&self, kept: &[bool], input: &[f32], baseline: &[f32], to: &mut [f32]) {
        for (i, to) in to.iter_mut().enumerate() {
            *to = if kept[self.of[i]] { input[i] } else { baseline[i] };
        }
    }

    /// A value for each group, given to its features.
    pub(crate) fn spread(&self, values: &[f64]) -> impl Iterator<Item = f64> {
        self.of.iter().map(|&group| values[group])
    }

    /// The sum over each group's features.
    pub(crate) fn sum(&self, values: &[f32]) -> Vec<f64> {
        let mut sums = vec![0.0; self.count];
        self.of.iter().zip(values).for_each(|(&group, &value)| sums[group] += f64::from(value));
        sums
    }

    /// Features of each group.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.count];
        self.of.iter().for_each(|&group| sizes[group] += 1);
        sizes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_span_the_channels_and_are_cut_at_the_edge() {
        let groups = Groups::new(InputShape::Image { channels: 2, height: 3, width: 5 }, 2);
        let picture = [0, 0, 1, 1, 2, 0, 0, 1, 1, 2, 3, 3, 4, 4, 5];
        assert_eq!(groups, Groups { of: [picture, picture].concat(), count: 6 });
        assert_eq!(groups.sizes(), [8, 8, 4, 4, 4, 2]);
        assert_eq!(groups.sum(&[1.0; 30]), [8.0, 8.0, 4.0, 4.0, 4.0, 2.0]);
    }
}
