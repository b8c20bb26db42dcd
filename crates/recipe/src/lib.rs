//! Recipes checked whole: every mistake at once, each with its line.
//!
//! A recipe is one TOML file that describes a training job. This crate knows nothing of training: it reads the
//! schema that `schemars` derives from a caller's type, holds the file against it, and gives either the value
//! and the recipe with every default filled in, or all that is wrong, each with line, column and what may have been
//! meant.
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Recipe {
//!     /// How often every example is seen.
//!     #[schemars(range(min = 1))]
//!     epochs: u32,
//!     /// The seed of everything random.
//!     #[serde(default)]
//!     seed: u64,
//! }
//!
//! let checked = crucible_recipe::check::<Recipe>("epochs = 3", "recipe.toml", &[]).unwrap();
//! assert_eq!(checked.filled, "epochs = 3\nseed = 0\n");
//!
//! let problems = crucible_recipe::check::<Recipe>("epoch = 3", "recipe.toml", &[]).err().unwrap();
//! assert_eq!(
//!     problems.to_string().lines().next(),
//!     Some("recipe.toml:1:1: unknown key `epoch` at the top level"),
//! );
//! ```
//!
//! # How types must be written
//!
//! Structs with named fields, internally tagged enums (`#[serde(tag = "name")]`), enums of names, options, arrays,
//! tuples, maps with text keys, numbers, booleans and texts, and untagged enums of these. An internally tagged enum
//! may be flattened into a struct. A struct is closed: a key that it does not name is a mistake, whether or not it
//! says `deny_unknown_fields`. Infinity and NaN are no values. `#[serde(alias)]` is unknown to the schema, and so a
//! mistake here; what is inside a type that contains itself is left to serde.

mod bounds;
mod check;
mod compile;
mod describe;
mod document;
mod fill;
mod flatten;
mod overrides;
mod path;
mod peek;
mod phrase;
mod places;
mod problem;
mod scalar;
mod schema;
mod shape;
mod suggest;
mod text;
mod walk;

pub use check::{Checked, MAX_BYTES, check, describe, schema};
pub use describe::Key;
pub use peek::peek;
pub use places::{Origin, Places};
pub use problem::{Problem, Problems};
