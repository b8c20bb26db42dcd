use super::Groups;

/// Weights of examples under which label and group are independent: P(group)·P(label)/P(group, label) of each example's own,
/// as counted. Training with them sees labels as they would be were groups treated alike. They add up to the number of
/// examples.
///
/// Source: F. Kamiran, T. Calders, "Data preprocessing techniques for classification without discrimination", Knowl. Inf.
/// Syst. 33 (2012).
///
/// # Panics
///
/// If there is not one label below `classes` per example.
pub fn reweighing(groups: &Groups, labels: &[usize], classes: usize) -> Vec<f64> {
    assert_eq!(labels.len(), groups.len(), "a label for each example");
    let mut of_group = vec![0.0; groups.count()];
    let mut of_class = vec![0.0; classes];
    let mut of_both = vec![0.0; groups.count() * classes];
    for (group, label) in groups.labels().iter().zip(labels) {
        of_group[*group] += 1.0;
        of_class[*label] += 1.0;
        of_both[group * classes + label] += 1.0;
    }
    let all = labels.len() as f64;
    let weight = |(group, label): (&usize, &usize)| {
        of_group[*group] * of_class[*label] / (all * of_both[group * classes + label])
    };
    groups.labels().iter().zip(labels).map(weight).collect()
}
