use crate::{Examples, Gap, Model, attribution::differences};

/// Whether values add up to what they should.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Completeness {
    /// Examples.
    pub examples: usize,
    /// Examples whose relative gap is at most the tolerance.
    pub within: usize,
    /// The median relative gap.
    pub median: f64,
    /// The largest relative gap.
    pub worst: f64,
}

/// Counts the examples whose values miss their sum by at most `tolerance` of it. Where scores hardly differ, a relative
/// gap says little: look at [`Gap::absolute`] there. Zeros for no examples.
#[must_use]
pub fn completeness(gaps: &[Gap], tolerance: f64) -> Completeness {
    let mut relative: Vec<f64> = gaps.iter().map(|gap| gap.relative).collect();
    relative.sort_by(f64::total_cmp);
    let (low, high) = (relative.len().saturating_sub(1) / 2, relative.len() / 2);
    let at = |i: usize| relative.get(i).copied().unwrap_or_default();
    Completeness {
        examples: gaps.len(),
        within: relative.iter().filter(|&&gap| gap <= tolerance).count(),
        median: if low == high { at(low) } else { 0.5 * (at(low) + at(high)) },
        worst: relative.last().copied().unwrap_or_default(),
    }
}

/// By how much any values `[n, features]` miss `f(x) − f(baseline)`, for a baseline of each example: for methods that do
/// not say it themselves.
#[must_use]
pub fn gaps(model: &Model<'_>, on: &Examples<'_>, values: &[f32], baseline: &[f32]) -> Vec<Gap> {
    let sums = values.chunks_exact(on.features()).map(|row| row.iter().map(|&v| f64::from(v)).sum());
    sums.zip(differences(model, on, baseline)).map(|(sum, expected)| Gap::new(sum, expected)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_counted() {
        let gaps = [Gap::new(1.0, 1.0), Gap::new(1.1, 1.0), Gap::new(0.0, 0.0), Gap::new(-3.0, -2.0)];
        let found = completeness(&gaps, 0.2);
        assert_eq!((found.examples, found.within, found.worst), (4, 3, 0.5));
        assert!((found.median - 0.05).abs() < 1e-12);
        assert_eq!(completeness(&[], 0.1).worst, 0.0);
    }
}
