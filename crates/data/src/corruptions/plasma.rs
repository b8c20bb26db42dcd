//! Clouds: a fractal landscape by the diamond-square algorithm, on a torus.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Pixels of the whole landscape that all of MNIST-C's is known at, on a side.
const COARSE: usize = 32;
/// How much longer than a picture of MNIST, taken as 32, a side of the landscape is.
const WIDER: usize = 8;

/// Heights at the crossings of a grid, `[rows, columns]`.
struct Heights {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
}

/// How far heights are shifted at random, which shrinks from one grid to the next.
struct Shift<'a> {
    most: f32,
    decay: f32,
    rng: &'a mut ChaCha8Rng,
}

/// The corner of `size` of a landscape that is eight times as long and wide, between 0 and 1, the extremes of the whole. Shifts
/// shrink by the square of `decay` from one grid to the next that is twice as fine.
///
/// All of the landscape is made on a grid of 32 × 32, and only the corner on finer ones, whose shifts are too small to
/// change the extremes by more than some hundredths.
pub(super) fn corner([height, width]: [usize; 2], decay: f32, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let spacing = (height.max(width).next_power_of_two() * WIDER / COARSE).max(1);
    let mut shift = Shift { most: 1.0, decay: decay * decay, rng };
    let whole = torus(&mut shift);
    let places = |side: usize| (side - 1).div_ceil(spacing) + 3;
    let mut window = whole.around([places(height), places(width)]);
    for _ in 0..spacing.ilog2() {
        window = window.refined(&mut shift);
    }
    let rows = window.values.chunks_exact(window.columns).skip(1).take(height);
    let corner: Vec<f32> = rows.flat_map(|row| &row[1..=width]).copied().collect();
    let heights = || whole.values.iter().chain(&corner).copied();
    let (low, high) = (heights().fold(f32::INFINITY, f32::min), heights().fold(f32::NEG_INFINITY, f32::max));
    corner.iter().map(|value| (value - low) / (high - low)).collect()
}

/// The whole landscape, whose right edge meets its left and whose bottom its top.
fn torus(shift: &mut Shift<'_>) -> Heights {
    const SIDE: usize = COARSE;
    let mut values = vec![0.0f32; SIDE * SIDE];
    let mut step = SIDE;
    while step > 1 {
        let half = step / 2;
        let set = |values: &mut [f32], [y, x]: [usize; 2], of: [[usize; 2]; 4], shift: &mut Shift<'_>| {
            let sum: f32 = of.iter().map(|[y, x]| values[y % SIDE * SIDE + x % SIDE]).sum();
            values[y * SIDE + x] = 0.25 * sum + shift.draw();
        };
        let lines = || (0..SIDE).step_by(step);
        for (y, x) in lines().flat_map(|y| lines().map(move |x| (y, x))) {
            let corners = [[y, x], [y, x + step], [y + step, x], [y + step, x + step]];
            set(&mut values, [y + half, x + half], corners, shift);
        }
        for (y, x) in lines().flat_map(|y| lines().map(move |x| (y, x))) {
            let (up, left) = (y + SIDE - half, x + SIDE - half);
            let across = [[y, x], [y, x + step], [up, x + half], [y + half, x + half]];
            set(&mut values, [y, x + half], across, shift);
            let along = [[y, x], [y + step, x], [y + half, left], [y + half, x + half]];
            set(&mut values, [y + half, x], along, shift);
        }
        shift.shrink();
        step = half;
    }
    Heights { rows: SIDE, columns: SIDE, values }
}

impl Heights {
    /// So many rows and columns of a torus, from the last of each on.
    fn around(&self, [rows, columns]: [usize; 2]) -> Self {
        let place = |at: usize, side: usize| (at + side - 1) % side;
        let row =
            |y: usize| (0..columns).map(move |x| place(y, self.rows) * self.columns + place(x, self.columns));
        Self { rows, columns, values: (0..rows).flat_map(row).map(|at| self.values[at]).collect() }
    }

