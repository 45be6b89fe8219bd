//! What a venue promises about its books. The venue declares it, [`BookSync`](super::BookSync) and
//! [`BookListener`](crate::feed::BookListener) hold it to it.

use super::ChecksumRule;
use crate::clock::Nanos;

/// How a venue numbers the updates of a book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SequenceRule {
    /// Not at all.
    #[default]
    None,
    /// Each number is greater than the one before; what is not is old and dropped. A hole cannot be
    /// seen, so this fits whole images only.
    Increasing,
    /// Each delta's number is the last one plus one; `restart` marks a restart of the count that
    /// replaces the book whatever the message calls itself.
    Next {
        /// The number that marks a restart of the venue's count, if it has one.
        restart: Option<u64>,
    },
    /// Each delta covers `first..=last` and must begin at or before the last number plus one.
    Span,
    /// Each delta names the number it follows.
    Previous,
    /// Messages are counted per connection, over all its instruments and channels.
    Connection,
}

/// The rules of a venue's book channel.
#[derive(Clone, Copy, Debug)]
pub struct BookRules {
    /// How updates are numbered.
    pub sequence: SequenceRule,
    /// The checksum sent with updates, if any.
    pub checksum: Option<ChecksumRule>,
    /// How many early deltas are kept while the snapshot is on its way.
    pub sync_buffer: usize,
    /// A `Live` book of which nothing was heard for this long, neither an update nor (where
    /// `heartbeats_count`) any sign of life on its connection, is `Stale`.
    pub stale_after: Nanos,
    /// Whether any message on the connection proves that a quiet book is still right.
    pub heartbeats_count: bool,
    /// A book without an update of its own for this long is asked for again even though its
    /// connection lives, and is `Stale` until it comes. `None` where a quiet market may stay silent
    /// for ever.
    pub renew_after: Option<Nanos>,
    /// How long a subscription may stay without its first complete book before it is made again.
    pub sync_within: Nanos,
    /// When at the latest a book the venue refused is asked for again on a connection that lives on:
    /// the refusal may have been a passing one. At first after 10 s, or after `sync_within` where that is
    /// less, and after twice as long each time it is refused again.
    pub refused_again: Nanos,
    /// How many messages in a row that cannot be decoded force a reconnect.
    pub bad_messages: u32,
}

impl Default for BookRules {
    fn default() -> Self {
        Self {
            sequence: SequenceRule::None,
            checksum: None,
            sync_buffer: 10_000,
            stale_after: Nanos::from_secs(5),
            heartbeats_count: true,
            renew_after: Some(Nanos::from_secs(60)),
            sync_within: Nanos::from_secs(10),
            refused_again: Nanos::from_secs(300),
            bad_messages: 3,
        }
    }
}
