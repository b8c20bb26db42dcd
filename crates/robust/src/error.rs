use crate::{Access, Norm, certify::NoBounds};

/// Why an attack, a certificate or a detector cannot be run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RobustError {
    /// The radius is no radius.
    #[error("ε is {0}, and must be a finite number of at least 0")]
    Radius(f32),
    /// The range of valid inputs is empty.
    #[error("the range of valid inputs, {low} to {high}, is empty or not finite")]
    Range {
        /// Its lower end.
        low: f32,
        /// Its upper end.
        high: f32,
    },
    /// An input lies outside of the range of valid inputs.
    #[error("example {example} has the value {value}, outside of the valid range {low} to {high}")]
    Invalid {
        /// The example's index.
        example: usize,
        /// The value.
        value: f32,
        /// The range's lower end.
        low: f32,
        /// The range's upper end.
        high: f32,
    },
    /// The model does not answer what the attack asks.
    #[error("{attack} needs {access}, and this model has only {offered}; these would work: {}", list(others))]
    Access {
        /// The attack.
        attack: &'static str,
        /// What it needs.
        access: Access,
        /// What the model offers.
        offered: Access,
        /// The attacks that the model suffices for.
        others: Vec<&'static str>,
    },
    /// A setting has a value that it cannot have.
    #[error("{name} is {value}, and must be {needed}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        needed: &'static str,
    },
    /// The attack, or the certificate, knows no such ball.
    #[error("{method} is not defined for {norm}; these are: {}", list(others))]
    Norm {
        /// The attack or the certificate.
        method: &'static str,
        /// The norm asked for.
        norm: Norm,
        /// The others that know it.
        others: Vec<&'static str>,
    },
    /// A class that the model does not have.
    #[error("class {class} does not exist: the model tells {classes} apart, 0 to {}", classes - 1)]
    Class {
        /// The class.
        class: u32,
        /// How many there are.
        classes: usize,
    },
    /// Bounds of a network with one output for two classes.
    #[error("bounds of logits need an output for each class; use the loss `cross-entropy`")]
    OneOutput,
    /// A trigger larger than the pictures.
    #[error("a patch of {size}x{size} does not fit on pictures of {height}x{width}")]
    Patch {
        /// The patch's side.
        size: usize,
        /// The pictures' rows.
        height: usize,
        /// The pictures' columns.
        width: usize,
    },
    /// A trigger of a value that no pixel has.
    #[error("the patch's value is {0}, and must lie between 0 and 1")]
    PatchValue(f32),
    /// A share that is none.
    #[error("the poisoned share is {0}, and must lie between 0 and 1")]
    Share(f64),
    /// A detector of features, and a model that shows none.
    #[error("{detector} looks at a network's features, and this model shows none")]
    Features {
        /// The detector.
        detector: &'static str,
    },
    /// A layer through which no interval passes.
    #[error(transparent)]
    Bounds(#[from] NoBounds),
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
