//! Which examples go to which split.

use crate::examples::select_rows;
use crate::{DataConfig, DataError, seed, split};

/// Positions within the source's own splits. All lists rise.
pub(crate) struct Plan {
    /// In the source's training split.
    pub(crate) train: Vec<usize>,
    /// In the source's validation split if it has one, else in its training split.
    pub(crate) validation: Vec<usize>,
    /// In the source's test split if it has one, else in its training split.
    pub(crate) test: Vec<usize>,
}

/// What is known of the source's own splits.
pub(crate) struct Given<'a> {
    /// Classes of the training split's examples; all the same for a regression.
    pub(crate) labels: &'a [u32],
    /// How many examples the source's own validation split has.
    pub(crate) validation: Option<usize>,
    /// How many examples the source's own test split has.
    pub(crate) test: Option<usize>,
}

impl Plan {
    /// Splits off what the source does not have, then applies the limit to each split.
    pub(crate) fn new(
        name: &str,
        given: &Given<'_>,
        config: &DataConfig,
        seed: u64,
    ) -> Result<Self, DataError> {
        let all: Vec<usize> = (0..given.labels.len()).collect();
        let (rest, test) = match given.test {
            Some(count) => (all, (0..count).collect()),
            None => take(given.labels, all, config.test, seed, "split-test"),
        };
        let (train, validation) = match given.validation {
            Some(count) => (rest, (0..count).collect()),
            None => take(given.labels, rest, config.validation, seed, "split-validation"),
        };
        let limit = |indices, stream| match config.limit {
            Some(limit) => split::limited(indices, limit, &mut seed::stream(seed, stream, 0)),
            None => indices,
        };
        let train = match config.per_class {
            Some(most) => {
                split::per_class(&train, given.labels, most, &mut seed::stream(seed, "per-class", 0))
            }
            None => train,
        };
        let plan = Self {
            train: limit(train, "limit-train"),
            validation: limit(validation, "limit-validation"),
            test: limit(test, "limit-test"),
        };
        let empty = [
            ("training", plan.train.is_empty()),
            ("validation", plan.validation.is_empty() && config.validation > 0.0),
            ("test", plan.test.is_empty() && given.test.is_none() && config.test > 0.0),
        ];
        match empty.iter().find(|(_, is_empty)| *is_empty) {
            Some((split, _)) => {
                let problem = format!("too few examples: none is left for the {split} split");
                Err(DataError::TooFew { name: name.to_owned(), problem })
            }
            None => Ok(plan),
        }
    }
}

/// Takes a share of `indices` away, keeping the proportions of `labels`.
fn take(
    labels: &[u32],
    indices: Vec<usize>,
    fraction: f64,
    seed: u64,
    stream: &str,
) -> (Vec<usize>, Vec<usize>) {
    if fraction <= 0.0 {
        return (indices, Vec::new());
    }
    let labels = select_rows(labels, 1, &indices);
    let (kept, taken) = split::stratified(&labels, fraction, &mut seed::stream(seed, stream, 0));
    (select_rows(&indices, 1, &kept), select_rows(&indices, 1, &taken))
}
