//! Texts: split, then made numbers of tokens.

use super::numbered;
use crate::examples::select_rows;
use crate::learn::OwnSplits;
use crate::plan::{Given, Plan};
use crate::raw::RawTexts;
use crate::tokenizer::padded;
use crate::{DataConfig, DataError, Dataset, Examples, Excerpt, Format, InputFormat, Inputs, Targets, Task};

/// Splits what a source handed over, and makes inputs of the texts that are used.
pub(super) fn prepare(
    name: String,
    mut raw: RawTexts,
    config: &DataConfig,
    seed: u64,
) -> Result<Dataset, DataError> {
    if let Some(only) = &config.only {
        keep_classes(&mut raw, only)?;
    }
    let labels = select_rows(&raw.labels, 1, &raw.own.train);
    let count = |rows: &Option<Vec<usize>>| rows.as_ref().map(Vec::len);
    let OwnSplits { train, validation, test } = &raw.own;
    let given = Given { labels: &labels, validation: count(validation), test: count(test) };
    let plan = Plan::new(&name, &given, config, seed)?;
    let rows =
        |own: &Option<Vec<usize>>, places: &[usize]| select_rows(own.as_ref().unwrap_or(train), 1, places);
    let some = |rows: Vec<usize>| if rows.is_empty() { Ok(None) } else { encoded(&raw, &rows).map(Some) };
    Ok(Dataset {
        name,
        train: encoded(&raw, &select_rows(train, 1, &plan.train))?,
        validation: some(rows(validation, &plan.validation))?,
        test: some(rows(test, &plan.test))?,
        format: Format {
            input: InputFormat::Text {
                column: raw.column.clone(),
                max_tokens: raw.max_tokens,
                vocabulary: raw.tokenizer.vocabulary(),
                tokenizer: raw.tokenizer.digest().to_owned(),
            },
            task: Task::Classification { classes: raw.classes },
        },
    })
}

/// Leaves the texts of these classes, in whose order they are numbered.
fn keep_classes(raw: &mut RawTexts, only: &[String]) -> Result<(), DataError> {
    let new = numbered(&raw.classes, only)?;
    let kept = |row: &usize| new[raw.labels[*row] as usize].is_some();
    let of = |rows: &Vec<usize>| rows.iter().copied().filter(kept).collect::<Vec<usize>>();
    raw.own = OwnSplits {
        train: of(&raw.own.train),
        validation: raw.own.validation.as_ref().map(of),
        test: raw.own.test.as_ref().map(of),
    };
    // Those that are left out are in no split.
    raw.labels = raw.labels.iter().map(|&old| new[old as usize].unwrap_or(0)).collect();
    raw.classes = only.to_vec();
    Ok(())
}

fn encoded(raw: &RawTexts, rows: &[usize]) -> Result<Examples, DataError> {
    let texts: Vec<&str> = rows.iter().map(|&row| raw.texts[row].as_str()).collect();
    let tokens = raw.tokenizer.encode(&texts)?;
    let excerpts = texts.iter().zip(&tokens.is_cut).map(|(text, &is_cut)| Excerpt::new(text, is_cut));
    let excerpts = excerpts.collect();
    let inputs = Inputs::Floats(padded(tokens.texts.iter().map(Vec::as_slice), raw.max_tokens));
    let targets = Targets::Classes(select_rows(&raw.labels, 1, rows));
    Ok(Examples::new(vec![raw.max_tokens], inputs, targets).with_excerpts(excerpts))
}
