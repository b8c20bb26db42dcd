use super::dot;
use super::eigen::tridiagonal_eigenvalues;

/// The singular values of `matrix` `[rows, columns]`, the largest first, to the precision of the largest: reflections from
/// both sides make it bidiagonal, B, and the eigenvalues of (0 B; Bᵀ 0), whose rows can be put in an order that makes it
/// tridiagonal, are the singular values with either sign. Nothing is squared (Golub and Van Loan, "Matrix
/// computations", sections 5.4.8 and 8.6.1).
///
/// `None` where an entry is not finite, or rotations do not come to an end.
pub(crate) fn singular_values(mut matrix: Vec<f64>, rows: usize, columns: usize) -> Option<Vec<f64>> {
    assert_eq!(matrix.len(), rows * columns, "rows and columns");
    if matrix.iter().any(|entry| !entry.is_finite()) {
        return None;
    }
    let count = rows.min(columns);
    // The diagonal and what is beside it, in turns.
    let mut beside = Vec::with_capacity(2 * count);
    for k in 0..count {
        let mut down: Vec<f64> = (k..rows).map(|i| matrix[i * columns + k]).collect();
        beside.push(reflect_down(&mut matrix[k * columns..], columns, k, &mut down));
        beside.push(reflect_right(&mut matrix[k * columns..], columns, k + 1));
    }
    // With at least as many rows as columns nothing lies right of the last, and with fewer there is one value that does.
    let size = if rows < columns { 2 * count + 1 } else { 2 * count };
    beside.resize(size, 0.0);
    let mut values = tridiagonal_eigenvalues(vec![0.0; size], beside)?;
    values.sort_by(|a, b| b.total_cmp(a));
    values.truncate(count);
    Some(values.into_iter().map(|value| value.max(0.0)).collect())
}

/// Turns column `k`, which stands in `down`, into one value on top, which is given back, and the columns behind it with it.
fn reflect_down(matrix: &mut [f64], columns: usize, k: usize, down: &mut [f64]) -> f64 {
    let (value, factor) = mirror(down);
    let mut sums = vec![0.0; columns - k - 1];
    for (row, v) in matrix.chunks_exact(columns).zip(&*down) {
        sums.iter_mut().zip(&row[k + 1..]).for_each(|(sum, x)| *sum += v * x);
    }
    for (row, v) in matrix.chunks_exact_mut(columns).zip(&*down) {
        row[k + 1..].iter_mut().zip(&sums).for_each(|(x, sum)| *x -= factor * v * sum);
    }
    value
}

/// Turns the first row from the column `from` on into one value, which is given back, and the rows below with it.
fn reflect_right(matrix: &mut [f64], columns: usize, from: usize) -> f64 {
    let (first, below) = matrix.split_at_mut(columns);
    let right = &mut first[from..];
    let (value, factor) = mirror(right);
    for row in below.chunks_exact_mut(columns) {
        let share = factor * dot(&row[from..], right);
        row[from..].iter_mut().zip(&*right).for_each(|(x, v)| *x -= share * v);
    }
    value
}

/// Makes of a vector the mirror v that turns it into its first place, and gives the value there and f of the reflection
/// 1 − f v vᵀ.
fn mirror(vector: &mut [f64]) -> (f64, f64) {
    let Some(first) = vector.first().copied() else { return (0.0, 0.0) };
    // Away from the entry that stays, so that nothing cancels.
    let value = -dot(vector, vector).sqrt().copysign(first);
    vector[0] -= value;
    let squared = dot(vector, vector);
    (value, if squared > 0.0 { 2.0 / squared } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::super::SymmetricEigen;
    use super::*;

    fn entry(at: usize) -> f64 {
        ((at * at + 3 * at) as f64 * 0.7).sin()
    }

    #[test]
    fn values_are_the_roots_of_the_eigenvalues_of_the_square() {
        for (rows, columns) in [(5, 5), (9, 4), (4, 9), (1, 6), (6, 1)] {
            let matrix: Vec<f64> = (0..rows * columns).map(entry).collect();
            let found = singular_values(matrix.clone(), rows, columns).unwrap();
            assert_eq!(found.len(), rows.min(columns));
            let lines: Vec<&[f64]> = matrix.chunks_exact(columns).collect();
            let square = lines.iter().flat_map(|a| lines.iter().map(|b| dot(a, b))).collect();
            let squares = SymmetricEigen::new(square, rows).unwrap().values;
            for (value, square) in found.iter().zip(squares) {
                assert!((value * value - square).abs() < 1e-13, "{value} for the root of {square}");
            }
        }
    }

    #[test]
    fn missing_directions_have_values_of_zero() {
        // 30 × 40 of rank 3, of known values: products of cosines at right angles.
        let wave = |k: usize, at: usize, size: usize| {
            let angle = std::f64::consts::PI * k as f64 * (at as f64 + 0.5) / size as f64;
            (2.0 / size as f64).sqrt() * angle.cos()
        };
        let known = [5.0, 2.0, 1e-6];
        let entry = |i: usize, j: usize| {
            known.iter().zip(1..).map(|(value, k)| value * wave(k, i, 30) * wave(k, j, 40)).sum::<f64>()
        };
        let matrix = (0..1200).map(|at| entry(at / 40, at % 40)).collect();
        let found = singular_values(matrix, 30, 40).unwrap();
        for (value, known) in found.iter().zip(known.into_iter().chain(std::iter::repeat(0.0))) {
            assert!((value - known).abs() < 1e-14, "{value} for {known}");
        }
        assert_eq!(singular_values(vec![0.0; 6], 2, 3), Some(vec![0.0; 2]));
        assert_eq!(singular_values(Vec::new(), 0, 3), Some(Vec::new()));
        assert_eq!(singular_values(vec![f64::NAN], 1, 1), None);
    }
}
