use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Detector, Inspection, Sees, Suspect,
    exclude::{Rule, inspect},
    principal,
};
use crate::Batch;

/// The direction in which the features of a class's examples differ most, and the examples that lie far out along it: a
/// trigger leaves its signature there.
///
/// B. Tran, J. Li, A. Madry: Spectral signatures in backdoor attacks, 2018; with features whitened by a robust estimate
/// first, without which the natural variety of a class hides a few poisoned examples: J. Hayase et al.: SPECTRE: Defending
/// against backdoor attacks using robust statistics, 2021. Both papers remove a fixed share of every class; here the line
/// is cut where its two sides differ most (N. Otsu: A threshold selection method from gray-level histograms, 1979), and
/// the smaller side is poisoned where its neighbours are of other classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Spectral {
    /// The score that flags a class: of its singled-out examples, the share with no neighbour of their own class, at the
    /// lower end of its 95% interval, less the same share of the class's other examples.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub score: f64,
    /// The share of a class's examples that can be poisoned at most.
    #[schemars(range(min = 0.0, max = 0.5))]
    pub largest: f64,
    /// Poisoned examples that can be told at least.
    #[schemars(range(min = 1))]
    pub smallest: usize,
}

impl Default for Spectral {
    fn default() -> Self {
        Self { score: 0.5, largest: 0.35, smallest: 10 }
    }
}

/// Cuts values where the variance between the two sides is largest: whether each lies on the smaller side, and the
/// distance of the sides' means in standard deviations within a side (2.6 for a normal distribution).
fn cut(values: &[f64]) -> (Vec<bool>, f64) {
    let n = values.len() as f64;
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let (sum, squares) = values.iter().fold((0.0, 0.0), |(s, q), v| (s + v, q + v * v));
    let (mut between, mut at, mut left) = (0.0, 1, 0.0);
    for count in 1..values.len() {
        left += values[order[count - 1]];
        let below = count as f64;
        let apart = left / below - (sum - left) / (n - below);
        let here = below * (n - below) / (n * n) * apart * apart;
        if here > between {
            (between, at) = (here, count);
        }
    }
    let total = squares / n - (sum / n).powi(2);
    let share = at as f64 / n;
    let apart = (between / (share * (1.0 - share))).sqrt();
    let side = if at * 2 <= values.len() { &order[..at] } else { &order[at..] };
    let mut small = vec![false; values.len()];
    side.iter().for_each(|&index| small[index] = true);
    (small, apart / (total - between).max(1e-12 * total).sqrt())
}

impl Detector for Spectral {
    fn sees(&self) -> Sees {
        Sees::Features
    }

    fn run(&self, suspect: Suspect<'_>, batch: Batch<'_>, rng: &mut ChaCha8Rng) -> Inspection {
        let rule = Rule { score: self.score, largest: self.largest, smallest: self.smallest };
        inspect(suspect, batch, rule, rng, &mut |white, width, rng| {
            let (line, _) = principal::reduce(white, width, 1, rng);
            if line.is_empty() {
                return (vec![false; white.len() / width], String::new());
            }
            let (small, apart) = cut(&line);
            (
                small,
                format!(
                    "{apart:.1} standard deviations from the rest in the direction in which features differ most"
                ),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backdoor_line_is_cut_between_two_groups() {
        let values: Vec<f64> =
            (0..100).map(|i| f64::from(i % 10) / 10.0 + if i < 20 { 5.0 } else { 0.0 }).collect();
        let (small, apart) = cut(&values);
        assert!(small.iter().enumerate().all(|(i, small)| *small == (i < 20)), "{small:?}");
        assert!((apart - 5.0 / 0.0825f64.sqrt()).abs() < 1e-6, "{apart}");
    }
}
