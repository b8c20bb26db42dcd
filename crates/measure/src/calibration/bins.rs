use serde::{Deserialize, Serialize};

use super::Forecasts;
use crate::interval::{Interval, Proportion};

/// How probabilities are put into bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binning {
    /// So many bins of equal width, each without its lower end, but for 0, which is in the first (Guo et al. 2017). Most
    /// forecasts of a good network are in the last.
    EqualWidth(usize),
    /// So many bins of as nearly equal numbers of forecasts as possible (Nguyen and O'Connor 2015). Equal probabilities
    /// stay together, so that there may be fewer.
    EqualMass(usize),
}

/// The forecasts whose probabilities lie near each other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Which probabilities are in the bin: of equal width, up to `high`; of equal mass, from its least to its largest.
    pub range: Interval,
    /// The mean of the probabilities; `None` of an empty bin.
    pub confidence: Option<f64>,
    /// How many of the events happened: where the probability is that of being right, the accuracy.
    /// [`Proportion::interval`] is Wilson's, for the bars of a diagram.
    pub happened: Proportion,
}

impl ReliabilityBin {
    /// How far the mean probability lies above the share of events that happened, in [−1, 1]: positive where the forecasts
    /// are overconfident. `None` of an empty bin.
    pub fn gap(&self) -> Option<f64> {
        Some(self.confidence? - self.happened.estimate()?)
    }
}

impl Forecasts {
    /// The bins of a reliability diagram, by rising probability. Bins of equal width may be empty.
    ///
    /// # Panics
    ///
    /// If the number of bins is 0.
    pub fn bins(&self, binning: Binning) -> Vec<ReliabilityBin> {
        match binning {
            Binning::EqualWidth(bins) => self.of_equal_width(bins),
            Binning::EqualMass(bins) => self.of_equal_mass(bins),
        }
    }

    fn of_equal_width(&self, bins: usize) -> Vec<ReliabilityBin> {
        assert!(bins > 0, "no bins");
        let mut members = vec![Vec::new(); bins];
        for (index, probability) in self.probabilities().iter().enumerate() {
            let bin = (probability * bins as f64).ceil() as usize;
            members[bin.saturating_sub(1).min(bins - 1)].push(index);
        }
        let edge = |bin| bin as f64 / bins as f64;
        let range = |bin| Interval { low: edge(bin), high: edge(bin + 1) };
        members.iter().enumerate().map(|(bin, members)| self.bin(range(bin), members)).collect()
    }

    fn of_equal_mass(&self, bins: usize) -> Vec<ReliabilityBin> {
        assert!(bins > 0, "no bins");
        let probability = |index: &usize| self.probabilities()[*index];
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by(|a, b| probability(a).total_cmp(&probability(b)));
        let mut found = Vec::new();
        let mut start = 0;
        for bin in 1..=bins {
            let mut end = (bin * self.len() / bins).max(start);
            // Ties go to the bin in which they begin.
            while end > start && end < self.len() && probability(&order[end]) == probability(&order[end - 1])
            {
                end += 1;
            }
            if let (Some(first), Some(last)) = (order[start..end].first(), order[start..end].last()) {
                let range = Interval { low: probability(first), high: probability(last) };
                found.push(self.bin(range, &order[start..end]));
            }
            start = end;
        }
        found
    }

    fn bin(&self, range: Interval, members: &[usize]) -> ReliabilityBin {
        let total: f64 = members.iter().map(|i| self.probabilities()[*i]).sum();
        let happened = members.iter().filter(|i| self.outcomes()[**i]).count();
        ReliabilityBin {
            range,
            confidence: (!members.is_empty()).then(|| total / members.len() as f64),
            happened: Proportion { successes: happened as u64, trials: members.len() as u64 },
        }
    }
}
