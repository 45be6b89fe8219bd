//! What came of one message, and whether it was the connection's next.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "sums of times saturate, and counts of messages do not reach 2^64"
)]

use super::super::{FeedError, Heard};
use crate::clock::Nanos;

/// How many messages in a row with numbers that were passed already mean that the venue's count
/// has restarted.
const OLD_MESSAGES: u32 = 16;

/// The venue's count of the messages of a connection.
#[derive(Debug, Default)]
pub(super) struct Count {
    last: Option<u64>,
    old_in_a_row: u32,
    /// The number of the message that was last passed over as late.
    passed: Option<u64>,
}

/// What came of the updates of one message.
pub(super) struct Judge {
    pub(super) heard: Heard,
    pub(super) error: Option<FeedError>,
    /// A message of the connection is missing before this one.
    pub(super) lost: bool,
    /// The message's number, once it is known to be the next.
    pub(super) number: Option<u64>,
    /// When the first of the books that have changed their state calls for something.
    pub(super) due: Option<Nanos>,
}

impl Judge {
    /// Of a message of which nothing is known yet.
    pub(super) const fn new() -> Self {
        Self {
            heard: Heard::Data,
            error: None,
            lost: false,
            number: None,
            due: None,
        }
    }

    /// Checks the message's number on the connection; true when the message must not be applied.
    #[inline]
    pub(super) fn out_of_order(&mut self, count: &mut Count, seq: Option<u64>) -> bool {
        let Some(seq) = seq else { return self.lost };
        match count.last {
            Some(known) if seq > known.saturating_add(1) => {
                self.lost = true;
                true
            }
            // Several updates may share one message and its number.
            Some(known) if seq == known && self.number == Some(seq) => self.lost,
            // Two messages passed over as late, of which the second is the newer, show that the
            // count has restarted, and that neither was of the past.
            Some(known) if seq <= known && count.passed.is_some_and(|late| late < seq) => {
                self.lost = true;
                true
            }
            Some(known) if seq <= known => {
                count.old_in_a_row += 1;
                count.passed = Some(seq);
                self.lost |= count.old_in_a_row >= OLD_MESSAGES;
                true
            }
            _ => {
                (count.last, count.old_in_a_row, count.passed) = (Some(seq), 0, None);
                self.number = Some(seq);
                self.lost
            }
        }
    }
}
