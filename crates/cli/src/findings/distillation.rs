use crucible_compress::DistillConfig;
use crucible_data::{Examples, Task};
use crucible_measure::Proportion;
use crucible_models::summarize;
use crucible_report::{Block, Column, Fact, Level, Note, Section, Table, Value};
use crucible_train::{Evaluation, evaluate};

use super::{classification, share};
use crate::{distill::teacher, run::Run};

/// What the student makes of a split beside its teacher.
pub(super) fn section(
    settings: &DistillConfig,
    run: &Run,
    (split, examples): (&str, &Examples),
    student: &Evaluation,
) -> Section {
    let mut facts = vec![Fact::new("Teacher", Value::text(settings.teacher.display().to_string()))];
    facts.extend(how(settings));
    let section = Section::new("distillation", "Learned from a teacher");
    let teacher = match teacher(settings, &run.config) {
        Ok(teacher) => teacher,
        Err(problems) => {
            let text = format!("Nothing can be compared with the teacher any more: {}.", problems.join("; "));
            let note = Note { level: Level::Warning, text };
            return section.block(Block::Facts { facts }).block(note);
        }
    };
    let (loss, task) = (run.config.loss.loss(), &run.config.format.task);
    let given = evaluate(&teacher.network, examples, loss, task, &run.device);
    facts.push(alike(&given, student, examples.len()));
    section.block(Block::Facts { facts }).block(Table {
        columns: vec![Column::left(""), Column::right("Teacher"), Column::right("Student")],
        rows: rows([(&teacher, &given), (run, student)], (split, examples), task),
        caption: format!("Both networks on the {split} split, with the student's loss."),
    })
}

fn how(settings: &DistillConfig) -> Vec<Fact> {
    let mut facts = vec![
        Fact::new("Temperature", Value::number(settings.temperature, 2)),
        Fact::new("Weight of the teacher's answers", Value::number(settings.weight, 3)),
    ];
    if let Some(hint) = &settings.features {
        let text =
            format!("`{}` like the teacher's `{}`, weight {}", hint.student, hint.teacher, hint.weight);
        facts.push(Fact::new("Layer that is imitated", Value::text(text)));
    }
    facts
}

/// How often both give the same class or, for numbers, how far they are from each other.
fn alike(teacher: &Evaluation, student: &Evaluation, examples: usize) -> Fact {
    if student.accuracy.is_none() {
        let pairs = teacher.predictions.iter().zip(&student.predictions);
        let squares: f64 = pairs.map(|(given, own)| f64::from(given - own).powi(2)).sum();
        let mean = squares / teacher.predictions.len().max(1) as f64;
        return Fact::new("Mean squared difference of standardised predictions", Value::number(mean, 4));
    }
    let same = (0..examples).filter(|index| teacher.class(*index) == student.class(*index)).count();
    let alike = Proportion { successes: same as u64, trials: examples as u64 };
    Fact::new("Same class from both", share(&alike))
}

fn rows(
    sides: [(&Run, &Evaluation); 2],
    (split, examples): (&str, &Examples),
    task: &Task,
) -> Vec<Vec<Value>> {
    let row = |name: String, value: &dyn Fn(&Run, &Evaluation) -> Value| {
        let values = sides.iter().map(|(run, evaluation)| value(run, evaluation));
        [Value::text(name)].into_iter().chain(values).collect()
    };
    let mut rows = vec![
        row("Loss".to_owned(), &|_, evaluation| Value::number(evaluation.loss, 4)),
        row("Parameters".to_owned(), &|run, _| {
            let features = run.config.input_shape().features();
            Value::count(summarize(&run.network, features, &run.device).parameters)
        }),
    ];
    let accuracy = |evaluation: &Evaluation| {
        classification(evaluation, examples, task).map(|found| share(&found.confusion.accuracy()))
    };
    if let [Some(given), Some(own)] = sides.map(|(_, evaluation)| accuracy(evaluation)) {
        let name = Value::text(format!("Accuracy, {} {split}", examples.len()));
        rows.insert(0, vec![name, given, own]);
    }
    rows
}
