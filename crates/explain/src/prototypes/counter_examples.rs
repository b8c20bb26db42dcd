use super::squared_distance;

/// For each of the points `of` a class in turn, the nearest point of another class that is not yet chosen, as its class and
/// its place there; the first of equals. `points` are `[n, width]` for each class.
///
/// The nearest unlike neighbour: B. Dasarathy: Nearest unlike neighbor (NUN): an aid to decision confidence estimation,
/// 1995.
pub(super) fn nearest(points: &[Vec<f32>], width: usize, class: usize, of: &[usize]) -> Vec<(usize, usize)> {
    let mut chosen: Vec<(usize, usize)> = Vec::new();
    for &from in of {
        let here = &points[class][from * width..][..width];
        let others = points.iter().enumerate().filter(|&(other, _)| other != class);
        let others = others.flat_map(|(other, points)| {
            points.chunks_exact(width).enumerate().map(move |(i, there)| ((other, i), there))
        });
        let free = others.filter(|(place, _)| !chosen.contains(place));
        let apart = free.map(|(place, there)| (place, squared_distance(here, there)));
        let Some((place, _)) = apart.min_by(|a, b| a.1.total_cmp(&b.1)) else { break };
        chosen.push(place);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_the_nearest_of_another_class_and_taken_once() {
        let points = [vec![0.0, 0.0, 10.0, 0.0], vec![3.0, 0.0, 9.0, 4.0], vec![], vec![0.0, 4.0]];
        assert_eq!(nearest(&points, 2, 0, &[0, 1]), [(1, 0), (1, 1)]);
        assert_eq!(nearest(&points, 2, 0, &[1, 0]), [(1, 1), (1, 0)]);
        // The second would be (1, 0) again.
        assert_eq!(nearest(&points, 2, 0, &[0, 0, 0, 0]), [(1, 0), (3, 0), (1, 1)]);
        assert!(nearest(&points, 2, 2, &[]).is_empty());
    }
}
