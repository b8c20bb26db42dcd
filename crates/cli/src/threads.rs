//! The threads that computations share.

use crate::error::CliError;

/// Starts `count` threads, or one for each core, of which this one is the first.
///
/// The pool's threads would else wake one after another while this one sleeps, at each product of a step: a second
/// thread brought a small network's step next to nothing.
///
/// # Errors
///
/// Where threads were started before, or cannot be.
pub(crate) fn start(count: Option<u16>) -> Result<(), CliError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count.unwrap_or(0).into()).use_current_thread();
    pool.build_global().map_err(|error| CliError::Usage(format!("threads: {error}")))
}
