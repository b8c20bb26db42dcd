use serde::{Deserialize, Serialize};

/// The error a·n^(−b) + c after training on n examples.
///
/// Source: C. Cortes et al., "Learning curves: asymptotic values and rate of convergence", NeurIPS 1993; J. Hestness et al.,
/// "Deep learning scaling is predictable, empirically" (2017).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PowerLaw {
    /// a, not below 0.
    pub scale: f64,
    /// b, how fast the error falls, within [0.01, 5]. Means nothing where a is 0.
    pub exponent: f64,
    /// c, not below 0: the error that no number of examples removes.
    pub floor: f64,
}

/// Where the exponent is looked for.
const EXPONENTS: [f64; 2] = [0.01, 5.0];

/// Exponents that are tried before the search, evenly in their logarithm.
const TRIED: usize = 120;

impl PowerLaw {
    /// The error after training on so many examples.
    pub fn at(&self, examples: f64) -> f64 {
        self.scale * examples.powf(-self.exponent) + self.floor
    }

    /// The law of the least squares of `errors` at `sizes`, which are positive and at least one.
    ///
    /// Given b, a and c follow by linear least squares under their bounds; b is looked for on a grid, and then where the
    /// slope of the squares changes its sign.
    pub(super) fn fit(sizes: &[f64], errors: &[f64]) -> Self {
        let smallest = sizes.iter().copied().fold(f64::INFINITY, f64::min);
        let given = |exponent: f64| Given::new(sizes, errors, smallest, exponent);
        let [low, high] = EXPONENTS.map(f64::ln);
        let tried = |at: usize| (low + (high - low) * at as f64 / (TRIED - 1) as f64).exp();
        let squares: Vec<f64> = (0..TRIED).map(|at| given(tried(at)).squares).collect();
        let best = (1..TRIED).fold(0, |best, at| if squares[at] < squares[best] { at } else { best });
        let [mut left, mut right] = [tried(best.saturating_sub(1)), tried((best + 1).min(TRIED - 1))];
        for _ in 0..100 {
            let middle = f64::midpoint(left, right);
            match given(middle).slope > 0.0 {
                true => right = middle,
                false => left = middle,
            }
        }
        let found = given(f64::midpoint(left, right));
        let scale = found.scale * smallest.powf(found.exponent);
        Self { scale, exponent: found.exponent, floor: found.floor }
    }
}

/// The best a and c for one b, where sizes are counted in the smallest.
struct Given {
    exponent: f64,
    scale: f64,
    floor: f64,
    /// Sum of squared residuals, and half its derivative by b.
    squares: f64,
    slope: f64,
}

impl Given {
    fn new(sizes: &[f64], errors: &[f64], smallest: f64, exponent: f64) -> Self {
        let powers: Vec<f64> = sizes.iter().map(|n| (n / smallest).powf(-exponent)).collect();
        let [scale, floor] = nonnegative_line(&powers, errors);
        let (mut squares, mut slope) = (0.0, 0.0);
        for ((n, power), error) in sizes.iter().zip(&powers).zip(errors) {
            let residual = scale * power + floor - error;
            squares += residual * residual;
            slope -= residual * scale * power * (n / smallest).ln();
        }
        Self { exponent, scale, floor, squares, slope }
    }
}

/// The slope and the intercept, neither below 0, of the least squares of y about a line over x ≥ 0, for y ≥ 0.
fn nonnegative_line(x: &[f64], y: &[f64]) -> [f64; 2] {
    let count = x.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
    let (mx, my) = (mean(x), mean(y));
    let spread: f64 = x.iter().map(|x| (x - mx).powi(2)).sum();
    let product: f64 = x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum();
    let slope = product / spread;
    // Of no spread, NaN: a constant.
    if slope.is_nan() || slope <= 0.0 {
        return [0.0, my];
    }
    match my - slope * mx {
        intercept if intercept >= 0.0 => [slope, intercept],
        _ => {
            let through_origin: f64 = x.iter().zip(y).map(|(x, y)| x * y).sum();
            [through_origin / x.iter().map(|x| x * x).sum::<f64>(), 0.0]
        }
    }
}
