use serde::{Deserialize, Serialize};

use super::{Forecasts, Unfit};
use crate::rows::Rows;

/// A function that never falls: straight between its points, constant beyond the first and the last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IsotonicCurve {
    points: Vec<[f64; 2]>,
}

impl IsotonicCurve {
    /// The never falling function that is nearest to the outcomes, 0 or 1, in the mean of squares, as a function of the
    /// probability: neighbours that would fall are pooled until none does.
    ///
    /// Source: M. Ayer et al., "An empirical distribution function for sampling with incomplete information", Ann. Math.
    /// Statist. 26 (1955); for calibration, B. Zadrozny, C. Elkan, KDD 2002. Between the points it is scikit-learn's
    /// `IsotonicRegression`.
    ///
    /// # Errors
    ///
    /// Without forecasts.
    pub fn fit(forecasts: &Forecasts) -> Result<Self, Unfit> {
        if forecasts.is_empty() {
            return Err(Unfit::Empty);
        }
        let pairs = forecasts.probabilities().iter().zip(forecasts.outcomes());
        let mut pairs: Vec<(f64, f64)> =
            pairs.map(|(p, happened)| (*p, f64::from(u8::from(*happened)))).collect();
        pairs.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let mut pools: Vec<Pool> = Vec::new();
        for tied in pairs.chunk_by(|(a, _), (b, _)| a == b) {
            let mut last = Pool::of(tied);
            while let Some(before) = pools.pop_if(|before| before.mean() >= last.mean()) {
                last = before.and(last);
            }
            pools.push(last);
        }
        Ok(Self { points: pools.iter().flat_map(Pool::points).collect() })
    }

    /// The calibrated probability.
    pub fn at(&self, probability: f64) -> f64 {
        let above = self.points.partition_point(|[x, _]| *x < probability);
        match (above.checked_sub(1).map(|below| self.points[below]), self.points.get(above).copied()) {
            (Some([x0, y0]), Some([x1, y1])) => y0 + (probability - x0) / (x1 - x0) * (y1 - y0),
            (Some([_, y]), None) | (None, Some([_, y])) => y,
            (None, None) => probability,
        }
    }

    /// The points [probability, calibrated], by rising probability.
    pub fn points(&self) -> &[[f64; 2]] {
        &self.points
    }
}

/// Neighbouring probabilities that are given one value.
struct Pool {
    from: f64,
    to: f64,
    sum: f64,
    count: f64,
}

impl Pool {
    fn of(tied: &[(f64, f64)]) -> Self {
        let sum = tied.iter().map(|(_, outcome)| outcome).sum();
        Self { from: tied[0].0, to: tied[0].0, sum, count: tied.len() as f64 }
    }

    fn mean(&self) -> f64 {
        self.sum / self.count
    }

    fn and(self, after: Self) -> Self {
        Self { from: self.from, to: after.to, sum: self.sum + after.sum, count: self.count + after.count }
    }

    fn points(&self) -> Vec<[f64; 2]> {
        let ends = if self.from == self.to { vec![self.from] } else { vec![self.from, self.to] };
        ends.into_iter().map(|x| [x, self.mean()]).collect()
    }
}

/// Isotonic regression of each class against the rest: each probability by its class's curve, then all divided by their
/// sum, so that they are probabilities again (Zadrozny and Elkan 2002). Answers may change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Isotonic {
    curves: Vec<IsotonicCurve>,
}

impl Isotonic {
    /// Fits a curve for each class to probabilities `[examples, classes]`. It takes some 1,000 examples of each class, and
    /// follows chance with fewer.
    ///
    /// # Errors
    ///
    /// Without examples, or where a number is no probability.
    ///
    /// # Panics
    ///
    /// As [`Forecasts::of_class`] does.
    pub fn fit(probabilities: Rows<'_>, labels: &[usize]) -> Result<Self, Unfit> {
        let curve = |class| {
            let forecasts =
                Forecasts::of_class(probabilities, labels, class).ok_or(Unfit::NotProbabilities)?;
            IsotonicCurve::fit(&forecasts)
        };
        Ok(Self { curves: (0..probabilities.width()).map(curve).collect::<Result<_, _>>()? })
    }

    /// The calibrated probabilities, in the shape `[examples, classes]` of those given. Where every class has 0, all have
    /// the same.
    ///
    /// # Panics
    ///
    /// If there are other classes than those fitted.
    pub fn apply(&self, probabilities: Rows<'_>) -> Vec<f64> {
        assert_eq!(probabilities.width(), self.curves.len(), "the classes that were fitted");
        probabilities.iter().flat_map(|row| self.row(row)).collect()
    }

    fn row(&self, row: &[f64]) -> Vec<f64> {
        let raw: Vec<f64> = row.iter().zip(&self.curves).map(|(p, curve)| curve.at(*p)).collect();
        let sum: f64 = raw.iter().sum();
        let classes = raw.len() as f64;
        raw.into_iter().map(|p| if sum > 0.0 { p / sum } else { 1.0 / classes }).collect()
    }
}
