use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Detector, Inspection, Sees, Suspect,
    exclude::{Rule, inspect},
};
use crate::Batch;

/// The features of a class's examples in two clusters: poisoned examples are a small one, whose neighbours are of other
/// classes.
///
/// B. Chen et al.: Detecting backdoor attacks on deep neural networks by activation clustering, 2018. The paper reduces
/// features to 10 independent components; here they are whitened by a robust estimate, which to clusters is the same but
/// for the rotation, and lets a small one stand out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Clustering {
    /// The score that flags a class: of its singled-out examples, the share with no neighbour of their own class, at the
    /// lower end of its 95% interval, less the same share of the class's other examples.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub score: f64,
    /// The share of a class's examples in its smaller cluster at most.
    #[schemars(range(min = 0.0, max = 0.5))]
    pub largest: f64,
    /// Examples in the smaller cluster at least.
    #[schemars(range(min = 1))]
    pub smallest: usize,
    /// Starts of the clustering; the tightest result is kept.
    #[schemars(range(min = 1))]
    pub restarts: u32,
}

impl Default for Clustering {
    fn default() -> Self {
        Self { score: 0.5, largest: 0.35, smallest: 10, restarts: 10 }
    }
}

/// Rounds of Lloyd's algorithm at most.
const ROUNDS: usize = 100;

/// Examples at most that the silhouette is taken over: it compares each with each.
const COMPARED: usize = 2000;

fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// Two clusters of rows (Lloyd), begun at a row and another drawn by its squared distance (k-means++): whether each row
/// is in the second, and the sum of squared distances to the means.
fn two_means(rows: &[&[f64]], rng: &mut ChaCha8Rng) -> (Vec<bool>, f64) {
    let first = rows[rng.random_range(0..rows.len())];
    let distances: Vec<f64> = rows.iter().map(|row| squared(row, first)).collect();
    let mut left = rng.random::<f64>() * distances.iter().sum::<f64>();
    let drawn = distances.iter().position(|distance| {
        left -= distance;
        left < 0.0
    });
    let mut means = [first.to_vec(), rows[drawn.unwrap_or(rows.len() - 1)].to_vec()];
    let mut second: Vec<bool> = Vec::new();
    for _ in 0..ROUNDS {
        let now = rows.iter().map(|row| squared(row, &means[1]) < squared(row, &means[0])).collect();
        if now == second {
            break;
        }
        second = now;
        for (side, mean) in means.iter_mut().enumerate() {
            let members: Vec<&[f64]> = rows
                .iter()
                .zip(&second)
                .filter(|(_, at)| usize::from(**at) == side)
                .map(|(r, _)| *r)
                .collect();
            if !members.is_empty() {
                mean.fill(0.0);
                for row in &members {
                    mean.iter_mut().zip(*row).for_each(|(mean, value)| *mean += value / members.len() as f64);
                }
            }
        }
    }
    let error = rows.iter().zip(&second).map(|(row, at)| squared(row, &means[usize::from(*at)])).sum();
    (second, error)
}

/// The mean silhouette of two clusters (P. Rousseeuw 1987): 1 where each example is far nearer to its own.
fn silhouette(rows: &[&[f64]], second: &[bool]) -> f64 {
    let step = rows.len().div_ceil(COMPARED);
    let compared: Vec<(&[f64], bool)> =
        rows.iter().zip(second).step_by(step).map(|(row, at)| (*row, *at)).collect();
    let mut sizes = [0.0; 2];
    compared.iter().for_each(|(_, at)| sizes[usize::from(*at)] += 1.0);
    let mut sum = 0.0;
    for (row, at) in &compared {
        let mut to = [0.0; 2];
        for (other, side) in &compared {
            to[usize::from(*side)] += squared(row, other).sqrt();
        }
        let (own, far) = (usize::from(*at), usize::from(!*at));
        if sizes[own] > 1.0 && sizes[far] > 0.0 {
            let (near, far) = (to[own] / (sizes[own] - 1.0), to[far] / sizes[far]);
            sum += (far - near) / far.max(near).max(f64::MIN_POSITIVE);
        }
    }
    sum / compared.len().max(1) as f64
}

impl Detector for Clustering {
    fn sees(&self) -> Sees {
        Sees::Features
    }

    fn run(&self, suspect: Suspect<'_>, batch: Batch<'_>, rng: &mut ChaCha8Rng) -> Inspection {
        let rule = Rule { score: self.score, largest: self.largest, smallest: self.smallest };
        inspect(suspect, batch, rule, rng, &mut |white, width, rng| {
            let rows: Vec<&[f64]> = white.chunks_exact(width).collect();
            let (mut second, mut least) = (vec![false; rows.len()], f64::INFINITY);
            for _ in 0..self.restarts {
                let (clusters, error) = two_means(&rows, rng);
                if error < least {
                    (second, least) = (clusters, error);
                }
            }
            let score = silhouette(&rows, &second);
            let ones = second.iter().filter(|at| **at).count();
            let small = ones * 2 <= rows.len();
            (
                second.iter().map(|at| *at == small).collect(),
                format!("a cluster of features, silhouette {score:.2}"),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threat::normal;
    use rand::SeedableRng;

    #[test]
    fn backdoor_clusters_are_the_two_there_are() {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let rows: Vec<f64> = (0..200)
            .flat_map(|i| {
                [if i < 30 { 20.0 } else { 0.0 } + f64::from(normal(&mut rng)), f64::from(normal(&mut rng))]
            })
            .collect();
        let rows: Vec<&[f64]> = rows.chunks_exact(2).collect();
        let (second, _) = two_means(&rows, &mut rng);
        assert!(second.iter().enumerate().all(|(i, at)| *at == ((i < 30) == second[0])));
        assert!(silhouette(&rows, &second) > 0.85);
        assert!(silhouette(&rows[30..], &(0..170).map(|i| i % 2 == 0).collect::<Vec<_>>()).abs() < 0.05);
    }
}
