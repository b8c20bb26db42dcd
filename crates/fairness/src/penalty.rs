use std::marker::PhantomData;

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Mitigation, Scene};

/// A notion of fairness, as how far groups are from it.
pub trait Notion: std::fmt::Debug + Clone + PartialEq + JsonSchema {
    /// The variance between groups of the mean probability of the favourable answer, among those whom the notion speaks of;
    /// 0 where the notion holds.
    fn apart(scene: &Scene<'_>) -> Tensor<1>;
}

/// The loss, and how far groups are from a notion of fairness.
///
/// Source: A. Beutel et al., "Putting fairness principles into practice", AIES 2019, with the variance between groups in the
/// place of their correlation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Penalty<N: Notion> {
    /// The column of the group.
    pub group: String,
    /// The class that is good to get; of two classes the second by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub favourable: Option<String>,
    /// How much it counts beside the loss.
    #[serde(default = "weight")]
    #[schemars(range(min = 0.0))]
    pub weight: f64,
    #[serde(skip)]
    notion: PhantomData<N>,
}

fn weight() -> f64 {
    10.0
}

impl<N: Notion> Default for Penalty<N> {
    fn default() -> Self {
        Self { group: String::new(), favourable: None, weight: weight(), notion: PhantomData }
    }
}

impl<N: Notion> Mitigation for Penalty<N> {
    fn group(&self) -> &str {
        &self.group
    }

    fn favourable(&self) -> Option<&str> {
        self.favourable.as_deref()
    }

    fn needs_favourable(&self) -> bool {
        true
    }

    fn loss(&self, scene: &Scene<'_>) -> Tensor<1> {
        scene.plain() + N::apart(scene).mul_scalar(self.weight)
    }
}