    /// The grid that is twice as fine, within the outermost squares' middles. So the second row and column stay the second.
    fn refined(&self, shift: &mut Shift<'_>) -> Self {
        let (rows, columns) = (2 * self.rows - 1, 2 * self.columns - 1);
        let mut values = vec![0.0f32; rows * columns];
        for (y, row) in self.values.chunks_exact(self.columns).enumerate() {
            row.iter().enumerate().for_each(|(x, value)| values[2 * y * columns + 2 * x] = *value);
        }
        for (y, x) in odd(rows).flat_map(|y| odd(columns).map(move |x| (y, x))) {
            let at = y * columns + x;
            let sum: f32 = [at - columns - 1, at - columns + 1, at + columns - 1, at + columns + 1]
                .map(|at| values[at])
                .iter()
                .sum();
            values[at] = 0.25 * sum + shift.draw();
        }
        let inner = |y: usize| (1..columns - 1).map(move |x| (y, x));
        for (y, x) in (1..rows - 1).flat_map(inner).filter(|(y, x)| (y + x) % 2 == 1) {
            let at = y * columns + x;
            let sum: f32 = [at - columns, at + columns, at - 1, at + 1].map(|at| values[at]).iter().sum();
            values[at] = 0.25 * sum + shift.draw();
        }
        shift.shrink();
        let lines = values.chunks_exact(columns).skip(1).take(rows - 2);
        let values = lines.flat_map(|line| &line[1..columns - 1]).copied().collect();
        Self { rows: rows - 2, columns: columns - 2, values }
    }
}

fn odd(end: usize) -> impl Iterator<Item = usize> {
    (1..end).step_by(2)
}

impl Shift<'_> {
    fn draw(&mut self) -> f32 {
        self.most * (2.0 * self.rng.random::<f32>() - 1.0)
    }

    fn shrink(&mut self) {
        self.most /= self.decay;
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::super::golden;
    use super::*;

    /// Of many landscapes of 28 × 28: mean, standard deviation, root mean square of the change from a pixel to
    /// the next, and standard deviation of the picture's mean.
    fn statistics(decay: f32, count: u16) -> [f64; 4] {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut sums = [0.0; 4];
        for _ in 0..count {
            let values: Vec<f64> = corner([28, 28], decay, &mut rng).into_iter().map(f64::from).collect();
            let steps = values
                .chunks_exact(28)
                .flat_map(|row| row.windows(2))
                .map(|pair| (pair[1] - pair[0]).powi(2));
            let mean = values.iter().sum::<f64>() / 784.0;
            let squares = values.iter().map(|value| value * value).sum::<f64>() / 784.0;
            let of = [mean, squares, steps.sum::<f64>() / 756.0, mean * mean];
            sums.iter_mut().zip(of).for_each(|(sum, value)| *sum += value / f64::from(count));
        }
        let [mean, squares, steps, means] = sums;
        [mean, (squares - mean * mean).sqrt(), steps.sqrt(), (means - mean * mean).sqrt()]
    }

    #[test]
    fn landscapes_are_like_mnist_cs() {
        for case in golden::cases("plasma") {
            let decay = golden::number(&case["decay"]) as f32;
            let theirs = golden::numbers(&case["statistics"]);
            for (ours, theirs) in statistics(decay, 2000).into_iter().zip(theirs) {
                assert!((ours / theirs - 1.0).abs() < 0.05, "{ours} for {theirs} at a decay of {decay}");
            }
        }
    }

    #[test]
    fn any_size_is_covered() {
        for size in [[1, 1], [1, 9], [30, 7], [64, 65]] {
            let found = corner(size, 1.5, &mut ChaCha8Rng::seed_from_u64(2));
            assert_eq!(found.len(), size[0] * size[1]);
            assert!(found.iter().all(|value| (0.0..=1.0).contains(value)));
        }
    }
}
