use crate::interval::Proportion;

/// A set of classes for each example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sets {
    members: Vec<bool>,
    classes: usize,
}

impl Sets {
    pub(super) fn new(members: Vec<bool>, classes: usize) -> Self {
        Self { members, classes }
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.members.len() / self.classes
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The classes in an example's set, rising.
    ///
    /// # Panics
    ///
    /// If there are not so many examples.
    pub fn set(&self, example: usize) -> Vec<usize> {
        (0..self.classes).filter(|class| self.contains(example, *class)).collect()
    }

    /// Whether a class is in an example's set.
    ///
    /// # Panics
    ///
    /// If there is no such class or example.
    pub fn contains(&self, example: usize, class: usize) -> bool {
        assert!(class < self.classes, "class {class} of {}", self.classes);
        self.members[example * self.classes + class]
    }

    /// The mean number of classes in a set; `None` without examples.
    pub fn mean_size(&self) -> Option<f64> {
        let members = self.members.iter().filter(|member| **member).count();
        (!self.is_empty()).then(|| members as f64 / self.len() as f64)
    }

    /// The share of examples whose label is in the set.
    ///
    /// # Panics
    ///
    /// If there is not one label below the number of classes per set.
    pub fn coverage(&self, labels: &[usize]) -> Proportion {
        self.covered(labels, |_, _| true)
    }

    /// [`coverage`](Self::coverage) among the examples of each class, which nothing promises.
    ///
    /// # Panics
    ///
    /// As [`coverage`](Self::coverage) does.
    pub fn coverage_by_class(&self, labels: &[usize]) -> Vec<Proportion> {
        (0..self.classes).map(|class| self.covered(labels, |_, label| label == class)).collect()
    }

    /// [`coverage`](Self::coverage) among the sets of 0, 1, … classes: where small sets miss more often than large ones,
    /// the size does not tell how hard an example is.
    ///
    /// # Panics
    ///
    /// As [`coverage`](Self::coverage) does.
    pub fn coverage_by_size(&self, labels: &[usize]) -> Vec<Proportion> {
        let sizes: Vec<usize> = (0..self.len()).map(|example| self.set(example).len()).collect();
        (0..=self.classes).map(|size| self.covered(labels, |example, _| sizes[example] == size)).collect()
    }

    fn covered(&self, labels: &[usize], counts: impl Fn(usize, usize) -> bool) -> Proportion {
        assert_eq!(labels.len(), self.len(), "one label per set");
        let mut found = Proportion { successes: 0, trials: 0 };
        for (example, label) in labels.iter().enumerate().filter(|(example, label)| counts(*example, **label))
        {
            found.trials += 1;
            found.successes += u64::from(self.contains(example, *label));
        }
        found
    }
}
