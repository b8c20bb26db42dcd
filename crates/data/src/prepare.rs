//! From what a source hands over to a [`Dataset`]: split first, then measure on the training split, then scale.

mod texts;

use crate::examples::select_rows;
use crate::learn::{self, Learner};
use crate::plan::{Given, Plan};
use crate::raw::{PicturePart, Raw, RawContent, RawPictures, RawTable};
use crate::rows::RowEncoder;
use crate::{
    ConfigProblem, DataConfig, DataError, Dataset, Examples, Format, InputFormat, Inputs, Normalize, Targets,
    Task,
};

/// Splits and scales what a source handed over.
pub(crate) fn prepare(raw: Raw, config: &DataConfig, seed: u64) -> Result<Dataset, DataError> {
    match raw.content {
        RawContent::Pictures(pictures) => {
            let pictures = match &config.only {
                Some(classes) => of_classes(pictures, classes)?,
                None => pictures,
            };
            prepare_pictures(raw.name, pictures, config, seed)
        }
        RawContent::Table(_) if config.only.is_some() => {
            let problem = "rows of a table are not chosen by class; leave them out of the file".to_owned();
            Err(DataError::Config { problems: vec![ConfigProblem { field: "only", problem }] })
        }
        RawContent::Table(table) => prepare_table(raw.name, &table, config, seed),
        RawContent::Texts(texts) => texts::prepare(raw.name, *texts, config, seed),
    }
}

/// Pictures of these classes alone, in whose order they are numbered.
fn of_classes(raw: RawPictures, classes: &[String]) -> Result<RawPictures, DataError> {
    let new = numbered(&raw.classes, classes)?;
    let len = raw.shape.iter().product();
    let chosen = |part: PicturePart| {
        let kept = |index: &usize| new[part.labels[*index] as usize].is_some();
        let indices: Vec<usize> = (0..part.labels.len()).filter(kept).collect();
        let labels = indices.iter().filter_map(|index| new[part.labels[*index] as usize]).collect();
        PicturePart { values: select_rows(&part.values, len, &indices), labels }
    };
    Ok(RawPictures {
        shape: raw.shape,
        classes: classes.to_vec(),
        train: chosen(raw.train),
        test: raw.test.map(chosen),
    })
}

/// The number that each class has among those that are kept, in whose order they are numbered.
fn numbered(all: &[String], kept: &[String]) -> Result<Vec<Option<u32>>, DataError> {
    if let Some(unknown) = kept.iter().find(|name| !all.contains(name)) {
        let problem = format!("there is no class `{unknown}`; there are: {}", all.join(", "));
        return Err(DataError::Config { problems: vec![ConfigProblem { field: "only", problem }] });
    }
    let place = |class| kept.iter().position(|name| name == class).map(|place| place as u32);
    Ok(all.iter().map(place).collect())
}

fn prepare_pictures(
    name: String,
    raw: RawPictures,
    config: &DataConfig,
    seed: u64,
) -> Result<Dataset, DataError> {
    let own_test = raw.test.as_ref().map(|part| part.labels.len());
    let plan = Plan::new(
        &name,
        &Given { labels: &raw.train.labels, validation: None, test: own_test },
        config,
        seed,
    )?;
    let [channels, height, width] = raw.shape;
    let len = channels * height * width;
    let validation = picked(&raw.train, len, &plan.validation);
    let test = match raw.test {
        Some(part) => Some(narrowed(part, len, &plan.test)),
        None => picked(&raw.train, len, &plan.test),
    };
    let train = narrowed(raw.train, len, &plan.train);
    let (mean, std) = match config.normalize {
        Normalize::Standard => channel_statistics(&train.values, channels, height * width),
        Normalize::Unit => (vec![0.0; channels], vec![1.0; channels]),
        Normalize::Fixed => {
            let given = |value: Option<f64>| vec![value.expect("checked before") as f32; channels];
            (given(config.mean), given(config.std))
        }
    };
    let input = InputFormat::Image { channels, height, width, mean, std };
    let (scale, offset) = input.scale_and_offset();
    let examples = |part: PicturePart| {
        let inputs = Inputs::Bytes { values: part.values, scale: scale.clone(), offset: offset.clone() };
        Examples::new(raw.shape.to_vec(), inputs, Targets::Classes(part.labels))
    };
    let some = |part: Option<PicturePart>| part.map(examples).filter(|examples| !examples.is_empty());
    let (train, validation, test) = (examples(train), some(validation), some(test));
    let task = Task::Classification { classes: raw.classes };
    Ok(Dataset { name, train, validation, test, format: Format { input, task } })
}

