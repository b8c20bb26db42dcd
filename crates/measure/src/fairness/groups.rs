/// Which group each example is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    labels: Vec<usize>,
    count: usize,
}

impl Groups {
    /// Groups `0..count`, one label for each example; a group may be empty.
    ///
    /// # Panics
    ///
    /// If a label is not below `count`.
    pub fn new(labels: Vec<usize>, count: usize) -> Self {
        assert!(labels.iter().all(|label| *label < count), "a group's label is not below {count}");
        Self { labels, count }
    }

    /// The intersections of several groupings of the same examples, such as sex and race: the group of the labels
    /// (i, j, …) is (i · n₂ + j) · n₃ + …, where nₖ is the number of groups of the k-th grouping. A model may be fair to
    /// each sex and to each race, and yet not to one sex of one race.
    ///
    /// # Panics
    ///
    /// If there are no groupings, or they differ in their number of examples.
    pub fn intersect(groupings: &[Self]) -> Self {
        let (first, others) = groupings.split_first().expect("at least one grouping");
        others.iter().fold(first.clone(), |whole, other| {
            assert_eq!(whole.len(), other.len(), "groupings of the same examples");
            let pairs = whole.labels.iter().zip(&other.labels);
            let labels = pairs.map(|(a, b)| a * other.count + b).collect();
            Self { labels, count: whole.count * other.count }
        })
    }

    /// Number of groups.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The group of each example.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The examples of a group, in order.
    pub fn members(&self, group: usize) -> Vec<usize> {
        (0..self.len()).filter(|example| self.labels[*example] == group).collect()
    }
}
