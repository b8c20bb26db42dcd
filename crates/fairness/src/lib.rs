//! Training under which groups are treated alike: mitigations as objectives of the training loop, one file each, and the one
//! list that names them.
//!
//! The group of an example is the level of one categorical column of a table, which the network reads as inputs that are 1
//! for the level and 0 for all others: so a batch itself says who is in which group.
//!
//! Absent by design: measuring whether it helped ([`fairness`](crucible_measure::fairness) of `crucible-measure`),
//! thresholds by group, which need no training (there, too), printing.

mod demographic_parity;
mod equal_opportunity;
mod equalized_odds;
mod gap;
mod penalty;
mod reweighing;
mod scene;

use std::ops::Range;

use burn::tensor::Tensor;
use crucible_data::{Column, Dataset, InputFormat, Task};
use crucible_models::Tapped;
use crucible_train::{Batch, Objective, registry};

pub use penalty::{Notion, Penalty};
pub use reweighing::Reweighing;
pub use scene::Scene;

/// The loss, and how far groups are from demographic parity.
pub type DemographicParity = Penalty<demographic_parity::Parity>;
/// The loss, and how far groups are from equal opportunity.
pub type EqualOpportunity = Penalty<equal_opportunity::Opportunity>;
/// The loss, and how far groups are from equalized odds.
pub type EqualizedOdds = Penalty<equalized_odds::Odds>;

/// A way to have groups treated alike.
pub trait Mitigation {
    /// The column of the group.
    fn group(&self) -> &str;

    /// The class that is good to get; none where the way asks for no such class, or it is the second of two.
    fn favourable(&self) -> Option<&str> {
        None
    }

    /// Whether it asks for such a class.
    fn needs_favourable(&self) -> bool {
        false
    }

    /// What a step makes small.
    fn loss(&self, scene: &Scene<'_>) -> Tensor<1>;
}

registry! {
    /// The recipe's `[fairness]` table: how groups are treated alike.
    pub enum FairnessConfig: Mitigation by mitigation;

    /// Examples count so that label and group are independent (Kamiran and Calders 2012).
    Reweighing = "reweighing",
    /// The mean probability of the favourable answer is to be the same in every group.
    DemographicParity = "demographic-parity",
    /// The same among those who deserve the favourable answer.
    EqualOpportunity = "equal-opportunity",
    /// The same among those who deserve it, and among those who do not.
    EqualizedOdds = "equalized-odds",
}

/// Why the recipe's `[fairness]` table cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FairnessError {
    /// The data are no table of classes.
    #[error("groups are told by a column of a table, and answers are classes; these data are neither")]
    NotATable,
    /// There is no such column.
    #[error("there is no column of texts `{name}` among the inputs; there are: {there}")]
    Column {
        /// The column that was asked for.
        name: String,
        /// Those that there are.
        there: String,
    },
    /// There is no such class.
    #[error("there is no class `{name}`; there are: {there}")]
    Class {
        /// The class that was asked for.
        name: String,
        /// Those that there are.
        there: String,
    },
    /// Of more than two classes one must be named.
    #[error("of these classes one must be `favourable`: {there}")]
    Favourable {
        /// The classes.
        there: String,
    },
}

/// A mitigation that is ready.
#[derive(Debug, Clone)]
pub struct Fair {
    config: FairnessConfig,
    /// The inputs that say which group an example is in.
    places: Range<usize>,
    /// The class that is good to get.
    favourable: usize,
    /// Of each group, and then of those in none, and of each class, the weight of an example.
    weights: Vec<Vec<f32>>,
}

impl Fair {
    /// The mitigation of a network that learns from `data`.
    ///
    /// # Errors
    ///
    /// Where the data are no table of classes, or have no such column or class.
    pub fn new(config: FairnessConfig, data: &Dataset) -> Result<Self, FairnessError> {
        let (InputFormat::Table { .. }, Task::Classification { classes }) =
            (&data.format.input, &data.format.task)
        else {
            return Err(FairnessError::NotATable);
        };
        let places = places(&data.format.input, config.mitigation().group())?;
        let there = || classes.join(", ");
        let mitigation = config.mitigation();
        let favourable = match mitigation.favourable() {
            Some(name) => classes
                .iter()
                .position(|class| class == name)
                .ok_or_else(|| FairnessError::Class { name: name.to_owned(), there: there() })?,
            None if classes.len() == 2 || !mitigation.needs_favourable() => classes.len() - 1,
            None => return Err(FairnessError::Favourable { there: there() }),
        };
        let weights = reweighing::weights(data, &places, classes.len());
        Ok(Self { config, places, favourable, weights })
    }
}

/// The inputs of a column of texts.
fn places(input: &InputFormat, name: &str) -> Result<Range<usize>, FairnessError> {
    let columns = input.columns();
    let texts = columns.iter().filter(|(column, _)| matches!(column, Column::Categorical { .. }));
    let found = texts.clone().find(|(column, _)| column.name() == name);
    let names = || texts.clone().map(|(column, _)| column.name()).collect::<Vec<_>>().join(", ");
    found
        .map(|(_, places)| places.clone())
        .ok_or_else(|| FairnessError::Column { name: name.to_owned(), there: names() })
}

impl Objective for Fair {
    fn loss(&self, batch: Batch<'_>) -> Tensor<1> {
        let Batch { network, inputs, targets, loss, tap, .. } = batch;
        let groups = inputs.clone().slice([0..inputs.dims()[0], self.places.clone()]);
        let outputs = network.forward(inputs, tap);
        let (favourable, weights) = (self.favourable, &self.weights);
        self.config.mitigation().loss(&Scene { outputs, targets, groups, loss, favourable, weights })
    }
}
