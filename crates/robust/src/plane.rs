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
    let values = || point.iter().zip(normal).map(|(value, weight)| Value::new(*value, up * weight, range));
    match norm {
        Norm::Linf => {
            let scale = scale(values(), rise.abs(), |_| 1.0);
            values().map(|value| value.change(scale)).collect()
        }
        Norm::L2 => {
            let scale = scale(values(), rise.abs(), |weight| weight);
            values().map(|value| value.change(scale * value.weight)).collect()
        }
        Norm::L1 => filling(&values().collect::<Vec<_>>(), rise.abs()),
    }
}

/// One value of the point: the size of its weight, which way it moves, and how far it can.
#[derive(Clone, Copy)]
struct Value {
    weight: f32,
    up: bool,
    room: f32,
}

impl Value {
    fn new(value: f32, weight: f32, [low, high]: [f32; 2]) -> Self {
        let up = weight > 0.0;
        Self { weight: weight.abs(), up, room: if up { high - value } else { value - low } }
    }

    fn moves(self) -> bool {
        self.weight > 0.0 && self.room > 0.0
    }

    /// Its change where it would move by `size`, were there room.
    fn change(self, size: f32) -> f32 {
        let size = if self.moves() { size.min(self.room) } else { 0.0 };
        if self.up { size } else { -size }
    }
}

/// The λ for which the sizes `min(λ · speed(w_i), room_i)`, each times its weight, sum to `rise`.
fn scale(values: impl Iterator<Item = Value>, rise: f64, speed: impl Fn(f32) -> f32) -> f32 {
    let mut moving: Vec<Value> = Vec::with_capacity(values.size_hint().0);
    moving.extend(values.filter(|value| value.moves()));
    let (mut settled, mut scale) = (0.0, f32::INFINITY);
    while !moving.is_empty() {
        let slopes = moving.iter().map(|value| f64::from(value.weight) * f64::from(speed(value.weight)));
        scale = ((rise - settled) / slopes.sum::<f64>()).max(0.0) as f32;
        let before = moving.len();
        moving.retain(|value| {
            let moves = scale * speed(value.weight) < value.room;
            settled += if moves { 0.0 } else { f64::from(value.weight) * f64::from(value.room) };
            moves
        });
        if moving.len() == before {
            break;
        }
        if moving.is_empty() && settled < rise {
            scale = f32::INFINITY;
        }
    }
    scale
}

fn filling(values: &[Value], rise: f64) -> Vec<f32> {
    let mut order: Vec<usize> = (0..values.len()).filter(|&i| values[i].moves()).collect();
    order.sort_by(|&a, &b| values[b].weight.total_cmp(&values[a].weight));
    let (mut changes, mut left) = (vec![0.0; values.len()], rise);
    for i in order {
        changes[i] = values[i].change((left / f64::from(values[i].weight)) as f32);
        left -= f64::from(changes[i].abs()) * f64::from(values[i].weight);
        if left <= 0.0 {
            break;
        }
    }
    changes
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
