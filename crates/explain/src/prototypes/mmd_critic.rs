//! B. Kim, R. Khanna, O. Koyejo: Examples are not enough, learn to criticize! Criticism for interpretability, 2016.

/// The points that together have the least maximum mean discrepancy to all points, chosen one after the other: each is the
/// one with which `J = 2/(n·m) · Σ k(all, chosen) − 1/m² · Σ k(chosen, chosen)` is largest, the first of equals. `kernel` is
/// `[n, n]`, with ones on its diagonal; at most `count` are chosen.
pub(super) fn prototypes(kernel: &[f64], count: usize) -> Vec<usize> {
    let means = means(kernel);
    // Of what is chosen: the sum of the means, of all its pairs, and of the kernel with each point.
    let (mut mean, mut pairs, mut with) = (0.0, 0.0, vec![0.0; means.len()]);
    let mut chosen = Vec::new();
    while chosen.len() < count.min(means.len()) {
        let m = (chosen.len() + 1) as f64;
        let gain = |i: usize| 2.0 * (mean + means[i]) / m - (pairs + 2.0 * with[i] + 1.0) / (m * m);
        let Some(best) = best(means.len(), &chosen, gain) else { break };
        mean += means[best];
        pairs += 2.0 * with[best] + 1.0;
        add(&mut with, kernel, best);
        chosen.push(best);
    }
    chosen
}

/// The points that the prototypes stand for worst, chosen one after the other: each has the largest
/// `|witness| + log det k(chosen, chosen)`, where the witness is the mean of the kernel with all points less that with the
/// prototypes, and the determinant keeps them apart.
pub(super) fn criticisms(kernel: &[f64], prototypes: &[usize], count: usize) -> Vec<usize> {
    let mut witness = means(kernel);
    let n = witness.len();
    for &prototype in prototypes {
        let row = &kernel[prototype * n..][..n];
        witness.iter_mut().zip(row).for_each(|(witness, k)| *witness -= k / prototypes.len() as f64);
    }
    // The factor of Cholesky of the chosen points' kernel, a row each, with a column for every point; and what is left of
    // a point's own kernel, by which the determinant grows with it.
    let (mut factor, mut rest) = (Vec::<Vec<f64>>::new(), vec![1.0_f64; n]);
    let mut chosen = Vec::new();
    while chosen.len() < count {
        let gain =
            |i: usize| if rest[i] > 1e-12 { witness[i].abs() + rest[i].ln() } else { f64::NEG_INFINITY };
        let taken = [prototypes, &chosen].concat();
        let Some(best) = best(n, &taken, gain) else { break };
        let root = rest[best].sqrt();
        let row = (0..n).map(|i| {
            let known: f64 = factor.iter().map(|row| row[best] * row[i]).sum();
            (kernel[best * n + i] - known) / root
        });
        let row: Vec<f64> = row.collect();
        rest.iter_mut().zip(&row).for_each(|(rest, value)| *rest -= value * value);
        factor.push(row);
        chosen.push(best);
    }
    chosen
}

/// The mean of the kernel of each point with all.
fn means(kernel: &[f64]) -> Vec<f64> {
    let n = kernel.len().isqrt();
    kernel.chunks_exact(n.max(1)).map(|row| row.iter().sum::<f64>() / n as f64).collect()
}

fn add(sums: &mut [f64], kernel: &[f64], point: usize) {
    let row = &kernel[point * sums.len()..][..sums.len()];
    sums.iter_mut().zip(row).for_each(|(sum, k)| *sum += k);
}

