//! What fools one model, tried on another.

use rand_chacha::ChaCha8Rng;

use crate::{Adversarial, AttackConfig, Batch, RobustError, Threat, Victim, found::Found};

/// Attacks the model `from`, and asks `to` about what was found: an attacker who knows a model like the one under attack.
///
/// Of an example that `to` gets wrong as it is, the clean input is kept. The passes are those of both models, the warnings
/// and stages those of the attack.
///
/// # Errors
///
/// As of [`AttackConfig::run`]; it asks nothing of `to` but its scores.
///
/// # Panics
///
/// As [`AttackConfig::run`], and if the models read inputs of different sizes or tell different numbers of classes apart.
pub fn transfer(
    from: Victim<'_>,
    to: Victim<'_>,
    config: &AttackConfig,
    batch: Batch<'_>,
    threat: &Threat,
    rng: &mut ChaCha8Rng,
) -> Result<Adversarial, RobustError> {
    let sizes = |victim: Victim<'_>| (victim.scores().features(), victim.scores().classes());
    assert_eq!(sizes(from), sizes(to), "values of an input, and classes, of the two models");
    let result = config.run(from, batch, threat, rng)?;
    let model = to.scores();
    let mut found = Found::new(batch, threat, model);
    let all: Vec<usize> = (0..batch.len()).collect();
    found.take(model, &all, result);
    Ok(found.finish())
}
