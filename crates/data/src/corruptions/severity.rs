use std::fmt;

use super::NotCorrupted;

/// How strong a corruption is: 1 to 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Severity(u8);

impl Severity {
    /// All five, the weakest first.
    pub const ALL: [Self; 5] = [Self(1), Self(2), Self(3), Self(4), Self(5)];

    /// The severity `level`.
    ///
    /// # Errors
    ///
    /// If it is not from 1 to 5.
    pub fn new(level: u8) -> Result<Self, NotCorrupted> {
        if (1..=5).contains(&level) { Ok(Self(level)) } else { Err(NotCorrupted::Severity(level)) }
    }

    /// From 1 to 5.
    #[must_use]
    pub fn level(self) -> u8 {
        self.0
    }

    /// What belongs to this severity, of one for each.
    pub(super) fn of<T: Copy>(self, each: [T; 5]) -> T {
        each[usize::from(self.0) - 1]
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
