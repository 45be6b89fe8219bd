//! What already waits to be read when a deadline comes.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "sums of times saturate, and counts of messages do not reach 2^64"
)]

use crate::clock::Nanos;

/// Puts the judgement of what is due off until what waited in the connection has been read.
///
/// After the whole process has stood still, every deadline has passed, and what proves most of the
/// books right waits in the socket behind the first message. Whoever drives a feed asks before it
/// calls [`Feed::on_deadline`](super::Feed::on_deadline) after a message, so that only what nothing
/// was heard of is withdrawn. Holds no clock.
///
/// ```
/// use dragonfly_core::{clock::Nanos, feed::Backlog};
///
/// let mut backlog = Backlog::default();
/// assert!(!backlog.has_read(Nanos::from_secs(9)), "more may wait to be read");
/// // A venue that never pauses must not put off for ever that another book is silent.
/// assert!(backlog.has_read(Nanos::from_secs(9) + Backlog::LONGEST));
/// backlog.drained();
/// assert!(!backlog.has_read(Nanos::from_secs(10)));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Backlog {
    /// When the first message was read after nothing had been left to be read.
    since: Option<Nanos>,
}

impl Backlog {
    /// For how long a judgement is put off while there is always something more to read.
    pub const LONGEST: Nanos = Nanos::from_millis(50);

    /// A message has been read: whether what is due is to be judged although more may wait.
    pub fn has_read(&mut self, now: Nanos) -> bool {
        let since = *self.since.get_or_insert(now);
        since + Self::LONGEST <= now
    }

    /// Nothing is left to be read: what is due can be judged.
    pub const fn drained(&mut self) {
        self.since = None;
    }
}
