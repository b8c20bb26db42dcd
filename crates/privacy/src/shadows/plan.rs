//! Which shadow model is trained on which examples.

use crucible_data::seed;
use crucible_train::{RunFolder, TrainError};
use rand::{Rng, seq::SliceRandom};
use serde::{Deserialize, Serialize};

use crate::PrivacyError;

/// The plan's place in the folder of the run under attack.
const PLAN: &str = "shadows/plan.json";
/// Raised whenever the same plan means other draws.
const VERSION: u32 = 1;

/// How the recipe of a shadow begins, by which it is told from a run that is its own: nothing can be said of its data
/// without the run that it is a shadow of.
pub const MARK: &str = "# A shadow model of the run two folders up";

/// Who is trained on what, found anew from a few numbers; `shadows/plan.json` in the folder of the run under attack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    version: u32,
    shadows: usize,
    seed: u64,
    train: usize,
    others: usize,
    recipe: String,
}

/// The examples that shadow models are trained on: as many that the run under attack was trained on as others. Both lists
/// are in random order, so that their first ones are a random choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Of the training split.
    pub members: Vec<usize>,
    /// Of the split that the run was not trained on.
    pub others: Vec<usize>,
}

impl Plan {
    /// A plan of `shadows` models for a run that was trained on `train` examples, as `recipe` says, beside which there are
    /// `others`. Everything is drawn from `seed`.
    ///
    /// # Errors
    ///
    /// Where the number of shadow models is odd or none, or there are no examples on one side.
    pub fn new(
        shadows: usize,
        seed: u64,
        [train, others]: [usize; 2],
        recipe: String,
    ) -> Result<Self, PrivacyError> {
        if shadows == 0 || !shadows.is_multiple_of(2) {
            return Err(PrivacyError::Halves(shadows));
        }
        if train == 0 || others == 0 {
            return Err(PrivacyError::NoPool { train, others });
        }
        Ok(Self { version: VERSION, shadows, seed, train, others, recipe })
    }

    /// The plan of the shadow models in the folder of a run, none where it has none.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read or is damaged.
    pub fn read(run: &RunFolder) -> Result<Option<Self>, TrainError> {
        if !run.has(PLAN) {
            return Ok(None);
        }
        let damaged = |error: serde_json::Error| TrainError::Damaged {
            path: run.path(PLAN),
            problem: error.to_string(),
        };
        serde_json::from_slice(&run.read(PLAN)?).map(Some).map_err(damaged)
    }

