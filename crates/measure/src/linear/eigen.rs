use super::dot;

/// Eigenvalues of a symmetric matrix, the largest first, each with its eigenvector of length 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SymmetricEigen {
    /// Falling.
    pub(crate) values: Vec<f64>,
    /// `vectors[i]` belongs to `values[i]`.
    pub(crate) vectors: Vec<Vec<f64>>,
}

/// Rotations for one eigenvalue that suffice by far: two or three are usual.
const MOST: usize = 100;

impl SymmetricEigen {
    /// Decomposes `matrix` `[size, size]`: reflections make it tridiagonal, and shifted rotations that diagonal (Golub and
    /// Van Loan, "Matrix computations", sections 8.3.1 and 8.3.3, by the QL variant of EISPACK's `tql2`).
    ///
    /// `None` where an entry is not finite, or rotations do not come to an end.
    pub(crate) fn new(matrix: Vec<f64>, size: usize) -> Option<Self> {
        assert_eq!(matrix.len(), size * size, "a square matrix");
        if matrix.iter().any(|entry| !entry.is_finite()) {
            return None;
        }
        let mut form = Tridiagonal::new(matrix, size);
        form.diagonalize()?;
        let rows = form.basis.chunks_exact(size.max(1)).map(<[f64]>::to_vec);
        let mut pairs: Vec<(f64, Vec<f64>)> = form.diagonal.into_iter().zip(rows).collect();
        pairs.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let (values, vectors) = pairs.into_iter().unzip();
        Some(Self { values, vectors })
    }
}

/// basisᵀ · tridiagonal · basis, which is the matrix.
struct Tridiagonal {
    diagonal: Vec<f64>,
    /// Entry (i, i + 1), and a 0 at the end.
    beside: Vec<f64>,
    /// Rows of length 1 at right angles; none where they are not asked for.
    basis: Vec<f64>,
    size: usize,
    /// What beside the diagonal counts as nothing, next to what its neighbours on it make so.
    nothing: f64,
}

/// The eigenvalues, in no order, of a symmetric matrix of this `diagonal` and the entries `beside` it, with a 0 at the end,
/// to the precision of the largest; `None` where rotations do not come to an end.
pub(super) fn tridiagonal_eigenvalues(diagonal: Vec<f64>, beside: Vec<f64>) -> Option<Vec<f64>> {
    let size = diagonal.len();
    assert_eq!(beside.len(), size, "as many entries beside the diagonal as on it");
    let largest = diagonal.iter().chain(&beside).map(|entry| entry.abs()).fold(0.0, f64::max);
    let mut form = Tridiagonal { diagonal, beside, basis: Vec::new(), size, nothing: f64::EPSILON * largest };
    form.diagonalize()?;
    Some(form.diagonal)
}

impl Tridiagonal {
    fn new(mut matrix: Vec<f64>, size: usize) -> Self {
        let mut basis: Vec<f64> = vec![0.0; size * size];
        (0..size).for_each(|i| basis[i * size + i] = 1.0);
        let mut beside = vec![0.0; size];
        for k in 0..size.saturating_sub(1) {
            let mut mirror = matrix[k * size..][..size].to_vec();
            mirror[..=k].fill(0.0);
            let length = dot(&mirror, &mirror).sqrt();
            // Away from the entry that stays, so that nothing cancels.
            beside[k] = -length.copysign(mirror[k + 1]);
            mirror[k + 1] -= beside[k];
            let squared = dot(&mirror, &mirror);
            if squared > 0.0 {
                reflect(&mut matrix, size, k + 1, &mirror, 2.0 / squared);
                reflect_rows(&mut basis, size, k + 1, &mirror, 2.0 / squared);
            }
        }
        let diagonal = (0..size).map(|i| matrix[i * size + i]).collect();
        Self { diagonal, beside, basis, size, nothing: 0.0 }
    }

    /// Turns planes of neighbours until nothing is left beside the diagonal.
    fn diagonalize(&mut self) -> Option<()> {
        for first in 0..self.size {
            let mut rounds = 0;
            while let last = self.block(first)
                && last > first
            {
                self.sweep(first, last);
                rounds += 1;
                if rounds > MOST {
                    return None;
                }
            }
        }
        Some(())
    }

    /// The last place that hangs together with `first`.
    fn block(&self, first: usize) -> usize {
        let is_zero = |i: &usize| {
            let scale = self.diagonal[*i].abs() + self.diagonal[i + 1].abs();
            self.beside[*i].abs() <= (f64::EPSILON * scale).max(self.nothing)
        };
        (first..self.size - 1).find(is_zero).unwrap_or(self.size - 1)
    }

