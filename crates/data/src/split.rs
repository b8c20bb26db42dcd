//! Seeded splitting of examples into two parts.

use rand::Rng;
use rand::seq::SliceRandom;

/// Takes `fraction` of all examples away, class by class.
///
/// Returns what is kept and what is taken, both rising. The parts together are all examples; of each class, the share
/// taken is within one example of `fraction`, and of all examples it is `fraction` rounded to the nearest whole. Where
/// whole examples must be handed out unevenly, the classes with the largest remainder come first (Hamilton's method).
pub fn stratified(labels: &[u32], fraction: f64, rng: &mut impl Rng) -> (Vec<usize>, Vec<usize>) {
    let class_count = labels.iter().max().map_or(0, |&label| label as usize + 1);
    let mut members = vec![Vec::new(); class_count];
    for (index, &label) in labels.iter().enumerate() {
        members[label as usize].push(index);
    }
    let quotas: Vec<f64> = members.iter().map(|class| class.len() as f64 * fraction).collect();
    let mut counts: Vec<usize> = quotas.iter().map(|quota| quota.floor() as usize).collect();
    let mut by_remainder: Vec<usize> = (0..class_count).collect();
    by_remainder.sort_by(|&a, &b| quotas[b].fract().total_cmp(&quotas[a].fract()));
    let wanted = (labels.len() as f64 * fraction).round() as usize;
    let handed_out: usize = counts.iter().sum();
    for &class in by_remainder.iter().take(wanted.saturating_sub(handed_out)) {
        counts[class] = (counts[class] + 1).min(members[class].len());
    }
    let (mut kept, mut taken) = (Vec::new(), Vec::new());
    for (mut class, count) in members.into_iter().zip(counts) {
        class.shuffle(rng);
        taken.extend_from_slice(&class[..count]);
        kept.extend_from_slice(&class[count..]);
    }
    kept.sort_unstable();
    taken.sort_unstable();
    (kept, taken)
}

/// Takes `fraction` of `0..len` away (rounded to the nearest whole); returns what is kept and what is taken, rising.
pub fn plain(len: usize, fraction: f64, rng: &mut impl Rng) -> (Vec<usize>, Vec<usize>) {
    let labels = vec![0; len];
    stratified(&labels, fraction, rng)
}

/// At most `most` of `indices` of each class, drawn without preference, in their former order; `labels` are those of all
/// examples.
pub fn per_class(indices: &[usize], labels: &[u32], most: usize, rng: &mut impl Rng) -> Vec<usize> {
    let class_count = labels.iter().max().map_or(0, |&label| label as usize + 1);
    let mut members = vec![Vec::new(); class_count];
    for &index in indices {
        members[labels[index] as usize].push(index);
    }
    let mut chosen: Vec<usize> = members.into_iter().flat_map(|class| limited(class, most, rng)).collect();
    chosen.sort_unstable();
    chosen
}

/// At most `limit` of `indices`, drawn without preference, in their former order.
pub fn limited(indices: Vec<usize>, limit: usize, rng: &mut impl Rng) -> Vec<usize> {
    if indices.len() <= limit {
        return indices;
    }
    let mut chosen = indices;
    chosen.shuffle(rng);
    chosen.truncate(limit);
    chosen.sort_unstable();
    chosen
}
