use crucible_measure::argmax;

use super::Answered;

/// An example with how undecided the network is over it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) answered: Answered,
    /// Of the probabilities of all classes, in nats.
    entropy: f64,
}

impl Seen {
    /// From the probabilities of all classes and the true one.
    pub(super) fn new(index: usize, probabilities: &[f64], label: usize) -> Self {
        let answered = Answered { index, answer: argmax(probabilities), probability: probabilities[label] };
        let some = probabilities.iter().filter(|&&p| p > 0.0);
        Self { answered, entropy: -some.map(|p| p * p.ln()).sum::<f64>() }
    }
}

/// The examples with the highest probability of their true class, and those with the lowest, `count` of each. Of equals the
/// one of lower entropy is the more certain; then the first comes first in both.
pub(super) fn ends(mut examples: Vec<Seen>, count: usize) -> [Vec<Answered>; 2] {
    let first = |examples: &[Seen]| examples.iter().take(count).map(|seen| seen.answered).collect();
    let key = |seen: &Seen| (seen.answered.probability, -seen.entropy);
    let order = |a: (f64, f64), b: (f64, f64)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1));
    examples.sort_by(|a, b| order(key(b), key(a)).then(a.answered.index.cmp(&b.answered.index)));
    let most = first(&examples);
    examples.sort_by(|a, b| order(key(a), key(b)).then(a.answered.index.cmp(&b.answered.index)));
    [most, first(&examples)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probability_decides_then_the_entropy_then_the_place() {
        let rows = [
            [0.5, 0.5, 0.0],
            [0.9, 0.1, 0.0],
            [0.5, 0.25, 0.25],
            [0.0, 1.0, 0.0],
            [0.9, 0.05, 0.05],
            [0.9, 0.1, 0.0],
            [0.0, 0.5, 0.5],
        ];
        let seen = rows.iter().enumerate().map(|(index, row)| Seen::new(index, row, 0)).collect();
        let [most, least] = ends(seen, 5);
        let indices = |of: &[Answered]| of.iter().map(|answered| answered.index).collect::<Vec<_>>();
        assert_eq!(indices(&most), [1, 5, 4, 0, 2]);
        assert_eq!(indices(&least), [6, 3, 2, 0, 4]);
        assert_eq!(least[1], Answered { index: 3, answer: 1, probability: 0.0 });
        assert_eq!(indices(&ends(Vec::new(), 3)[0]), [0; 0]);
    }
}
