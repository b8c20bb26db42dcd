use std::ops::Range;

use burn::tensor::{Int, Tensor, TensorData};
use crucible_data::{Dataset, Inputs};
use crucible_measure::fairness::{self, Groups};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Mitigation, scene::Scene};

/// The loss, in which examples count as they would if label and group were independent: those of a group that seldom has the
/// label more, others less.
///
/// Source: F. Kamiran, T. Calders, "Data preprocessing techniques for classification without discrimination", Knowl. Inf.
/// Syst. 33 (2012).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reweighing {
    /// The column of the group.
    pub group: String,
}

impl Mitigation for Reweighing {
    fn group(&self) -> &str {
        &self.group
    }

    fn loss(&self, scene: &Scene<'_>) -> Tensor<1> {
        scene.weighted()
    }
}

/// The weight of an example by its group, of which the last are those in none, and its class.
pub(crate) fn weights(data: &Dataset, places: &Range<usize>, classes: usize) -> Vec<Vec<f32>> {
    let train = &data.train;
    let Inputs::Floats(values) = train.inputs() else { return Vec::new() };
    let of: Vec<usize> =
        values.chunks_exact(train.input_len()).map(|row| group(&row[places.clone()])).collect();
    let labels: Vec<usize> =
        train.classes().unwrap_or_default().iter().map(|class| *class as usize).collect();
    let groups = Groups::new(of, places.len() + 1);
    let each = fairness::reweighing(&groups, &labels, classes);
    let mut table = vec![vec![1.0; classes]; places.len() + 1];
    for ((group, label), weight) in groups.labels().iter().zip(&labels).zip(each) {
        table[*group][*label] = weight as f32;
    }
    table
}

/// The group whose input is 1, or the number after the last.
fn group(inputs: &[f32]) -> usize {
    inputs.iter().position(|input| *input == 1.0).unwrap_or(inputs.len())
}

impl Scene<'_> {
    /// The mean of the recipe's loss over examples with weights by group and class.
    ///
    /// A loss is a mean over examples, so that each cell of group and class is taken by itself, and counts as it is large.
    pub(crate) fn weighted(&self) -> Tensor<1> {
        let device = self.outputs.device();
        let cells = self.cells();
        let all: usize = cells.iter().map(|(_, indices)| indices.len()).sum();
        let parts = cells.into_iter().map(|(weight, indices)| {
            let share = indices.len() as f64 / all as f64;
            let count = indices.len();
            let indices: Tensor<1, Int> = Tensor::from_data(TensorData::new(indices, [count]), &device);
            let [outputs, targets] =
                [&self.outputs, &self.targets].map(|rows| rows.clone().select(0, indices.clone()));
            self.loss.forward(outputs, targets).mul_scalar(share * f64::from(weight))
        });
        parts.reduce(|a, b| a + b).unwrap_or_else(|| self.plain())
    }

    /// The examples of each weight, by group and class.
    fn cells(&self) -> Vec<(f32, Vec<i32>)> {
        let read = |tensor: &Tensor<2>| -> Vec<f32> {
            tensor.clone().into_data().try_to_vec().expect("networks here hold f32")
        };
        let (groups, targets) = (read(&self.groups), read(&self.targets));
        let (width, outputs) = (self.groups.dims()[1], self.targets.dims()[1]);
        let mut cells: Vec<Vec<Vec<i32>>> =
            self.weights.iter().map(|row| vec![Vec::new(); row.len()]).collect();
        let rows = groups.chunks_exact(width).zip(targets.chunks_exact(outputs));
        for (example, (member, target)) in (0..).zip(rows) {
            let class = match target {
                [one] => usize::from(*one > 0.5),
                row => crucible_measure::argmax(row),
            };
            cells[group(member)][class].push(example);
        }
        let flat = cells
            .into_iter()
            .zip(self.weights)
            .flat_map(|(row, weights)| row.into_iter().zip(weights.clone()));
        flat.filter(|(indices, _)| !indices.is_empty()).map(|(indices, weight)| (weight, indices)).collect()
    }
}
