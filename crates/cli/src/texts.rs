//! Runs that read texts: their own tokenizer, and what cannot be done with tokens.

use std::path::Path;

use crucible_data::{
    DataConfig, InputFormat, NamedInputs, Source, Tokenizer, inputs_from_file, inputs_from_texts,
};
use crucible_train::{RunFolder, run_folder::name};

use crate::{error::CliError, run::Run};

/// Leaves the tokenizer of these data in a run folder, so that the run can be used without it; of other data nothing.
pub(crate) fn keep_tokenizer(data: &DataConfig, folder: &RunFolder) -> Result<(), CliError> {
    let Source::Texts(texts) = &data.source else { return Ok(()) };
    if folder.has(name::TOKENIZER) {
        return Ok(());
    }
    let path = Tokenizer::open(texts.tokenizer.as_deref().unwrap_or(Path::new("")), texts.max_tokens)?;
    let path = path.path();
    let bytes = std::fs::read(path).map_err(|source| CliError::File {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    Ok(folder.write(name::TOKENIZER, &bytes)?)
}

/// The inputs in a file, as a run's network reads them.
pub(crate) fn inputs(run: &Run, file: &Path) -> Result<NamedInputs, CliError> {
    let format = &run.config.format;
    let InputFormat::Text { max_tokens, .. } = format.input else {
        return Ok(inputs_from_file(file, format)?);
    };
    let tokenizer = Tokenizer::open(&run.folder.path(name::TOKENIZER), max_tokens)?;
    Ok(inputs_from_texts(file, format, &tokenizer)?)
}

/// Refuses runs of texts, where `what` computes with inputs or changes them a little: the numbers of tokens are names.
pub(crate) fn refuse(run: &Run, what: &str) -> Result<(), CliError> {
    match run.config.format.input {
        InputFormat::Text { .. } => Err(CliError::Usage(format!(
            "{what}, but this run reads texts, and the numbers of tokens are names that nothing can be computed with"
        ))),
        _ => Ok(()),
    }
}
