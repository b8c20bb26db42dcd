use crucible_measure::Proportion;
use crucible_models::weights;
use crucible_report::{Block, Fact, Level, Note, Section, Value};
use crucible_train::evaluate;
use crucible_train::transfer::{Parameters, Places};

use super::{classification, percent, share};
use crate::{
    error::CliError,
    run::Run,
    transfer::{Head, Transfer},
};

/// The name of the section.
pub(crate) const SECTION: &str = "transfer";

/// What a network was made from, and what it forgot.
pub(crate) struct Transferred {
    pub(crate) parameters: Parameters,
    /// On the task that it was trained on before: accuracy before and after, where it can be measured.
    forgotten: Result<[Proportion; 2], String>,
}

impl Transferred {
    /// Measures a run that was trained from another.
    pub(crate) fn measure(settings: &Transfer, run: &Run) -> Self {
        let features = run.config.input_shape().features();
        let parameters = settings.parameters(run.network.network(), features, &run.device);
        let forgotten = forgotten(settings, run).map_err(|error| error.to_string());
        Self {
            parameters,
            forgotten: forgotten.and_then(|both| both.ok_or("its task has no classes".to_owned())),
        }
    }

    /// `1,290 of 109,386 parameters were trained.`
    pub(crate) fn sentence(&self) -> String {
        let Parameters { trainable, total } = self.parameters;
        let mut sentence = format!("{trainable} of {total} parameters were trained.");
        if let Ok([before, after]) = &self.forgotten {
            sentence += &format!(
                " On the former task, with its own last layer: {} before, {} now.",
                percent(before),
                percent(after)
            );
        }
        sentence
    }

    /// For the report.
    pub(crate) fn section(&self, settings: &Transfer) -> Section {
        let Parameters { trainable, total } = self.parameters;
        let head = match settings.head {
            Head::New => "a new one",
            Head::Keep => "the former one",
        };
        let mut facts = vec![
            Fact::new("Start", Value::text(settings.from.display().to_string())),
            Fact::new("Trained", Value::text(format!("{}: {}", settings.mode.name(), settings.mode.about()))),
            Fact::new("Settings", Value::text(serde_json::to_string(&settings.mode).expect("plain data"))),
            Fact::new("Last layer", Value::text(head)),
            Fact::new("Trainable parameters", Value::count(trainable as u64)),
            Fact::new("All parameters", Value::count(total as u64)),
        ];
        let section = Section::new(SECTION, "Transfer");
        match &self.forgotten {
            Ok([before, after]) => {
                facts.push(Fact::new("Former task, before", share(before)));
                facts.push(Fact::new("Former task, now", share(after)));
                let text = "The former task is measured on the held-out examples of the run that training started from, \
                            with that run's last layer on what this network makes of them.";
                section
                    .block(Block::Facts { facts })
                    .block(Note { level: Level::Info, text: text.to_owned() })
            }
            Err(problem) => {
                let text = format!("What the network forgot of its former task was not measured: {problem}.");
                section.block(Block::Facts { facts }).block(Note { level: Level::Info, text })
            }
        }
    }
}

/// Accuracy on the former task, of the former network and of this one with the former last layer.
fn forgotten(settings: &Transfer, run: &Run) -> Result<Option<[Proportion; 2]>, CliError> {
    let source = Run::open(&settings.from)?;
    let data = source.data(&source.recipe()?)?;
    let (_, examples) = data.splits().last().expect("the training split is always there");
    let features = run.config.input_shape().features();
    let (mut state, former) =
        (weights::collect(run.network.network()), weights::collect(source.network.network()));
    let places = Places::new(source.network.network(), features, &run.device);
    for (name, tensor) in
        former.iter().filter(|(name, _)| places.get(name).is_some_and(|place| place.is_head))
    {
        state.insert(name.clone(), tensor.clone());
    }
    let now = weights::assign(source.config.fresh_network(0, &run.device)?, &state)?;
    let (loss, task) = (source.config.loss.loss(), &source.config.format.task);
    let before = evaluate(&source.network, examples, loss, task, &run.device);
    let after = evaluate(&now, examples, loss, task, &run.device);
    let accuracy =
        |evaluation| classification(evaluation, examples, task).map(|found| found.confusion.accuracy());
    Ok(accuracy(&before).zip(accuracy(&after)).map(|(before, after)| [before, after]))
}