fn picked(part: &PicturePart, len: usize, indices: &[usize]) -> Option<PicturePart> {
    (!indices.is_empty()).then(|| PicturePart {
        values: select_rows(&part.values, len, indices),
        labels: select_rows(&part.labels, 1, indices),
    })
}

/// The examples at `indices` (rising, without repetition): `part` itself, uncopied, if that is all of them.
fn narrowed(part: PicturePart, len: usize, indices: &[usize]) -> PicturePart {
    if indices.len() == part.labels.len() {
        return part;
    }
    PicturePart {
        values: select_rows(&part.values, len, indices),
        labels: select_rows(&part.labels, 1, indices),
    }
}

/// Mean and standard deviation per channel of pixel / 255, exact but for the last rounding; 1 in place of a deviation
/// of 0.
fn channel_statistics(values: &[u8], channels: usize, plane: usize) -> (Vec<f32>, Vec<f32>) {
    // Sums of squares of so many bytes fit in 32 bits, and 32-bit sums are what vectorises.
    const RUN: usize = 1 << 14;
    let mut sums = vec![(0u64, 0u64); channels];
    for (index, pixels) in values.chunks_exact(plane).enumerate() {
        let (sum, squares) = &mut sums[index % channels];
        for run in pixels.chunks(RUN) {
            *sum += u64::from(run.iter().map(|&pixel| u32::from(pixel)).sum::<u32>());
            *squares += u64::from(run.iter().map(|&pixel| u32::from(pixel) * u32::from(pixel)).sum::<u32>());
        }
    }
    let count = (values.len() / channels) as f64;
    let statistics = |(sum, squares): (u64, u64)| {
        let mean = sum as f64 / count;
        let variance = squares as f64 / count - mean * mean;
        let std = if variance > 0.0 { variance.sqrt() / 255.0 } else { 1.0 };
        ((mean / 255.0) as f32, std as f32)
    };
    sums.into_iter().map(statistics).unzip()
}

fn prepare_table(name: String, raw: &RawTable, config: &DataConfig, seed: u64) -> Result<Dataset, DataError> {
    let learner = Learner::new(raw)?;
    let own = learner.own_splits()?;
    let target = learner.target()?;
    let labels: Vec<u32> = own.train.iter().map(|&row| target.label(row)).collect();
    let count = |rows: &Option<Vec<usize>>| rows.as_ref().map(Vec::len);
    let given = Given { labels: &labels, validation: count(&own.validation), test: count(&own.test) };
    let plan = Plan::new(&name, &given, config, seed)?;
    let rows = |own_rows: &Option<Vec<usize>>, positions: &[usize]| {
        select_rows(own_rows.as_ref().unwrap_or(&own.train), 1, positions)
    };
    let train_rows = select_rows(&own.train, 1, &plan.train);
    let columns = learner.columns(&train_rows)?;
    let (task, target) = target.into_task(&raw.settings.target, &train_rows);
    let encoder = RowEncoder::new(&raw.table, &columns, &raw.settings.missing)?;
    let width: usize = columns.iter().map(crate::Column::width).sum();
    let examples = |rows: Vec<usize>| -> Result<Examples, DataError> {
        let encoded = encoder.encode(&rows)?;
        let targets = learn::select_targets(&target, &rows);
        Ok(Examples::new(vec![width], Inputs::Floats(encoded.values), targets).with_missing(encoded.missing))
    };
    let some = |rows: Vec<usize>| if rows.is_empty() { Ok(None) } else { examples(rows).map(Some) };
    let train = examples(train_rows)?;
    let validation = some(rows(&own.validation, &plan.validation))?;
    let test = some(rows(&own.test, &plan.test))?;
    let settings = &raw.settings;
    let input = InputFormat::Table {
        missing: settings.missing.clone(),
        delimiter: settings.delimiter,
        columns: columns.clone(),
    };
    Ok(Dataset { name, train, validation, test, format: Format { input, task } })
}
