//! Recipes, good and bad, against types that use every form of schema.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod filled;
mod forms;
mod gallery;
mod overrides;
mod places;
mod published;
mod robust;
mod sample;
