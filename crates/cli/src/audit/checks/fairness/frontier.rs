//! What a threshold for each group, chosen after training, would do.

use crucible_measure::{
    Proportion,
    fairness::{
        Groups, Outcomes, Rate, count_outcomes,
        thresholds::{GroupThresholds, Parity, Scored},
    },
};
use crucible_report::{Block, Chart, Column, Figure, LineChart, Series, Table, Value};

use super::{Metric, groups::Grouped};

/// How far rates may differ on the examples that thresholds are chosen on.
const TOLERANCES: [f64; 7] = [0.0, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2];

/// Examples of some groups.
struct Part {
    scores: Vec<f64>,
    actual: Vec<bool>,
    groups: Groups,
}

impl Part {
    /// Every second example of the groups that are large enough, from the first or from the second on.
    fn new(grouped: &Grouped, first: usize) -> Self {
        let kept: Vec<usize> = (0..grouped.outcomes.len()).filter(|group| grouped.is_large(*group)).collect();
        let place = |index: &usize| kept.iter().position(|group| *group == grouped.groups.labels()[*index]);
        let chosen: Vec<(usize, usize)> = (0..grouped.groups.len())
            .filter_map(|index| Some((index, place(&index)?)))
            .skip(first)
            .step_by(2)
            .collect();
        Self {
            scores: chosen.iter().map(|(index, _)| grouped.scores[*index]).collect(),
            actual: chosen.iter().map(|(index, _)| grouped.actual[*index]).collect(),
            groups: Groups::new(chosen.iter().map(|(_, group)| *group).collect(), kept.len()),
        }
    }

    fn outcomes(&self, called: &[bool]) -> Vec<Outcomes> {
        count_outcomes(&self.groups, &self.actual, called)
    }
}

/// Accuracy and gap of thresholds that were chosen on every other example, on the rest; none where a group has too few of both
/// kinds.
pub(super) fn frontier<M: Metric>(grouped: &Grouped, parity: Parity) -> Option<[Block; 2]> {
    let (chosen_on, rest) = (Part::new(grouped, 0), Part::new(grouped, 1));
    let Part { scores, actual, groups } = &chosen_on;
    let fitted = GroupThresholds::frontier(Scored { scores, actual, groups }, parity, &TOLERANCES).ok()?;
    let measure = |called: &[bool]| -> Option<[f64; 2]> {
        let outcomes = rest.outcomes(called);
        Some([M::gap(&outcomes, grouped.how)?.difference.value, accuracy(&outcomes).estimate()?])
    };
    let free: Vec<bool> = rest.scores.iter().map(|score| *score > 0.5).collect();
    let as_it_is = measure(&free)?;
    let points: Vec<[f64; 2]> =
        fitted.iter().filter_map(|fit| measure(&fit.apply(&rest.scores, &rest.groups))).collect();
    if points.len() < TOLERANCES.len() {
        return None;
    }
    let row = |name: Value, [gap, accuracy]: [f64; 2]| {
        vec![
            name,
            Value::number(gap, 4),
            Value::percent(accuracy, 2),
            Value::percent(accuracy - as_it_is[1], 2),
        ]
    };
    let rows =
        TOLERANCES.iter().zip(&points).map(|(tolerance, point)| row(Value::number(*tolerance, 2), *point));
    let names = ["Difference", "Accuracy", "Accuracy gained"].map(Column::right);
    let table = Table {
        columns: std::iter::once(Column::left("Allowed difference")).chain(names).collect(),
        rows: std::iter::once(row(Value::text("no threshold by group"), as_it_is)).chain(rows).collect(),
        caption: "A threshold for each group, chosen on every other example and measured on the rest. It needs to know \
                  everyone's group when it decides, which the law may forbid."
            .to_owned(),
    };
    let figure = Figure {
        title: format!("What {} costs", M::TITLE.to_lowercase()),
        caption: String::new(),
        chart: Chart::Line(LineChart {
            x_label: "difference between groups".to_owned(),
            y_label: "accuracy".to_owned(),
            series: vec![
                Series::new("thresholds by group", points),
                Series::new("network as it is", [as_it_is]),
            ],
            ..LineChart::default()
        }),
    };
    Some([figure.into(), table.into()])
}

fn accuracy(outcomes: &[Outcomes]) -> Proportion {
    let shares = outcomes.iter().map(|outcomes| Rate::Accuracy.of(outcomes));
    shares.fold(Proportion { successes: 0, trials: 0 }, |all, one| Proportion {
        successes: all.successes + one.successes,
        trials: all.trials + one.trials,
    })
}
