//! An adapter over [`crossbeam_channel`], to join code that already speaks it.
//!
//! A channel gives its items away one by one and cannot lend them in a row, so the reading end
//! copies them out in batches. That makes it slower than [`mpsc`](super::mpsc()), which is the queue
//! to take where no such code is involved.
//!
//! * **Progress.** What crossbeam-channel's `try_send` and `try_recv` give: they do not block, and may
//!   briefly spin beside another thread.
//! * **Bound.** Exactly `n` items wait in the channel. Besides them the reader holds the batch that is
//!   on loan, at most `n` and at most 256 items.
//! * **Order.** Each writer's items come in the order it pushed them.
//! * **Full:** the item is handed back as [`PushError::Full`]. **Empty:** the loan is an empty slice.
//! * **Closed:** when the reader is gone, `push` hands back [`PushError::Closed`]; when every writer
//!   is gone and everything was read, `ready` says [`Closed`].
//! * **Drops.** Released items are dropped by `release`, on the reader's thread; items in the channel
//!   when its last receiver is gone.
//! * **Cannot** have several readers that see every item: a crossbeam channel shares its items out.

use std::fmt;

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError};

use super::{Closed, Consumer, ManyProducers, Producer, PushError, Queue, slots::check_capacity};

/// The most items a reader copies out at a time.
const BATCH: usize = 256;

/// A crossbeam channel of `capacity` items.
///
/// ```
/// use dragonfly_core::queue::{self, Consumer, Producer, PushError, Queue};
///
/// let (mut writer, mut reader) = queue::channel(8).open();
/// writer.push("bid")?;
/// assert_eq!(reader.ready(), Ok(&["bid"][..]));
/// reader.release(1);
/// # Ok::<(), PushError<&str>>(())
/// ```
///
/// An existing channel's ends are queue ends too:
///
/// ```
/// use dragonfly_core::queue::{Consumer, channel};
///
/// let (sender, receiver) = crossbeam_channel::bounded(8);
/// sender.send("bid")?;
/// let mut reader = channel::Reader::from(receiver);
/// assert_eq!(reader.ready(), Ok(&["bid"][..]));
/// # Ok::<(), crossbeam_channel::SendError<&str>>(())
/// ```
///
/// # Panics
/// When `capacity` is 0 or more than [`MAX_CAPACITY`](super::MAX_CAPACITY).
#[track_caller]
pub fn channel(capacity: usize) -> Channel {
    check_capacity(capacity);
    Channel { capacity }
}

/// The kind made by [`channel`].
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    capacity: usize,
}

impl<T: Send + 'static> Queue<T> for Channel {
    type Producer = Writer<T>;
    type Consumer = Reader<T>;

    fn open(self) -> (Writer<T>, Reader<T>) {
        let (sender, receiver) = crossbeam_channel::bounded(self.capacity);
        (sender.into(), receiver.into())
    }

    fn label(&self) -> String {
        format!("channel({})", self.capacity)
    }
}

/// The writing end of a channel. Every clone is one more.
pub struct Writer<T> {
    sender: Sender<T>,
}

impl<T> From<Sender<T>> for Writer<T> {
    fn from(sender: Sender<T>) -> Self {
        Self { sender }
    }
}

impl<T: Send> Producer for Writer<T> {
    type Item = T;

    #[inline]
    fn push(&mut self, item: T) -> Result<(), PushError<T>> {
        self.sender.try_send(item).map_err(|error| match error {
            TrySendError::Full(item) => PushError::Full(item),
            TrySendError::Disconnected(item) => PushError::Closed(item),
        })
    }
}

impl<T> Clone for Writer<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
        }
    }
}

impl<T: Send> ManyProducers for Writer<T> {}

impl<T> fmt::Debug for Writer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("channel::Writer")
            .field("waiting", &self.sender.len())
            .finish()
    }
}

/// The reading end of a channel.
pub struct Reader<T> {
    receiver: Receiver<T>,
    /// Copied out and not released; at most `batch`.
    lent: Vec<T>,
    batch: usize,
}

impl<T> From<Receiver<T>> for Reader<T> {
    fn from(receiver: Receiver<T>) -> Self {
        let batch = receiver.capacity().unwrap_or(BATCH).clamp(1, BATCH);
        Self {
            receiver,
            lent: Vec::with_capacity(batch),
            batch,
        }
    }
}

impl<T> Reader<T> {
    /// Copies a batch out when none is on loan.
    fn refill(&mut self) -> Result<(), Closed> {
        if !self.lent.is_empty() {
            return Ok(());
        }
        match self.receiver.try_recv() {
            Ok(item) => self.lent.push(item),
            Err(TryRecvError::Disconnected) => return Err(Closed),
            Err(TryRecvError::Empty) => return Ok(()),
        }
        // To ask whether there is more is cheaper than to be told that there is not.
        while self.lent.len() < self.batch && !self.receiver.is_empty() {
            let Ok(item) = self.receiver.try_recv() else {
                break;
            };
            self.lent.push(item);
        }
        Ok(())
    }
}

impl<T: Send> Consumer for Reader<T> {
    type Item = T;

    #[inline]
    fn ready(&mut self) -> Result<&[T], Closed> {
        self.refill()?;
        Ok(&self.lent)
    }

    #[inline]
    fn release(&mut self, count: usize) {
        if count == self.lent.len() {
            self.lent.clear();
        } else {
            self.lent.drain(..count);
        }
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("channel::Reader")
            .field("waiting", &self.receiver.len())
            .field("lent", &self.lent.len())
            .finish()
    }
}
