//! What is written, read back: by its structure, and by an interpreter of the operators.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod architectures;
mod errors;
mod interpreter;
mod quantized;
mod support;
