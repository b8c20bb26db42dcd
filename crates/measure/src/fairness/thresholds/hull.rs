/// A corner of a concave hull: a threshold, and what it does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Corner {
    pub(super) threshold: f64,
    pub(super) x: f64,
    pub(super) y: f64,
}

/// The corners of the least concave function above points of rising x, each with a threshold (Andrew's monotone chain).
pub(super) fn upper_hull(points: impl Iterator<Item = Corner>) -> Vec<Corner> {
    let mut hull: Vec<Corner> = Vec::new();
    for point in points {
        while let [.., a, b] = hull[..] {
            let turn = (b.x - a.x) * (point.y - a.y) - (b.y - a.y) * (point.x - a.x);
            if turn < 0.0 {
                break;
            }
            hull.pop();
        }
        // Of two points at one x the higher counts.
        while hull.last().is_some_and(|last| last.x == point.x && last.y <= point.y) {
            hull.pop();
        }
        if hull.last().is_none_or(|last| last.x < point.x) {
            hull.push(point);
        }
    }
    hull
}

/// The corners on both sides of x, and the share of the right one by which they meet there.
pub(super) fn around(hull: &[Corner], x: f64) -> (Corner, Corner, f64) {
    let right = hull.partition_point(|corner| corner.x < x).clamp(1, hull.len().max(2) - 1);
    let (left, right) = (hull[right - 1], hull[right.min(hull.len() - 1)]);
    let width = right.x - left.x;
    let share = if width > 0.0 { ((x - left.x) / width).clamp(0.0, 1.0) } else { 0.0 };
    (left, right, share)
}

/// The hull's height at x.
pub(super) fn height(hull: &[Corner], x: f64) -> f64 {
    let (left, right, share) = around(hull, x);
    left.y + share * (right.y - left.y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dents_are_bridged_and_steps_climbed() {
        let points = [(0.0, 0.0), (0.0, 0.2), (0.25, 0.3), (0.5, 0.9), (0.75, 0.9), (1.0, 1.0)];
        let hull = upper_hull(points.into_iter().map(|(x, y)| Corner { threshold: 0.0, x, y }));
        let corners: Vec<(f64, f64)> = hull.iter().map(|c| (c.x, c.y)).collect();
        assert_eq!(corners, [(0.0, 0.2), (0.5, 0.9), (1.0, 1.0)]);
        assert!((height(&hull, 0.25) - 0.55).abs() < 1e-15);
        assert_eq!((height(&hull, 0.0), height(&hull, 1.0)), (0.2, 1.0));
    }
}
