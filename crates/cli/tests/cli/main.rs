//! The binary as people and scripts meet it.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod adapters;
mod attack;
mod audit;
mod compress;
mod contract;
mod distill;
mod embed;
mod explain;
mod fairness;
mod gallery;
mod gate;
mod generate;
mod hub;
mod membership;
mod poison;
mod privacy;
mod prune;
mod regression;
mod resume;
mod support;
mod texts;
mod tidy;
mod transfer;
