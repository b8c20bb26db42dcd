use crucible_measure::{Confusion, Estimate, limits::Limit};
use crucible_report::{Bar, BarChart, Chart, Figure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    audit::{Check, Concern, Cost, Finding, Needs, Subject, Unit, Unmeasured, finding::skip},
    findings::{CONFIDENCE, share},
};

/// The recall of the class that is found least often. The interval allows for the choice of the worst of several classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorstClassRecall {
    /// The least recall.
    #[schemars(range(min = 0.0, max = 1.0))]
    min: f64,
}

impl Check for WorstClassRecall {
    const CONCERN: Concern = Concern::Performance;
    const NEEDS: Needs = Needs::Answers;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        "Recall of the worst class".to_owned()
    }

    fn limit(&self) -> Limit {
        Limit::Min(self.min)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let (answers, classes) = (subject.answers()?, subject.classes()?);
        let mut confusion = Confusion::new(classes.len());
        answers
            .classes()
            .iter()
            .zip(&answers.labels)
            .for_each(|(answer, label)| confusion.record(*label, *answer));
        let recalls: Vec<_> = confusion.per_class().iter().map(|class| class.recall).collect();
        let known =
            recalls.iter().enumerate().filter_map(|(class, recall)| Some((class, recall.estimate()?)));
        let Some((worst, value)) = known.min_by(|a, b| a.1.total_cmp(&b.1)) else {
            return skip("there are no examples");
        };
        // Each class's interval at once holds with the probability asked for (Bonferroni); the lowest of their lower ends
        // and the lowest of their upper ends then hold the truth.
        let there = recalls.iter().filter(|recall| recall.trials > 0);
        let confidence = 1.0 - (1.0 - CONFIDENCE) / there.clone().count() as f64;
        let interval = there
            .map(|recall| recall.interval(confidence))
            .reduce(|a, b| crucible_measure::Interval { low: a.low.min(b.low), high: a.high.min(b.high) });
        let meaning = format!(
            "Of the examples of class `{}` the network finds {:.2}%; no class is found less often.",
            classes[worst],
            100.0 * value
        );
        let method =
            "Recall of every class; Wilson's intervals that hold for all classes at once (Bonferroni).";
        let bars = classes
            .iter()
            .zip(&recalls)
            .map(|(class, recall)| Bar { label: class.clone(), value: share(recall) });
        let figure = Figure {
            title: "Recall by class".to_owned(),
            caption: "Whiskers are 95% Wilson intervals of each class alone.".to_owned(),
            chart: Chart::Bar(BarChart { value_label: "recall".to_owned(), bars: bars.collect() }),
        };
        Ok(Finding::new(Estimate { value, interval }, Unit::Share, meaning, method).detail(figure))
    }
}
