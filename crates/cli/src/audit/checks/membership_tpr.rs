use crucible_data::Examples;
use crucible_measure::{Estimate, Proportion, Roc, argmax, limits::Limit};
use crucible_models::Classifier;
use crucible_privacy::membership::{AttackConfig, Evidence, Loss, Shadows, confidence};
use crucible_report::{Block, Chart, Fact, Figure, LineChart, Series, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    audit::{Check, Concern, Cost, Finding, Needs, Subject, Unit, Unmeasured, finding::skip},
    findings::CONFIDENCE,
    view::{self, View},
};

/// Points of a curve.
const POINTS: usize = 100;

/// The share of training examples that are told from unseen ones by their loss, at a given rate of false alarms. The attack
/// needs no shadow models; `crucible privacy attack` makes stronger ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MembershipTpr {
    /// The largest share.
    #[schemars(range(min = 0.0, max = 1.0))]
    max: f64,
    /// The rate of false alarms.
    #[serde(default = "hundredth")]
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    at: f64,
}

fn hundredth() -> f64 {
    0.01
}

impl Check for MembershipTpr {
    const CONCERN: Concern = Concern::Privacy;
    const NEEDS: Needs = Needs::Run;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        format!("Training examples found at {}% false alarms", 100.0 * self.at)
    }

    fn limit(&self) -> Limit {
        Limit::Max(self.max)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let Some(test) = &subject.data.test else {
            return skip(
                "members are told from examples that played no part in training, and there is no test split",
            );
        };
        if self.at * (test.len() as f64) < 1.0 {
            return skip(format!(
                "{} of {} test examples are less than one false alarm",
                self.at,
                test.len()
            ));
        }
        let view = subject.view()?;
        let [(members, seen), (others, unseen)] =
            [&subject.data.train, test].map(|split| answers(&view, split));
        let (target, right) = ([members, others].concat(), [seen, unseen].concat());
        let shadows = Shadows { scores: &[], members: &[] };
        let evidence = Evidence { target: &target, right: &right, shadows, population: None };
        let mut scores = AttackConfig::Loss(Loss {}).run(evidence)?;
        let others = scores.split_off(subject.data.train.len());
        let Ok(roc) = Roc::new(&scores, &others) else { return skip("there are no examples of both") };
        let found = roc.at_false_positive_rate(self.at).true_positives;
        let Some(value) = found.estimate() else { return skip("there are no training examples") };
        let interval = Some(found.exact_interval(CONFIDENCE));
        let meaning = format!(
            "Whoever has an example and the network's answer finds {:.2}% of the training examples, and takes {:.2}% of others \
             for some; guessing finds as many of both.",
            100.0 * value,
            100.0 * self.at
        );
        let method = "By the loss of each example, on all training and test examples; exact interval of Clopper and Pearson, \
                      which takes the threshold as given.";
        let finding = Finding::new(Estimate { value, interval }, Unit::Share, meaning, method);
        let auc = roc.auc_interval(CONFIDENCE).map(|interval| [interval.low, interval.high]);
        let auc = auc.map_or(Value::number(roc.auc(), 4), |ends| Value::interval(Some(roc.auc()), ends, 4));
        Ok(finding
            .detail(Block::Facts { facts: vec![Fact::new("Area under the curve", auc)] })
            .detail(curve(&roc)))
    }
}

/// The network's confidence in the label of each example, and whether it answers with it.
fn answers(view: &View, examples: &Examples) -> (Vec<f64>, Vec<bool>) {
    let logits = view.model.logits(&view::inputs(examples, 0..examples.len()));
    let labels = examples.classes().expect("a classifier's examples have classes");
    let rows = logits.chunks_exact(view.model.classes()).zip(labels);
    rows.map(|(row, &label)| {
        let exact: Vec<f64> = row.iter().map(|&logit| f64::from(logit)).collect();
        (confidence(&exact, label as usize), argmax(row) == label as usize)
    })
    .unzip()
}

fn curve(roc: &Roc) -> Figure {
    let share = |proportion: Proportion| proportion.estimate().unwrap_or(0.0);
    let points = roc.points();
    let every = points.len().div_ceil(POINTS);
    let line =
        points.iter().step_by(every).map(|point| [share(point.false_positives), share(point.true_positives)]);
    Figure {
        title: "Training examples found over false alarms".to_owned(),
        caption: "On the diagonal the attack knows nothing.".to_owned(),
        chart: Chart::Line(LineChart {
            x_label: "share of other examples taken for training examples".to_owned(),
            y_label: "share of training examples found".to_owned(),
            series: vec![
                Series::new("attack by loss", line),
                Series::new("guessing", [[0.0, 0.0], [1.0, 1.0]]),
            ],
            ..LineChart::default()
        }),
    }
}
