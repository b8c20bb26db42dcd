use super::Groups;

/// The generalized entropy index GE(α) of the benefits b = ŷ − y + 1, which are 2 of a false positive, 0 of a false negative
/// and 1 of a right answer: how unequally a model spreads its errors over people. 0 is equal.
///
/// With the mean benefit μ it is the mean of ((b/μ)^α − 1)/(α(α − 1)); for α = 1, Theil's index, the mean of b/μ · ln(b/μ);
/// for α = 0 the mean of −ln(b/μ), which is infinite with a false negative, as is any α below.
///
/// `None` without examples, or where all benefits are 0.
///
/// Source: T. Speicher et al., "A unified approach to quantifying algorithmic unfairness", KDD 2018.
///
/// # Panics
///
/// If the slices differ in length.
pub fn generalized_entropy(actual: &[bool], predicted: &[bool], alpha: f64) -> Option<f64> {
    entropy(&benefits(actual, predicted), alpha)
}

/// Theil's index, [`generalized_entropy`] at α = 1.
///
/// # Panics
///
/// If the slices differ in length.
pub fn theil_index(actual: &[bool], predicted: &[bool]) -> Option<f64> {
    generalized_entropy(actual, predicted, 1.0)
}

/// What of [`generalized_entropy`] is between groups: that of everyone having the mean benefit of the own group. The rest
/// is within groups.
///
/// # Panics
///
/// If the three differ in their number of examples.
pub fn between_groups_entropy(
    groups: &Groups,
    actual: &[bool],
    predicted: &[bool],
    alpha: f64,
) -> Option<f64> {
    assert_eq!(actual.len(), groups.len(), "a label for each example");
    let benefits = benefits(actual, predicted);
    let mut sums = vec![(0.0, 0.0); groups.count()];
    for (group, benefit) in groups.labels().iter().zip(&benefits) {
        sums[*group].0 += benefit;
        sums[*group].1 += 1.0;
    }
    let means: Vec<f64> = groups.labels().iter().map(|group| sums[*group].0 / sums[*group].1).collect();
    entropy(&means, alpha)
}

fn benefits(actual: &[bool], predicted: &[bool]) -> Vec<f64> {
    assert_eq!(actual.len(), predicted.len(), "an answer for each label");
    let benefit = |(actual, predicted): (&bool, &bool)| {
        f64::from(u8::from(*predicted)) - f64::from(u8::from(*actual)) + 1.0
    };
    actual.iter().zip(predicted).map(benefit).collect()
}

fn entropy(benefits: &[f64], alpha: f64) -> Option<f64> {
    let count = benefits.len() as f64;
    let mean = benefits.iter().sum::<f64>() / count;
    let term = |benefit: &f64| {
        let share = benefit / mean;
        match alpha {
            0.0 => -share.ln(),
            1.0 if share == 0.0 => 0.0,
            1.0 => share * share.ln(),
            _ => (share.powf(alpha) - 1.0) / (alpha * (alpha - 1.0)),
        }
    };
    (mean > 0.0).then(|| benefits.iter().map(term).sum::<f64>() / count)
}
