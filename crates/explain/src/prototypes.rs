//! Examples that explain a class: those that stand for it, those that do not, and those at its borders.

mod certainty;
mod counter_examples;
mod kernel;
mod mmd_critic;

use crucible_models::Featured;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use certainty::Seen;

use crate::{ExplainError, error::at_least, tables::probabilities};

/// The settings of prototypes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Prototypes {
    /// Examples of each kind for each class.
    #[schemars(range(min = 1))]
    pub per_class: usize,
    /// Examples of a class that are compared with each other at most, evenly spread; time and memory grow with the
    /// square.
    #[schemars(range(min = 1))]
    pub most: usize,
}

impl Default for Prototypes {
    fn default() -> Self {
        Self { per_class: 4, most: 1000 }
    }
}

/// The examples that explain one class, each kind from the first to the last choice. There are fewer where the data have
/// fewer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Portrait {
    /// The examples of the class that together stand for it best.
    pub prototypes: Vec<Answered>,
    /// The examples of the class that the prototypes stand for worst.
    pub criticisms: Vec<Answered>,
    /// For each prototype in turn, the example of another class that the network sees as most like it.
    pub counter_examples: Vec<Answered>,
    /// The examples of the class with the highest probability of it.
    pub most_certain: Vec<Answered>,
    /// The examples of the class with the lowest probability of it.
    pub least_certain: Vec<Answered>,
}

/// An example, and what the network says of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answered {
    /// Its place in the data.
    pub index: usize,
    /// The class that the network answers, the first of equals.
    pub answer: usize,
    /// The probability of its true class.
    pub probability: f64,
}

impl Prototypes {
    pub(crate) fn check(&self) -> Result<(), ExplainError> {
        at_least("per_class", self.per_class, 1)?;
        at_least("most", self.most, 1)
    }

    /// A portrait of each class, drawn from inputs `[n, features]` and their true classes `[n]`. Examples are compared by
    /// what the network's last layer reads.
    ///
    /// # Errors
    ///
    /// Where a setting is out of its range.
    ///
    /// # Panics
    ///
    /// If the lengths do not fit, or a class does not exist.
    pub fn portray(
        &self,
        model: &dyn Featured,
        inputs: &[f32],
        labels: &[usize],
    ) -> Result<Vec<Portrait>, ExplainError> {
        self.check()?;
        let (features, classes) = (model.features(), model.classes());
        assert_eq!(inputs.len(), labels.len() * features, "one class for each input");
        let logits = model.logits(inputs);
        let rows = logits.chunks_exact(classes).map(probabilities).zip(labels).enumerate();
        let seen: Vec<Seen> = rows.map(|(index, (row, &label))| Seen::new(index, &row, label)).collect();
        let mut members = vec![Vec::new(); classes];
        labels.iter().enumerate().for_each(|(index, &label)| members[label].push(index));
        let compared: Vec<Vec<usize>> = members.iter().map(|members| spread(members, self.most)).collect();
        let points: Vec<Vec<f32>> = compared
            .iter()
            .map(|indices| {
                let rows = indices.iter().flat_map(|&index| &inputs[index * features..][..features]);
                model.penultimate(&rows.copied().collect::<Vec<_>>())
            })
            .collect();
        let count: usize = compared.iter().map(Vec::len).sum();
        let width = points.iter().map(Vec::len).sum::<usize>().checked_div(count).unwrap_or(1);
        let portrait = |class: usize| {
            let kernel = kernel::gaussian(&points[class], width);
            let prototypes = mmd_critic::prototypes(&kernel, self.per_class);
            let criticisms = mmd_critic::criticisms(&kernel, &prototypes, self.per_class);
            let others = counter_examples::nearest(&points, width, class, &prototypes);
            let answered = |(class, place): (usize, usize)| seen[compared[class][place]].answered;
            let own = |places: Vec<usize>| places.into_iter().map(|place| answered((class, place))).collect();
            let members = members[class].iter().map(|&index| seen[index]).collect();
            let [most_certain, least_certain] = certainty::ends(members, self.per_class);
            Portrait {
                prototypes: own(prototypes),
                criticisms: own(criticisms),
                counter_examples: others.into_iter().map(answered).collect(),
                most_certain,
                least_certain,
            }
        };
        Ok((0..classes).map(portrait).collect())
    }
}

/// At most `count` of them, evenly spread.
fn spread(all: &[usize], count: usize) -> Vec<usize> {
    let count = count.min(all.len());
    (0..count).map(|i| all[i * all.len() / count]).collect()
}

/// The squared Euclidean distance.
fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
}
