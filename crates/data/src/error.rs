//! What can go wrong between a recipe's `[data]` section and a [`Dataset`](crate::Dataset).

use std::path::PathBuf;

/// Why data could not be read, encoded, or split.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The settings contradict themselves; every problem found is listed.
    #[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Config {
        /// All problems, in the order of the settings.
        problems: Vec<ConfigProblem>,
    },
    /// The operating system refused to open or read a file or folder.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// A binary file is not what it should be.
    #[error("{}, byte {offset}: {problem}", path.display())]
    Bytes {
        /// The file.
        path: PathBuf,
        /// Where the problem starts; for a `.gz` file an offset into the decompressed bytes.
        offset: u64,
        /// What is wrong there.
        problem: ByteProblem,
    },
    /// A CSV file is not what it should be.
    #[error("{}:{line}:{column}: {problem}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// Line of the row's start, from 1.
        line: u64,
        /// Field within the row, from 1.
        column: usize,
        /// What is wrong there.
        problem: TableProblem,
    },
    /// A file's bytes are not the ones that the recipe pins.
    #[error("{}: sha256 is {actual}, but the recipe says {expected}", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// Hexadecimal digest that the recipe gives.
        expected: String,
        /// Hexadecimal digest of the file as it is.
        actual: String,
    },
    /// A folder holds no usable files.
    #[error("{}: {problem}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is missing or in the way.
        problem: String,
    },
    /// A file for prediction is of another kind than the network was trained on.
    #[error("{}, byte 0: {found}, but the network takes {wanted}", path.display())]
    WrongKind {
        /// The file.
        path: PathBuf,
        /// What the file looks like.
        found: &'static str,
        /// What the format asks for.
        wanted: &'static str,
    },
    /// Texts were given to what makes inputs without their tokenizer.
    #[error("{}: the network reads texts, which become inputs by their tokenizer alone", path.display())]
    NeedsTokenizer {
        /// The file.
        path: PathBuf,
    },
    /// A tokenizer cannot be used.
    #[error("{}: {problem}", path.display())]
    Tokenizer {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A saved [`Format`](crate::Format) contradicts itself.
    #[error("the saved input format is damaged: {0}")]
    Format(String),
    /// There is too little data for the split that was asked for.
    #[error("{name}: {problem}")]
    TooFew {
        /// The source.
        name: String,
        /// Which split would be empty, or which class is alone.
        problem: String,
    },
    /// The request fits pictures only.
    #[error("{name}: its inputs are not pictures")]
    NotPictures {
        /// The data set.
        name: String,
    },
}

/// One setting that cannot be used as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("data.{field}: {problem}")]
pub struct ConfigProblem {
    /// The setting, as written in the recipe.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

/// What is wrong at one byte of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ByteProblem {
    /// The first two bytes of an IDX file are zero.
    #[error("not an IDX file: the first four bytes are {0:02x?}")]
    Magic([u8; 4]),
    /// IDX data of another element type than unsigned bytes.
    #[error("IDX element type is {0:#04x}, but only unsigned bytes (0x08) are read")]
    ElementType(u8),
    /// IDX data of another number of dimensions.
    #[error("IDX data has {actual} dimensions, expected {expected}")]
    Rank {
        /// Dimensions that the reader needs.
        expected: usize,
        /// Dimensions that the file declares.
        actual: usize,
    },
    /// The header declares more than is read.
    #[error("the header declares {dimensions:?}, more than the limit of {limit} values")]
    TooLarge {
        /// The declared dimensions.
        dimensions: Vec<u32>,
        /// Most values that are read.
        limit: u64,
    },
    /// The header declares pictures without any pixel.
    #[error("the header declares {0:?}: a dimension is zero")]
    Empty(Vec<u32>),
    /// The file, or its decompressed content, is larger than is read.
    #[error("more than the limit of {limit} bytes")]
    FileTooLarge {
        /// Most bytes that are read.
        limit: u64,
    },
    /// The file ends before the header says.
    #[error("the file ends here, {missing} bytes early")]
    Truncated {
        /// Bytes that are missing.
        missing: u64,
    },
    /// The file goes on after the header says it ends.
    #[error("bytes after the end of the data")]
    Trailing,
    /// The gzip stream is damaged.
    #[error("damaged gzip data: {0}")]
    Gzip(String),
    /// A label names no class.
    #[error("label {label}, but there are only {classes} classes")]
    Label {
        /// The label.
        label: u8,
        /// How many classes there are.
        classes: usize,
    },
    /// Pictures and labels do not pair up.
    #[error("{labels} labels for {pictures} pictures in {}", pictures_path.display())]
    Count {
        /// How many labels this file has.
        labels: usize,
        /// How many pictures the other file has.
        pictures: usize,
        /// The other file.
        pictures_path: PathBuf,
    },
    /// Pictures of the test split differ in size from those of the training split.
    #[error("pictures are {actual:?} pixels, but the training pictures are {expected:?}")]
    PictureSize {
        /// Height and width of the training pictures.
        expected: [usize; 2],
        /// Height and width in this file.
        actual: [usize; 2],
    },
    /// A PNG or JPEG could not be decoded.
    #[error("unreadable picture: {0}")]
    Picture(String),
    /// The file is none of the kinds that are read.
    #[error("neither a PNG, JPEG, or IDX picture file, nor named .csv, .tsv, or .txt")]
    UnknownKind,
    /// The file is none of the kinds that texts are read from.
    #[error("texts are read from files named .csv, .tsv or .jsonl")]
    NoTexts,
}