    /// One step from `last` up to `first`, shifted by the eigenvalue of the first two that is nearer to the first.
    fn sweep(&mut self, first: usize, last: usize) {
        let (d, e) = (&mut self.diagonal, &mut self.beside);
        let half = (d[first + 1] - d[first]) / (2.0 * e[first]);
        let shift = d[first] - e[first] / (half + half.hypot(1.0).copysign(half));
        let (mut sine, mut cosine, mut carried) = (1.0, 1.0, 0.0);
        let mut bulge = d[last] - shift;
        for i in (first..last).rev() {
            let (out, kept) = (sine * e[i], cosine * e[i]);
            let length = out.hypot(bulge);
            e[i + 1] = length;
            if length == 0.0 {
                // It falls apart here already.
                d[i + 1] -= carried;
                e[last] = 0.0;
                return;
            }
            (sine, cosine) = (out / length, bulge / length);
            let below = d[i + 1] - carried;
            let mixed = (d[i] - below) * sine + 2.0 * cosine * kept;
            carried = sine * mixed;
            d[i + 1] = below + carried;
            bulge = cosine * mixed - kept;
            if !self.basis.is_empty() {
                turn(&mut self.basis, self.size, i, [cosine, sine]);
            }
        }
        d[first] -= carried;
        e[first] = bulge;
        e[last] = 0.0;
    }
}

/// H · matrix · H for the reflection H = 1 − factor · mirror · mirrorᵀ, of which the rows and columns from `from` change;
/// those before are not looked at again.
fn reflect(matrix: &mut [f64], size: usize, from: usize, mirror: &[f64], factor: f64) {
    let products: Vec<f64> = (from..size)
        .map(|i| factor * dot(&matrix[i * size + from..][..size - from], &mirror[from..]))
        .collect();
    let half = 0.5 * factor * dot(&products, &mirror[from..]);
    let along: Vec<f64> = products.iter().zip(&mirror[from..]).map(|(p, v)| p - half * v).collect();
    for i in from..size {
        let (v, w) = (mirror[i], along[i - from]);
        let row = matrix[i * size + from..][..size - from].iter_mut();
        row.zip(along.iter().zip(&mirror[from..]))
            .for_each(|(entry, (along, m))| *entry -= v * along + w * m);
    }
}

/// H · basis.
fn reflect_rows(basis: &mut [f64], size: usize, from: usize, mirror: &[f64], factor: f64) {
    let mut sums = vec![0.0; size];
    for (row, v) in basis.chunks_exact(size).zip(mirror).skip(from) {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += v * x);
    }
    for (row, v) in basis.chunks_exact_mut(size).zip(mirror).skip(from) {
        row.iter_mut().zip(&sums).for_each(|(x, sum)| *x -= factor * v * sum);
    }
}

/// Turns the rows i and i + 1 of the basis.
fn turn(basis: &mut [f64], size: usize, i: usize, [cosine, sine]: [f64; 2]) {
    let (above, below) = basis[i * size..][..2 * size].split_at_mut(size);
    for (a, b) in above.iter_mut().zip(below) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_difference_has_its_known_eigenvalues() {
        // 2 − 2 cos(kπ/(n + 1)).
        let size = 12;
        let entry = |i: usize, j: usize| match i.abs_diff(j) {
            0 => 2.0,
            1 => -1.0,
            _ => 0.0,
        };
        let matrix: Vec<f64> = (0..size * size).map(|at| entry(at / size, at % size)).collect();
        let found = SymmetricEigen::new(matrix, size).unwrap();
        for (k, value) in found.values.iter().rev().enumerate() {
            let angle = std::f64::consts::PI * (k + 1) as f64 / (size + 1) as f64;
            assert!((value - (2.0 - 2.0 * angle.cos())).abs() < 1e-13, "{k}: {value}");
        }
        for (i, vector) in found.vectors.iter().enumerate() {
            let times: Vec<f64> =
                (0..size).map(|r| (0..size).map(|c| entry(r, c) * vector[c]).sum()).collect();
            for (left, right) in times.iter().zip(vector) {
                assert!((left - found.values[i] * right).abs() < 1e-12);
            }
            for (j, other) in found.vectors.iter().enumerate() {
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((super::super::dot(vector, other) - expected).abs() < 1e-13);
            }
        }
    }

    #[test]
    fn equal_and_zero_eigenvalues_are_found() {
        let found = SymmetricEigen::new(vec![1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], 3).unwrap();
        assert!((found.values[0] - 3.0).abs() < 1e-15 && found.values[1..].iter().all(|v| v.abs() < 1e-15));
        assert_eq!(SymmetricEigen::new(vec![3.0, 0.0, 0.0, 5.0], 2).unwrap().values, [5.0, 3.0]);
        assert_eq!(SymmetricEigen::new(vec![0.0; 16], 4).unwrap().values, [0.0; 4]);
        assert!(SymmetricEigen::new(vec![f64::NAN], 1).is_none());
    }
}
