//! Bugs planted on purpose at the seams of the harness, to show that they would be found.
//!
//! Nothing of this is in the product: a plant changes the rules a feed is given, or stands between
//! two of the product's parts and does to what passes what a bug in either would do.

use dragonfly_core::market::BookRules;

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// A lost update is not noticed.
    NoGapCheck,
    /// The checksum is not looked at.
    NoChecksum,
}

impl Plant {
    /// Every plant.
    pub(crate) const ALL: [Self; 2] = [Self::NoGapCheck, Self::NoChecksum];

    /// Its name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NoGapCheck => "no-gap-check",
            Self::NoChecksum => "no-checksum",
        }
    }

    /// The plant of this name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plant| plant.name() == name)
    }

    /// What it does to the rules of a venue.
    pub(super) fn spoil(self, rules: &mut BookRules) {
        use dragonfly_core::market::SequenceRule;
        match self {
            Self::NoGapCheck if matches!(rules.sequence, SequenceRule::Next { .. }) => {
                rules.sequence = SequenceRule::Increasing;
            }
            Self::NoChecksum => rules.checksum = None,
            Self::NoGapCheck => {}
        }
    }
}
