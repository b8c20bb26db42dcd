//! Unseen examples by group, and what the network does in each.

use crucible_measure::fairness::{
    Comparison, Groups, Outcomes, Rate, count_outcomes, disparity, one_against_rest,
};
use crucible_report::{Bar, BarChart, Chart, Figure, Level, Note};

use super::{Metric, frontier::frontier};
use crate::{
    audit::{Finding, Subject, Unmeasured, finding::skip, several::Several},
    findings::{CONFIDENCE, share},
};

/// Examples below which a group says nothing, where nothing else is set.
pub(super) fn thirty() -> u64 {
    30
}

/// What the network does in each group.
pub(super) struct Grouped {
    names: Vec<String>,
    pub(super) outcomes: Vec<Outcomes>,
    /// The group of each example.
    pub(super) groups: Groups,
    /// The probability of the favourable answer to each.
    pub(super) scores: Vec<f64>,
    /// Whether each deserves it.
    pub(super) actual: Vec<bool>,
    /// The favourable class.
    favourable: String,
    pub(super) how: Comparison,
}

/// `sex and race`
pub(super) fn named(columns: &Several<String>) -> String {
    columns.iter().map(String::as_str).collect::<Vec<_>>().join(" and ")
}

impl Grouped {
    /// Sorts the unseen examples by columns, all of them at once, and counts answers for and against a class.
    pub(super) fn new(
        subject: &Subject,
        columns: &Several<String>,
        favourable: Option<&str>,
        least: u64,
    ) -> Result<Self, Unmeasured> {
        let answers = subject.answers()?;
        let (names, groups) = groups(subject, columns)?;
        let classes = subject.classes()?;
        let class = match favourable {
            Some(name) => match classes.iter().position(|class| class == name) {
                Some(class) => class,
                None => {
                    return skip(format!("there is no class `{name}`; there are: {}", classes.join(", ")));
                }
            },
            None if classes.len() == 2 => 1,
            None => {
                let classes = classes.join(", ");
                return skip(format!("set `favourable` to the class that is good to get, one of: {classes}"));
            }
        };
        let [actual, predicted] =
            [&answers.labels, &answers.classes()].map(|labels| one_against_rest(labels, class));
        let outcomes = count_outcomes(&groups, &actual, &predicted);
        let how = Comparison { least, confidence: CONFIDENCE };
        let scores = answers.rows().iter().map(|row| row[class]).collect();
        Ok(Self { names, outcomes, groups, scores, actual, favourable: classes[class].clone(), how })
    }

    /// Whether a group has examples enough to say something.
    pub(super) fn is_large(&self, group: usize) -> bool {
        Rate::Selection.of(&self.outcomes[group]).trials >= self.how.least
    }

    /// How far groups lie apart.
    pub(super) fn gap<M: Metric>(&self) -> Result<crucible_measure::fairness::Gap, Unmeasured> {
        match M::gap(&self.outcomes, self.how) {
            Some(gap) => Ok(gap),
            None => skip(format!("fewer than two groups have {} examples that count here", self.how.least)),
        }
    }

    /// How the number came about.
    pub(super) fn method(&self) -> String {
        format!(
            "Favourable: `{}`. Between the groups that differ most, of those with {} examples or more; intervals that hold for \
             all pairs at once (Newcombe, Donner and Zou; Bonferroni).",
            self.favourable, self.how.least
        )
    }

    /// The highest and the lowest group of the metric's rates that lie farthest apart.
    pub(super) fn meaning<M: Metric>(&self) -> String {
        let mut widest: Option<(f64, String)> = None;
        for (rate, words) in M::RATES {
            let shares = self.shares(*rate);
            let ends = shares
                .iter()
                .min_by(|a, b| a.1.total_cmp(&b.1))
                .zip(shares.iter().max_by(|a, b| a.1.total_cmp(&b.1)));
            let Some(((low, least), (high, most))) = ends else { continue };
            if widest.as_ref().is_none_or(|(gap, _)| most - least > *gap) {
                let [least, most] = [least, most].map(|share| 100.0 * share);
                widest = Some((
                    most - least,
                    format!("The rate of {words} is {most:.1}% for {high} and {least:.1}% for {low}."),
                ));
            }
        }
        widest.map_or_else(String::new, |(_, text)| text)
    }

