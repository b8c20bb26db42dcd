//! What a table's columns are, learned from its cells; statistics come from training rows only.

use std::collections::{BTreeSet, HashMap};

use crate::examples::select_rows;
use crate::raw::RawTable;
use crate::rows::is_missing;
use crate::source::TableTask;
use crate::table::number;
use crate::{Column, DataError, TableProblem, Targets, Task};

/// Most inputs that one column of text becomes.
const MAX_LEVELS: usize = 1_000;
/// Most classes of a target.
const MAX_CLASSES: usize = 10_000;
/// A numeric target with more distinct values than this is a regression, unless the recipe says otherwise.
const CLASSES_AT_MOST: usize = 20;

/// A table and where in it the columns are that the settings name.
pub(crate) struct Learner<'a> {
    raw: &'a RawTable,
    target: usize,
    split: Option<usize>,
    inputs: Vec<usize>,
}

/// Rows by the source's own splits; `None` where it names none.
pub(crate) struct OwnSplits {
    pub(crate) train: Vec<usize>,
    pub(crate) validation: Option<Vec<usize>>,
    pub(crate) test: Option<Vec<usize>>,
}

impl OwnSplits {
    /// All rows are for training.
    pub(crate) fn none(rows: usize) -> Self {
        Self { train: (0..rows).collect(), validation: None, test: None }
    }

    /// By the name of each row's split; a row with another word, and the problem with it.
    pub(crate) fn of<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, (usize, TableProblem)> {
        let (mut train, mut validation, mut test) = (Vec::new(), Vec::new(), Vec::new());
        for (row, name) in names.enumerate() {
            match name {
                "train" => train.push(row),
                "validation" | "valid" | "val" => validation.push(row),
                "test" => test.push(row),
                other => return Err((row, TableProblem::UnknownSplit(other.to_owned()))),
            }
        }
        let some = |rows: Vec<usize>| (!rows.is_empty()).then_some(rows);
        Ok(Self { train, validation: some(validation), test: some(test) })
    }
}

/// The classes of a target called `name`, and the class of each of its values: numbers in their order if all are some, else
/// texts in theirs.
pub(crate) fn classes<'a>(
    name: &str,
    values: impl Iterator<Item = &'a str> + Clone,
) -> Result<(Vec<String>, Vec<u32>), TableProblem> {
    let distinct: BTreeSet<&str> = values.clone().collect();
    if !(2..=MAX_CLASSES).contains(&distinct.len()) {
        let (name, actual) = (name.to_owned(), distinct.len());
        return Err(TableProblem::ClassCount { name, actual, limit: MAX_CLASSES });
    }
    let all_numbers = distinct.iter().all(|text| number(text).is_some());
    let mut names: Vec<&str> = distinct.into_iter().collect();
    if all_numbers {
        names.sort_by(|a, b| number(a).partial_cmp(&number(b)).unwrap_or(std::cmp::Ordering::Equal));
    }
    let index: HashMap<&str, u32> = names.iter().copied().zip(0u32..).collect();
    let of = values.map(|text| index[text]).collect();
    Ok((names.into_iter().map(str::to_owned).collect(), of))
}

/// The target of every row of the table.
pub(crate) enum Target {
    Classes { names: Vec<String>, of: Vec<u32> },
    Numbers(Vec<f64>),
}

impl<'a> Learner<'a> {
    /// Finds all columns that the settings name.
    pub(crate) fn new(raw: &'a RawTable) -> Result<Self, DataError> {
        let (table, settings) = (&raw.table, &raw.settings);
        let target = table.column(&settings.target)?;
        let split = settings.split_column.as_ref().map(|name| table.column(name)).transpose()?;
        for name in settings.ignore.iter().chain(&settings.categorical) {
            table.column(name)?;
        }
        let is_input = |&column: &usize| {
            column != target && Some(column) != split && !settings.ignore.contains(&table.header()[column])
        };
        let inputs: Vec<usize> = (0..table.header().len()).filter(is_input).collect();
        if inputs.is_empty() {
            return Err(table.column_problem(0, TableProblem::NoInputs));
        }
        Ok(Self { raw, target, split, inputs })
    }

    /// Rows by what the split column says; all are for training if there is none.
    pub(crate) fn own_splits(&self) -> Result<OwnSplits, DataError> {
        let table = &self.raw.table;
        let Some(column) = self.split else {
            return Ok(OwnSplits::none(table.len()));
        };
        OwnSplits::of((0..table.len()).map(|row| table.cell(row, column)))
            .map_err(|(row, problem)| table.problem(row, column, problem))
    }

