use crucible_data::{Examples, Task};
use crucible_report::{Gallery, Picture, Png, Section};
use crucible_train::Evaluation;

/// Pictures in the gallery.
const PICTURES: usize = 24;

/// The mistakes made with the greatest confidence, as pictures; none for tables or where nothing went wrong.
pub(super) fn section(evaluation: &Evaluation, examples: &Examples, task: &Task) -> Option<Section> {
    let Task::Classification { classes } = task else { return None };
    let actual = examples.classes()?;
    examples.picture(0)?;
    let mut wrong: Vec<(usize, usize, f32)> = (0..examples.len())
        .map(|index| (index, evaluation.class(index)))
        .filter(|&(index, answer)| answer != actual[index] as usize)
        .map(|(index, answer)| (index, answer, evaluation.row(index)[answer]))
        .collect();
    // Equals keep their order, so that the report of a run is always the same.
    wrong.sort_by(|a, b| b.2.total_cmp(&a.2));
    let total = wrong.len();
    let pictures: Vec<Picture> = wrong
        .into_iter()
        .take(PICTURES)
        .filter_map(|(index, answer, confidence)| {
            let (truth, answer) = (&classes[actual[index] as usize], &classes[answer]);
            Some(Picture {
                png: Png(examples.picture(index)?.to_png()),
                alt: format!("Example {index}, a {truth} taken for a {answer}"),
                caption: format!("{truth} taken for {answer}, {:.0}% sure", confidence * 100.0),
            })
        })
        .collect();
    if pictures.is_empty() {
        return None;
    }
    let caption = format!("The {} most confident of {total} mistakes.", pictures.len());
    Some(Section::new("mistakes", "The worst mistakes").block(Gallery { pictures, caption }))
}
