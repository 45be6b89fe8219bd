//! How updates reach a subscriber that cannot or does not want to take every one at once.

/// A subscriber's choice of which updates it gets.
///
/// Whatever the choice, the server keeps a bounded amount for a subscriber, never waits for one,
/// and says in the next message how many updates were skipped. Whatever it has sent it cannot take
/// back: after a pause in which the connection could take nothing, a subscriber first gets what was on
/// its way, one old view at least, and then the newest. The counts are right all along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// Every update; when the subscriber falls too far behind, it goes on with the newest.
    #[default]
    EveryUpdate,
    /// The newest view whenever the connection can take one.
    Conflate,
    /// The newest view, at most so many times a second, from 1 to 1,000.
    AtMost(u32),
}

impl Policy {
    /// The most [`Policy::AtMost`] takes.
    pub const MAX_PER_SECOND: u32 = 1_000;
}
