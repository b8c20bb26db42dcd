//! Whether a measurement keeps a limit, as far as its interval can tell.

mod verdict;

pub use verdict::{Limit, Verdict};
