//! The recipe's `[distill]` table: the teacher, and whether this network can learn from it.

use burn::tensor::Device;
use crucible_compress::{Answer, Compressed, DistillConfig, Distillation};
use crucible_data::{Column, InputFormat, Task};
use crucible_models::Network;
use crucible_train::losses::LossConfig;

use crate::run::{Run, RunConfig, shape};

/// A key of the table, and what is wrong with it.
pub(crate) type Problem = (String, String);

/// Learning from the recipe's teacher; all problems at once.
pub(crate) fn objective(
    settings: &DistillConfig,
    config: &RunConfig,
    network: &Network,
    device: &Device,
) -> Result<Distillation<Compressed>, Vec<Problem>> {
    let told = |problems: Vec<String>| {
        problems.into_iter().map(|problem| ("distill.teacher".to_owned(), problem)).collect::<Vec<_>>()
    };
    let teacher = teacher(settings, config).map_err(told)?;
    let (answer, features) = (Answer::of(&config.loss), config.input_shape().features());
    Distillation::new(settings.clone(), answer, teacher.network, network, features, device).map_err(
        |problems| {
            let key = |key: &str| format!("distill.{key}");
            problems.into_iter().map(|problem| (key(problem.key), problem.error.to_string())).collect()
        },
    )
}

/// The teacher of a network with this configuration, which reads the same inputs and answers alike.
pub(crate) fn teacher(settings: &DistillConfig, config: &RunConfig) -> Result<Run, Vec<String>> {
    let run = Run::open(&settings.teacher).map_err(|error| vec![error.to_string()])?;
    let (input, task) = (&config.format.input, &config.format.task);
    let differences = [
        other_inputs(&run.config.format.input, input),
        other_task(&run.config.format.task, task),
        other_answers(&run.config.loss, &config.loss),
    ];
    let differences: Vec<String> = differences.into_iter().flatten().collect();
    if differences.is_empty() { Ok(run) } else { Err(differences) }
}

/// What of the teacher's inputs is not as it is here.
fn other_inputs(teacher: &InputFormat, here: &InputFormat) -> Option<String> {
    if teacher == here {
        return None;
    }
    let advice = "train both on the same data, or with `data.normalize` as \"unit\" or \"fixed\"";
    Some(match (teacher, here) {
        (InputFormat::Image { mean, std, .. }, InputFormat::Image { mean: own_mean, std: own_std, .. })
            if teacher.shape() == here.shape() =>
        {
            format!(
                "the teacher's pixels have the mean {mean:?} and the deviation {std:?}, and here {own_mean:?} and \
                 {own_std:?}; {advice}"
            )
        }
        (InputFormat::Table { columns, .. }, InputFormat::Table { columns: own, .. }) => {
            other_columns(columns, own)
        }
        (InputFormat::Text { .. }, InputFormat::Text { .. }) => {
            "the teacher reads texts of another column, by another tokenizer or cut to another length; give both the same \
             `column`, `tokenizer` and `max_tokens`"
                .to_owned()
        }
        _ => {
            let [given, own] = [teacher, here].map(|format| shape(&format.shape()));
            format!("one input of the teacher is {given}, and here {own}")
        }
    })
}

fn other_columns(teacher: &[Column], here: &[Column]) -> String {
    let names = |columns: &[Column]| columns.iter().map(Column::name).collect::<Vec<_>>().join(", ");
    let [given, own] = [names(teacher), names(here)];
    if given != own {
        return format!("the teacher reads the columns {given}, and here they are {own}");
    }
    match teacher.iter().zip(here).find(|(given, own)| given != own) {
        Some((column, _)) => format!(
            "the teacher's column `{}` has another mean, deviation, kind or levels than here; train both on the same rows",
            column.name()
        ),
        None => "the teacher has other texts for missing values or another delimiter than here".to_owned(),
    }
}

/// What of the teacher's target is not as it is here.
fn other_task(teacher: &Task, here: &Task) -> Option<String> {
    if teacher == here {
        return None;
    }
    let told = |task: &Task| match task {
        Task::Classification { classes } => format!("tells apart {}", classes.join(", ")),
        Task::Regression { targets, .. } => format!("predicts {}", targets.join(", ")),
    };
    let [given, own] = [teacher, here].map(told);
    Some(match given == own {
        true => "the teacher's targets have another mean or deviation than here; train both on the same rows"
            .to_owned(),
        false => format!("the teacher {given}, and this network {own}"),
    })
}

/// Whether logits would be held against what are none.
fn other_answers(teacher: &LossConfig, here: &LossConfig) -> Option<String> {
    (Answer::of(teacher) != Answer::of(here)).then(|| {
        let [given, own] = [teacher, here].map(|loss| {
            let value = serde_json::to_value(loss).expect("plain data");
            value["name"].as_str().unwrap_or_default().to_owned()
        });
        format!(
            "the teacher was trained with `{given}`, whose outputs are no answers as those of `{own}` are"
        )
    })
}