    /// The target of every row: classes or numbers, as the settings say or as the values suggest.
    pub(crate) fn target(&self) -> Result<Target, DataError> {
        let (table, name) = (&self.raw.table, &self.raw.settings.target);
        for row in 0..table.len() {
            if is_missing(&self.raw.settings.missing, table.cell(row, self.target)) {
                return Err(table.problem(row, self.target, TableProblem::MissingTarget(name.clone())));
            }
        }
        let texts = (0..table.len()).map(|row| table.cell(row, self.target));
        let distinct: BTreeSet<&str> = texts.clone().collect();
        let all_numbers = distinct.iter().all(|text| number(text).is_some());
        let suggested = if all_numbers && distinct.len() > CLASSES_AT_MOST {
            TableTask::Regression
        } else {
            TableTask::Classification
        };
        if self.raw.settings.task.unwrap_or(suggested) == TableTask::Regression {
            let numbers = (0..table.len()).map(|row| table.number(row, self.target));
            return Ok(Target::Numbers(numbers.collect::<Result<_, _>>()?));
        }
        let (names, of) =
            classes(name, texts).map_err(|problem| table.column_problem(self.target, problem))?;
        Ok(Target::Classes { names, of })
    }

    /// How each input column is encoded. Its kind is seen from all rows; means, deviations, and levels come from the
    /// rows at `train` alone.
    pub(crate) fn columns(&self, train: &[usize]) -> Result<Vec<Column>, DataError> {
        self.inputs.iter().map(|&index| self.column(index, train)).collect()
    }

    fn column(&self, index: usize, train: &[usize]) -> Result<Column, DataError> {
        let table = &self.raw.table;
        let name = table.header()[index].clone();
        let present = |row: &usize| !is_missing(&self.raw.settings.missing, table.cell(*row, index));
        let mut all = (0..table.len()).filter(present).peekable();
        if all.peek().is_none() {
            return Err(table.column_problem(index, TableProblem::EmptyColumn(name)));
        }
        let forced = self.raw.settings.categorical.contains(&name);
        let train = train.iter().copied().filter(present);
        if !forced && all.all(|row| number(table.cell(row, index)).is_some()) {
            let numbers = train.map(|row| table.number(row, index)).collect::<Result<Vec<f64>, _>>()?;
            let (mean, std) = mean_and_std(&numbers);
            return Ok(Column::Numeric { name, mean, std, fill: mean });
        }
        let levels: BTreeSet<&str> = train.map(|row| table.cell(row, index)).collect();
        if levels.len() > MAX_LEVELS {
            let problem = TableProblem::TooManyLevels { name, limit: MAX_LEVELS };
            return Err(table.column_problem(index, problem));
        }
        Ok(Column::Categorical { name, levels: levels.into_iter().map(str::to_owned).collect() })
    }
}

impl Target {
    /// The class of a row; 0 for all rows of a regression.
    pub(crate) fn label(&self, row: usize) -> u32 {
        match self {
            Self::Classes { of, .. } => of[row],
            Self::Numbers(_) => 0,
        }
    }

    /// The task and, for every row of the table, the target; numbers are standardised by the rows at `train`.
    pub(crate) fn into_task(self, name: &str, train: &[usize]) -> (Task, Targets) {
        match self {
            Self::Classes { names, of } => (Task::Classification { classes: names }, Targets::Classes(of)),
            Self::Numbers(numbers) => {
                let (mean, std) = mean_and_std(&select_rows(&numbers, 1, train));
                let (mean, std) = (mean as f32, (std as f32).max(f32::MIN_POSITIVE));
                let standardise = |number: f64| ((number - f64::from(mean)) / f64::from(std)) as f32;
                let standardised =
                    numbers.iter().map(|&number| standardise(number).clamp(f32::MIN, f32::MAX));
                let targets = Targets::Values { values: standardised.collect(), width: 1 };
                (
                    Task::Regression { targets: vec![name.to_owned()], mean: vec![mean], std: vec![std] },
                    targets,
                )
            }
        }
    }
}

/// The targets of some of the table's rows.
pub(crate) fn select_targets(targets: &Targets, rows: &[usize]) -> Targets {
    match targets {
        Targets::Classes(classes) => Targets::Classes(select_rows(classes, 1, rows)),
        Targets::Values { values, width } => {
            Targets::Values { values: select_rows(values, *width, rows), width: *width }
        }
    }
}

/// Mean and (population) standard deviation; 1 in place of a deviation of 0, and (0, 1) of nothing.
fn mean_and_std(numbers: &[f64]) -> (f64, f64) {
    let count = numbers.len().max(1) as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / count;
    (mean, if variance > 0.0 { variance.sqrt() } else { 1.0 })
}
