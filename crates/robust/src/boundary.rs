//! From an input that fools the model back towards the clean one, as far as it still fools.

use crucible_models::Classifier;

use crate::{Batch, Norm, Threat, found::Found, loss};

/// The point at `share` of the distance from `clean` to `end`: on the straight line, for L∞ with each value as near to
/// `end`'s as that distance allows.
pub(crate) fn between(norm: Norm, clean: &[f32], end: &[f32], share: f32) -> Vec<f32> {
    match norm {
        Norm::Linf => {
            let radius = share * norm.distance(end, clean) as f32;
            let near = |(end, clean): (&f32, &f32)| end.clamp(clean - radius, clean + radius);
            end.iter().zip(clean).map(near).collect()
        }
        Norm::L2 | Norm::L1 => straight(clean, end, share),
    }
}

/// The point at `share` of the straight line from `clean` to `end`.
pub(crate) fn straight(clean: &[f32], end: &[f32], share: f32) -> Vec<f32> {
    clean.iter().zip(end).map(|(clean, end)| clean + share * (end - clean)).collect()
}

/// Moves `inputs`, tried for the examples `indices`, into the ball and tries those of examples that still stand there.
pub(crate) fn try_surface(
    found: &mut Found<'_>,
    model: &(impl Classifier + ?Sized),
    batch: Batch<'_>,
    threat: &Threat,
    indices: &[usize],
    inputs: &[f32],
) {
    let (mut open, mut nearer) = (Vec::new(), Vec::new());
    for (&index, input) in indices.iter().zip(inputs.chunks_exact(model.features())) {
        if found.stands(index) {
            let mut input = input.to_vec();
            threat.project(batch.input(index), &mut input);
            open.push(index);
            nearer.extend(input);
        }
    }
    if !open.is_empty() {
        found.try_out(model, &open, &nearer);
    }
}

/// Halves, `rounds` times, the part of the way from each clean input to `ends`, which fool the model for the examples
/// `indices`, on which it begins to be fooled. Returns the ends of those parts that fool.
pub(crate) fn bisect(
    found: &mut Found<'_>,
    model: &(impl Classifier + ?Sized),
    batch: Batch<'_>,
    norm: Norm,
    indices: &[usize],
    ends: &[f32],
    rounds: u32,
) -> Vec<f32> {
    let (features, classes) = (model.features(), model.classes());
    let mut spans = vec![(0.0f32, 1.0f32); indices.len()];
    let mut fooling = ends.to_vec();
    for _ in 0..rounds {
        let mut middle = Vec::with_capacity(ends.len());
        for ((&index, end), (low, high)) in indices.iter().zip(ends.chunks_exact(features)).zip(&spans) {
            middle.extend(between(norm, batch.input(index), end, f32::midpoint(*low, *high)));
        }
        let logits = found.ask(model, &middle);
        for (row, logits) in logits.chunks_exact(classes).enumerate() {
            let (low, high) = &mut spans[row];
            let half = f32::midpoint(*low, *high);
            if loss::class(logits) == batch.labels[indices[row]] as usize {
                *low = half;
            } else {
                *high = half;
                let here = row * features..(row + 1) * features;
                fooling[here.clone()].copy_from_slice(&middle[here]);
            }
        }
    }
    fooling
}
