//! What is wrong with a recipe, and how it is told.

use std::fmt;

use serde::Serialize;

use crate::document::Place;
use crate::places::Places;
use crate::text::{Excerpt, Text};

/// More problems than this are counted, not listed.
const MOST: usize = 200;

/// One thing that is wrong with a recipe.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// The line in the file, from one; none for a problem that is not in the file.
    pub line: Option<usize>,
    /// The column in the line, from one, in characters.
    pub column: Option<usize>,
    /// The override at fault, as it was given after `--set`.
    #[serde(rename = "override")]
    pub set: Option<String>,
    /// The key or table at fault, such as `train.optimizer.lr`; empty for the whole recipe and for TOML mistakes.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What may set it right.
    pub help: Option<String>,
    #[serde(skip)]
    excerpt: Option<Excerpt>,
}

/// Everything that is wrong with a recipe, in the order of the file.
///
/// `Display` lists it as a compiler would; `Serialize` gives the list of problems.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Problems {
    file_name: String,
    list: Vec<Problem>,
    unlisted: usize,
}

impl Problems {
    /// No problems yet, in the recipe with these places.
    pub fn none(places: &Places) -> Self {
        Self { file_name: places.text.file_name.clone(), ..Self::default() }
    }

    /// One problem that the caller found with the key or table at `path`, such as `model.hidden` or `audit.checks[1]`.
    ///
    /// It stands where the path was written or, if it was not, where the nearest table around it was.
    pub fn at(places: &Places, path: &str, message: impl Into<String>, help: Option<String>) -> Self {
        let mut problems = Self::none(places);
        problems.add(places, path, message, help);
        problems
    }

    /// Adds a problem as [`Problems::at`] does.
    pub fn add(&mut self, places: &Places, path: &str, message: impl Into<String>, help: Option<String>) {
        let place = places.nearest(path);
        let raw = Raw { place, path: path.to_owned(), message: message.into(), help };
        self.list.push(raw.resolve(&places.text));
    }

    /// Appends the problems of another check of the same recipe.
    pub fn append(&mut self, other: Self) {
        self.list.extend(other.list);
        self.unlisted += other.unlisted;
    }

    /// The problems, at most 200 of them.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// How many more there were than are listed.
    pub fn unlisted(&self) -> usize {
        self.unlisted
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// `Ok` if nothing is wrong.
    ///
    /// # Errors
    ///
    /// These problems, if there are any.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl std::error::Error for Problems {}

impl Serialize for Problems {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(serializer)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            problem.write(&self.file_name, f)?;
        }
        if self.unlisted > 0 {
            write!(f, "\n\n{}: and {} more problems", self.file_name, self.unlisted)?;
        }
        Ok(())
    }
}

impl Problem {
    fn write(&self, file_name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.set, self.line, self.column) {
            (Some(set), _, _) => write!(f, "--set {set}: {}", self.message)?,
            (None, Some(line), Some(column)) => write!(f, "{file_name}:{line}:{column}: {}", self.message)?,
            _ => write!(f, "{file_name}: {}", self.message)?,
        }
        match (&self.excerpt, self.line) {
            (Some(excerpt), Some(line)) => {
                let marks = "^".repeat(excerpt.width);
                write!(f, "\n{line:>5} | {}\n      | ", excerpt.line.trim_end())?;
                write!(f, "{:indent$}{marks}", "", indent = excerpt.indent)?;
                self.help.iter().try_for_each(|help| write!(f, " {help}"))
            }
            _ => self.help.iter().try_for_each(|help| write!(f, "\n      = {help}")),
        }
    }
}

/// A problem before its place is looked up.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) place: Place,
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Raw {
    fn resolve(self, text: &Text) -> Problem {
        let Self { place, path, message, help } = self;
        let mut problem = Problem { line: None, column: None, set: None, path, message, help, excerpt: None };
        match place {
            Place::File(span) => {
                let (line, column, excerpt) = text.resolve(&span);
                problem.line = Some(line);
                problem.column = Some(column);
                problem.excerpt = Some(excerpt);
            }
            Place::Override(index) => {
                problem.set = text.overrides.get(index).map(|set| one_line(set));
            }
            Place::Nowhere => {}
        }
        problem
    }

    /// The file from top to bottom, then the overrides, then what nobody wrote.
    fn order(&self) -> (u8, usize) {
        match &self.place {
            Place::File(span) => (0, span.start),
            Place::Override(index) => (1, *index),
            Place::Nowhere => (2, 0),
        }
    }
}

/// An override as it is shown: on one line, and not at any length.
fn one_line(text: &str) -> String {
    let clean = |character: char| if character.is_control() { '\u{fffd}' } else { character };
    let shown: String = text.chars().take(80).map(clean).collect();
    if text.chars().nth(80).is_some() { format!("{shown}…") } else { shown }
}

/// Gathers problems.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    raw: Vec<Raw>,
    unlisted: usize,
}

impl Sink {
    /// Adds a problem, or counts it where there are too many.
    pub(crate) fn push(&mut self, raw: Raw) {
        if self.raw.len() < MOST {
            self.raw.push(raw);
        } else {
            self.unlisted += 1;
        }
    }

    /// Adds the problems of another sink.
    pub(crate) fn append(&mut self, other: Self) {
        self.unlisted += other.unlisted;
        other.raw.into_iter().for_each(|raw| self.push(raw));
    }

    /// Says that every problem in here comes from `place`.
    pub(crate) fn claim(&mut self, place: &Place) {
        self.raw.iter_mut().for_each(|raw| raw.place = place.clone());
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The problems, each with its place in the text.
    pub(crate) fn resolve(mut self, text: &Text) -> Problems {
        self.raw.sort_by_key(Raw::order);
        let list = self.raw.into_iter().map(|raw| raw.resolve(text)).collect();
        Problems { file_name: text.file_name.clone(), list, unlisted: self.unlisted }
    }
}