    /// Leaves the plan in the folder of a run.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn write(&self, run: &RunFolder) -> Result<(), TrainError> {
        run.write(PLAN, &serde_json::to_vec_pretty(self).expect("plain data"))
    }

    /// What differs between two plans, in words; none where they are the same.
    #[must_use]
    pub fn difference(&self, now: &Self) -> Option<String> {
        if self == now {
            return None;
        }
        let sizes = |plan: &Self| format!("{} and {} examples", plan.train, plan.others);
        Some(if self.version != now.version {
            format!(
                "they are drawn as version {} says, and this program draws by {}",
                self.version, now.version
            )
        } else if self.shadows != now.shadows {
            format!("there are {} of them, and {} are asked for", self.shadows, now.shadows)
        } else if self.seed != now.seed {
            format!("their seed is {}, and the recipe's is {}", self.seed, now.seed)
        } else if [self.train, self.others] != [now.train, now.others] {
            format!("they are drawn from {}, and now there are {}", sizes(self), sizes(now))
        } else {
            "the run's recipe has changed since".to_owned()
        })
    }

    /// How many shadow models there are; an even number.
    #[must_use]
    pub fn shadows(&self) -> usize {
        self.shadows
    }

    /// Examples of each side of the pool: as many as the smaller side has.
    #[must_use]
    pub fn side(&self) -> usize {
        self.train.min(self.others)
    }

    /// The place of a shadow model's run folder in that of the run.
    #[must_use]
    pub fn place(number: usize) -> String {
        format!("shadows/{number}")
    }

    /// The examples that shadow models are trained on.
    #[must_use]
    pub fn pool(&self) -> Pool {
        let draw = |name, count: usize| {
            let mut all: Vec<usize> = (0..count).collect();
            all.shuffle(&mut seed::stream(self.seed, name, 0));
            all.truncate(self.side());
            all
        };
        Pool { members: draw("shadow-members", self.train), others: draw("shadow-others", self.others) }
    }

    /// `[shadows, pool]`: whether each shadow model is trained on each example of the pool, members before others. Every
    /// example is in exactly half of them, whichever.
    #[must_use]
    pub fn halves(&self) -> Vec<bool> {
        let examples = 2 * self.side();
        let mut halves = vec![false; self.shadows * examples];
        let mut rng = seed::stream(self.seed, "shadow-halves", 0);
        let mut order: Vec<usize> = (0..self.shadows).collect();
        for example in 0..examples {
            order.shuffle(&mut rng);
            for shadow in &order[..self.shadows / 2] {
                halves[shadow * examples + example] = true;
            }
        }
        halves
    }

    /// The seed of a shadow model's weights and of all draws of its training.
    #[must_use]
    pub fn seed_of(&self, number: usize) -> u64 {
        seed::stream(self.seed, "shadow", number as u64).next_u64()
    }

    /// The recipe that stands in a shadow model's folder: the run's, and a first line that says what it is of.
    pub(super) fn recipe_of(&self, number: usize) -> String {
        format!(
            "{MARK}, number {number} of {}: trained as it was, on a random half of a pool of examples, with another seed.\n{}",
            self.shadows, self.recipe
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(shadows: usize, seed: u64) -> Plan {
        Plan::new(shadows, seed, [50, 31], "epochs = 1".to_owned()).expect("a plan")
    }

    #[test]
    fn every_example_is_in_exactly_half_of_the_shadows() {
        for shadows in [2, 6, 32] {
            let halves = plan(shadows, 1).halves();
            assert_eq!(halves.len(), shadows * 62);
            for example in 0..62 {
                let inside = (0..shadows).filter(|shadow| halves[shadow * 62 + example]).count();
                assert_eq!(inside, shadows / 2, "example {example} of {shadows} shadows");
            }
        }
    }

    /// No shadow gets much more than its half, no two the same, and which examples go together is not fixed.
    #[test]
    fn each_shadow_has_its_own_random_half() {
        let plan = Plan::new(16, 3, [2000, 2000], String::new()).expect("a plan");
        let (halves, pool) = (plan.halves(), 4000);
        let rows: Vec<&[bool]> = halves.chunks_exact(pool).collect();
        for (number, row) in rows.iter().enumerate() {
            let size = row.iter().filter(|inside| **inside).count();
            // Five standard deviations of Binomial(4000, 1/2).
            assert!(size.abs_diff(2000) < 160, "{size} examples in shadow {number}");
            for (other, later) in rows.iter().enumerate().skip(number + 1) {
                let shared = row.iter().zip(*later).filter(|(a, b)| **a && **b).count();
                // Of two shadows of 16, a given example is in both with the probability 1/2 · 7/15.
                assert!(shared.abs_diff(933) < 140, "{shared} examples in shadows {number} and {other}");
            }
        }
    }

    #[test]
    fn the_pool_has_as_many_of_both_sides_each_once() {
        let Pool { members, others } = plan(4, 1).pool();
        for (side, count) in [(members, 50), (others, 31)] {
            let mut sorted = side.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!((side.len(), sorted.len()), (31, 31));
            assert!(sorted[30] < count && side != sorted, "in random order");
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_plan_and_another_another() {
        let [a, b, c] = [1, 1, 2].map(|seed| plan(8, seed));
        assert_eq!((a.pool(), a.halves(), a.seed_of(3)), (b.pool(), b.halves(), b.seed_of(3)));
        assert!(a.pool() != c.pool() && a.halves() != c.halves() && a.seed_of(3) != c.seed_of(3));
        assert_ne!(a.seed_of(3), a.seed_of(4));
    }

    #[test]
    fn plans_that_cannot_be() {
        let plan = |shadows, sizes| Plan::new(shadows, 1, sizes, String::new());
        for shadows in [0, 1, 7] {
            assert_eq!(plan(shadows, [9, 9]), Err(PrivacyError::Halves(shadows)));
        }
        assert_eq!(plan(2, [9, 0]), Err(PrivacyError::NoPool { train: 9, others: 0 }));
        assert_eq!(plan(2, [0, 9]), Err(PrivacyError::NoPool { train: 0, others: 9 }));
    }

    #[test]
    fn a_plan_is_kept_and_what_differs_is_told() {
        let parent = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&parent.path().join("run"), "seed = 1").unwrap();
        assert!(Plan::read(&run).unwrap().is_none());
        let then = plan(8, 1);
        then.write(&run).unwrap();
        let kept = Plan::read(&run).unwrap().expect("a plan");
        assert_eq!(kept.difference(&then), None);
        let now =
            |shadows, seed, sizes, recipe: &str| Plan::new(shadows, seed, sizes, recipe.to_owned()).unwrap();
        for (now, words) in [
            (now(6, 1, [50, 31], "epochs = 1"), "there are 8 of them, and 6 are asked for"),
            (now(8, 2, [50, 31], "epochs = 1"), "their seed is 1, and the recipe's is 2"),
            (
                now(8, 1, [50, 30], "epochs = 1"),
                "they are drawn from 50 and 31 examples, and now there are 50 and 30 examples",
            ),
            (now(8, 1, [50, 31], "epochs = 2"), "the run's recipe has changed since"),
        ] {
            assert_eq!(kept.difference(&now).as_deref(), Some(words));
        }
        std::fs::write(run.path(PLAN), "{}").unwrap();
        assert!(matches!(Plan::read(&run), Err(TrainError::Damaged { .. })));
    }
}
