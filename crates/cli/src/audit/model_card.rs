//! A model card as Hugging Face's hub reads it: metadata that programs understand, then words.

use crucible_data::InputFormat;
use crucible_report::Outcome;
use serde_json::json;

use super::{Subject, judged::Judged, page};

/// The card's place in the run folder; the hub takes it as `README.md`.
pub(crate) const CARD: &str = "model-card.md";

/// What only people can answer.
const BLANK: &str = "*To be written by the people who offer this model.*";

/// Writes the card. Strings of the metadata are written as JSON, which YAML reads.
pub(crate) fn card(subject: &Subject, judged: &[Judged]) -> String {
    let title = subject.title();
    format!("---\n{}---\n\n# {title}\n\n{}", metadata(subject, judged, &title), words(subject, judged))
}

/// The front matter, whose keys are those of the hub's model card specification.
fn metadata(subject: &Subject, judged: &[Judged], title: &str) -> String {
    let data = &subject.data.name;
    let (task, words) = match &subject.data.format.input {
        InputFormat::Image { .. } => ("image-classification", "Image classification"),
        InputFormat::Table { .. } => ("tabular-classification", "Tabular classification"),
        InputFormat::Text { .. } => ("text-classification", "Text classification"),
    };
    let (task, words) = match subject.classes() {
        Ok(_) => (task, words),
        Err(_) => ("tabular-regression", "Tabular regression"),
    };
    let mut out = format!(
        "library_name: crucible\npipeline_tag: {task}\ntags:\n- crucible\n- {architecture}\ndatasets:\n- {name}\n",
        architecture = json!(architecture(subject)),
        name = json!(data),
    );
    let measured: Vec<&Judged> = judged.iter().filter(|judged| judged.finding.is_some()).collect();
    if measured.is_empty() {
        return out;
    }
    out += &format!(
        "model-index:\n- name: {}\n  results:\n  - task:\n      type: {task}\n      name: {words}\n    dataset:\n      type: {data}\n      \
         name: {data}\n      split: {}\n    metrics:\n",
        json!(title),
        subject.held_out().map_or("train", |(split, _)| split),
        data = json!(data),
    );
    for judged in measured {
        let value = judged.finding.as_ref().map(|finding| finding.estimate().value);
        out += &format!(
            "    - type: {}\n      name: {}\n      value: {}\n",
            json!(judged.check),
            json!(judged.title),
            json!(value)
        );
    }
    out
}

fn architecture(subject: &Subject) -> String {
    let Some(run) = subject.trained() else { return "onnx".to_owned() };
    let config = serde_json::to_value(&run.config.architecture).expect("plain data");
    config["name"].as_str().unwrap_or_default().to_owned()
}

fn words(subject: &Subject, judged: &[Judged]) -> String {
    let splits: Vec<String> =
        subject.data.splits().map(|(name, examples)| format!("{} {name}", examples.len())).collect();
    let classes = subject.classes().map(|classes| classes.join(", ")).unwrap_or_default();
    let answers = match classes.is_empty() {
        true => "It predicts numbers.".to_owned(),
        false => format!("It tells these classes apart: {classes}."),
    };
    let broken: Vec<String> = judged
        .iter()
        .filter(|judged| judged.outcome != Outcome::Pass)
        .map(|judged| format!("- {}: {}", judged.title, judged.sentence()))
        .collect();
    let limits = match broken.is_empty() {
        true => "Every limit that it was held against is kept.".to_owned(),
        false => format!("Not known to be kept:\n\n{}", broken.join("\n")),
    };
    let sections = [
        (
            "Model details",
            format!(
                "A network of the architecture `{}`, trained and audited by Crucible {}. {answers}",
                architecture(subject),
                env!("CARGO_PKG_VERSION")
            ),
        ),
        ("Intended use", BLANK.to_owned()),
        ("Training data", format!("{}: {} examples.", subject.data.name, splits.join(", "))),
        ("Evaluation", format!("{}\n\n{}", page::sentence(judged), page::table(judged))),
        ("Limitations and risks", limits),
        ("Ethical considerations", BLANK.to_owned()),
        (
            "How to reproduce",
            "The recipe lies beside this card as `recipe.toml`: `crucible train recipe.toml` trains, and \
          `crucible audit RUN` measures; the same seed, machine and number of threads give the same bytes."
                .to_owned(),
        ),
    ];
    sections.map(|(title, text)| format!("## {title}\n\n{text}\n")).join("\n")
}
