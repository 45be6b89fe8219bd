//! What every queue is: two ends, and a kind that opens into them.

/// The writing end of a queue.
///
/// Dropping it says that nothing more will come from here; when the last writing end is gone and
/// everything was read, the reading ends report [`Closed`].
pub trait Producer: Send {
    /// What it carries.
    type Item;

    /// Appends an item. Never blocks.
    ///
    /// # Errors
    /// Hands the item back when the queue is full, or when nobody will ever read it.
    fn push(&mut self, item: Self::Item) -> Result<(), PushError<Self::Item>>;

    /// Items that this end pushed and no reader will see, because newer ones took their place.
    ///
    /// Only [`latest`](crate::queue::latest()) loses, and that is its purpose; every other kind hands
    /// the item back instead and stays at 0.
    fn lost(&self) -> u64 {
        0
    }
}

/// Why an item was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(clippy::exhaustive_enums)] // Worth trying again or not: there is no third answer.
pub enum PushError<T> {
    /// The queue is full; try again when the reader has moved.
    #[error("the queue is full")]
    Full(T),
    /// Every reader is gone.
    #[error("every reader of the queue is gone")]
    Closed(T),
}

impl<T> PushError<T> {
    /// The item that was not taken.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(item) | Self::Closed(item) => item,
        }
    }
}

/// Every writer is gone and everything was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("every writer of the queue is gone")]
pub struct Closed;

/// The reading end of a queue.
///
/// Dropping it says that nobody reads here any more: a broadcast queue no longer waits for this
/// reader, and when the last one is gone writers are told [`PushError::Closed`].
pub trait Consumer: Send {
    /// What it carries.
    type Item;

    /// Lends the items that are there, oldest first; an empty slice when there are none. Never
    /// blocks.
    ///
    /// What was lent and not yet released comes first again in the next loan, perhaps followed by
    /// more. A loan need not be everything there is: a ring lends up to its wrap-around, so read
    /// until the slice is empty.
    ///
    /// # Errors
    /// [`Closed`] when every writer is gone and everything was read.
    fn ready(&mut self) -> Result<&[Self::Item], Closed>;

    /// Gives back the first `count` of the items last lent. Until then they take up room.
    ///
    /// # Panics
    /// When `count` is more than are still on loan.
    fn release(&mut self, count: usize);
}

/// A kind of queue: opens into its two ends.
pub trait Queue<T> {
    /// The writing end.
    type Producer: Producer<Item = T> + 'static;
    /// The reading end.
    type Consumer: Consumer<Item = T> + 'static;

    /// Makes the two ends.
    fn open(self) -> (Self::Producer, Self::Consumer);

    /// The kind's name and bound, for pictures and counters: `mpsc(256)`.
    fn label(&self) -> String;
}

/// The writing end of a queue that several may hold.
#[diagnostic::on_unimplemented(
    message = "several listeners cannot write to this queue: it has a single producer",
    label = "this queue takes one writer",
    note = "use `queue::mpsc(n)` for one reader or `queue::mpmc(n)` for several"
)]
pub trait ManyProducers: Producer + Clone {}

/// The reading end of a queue that several may hold, each of which sees every item.
///
/// A clone starts where the reader it was cloned from stands: at the first item that one has not
/// released. Clones made before the first push see everything.
#[diagnostic::on_unimplemented(
    message = "a second reader of this wire needs a broadcast queue",
    label = "this queue has one reader",
    note = "use `queue::spmc(n)` for one writer or `queue::mpmc(n)` for several"
)]
pub trait ManyReaders: Consumer + Clone {}

impl<P: Producer + ?Sized> Producer for Box<P> {
    type Item = P::Item;

    fn push(&mut self, item: Self::Item) -> Result<(), PushError<Self::Item>> {
        (**self).push(item)
    }

    fn lost(&self) -> u64 {
        (**self).lost()
    }
}

impl<C: Consumer + ?Sized> Consumer for Box<C> {
    type Item = C::Item;

    fn ready(&mut self) -> Result<&[Self::Item], Closed> {
        (**self).ready()
    }

    fn release(&mut self, count: usize) {
        (**self).release(count);
    }
}
