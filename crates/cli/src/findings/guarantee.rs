use crucible_data::Dataset;
use crucible_privacy::{
    Ledger,
    accountants::{Bounds, pld, rdp},
};
use crucible_report::{Block, Fact, Level, Note, Section, Value};
use crucible_train::RunFolder;

use crate::{error::CliError, recipe::Recipe, rule::doubts};

/// What training with `train.privacy` promises.
pub(crate) struct Guarantee {
    ledger: Ledger,
    spent: Bounds,
    renyi: f64,
    clip: f64,
    doubts: Vec<String>,
}

impl Guarantee {
    /// What the ledger of a run says; none where it was not trained with a guarantee.
    pub(crate) fn read(
        folder: &RunFolder,
        recipe: &Recipe,
        data: &Dataset,
    ) -> Result<Option<Self>, CliError> {
        let (Some(settings), Some(ledger)) = (&recipe.train.privacy, Ledger::read(folder)?) else {
            return Ok(None);
        };
        let phases = ledger.phases()?;
        let (spent, renyi) = (pld(&phases, ledger.delta)?, rdp(&phases, ledger.delta)?);
        Ok(Some(Self { ledger, spent, renyi, clip: settings.clip, doubts: doubts(recipe, data) }))
    }

    /// What may be promised.
    pub(crate) fn epsilon(&self) -> f64 {
        self.spent.upper
    }

    pub(crate) fn delta(&self) -> f64 {
        self.ledger.delta
    }

    pub(crate) fn is_private(&self) -> bool {
        self.ledger.is_private()
    }

    pub(crate) fn sentence(&self) -> String {
        let (epsilon, delta) = (self.epsilon(), self.delta());
        if self.is_private() {
            format!("Each training example is protected with ε = {epsilon:.3} at δ = {delta:e}.")
        } else {
            format!(
                "NOT private: the draws come from the recipe's seed (secret ones would give ε = {epsilon:.3} at δ = {delta:e})."
            )
        }
    }

    pub(crate) fn value(&self) -> Value {
        if self.is_private() { Value::number(self.epsilon(), 3) } else { Value::text("not private") }
    }

    pub(crate) fn section(&self) -> Section {
        let Self { ledger, spent, renyi, clip, doubts } = self;
        let number = |value| Value::number(value, 4);
        let mut facts = vec![
            Fact::new("ε that may be promised", number(spent.upper)),
            Fact::new("ε is at least", number(spent.lower)),
            Fact::new("ε by Rényi divergences, for comparison", number(*renyi)),
            Fact::new("δ", Value::text(format!("{:e}", ledger.delta))),
            Fact::new("Steps paid for", Value::count(ledger.steps())),
            Fact::new("Clipping norm", number(*clip)),
        ];
        for entry in &ledger.entries {
            facts.push(Fact::new(
                format!("Steps {} to {}", entry.first, entry.last),
                Value::text(format!("noise {:.4}, sampling rate {:.6}", entry.noise, entry.rate)),
            ));
        }
        let mut section = Section::new("privacy", "Privacy of the training examples")
            .paragraph(format!(
                "{} Whether any one example was among the training data changes the probability of no set of outcomes by \
                 more than a factor exp(ε), but for a probability of δ; examples are added or removed, not replaced. Of two \
                 examples by the same person only the pair is protected, with twice the ε or more.",
                self.sentence()
            ))
            .paragraph(
                "It holds for the weights in this folder, checkpoints included, and all that is computed of them. It does \
                 not hold for the training loss in the logs and the curves of this report, which is measured on the \
                 training examples without noise, nor for how many examples there are, nor for the choice of the recipe \
                 where it was made on these examples. It assumes that a step's sample takes every example \
                 independently (it does) and that samples and noise are secret: they come from the operating system's \
                 generator by way of ChaCha, whose key stands in the folder `privacy` until training ends. Noise and \
                 sums are numbers of 32 bits; attacks on their rounding are not defended against.",
            )
            .block(Block::Facts { facts });
        for text in doubts {
            section = section.block(Note { level: Level::Warning, text: text.clone() });
        }
        section
    }
}
