//! The nearest point of a plane within the valid range.

use crate::Norm;

/// The smallest change, measured in `norm`, of a valid `point` that lets `normal · point` grow by `rise` (shrink, where
/// that is negative) and leaves every value within `range`; as much as there is room for where that is less.
///
/// F. Croce, M. Hein: Minimally distorted adversarial examples with a fast adaptive boundary attack, 2020, section 3.1.
/// For L∞ and L2 the growth rises with the size of the change along ever flatter straight pieces, so that Newton's steps
/// from zero end on the right one; L1 fills the values of the largest weight first.
pub(crate) fn towards(norm: Norm, point: &[f32], normal: &[f32], rise: f64, range: [f32; 2]) -> Vec<f32> {
    let up = if rise < 0.0 { -1.0 } else { 1.0 };
    let weights: Vec<f64> = normal.iter().map(|weight| up * f64::from(*weight)).collect();
    let [low, high] = range.map(f64::from);
    let room: Vec<f64> = (point.iter().zip(&weights))
        .map(|(value, weight)| {
            let value = f64::from(*value);
            if *weight > 0.0 { high - value } else { value - low }
        })
        .collect();
    let sizes = match norm {
        Norm::Linf => rising(&weights, &room, rise.abs(), |_| 1.0),
        Norm::L2 => rising(&weights, &room, rise.abs(), f64::abs),
        Norm::L1 => filling(&weights, &room, rise.abs()),
    };
    sizes.iter().zip(&weights).map(|(size, weight)| (size * weight.signum()) as f32).collect()
}

/// The sizes `min(λ · speed(w_i), room_i)` with the λ for which `Σ |w_i| · size_i` is `rise`.
fn rising(weights: &[f64], room: &[f64], rise: f64, speed: impl Fn(f64) -> f64) -> Vec<f64> {
    // Weight, speed and room of the values that still move.
    let mut moving: Vec<[f64; 3]> = Vec::with_capacity(weights.len());
    moving.extend(weights.iter().zip(room).map(|(weight, room)| [weight.abs(), speed(*weight), *room]));
    moving.retain(|[weight, _, room]| *weight > 0.0 && *room > 0.0);
    let (mut settled, mut scale) = (0.0, f64::INFINITY);
    while !moving.is_empty() {
        let slope: f64 = moving.iter().map(|[weight, speed, _]| weight * speed).sum();
        scale = ((rise - settled) / slope).max(0.0);
        let before = moving.len();
        moving.retain(|[weight, speed, room]| {
            let moves = scale * speed < *room;
            settled += if moves { 0.0 } else { weight * room };
            moves
        });
        if moving.len() == before {
            break;
        }
        if moving.is_empty() && settled < rise {
            scale = f64::INFINITY;
        }
    }
    let size =
        |(weight, room): (&f64, &f64)| if *weight == 0.0 { 0.0 } else { (scale * speed(*weight)).min(*room) };
    weights.iter().zip(room).map(size).collect()
}

fn filling(weights: &[f64], room: &[f64], rise: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..weights.len()).filter(|&i| weights[i] != 0.0).collect();
    order.sort_by(|&a, &b| weights[b].abs().total_cmp(&weights[a].abs()));
    let (mut sizes, mut left) = (vec![0.0; weights.len()], rise);
    for i in order {
        sizes[i] = (left / weights[i].abs()).min(room[i]);
        left -= sizes[i] * weights[i].abs();
        if left <= 0.0 {
            break;
        }
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_point_of_the_plane_is_met_in_every_norm() {
        let point = [0.5, 0.5, 0.9];
        for (norm, rise, expected) in [
            // 3λ + λ + 2 · 0.1 = 1: the last value has room for 0.1 only.
            (Norm::Linf, 1.0, [0.2, -0.2, 0.1]),
            (Norm::L2, 1.0, [0.24, -0.08, 0.1]),
            (Norm::L1, 1.0, [1.0 / 3.0, 0.0, 0.0]),
            (Norm::L1, 1.75, [0.5, -0.05, 0.1]),
            (Norm::Linf, -0.6, [-0.1, 0.1, -0.1]),
            (Norm::L2, 9.0, [0.5, -0.5, 0.1]),
            (Norm::L2, 0.0, [0.0, 0.0, 0.0]),
        ] {
            let change = towards(norm, &point, &[3.0, -1.0, 2.0], rise, [0.0, 1.0]);
            for (change, expected) in change.iter().zip(expected) {
                assert!((change - expected).abs() < 1e-6, "{norm} {rise}: {change} {expected}");
            }
        }
        assert_eq!(towards(Norm::L2, &point, &[0.0; 3], 1.0, [0.0, 1.0]), [0.0; 3]);
    }
}
