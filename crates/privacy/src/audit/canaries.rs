use crucible_data::Examples;
use rand_chacha::rand_core::Rng;
use serde::{Deserialize, Serialize};

use crate::draws::Draws;

/// A training example with a wrong label, which an audit trains on or does not by the toss of a coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// Its place among the training examples.
    pub example: usize,
    /// The class that it is given, which is not its own.
    pub label: u32,
    /// Whether it is trained on.
    pub member: bool,
}

/// Canaries by rising place: `count` of the examples, all as likely, each with one of the `classes` less its own, all as
/// likely, both drawn by `draws`; and a fair coin for each, tossed by `coins`.
///
/// # Panics
///
/// If there are fewer examples than `count`, fewer than two `classes`, or the examples have numbers for targets.
pub fn canaries(
    examples: &Examples,
    classes: usize,
    count: usize,
    draws: &mut impl Rng,
    coins: &mut impl Rng,
) -> Vec<Canary> {
    let own = examples.classes().expect("canaries have classes");
    assert!(
        count <= own.len() && classes > 1,
        "{count} canaries of {} examples, {classes} classes",
        own.len()
    );
    let (mut found, mut left) = (Vec::with_capacity(count), count);
    // Selection sampling (Knuth, volume 2, algorithm 3.4.2 S): each example with the probability of those still to be
    // found among those still to be seen.
    for (example, &own) in own.iter().enumerate() {
        if below(draws, (examples.len() - example) as u64) >= left as u64 {
            continue;
        }
        left -= 1;
        let other = below(draws, classes as u64 - 1) as u32;
        let label = other + u32::from(other >= own);
        found.push(Canary { example, label, member: coins.next_u32() >> 31 == 1 });
    }
    found
}

/// The examples that an audit trains on: all but the canaries that are left out, in their order; those canaries that are
/// not left out with their wrong labels.
///
/// # Panics
///
/// If a canary is no example, or the examples have numbers for targets.
#[must_use]
pub fn with_canaries(examples: &Examples, canaries: &[Canary]) -> Examples {
    let mut all = examples.clone();
    let mut stays = vec![true; all.len()];
    for canary in canaries {
        all.relabel(canary.example, canary.label);
        stays[canary.example] = canary.member;
    }
    let stays: Vec<usize> = (0..stays.len()).filter(|&example| stays[example]).collect();
    all.select(&stays)
}

/// Coins that nobody can foresee, by a key of the operating system's.
///
/// # Errors
///
/// Where the system has none to give.
pub fn secret_coins() -> Result<impl Rng, getrandom::Error> {
    Ok(Draws::secret()?.sample(0))
}

/// A number below `bound`, all as likely.
fn below(rng: &mut impl Rng, bound: u64) -> u64 {
    // The highest multiple of the bound: numbers from there on would make some remainders likelier.
    let whole = u64::MAX - u64::MAX % bound;
    loop {
        let number = rng.next_u64();
        if number < whole {
            return number % bound;
        }
    }
}
