use crate::{METHODS, Need};

/// Why there is no explanation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// No method of this name.
    #[error("there is no method `{name}`; the methods are {}", known.join(", "))]
    NoSuchMethod {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// A class that the model does not tell apart.
    #[error("there is no class {target}; the model has {classes}, from 0 to {}", classes.saturating_sub(1))]
    NoSuchClass {
        /// What was asked for.
        target: usize,
        /// Classes of the model.
        classes: usize,
    },
    /// A method that must see more of the model than it shows.
    #[error("this method needs {need}, which the model does not show; these work: {}", works.join(", "))]
    Lacks {
        /// What is missing.
        need: Need,
        /// The methods that do without it.
        works: Vec<&'static str>,
    },
    /// A network that is no chain of layers.
    #[error(
        "this method goes back through a chain of layers, each fed by the one before it alone, and at `{layer}` the \
         network is none: {why}; these work: {}", works.join(", ")
    )]
    NoChain {
        /// Where the chain breaks.
        layer: String,
        /// How.
        why: &'static str,
        /// The methods that need no chain.
        works: Vec<&'static str>,
    },
    /// No convolution of this name.
    #[error("there is no convolution `{layer}`; the network has {}", listed(layers))]
    NoSuchLayer {
        /// What was asked for.
        layer: String,
        /// The convolutions there are.
        layers: Vec<String>,
    },
    /// A network without attention.
    #[error("the network has no attention to roll out; its layers are {}", listed(layers))]
    NoAttention {
        /// The layers there are.
        layers: Vec<String>,
    },
    /// Attention maps over different numbers of tokens, or tokens that are no part of the input.
    #[error("{tokens} tokens cannot be followed to an input of {features} values")]
    Tokens {
        /// Tokens of the last attention.
        tokens: usize,
        /// Values of one input.
        features: usize,
    },
    /// A baseline or method made of examples, without examples.
    #[error("{what} is made of background examples, and there are none")]
    NoBackground {
        /// What asked for them.
        what: &'static str,
    },
    /// A method or baseline for pictures, on other inputs.
    #[error("{what} needs pictures, but the inputs are rows of {features} values")]
    NoPicture {
        /// What asked for them.
        what: &'static str,
        /// Values of one input.
        features: usize,
    },
    /// A setting out of its range.
    #[error("`{key}` is {value}; it must be {allowed}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
}

impl ExplainError {
    pub(crate) fn lacks(need: Need, gradients: bool) -> Self {
        let allowed = |other: Need| other == Need::Scores || (gradients && other == Need::Gradients);
        Self::Lacks { need, works: names(allowed) }
    }

    pub(crate) fn no_chain(layer: &str, why: &'static str) -> Self {
        let works = names(|need| matches!(need, Need::Scores | Need::Gradients));
        Self::NoChain { layer: layer.to_owned(), why, works }
    }
}

fn names(works: impl Fn(Need) -> bool) -> Vec<&'static str> {
    METHODS.iter().filter(|method| works(method.need)).map(|method| method.name).collect()
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Refuses a count below `least`.
pub(crate) fn at_least(key: &'static str, value: usize, least: usize) -> Result<(), ExplainError> {
    let allowed = if least == 1 { "at least 1" } else { "at least 2" };
    if value < least { Err(ExplainError::Setting { key, value: value.to_string(), allowed }) } else { Ok(()) }
}

/// Refuses what is negative, infinite or no number.
pub(crate) fn not_negative(key: &'static str, value: f64) -> Result<(), ExplainError> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(ExplainError::Setting { key, value: value.to_string(), allowed: "zero or a positive number" })
}

/// Refuses what is not a positive number.
pub(crate) fn positive(key: &'static str, value: f64) -> Result<(), ExplainError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(ExplainError::Setting { key, value: value.to_string(), allowed: "a positive number" })
}