/// What is wrong at one field of a CSV file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableProblem {
    /// There is no header.
    #[error("no header")]
    NoHeader,
    /// There is a header, but nothing else.
    #[error("no rows")]
    NoRows,
    /// Two columns have the same name.
    #[error("column \"{0}\" appears twice")]
    DuplicateColumn(String),
    /// A column that is needed is not in the header.
    #[error("no column \"{name}\"; the columns are {}", quoted(present))]
    MissingColumn {
        /// The column.
        name: String,
        /// The columns that are there.
        present: Vec<String>,
    },
    /// A row has another number of fields than the header.
    #[error("{actual} fields, but the header has {expected}")]
    Ragged {
        /// Fields in the header.
        expected: usize,
        /// Fields in the row.
        actual: usize,
    },
    /// The text is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// The target is missing in a row.
    #[error("no value for the target \"{0}\"")]
    MissingTarget(String),
    /// A field should be a number.
    #[error("\"{value}\" is not a finite number, as column \"{name}\" needs")]
    NotANumber {
        /// The column.
        name: String,
        /// The text found.
        value: String,
    },
    /// A line of JSON is no object.
    #[error("not a JSON object: {0}")]
    NotAnObject(String),
    /// A field should be a text.
    #[error("{value} is not a text, as column \"{name}\" needs")]
    NotAText {
        /// The column.
        name: String,
        /// The value found.
        value: String,
    },
    /// A field should be a class.
    #[error("{value} is no class, as the target \"{name}\" needs: a text, a number, true or false")]
    NotALabel {
        /// The column.
        name: String,
        /// The value found.
        value: String,
    },
    /// A split column holds something else than a split.
    #[error("\"{0}\" is not a split: train, validation, or test")]
    UnknownSplit(String),
    /// A column is empty throughout.
    #[error("column \"{0}\" has no value in any row; list it under `ignore`")]
    EmptyColumn(String),
    /// A column of text has too many distinct values to become one input each.
    #[error("column \"{name}\" has more than {limit} distinct texts; list it under `ignore`")]
    TooManyLevels {
        /// The column.
        name: String,
        /// Most distinct texts.
        limit: usize,
    },
    /// The target has fewer than two classes, or too many.
    #[error("the target \"{name}\" has {actual} distinct values; a classification needs 2 to {limit}")]
    ClassCount {
        /// The target column.
        name: String,
        /// How many distinct values it has.
        actual: usize,
        /// Most classes.
        limit: usize,
    },
    /// No column is left to learn from.
    #[error("no column is left as input")]
    NoInputs,
    /// The table has more rows or bytes than is read.
    #[error("more than the limit of {limit} {unit}")]
    TooLarge {
        /// The limit.
        limit: u64,
        /// Rows or bytes.
        unit: &'static str,
    },
    /// The reader gave up for another reason.
    #[error("{0}")]
    Other(String),
}

fn quoted(names: &[String]) -> String {
    const SHOWN: usize = 30;
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| format!("\"{name}\"")).collect();
    let rest = names.len().saturating_sub(SHOWN);
    if rest > 0 { format!("{}, and {rest} more", shown.join(", ")) } else { shown.join(", ") }
}