/// The point of the largest gain that is not yet taken, the first of equals; none where every gain is −∞.
fn best(n: usize, taken: &[usize], gain: impl Fn(usize) -> f64) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for i in (0..n).filter(|i| !taken.contains(i)) {
        let gain = gain(i);
        if gain > best.map_or(f64::NEG_INFINITY, |(_, best)| best) {
            best = Some((i, gain));
        }
    }
    best.map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::super::kernel::gaussian;
    use super::*;

    /// Points that look random, in two groups.
    fn points(count: usize) -> Vec<f32> {
        (0..2 * count)
            .map(|i| ((i * 7919 + 13) % 101) as f32 / 101.0 + if i / 2 % 3 == 0 { 4.0 } else { 0.0 })
            .collect()
    }

    /// The definition, over all pairs.
    fn discrepancy(kernel: &[f64], n: usize, chosen: &[usize]) -> f64 {
        let mean = |a: &[usize], b: &[usize]| -> f64 {
            let sum: f64 = a.iter().flat_map(|i| b.iter().map(move |j| kernel[i * n + j])).sum();
            sum / (a.len() * b.len()) as f64
        };
        let all: Vec<usize> = (0..n).collect();
        mean(&all, &all) - 2.0 * mean(&all, chosen) + mean(chosen, chosen)
    }

    /// By elimination, with rows swapped.
    fn determinant(mut matrix: Vec<Vec<f64>>) -> f64 {
        let (n, mut product) = (matrix.len(), 1.0);
        for i in 0..n {
            let pivot = (i..n).max_by(|&a, &b| matrix[a][i].abs().total_cmp(&matrix[b][i].abs())).unwrap();
            matrix.swap(i, pivot);
            product *= if pivot == i { matrix[i][i] } else { -matrix[i][i] };
            let row = matrix[i].clone();
            for below in &mut matrix[i + 1..] {
                let share = below[i] / row[i];
                below.iter_mut().zip(&row).for_each(|(value, above)| *value -= share * above);
            }
        }
        product
    }

    #[test]
    fn each_choice_is_the_best_by_the_definition() {
        let n = 40;
        let kernel = gaussian(&points(n), 2);
        let chosen = prototypes(&kernel, 6);
        for m in 0..6 {
            let with = |i: usize| discrepancy(&kernel, n, &[&chosen[..m], &[i]].concat());
            let rest = (0..n).filter(|i| !chosen[..m].contains(i));
            let best = rest.min_by(|&a, &b| with(a).total_cmp(&with(b))).unwrap();
            assert!((with(chosen[m]) - with(best)).abs() < 1e-14, "{m}: {} not {best}", chosen[m]);
        }
        let groups: Vec<bool> = chosen[..2].iter().map(|i| i % 3 == 0).collect();
        assert_ne!(groups[0], groups[1], "one from each group");

        let critical = criticisms(&kernel, &chosen, 5);
        let all: Vec<usize> = (0..n).collect();
        let mean =
            |i: usize, of: &[usize]| of.iter().map(|j| kernel[i * n + j]).sum::<f64>() / of.len() as f64;
        let cost = |these: &[usize]| {
            let witness: f64 = these.iter().map(|&i| (mean(i, &all) - mean(i, &chosen)).abs()).sum();
            let matrix = these.iter().map(|i| these.iter().map(|j| kernel[i * n + j]).collect()).collect();
            witness + determinant(matrix).ln()
        };
        for m in 0..5 {
            let with = |i: usize| cost(&[&critical[..m], &[i]].concat());
            let rest = (0..n).filter(|i| !chosen.contains(i) && !critical[..m].contains(i));
            let best = rest.max_by(|&a, &b| with(a).total_cmp(&with(b))).unwrap();
            assert!((with(critical[m]) - with(best)).abs() < 1e-9, "{m}: {} not {best}", critical[m]);
        }
    }

    /// Three points at one place, two at another and one at a third, all far from each other.
    #[test]
    fn a_case_by_hand() {
        let place = [0, 0, 0, 1, 1, 2];
        let kernel: Vec<f64> =
            place.iter().flat_map(|a| place.map(|b| f64::from(u8::from(*a == b)))).collect();
        // J is 0 for the first, 2/2 · (1/2 + 1/3) − 2/4 with one of the two, less with the lone one.
        assert_eq!(prototypes(&kernel, 2), [0, 3]);
        // Witnesses of −1/2, 1/3 and 1/6; of equal points only one.
        assert_eq!(criticisms(&kernel, &[0], 5), [1, 3, 5]);
    }

    #[test]
    fn there_are_no_more_than_there_are() {
        let kernel = gaussian(&points(3), 2);
        assert_eq!(prototypes(&kernel, 9).len(), 3);
        assert_eq!(criticisms(&kernel, &[1], 9).len(), 2);
        assert!(prototypes(&[], 2).is_empty() && criticisms(&[], &[], 2).is_empty());
        // A point equal to a chosen one adds nothing.
        assert_eq!(criticisms(&[1.0; 9], &[0], 9), [1]);
    }
}
