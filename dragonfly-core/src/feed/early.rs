//! Large messages that are read while they arrive.
//!
//! The rest of a message may take milliseconds to come. A venue whose messages say early what is
//! wanted of them can have it read before that; one whose messages do not can at least have the
//! work done by then that the end does not change. What has been shown of a message that turns out
//! to be another is withdrawn by the [`BookListener`](super::BookListener).

use super::{Decoded, FeedError};
use crate::market::BookUpdate;

/// Reads the beginning of a large message while the rest of it is on its way.
///
/// For each large message [`begin`](Self::begin) is called, then [`part`](Self::part) any number of
/// times, then [`finish`](Self::finish) unless the connection ends before.
pub trait EarlyDecoder {
    /// From which size on messages are worth it, in bytes.
    fn least(&self) -> usize;

    /// A message begins; of another one that may have begun before, the end never came.
    fn begin(&mut self);

    /// So much of the message has come by now, from its first byte on. Calls `apply` at most once a
    /// message, with an image that is exactly as the whole message will give it.
    fn part(
        &mut self,
        so_far: &[u8],
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    );

    /// The message is whole. `None`: it is to be decoded as any other is, and nothing has been
    /// changed in it.
    ///
    /// # Errors
    /// As [`Decoder::decode`](super::Decoder::decode).
    fn finish(
        &mut self,
        message: &mut [u8],
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    ) -> Option<Result<Decoded, FeedError>>;
}
