//! `crucible audit`: what a model is held against.
//!
//! A check is one file of [`checks`]: the settings that the recipe's `[audit]` table takes, and how a model is measured by
//! them. [`gate`] measures each in a process of its own and judges it by its limit; [`page`] and its neighbours write down
//! what came out.

pub(crate) mod annex_iv;
pub(crate) mod answers;
pub(crate) mod check;
pub(crate) mod checks;
pub(crate) mod finding;
pub(crate) mod fingerprint;
pub(crate) mod gate;
pub(crate) mod judged;
pub(crate) mod kept;
pub(crate) mod model_card;
pub(crate) mod page;
pub(crate) mod several;
pub(crate) mod subject;

pub(crate) use check::{Asked, Check, Concern, Cost, Kind, Needs};
pub(crate) use checks::Limits;
pub(crate) use finding::{Finding, Unit, Unmeasured};
pub(crate) use subject::Subject;