    /// The rate in each group that is large enough.
    fn shares(&self, rate: Rate) -> Vec<(&str, f64)> {
        let found = disparity(rate, &self.outcomes, self.how).groups;
        let all = self.names.iter().zip(found).filter(|(_, group)| !group.too_small);
        all.filter_map(|(name, group)| Some((name.as_str(), group.share.estimate()?))).collect()
    }

    /// A chart of each rate, what is too small to count, and which notions exclude each other here.
    pub(super) fn details<M: Metric>(&self, finding: Finding) -> Finding {
        let chart = |(rate, words): &(Rate, &str)| {
            let groups = disparity(*rate, &self.outcomes, self.how).groups;
            let known = self.names.iter().zip(&groups).filter(|(_, group)| group.share.trials > 0);
            let bars = known.map(|(name, group)| Bar {
                label: format!(
                    "{name} ({}{})",
                    group.share.trials,
                    if group.too_small { ", too few" } else { "" }
                ),
                value: share(&group.share),
            });
            Figure {
                title: format!("Rate of {words} by group"),
                caption: format!(
                    "{} In brackets the examples that the rate is of; whiskers are 95% Wilson intervals.",
                    M::MEANS
                ),
                chart: Chart::Bar(BarChart { value_label: format!("rate of {words}"), bars: bars.collect() }),
            }
        };
        let finding = M::RATES.iter().map(chart).fold(finding, Finding::detail);
        let small: Vec<&str> = self
            .names
            .iter()
            .zip(&self.outcomes)
            .filter_map(|(name, outcomes)| {
                let trials = Rate::Selection.of(outcomes).trials;
                (trials > 0 && trials < self.how.least).then_some(name.as_str())
            })
            .collect();
        let finding = match small.is_empty() {
            true => finding,
            false => finding.detail(Note {
                level: Level::Warning,
                text: format!("Too small to say anything, and left out: {}.", small.join(", ")),
            }),
        };
        let finding = match self.conflict() {
            Some(text) => finding.detail(Note { level: Level::Info, text }),
            None => finding,
        };
        let frontier = M::PARITY.and_then(|parity| frontier::<M>(self, parity));
        frontier.into_iter().flatten().fold(finding, Finding::detail)
    }

    /// Which notions cannot hold at once on these data.
    fn conflict(&self) -> Option<String> {
        let shares = self.shares(Rate::Label);
        let (low, least) = shares.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
        let (high, most) = shares.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        (most - least > 0.01).then(|| {
            format!(
                "`{}` is true of {:.1}% of {high} and of {:.1}% of {low}. Where such rates differ, a network that errs cannot \
                 have equalized odds and predictive parity at once, nor demographic parity beside either (Kleinberg et al., \
                 2016; Chouldechova, 2017). Which of them matters here is not a question of statistics: it is yours to answer.",
                self.favourable,
                100.0 * most,
                100.0 * least
            )
        })
    }
}

/// The groups of the unseen examples by all columns at once, those that are empty everywhere left out.
fn groups(subject: &Subject, columns: &Several<String>) -> Result<(Vec<String>, Groups), Unmeasured> {
    let (_, examples) = subject.held_out()?;
    let format = &subject.data.format.input;
    let mut groupings = Vec::new();
    let mut names = vec![String::new()];
    for column in columns.iter() {
        let Some(found) = format.groups(examples, column) else { return no_column(subject, column) };
        let count = found.names.len();
        groupings.push(Groups::new(found.of.iter().map(|group| *group as usize).collect(), count));
        let joined = |name: &String, more: &String| match name.is_empty() {
            true => more.clone(),
            false => format!("{name}, {more}"),
        };
        names =
            names.iter().flat_map(|name| found.names.iter().map(move |more| joined(name, more))).collect();
    }
    if groupings.is_empty() {
        return skip("`group` names no column");
    }
    Ok((names, Groups::intersect(&groupings)))
}

/// Says which columns groups can be made by.
pub(super) fn no_column<T>(subject: &Subject, column: &str) -> Result<T, Unmeasured> {
    let columns = subject.data.format.input.columns();
    let texts =
        columns.iter().filter(|(column, _)| matches!(column, crucible_data::Column::Categorical { .. }));
    let there: Vec<&str> = texts.map(|(column, _)| column.name()).collect();
    skip(match there.is_empty() {
        true => format!("groups are made by a column of texts, and the data have none, nor `{column}`"),
        false => format!("there is no column of texts `{column}`; there are: {}", there.join(", ")),
    })
}
