use crucible_measure::{Estimate, labels::ConfidentLearning, limits::Limit};
use crucible_report::{Column, Gallery, Picture, Png, Table, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::{
    Check, Concern, Cost, Finding, Needs, Subject, Unit, Unmeasured, finding::skip, subject::BOOTSTRAP,
};

/// Suspects that are shown.
const SHOWN: usize = 24;

/// The share of unseen examples whose label is probably wrong, by confident learning (Northcutt et al., 2021), with the most
/// suspicious ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LabelErrors {
    /// The largest share.
    #[schemars(range(min = 0.0, max = 1.0))]
    max: f64,
}

impl Check for LabelErrors {
    const CONCERN: Concern = Concern::Generalization;
    const NEEDS: Needs = Needs::Answers;
    const COST: Cost = Cost::Seconds;

    fn title(&self) -> String {
        "Labels that are probably wrong".to_owned()
    }

    fn limit(&self) -> Limit {
        Limit::Max(self.max)
    }

    fn measure(&self, subject: &Subject) -> Result<Finding, Unmeasured> {
        let answers = subject.answers()?;
        let (split, examples) = subject.held_out()?;
        let learned = ConfidentLearning::new(answers.rows(), &answers.labels);
        let Some(value) = learned.noise(&answers.labels) else { return skip("there are no examples") };
        let noise = |drawn: &[usize]| {
            let part = answers.select(drawn);
            ConfidentLearning::new(part.rows(), &part.labels).noise(&part.labels)
        };
        let interval = BOOTSTRAP.percentile(answers.len(), &mut subject.rng("labels"), noise);
        let meaning = format!(
            "About {:.2}% of the {split} labels seem wrong; {} examples are suspicious.",
            100.0 * value,
            learned.suspects.len()
        );
        let method =
            "Confident learning on the probabilities of unseen examples; percentiles of 1,000 resamples.";
        let found = Finding::new(Estimate { value, interval }, Unit::Share, meaning, method);
        let classes = subject.classes()?;
        let shown = &learned.suspects[..learned.suspects.len().min(SHOWN)];
        let rows = shown.iter().map(|suspect| {
            let names = [suspect.given, suspect.suggested].map(|class| Value::text(classes[class].clone()));
            let [given, suggested] = names;
            vec![Value::text(suspect.example.to_string()), given, suggested, Value::number(suspect.margin, 3)]
        });
        let words = [Column::right("Example"), Column::left("Label"), Column::left("Suggested")];
        let table = Table {
            columns: words.into_iter().chain([Column::right("Margin")]).collect(),
            rows: rows.collect(),
            caption: format!(
                "The {} most suspicious labels: the probability of the label less that of the best other class.",
                shown.len()
            ),
        };
        let picture = |suspect: &crucible_measure::labels::Suspect| {
            let [given, suggested] = [suspect.given, suspect.suggested].map(|class| &classes[class]);
            Some(Picture {
                png: Png(examples.picture(suspect.example)?.to_png()),
                alt: format!("Example {}, labelled {given}", suspect.example),
                caption: format!("labelled {given}, rather {suggested}?"),
            })
        };
        let pictures: Vec<Picture> = shown.iter().filter_map(picture).collect();
        Ok(match (shown.is_empty(), pictures.is_empty()) {
            (true, _) => found,
            (_, true) => found.detail(table),
            _ => found.detail(Gallery { pictures, caption: "The most suspicious labels".to_owned() }),
        })
    }
}
