use crucible_data::{Examples, Task};
use crucible_report::{Column, Gallery, Picture, Png, Section, Table, Value};
use crucible_train::Evaluation;

/// Pictures in the gallery, and rows of the table.
const SHOWN: usize = 24;

/// A mistake: the example, the class that it was taken for, and how probable that seemed.
type Mistake = (usize, usize, f32);

/// The mistakes made with the greatest confidence, as pictures or texts; none for tables or where nothing went wrong.
pub(super) fn section(evaluation: &Evaluation, examples: &Examples, task: &Task) -> Option<Section> {
    let Task::Classification { classes } = task else { return None };
    let actual = examples.classes()?;
    if examples.picture(0).is_none() && examples.excerpts().is_none() {
        return None;
    }
    let mut wrong: Vec<Mistake> = (0..examples.len())
        .map(|index| (index, evaluation.class(index)))
        .filter(|&(index, answer)| answer != actual[index] as usize)
        .map(|(index, answer)| (index, answer, evaluation.row(index)[answer]))
        .collect();
    // Equals keep their order, so that the report of a run is always the same.
    wrong.sort_by(|a, b| b.2.total_cmp(&a.2));
    let total = wrong.len();
    wrong.truncate(SHOWN);
    if wrong.is_empty() {
        return None;
    }
    let caption = format!("The {} most confident of {total} mistakes.", wrong.len());
    let named = |&(index, answer, _): &Mistake| (&*classes[actual[index] as usize], &*classes[answer]);
    let section = Section::new("mistakes", "The worst mistakes");
    Some(match examples.excerpts() {
        Some(_) => section.block(texts(&wrong, examples, named, caption)),
        None => section.block(gallery(&wrong, examples, named, caption)),
    })
}

fn gallery<'a>(
    wrong: &[Mistake],
    examples: &Examples,
    named: impl Fn(&Mistake) -> (&'a str, &'a str),
    caption: String,
) -> Gallery {
    let picture = |mistake: &Mistake| {
        let (&(index, _, confidence), (truth, answer)) = (mistake, named(mistake));
        Some(Picture {
            png: Png(examples.picture(index)?.to_png()),
            alt: format!("Example {index}, a {truth} taken for a {answer}"),
            caption: format!("{truth} taken for {answer}, {:.0}% sure", confidence * 100.0),
        })
    };
    Gallery { pictures: wrong.iter().filter_map(picture).collect(), caption }
}

fn texts<'a>(
    wrong: &[Mistake],
    examples: &Examples,
    named: impl Fn(&Mistake) -> (&'a str, &'a str),
    caption: String,
) -> Table {
    let excerpts = examples.excerpts().unwrap_or_default();
    let row = |mistake: &Mistake| {
        let (truth, answer) = named(mistake);
        let text = Value::text(excerpts[mistake.0].text.clone());
        vec![text, Value::text(truth), Value::text(answer), Value::percent(f64::from(mistake.2), 0)]
    };
    let headings = ["Text", "Class", "Answer"].map(Column::left);
    Table {
        columns: headings.into_iter().chain([Column::right("Sure")]).collect(),
        rows: wrong.iter().map(row).collect(),
        caption,
    }
}
