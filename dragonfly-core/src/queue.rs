//! Queues: the only thing that joins two stages.
//!
//! A queue is read by slice, like [`std::io::BufRead`]: [`Consumer::ready`] lends what is there,
//! [`Consumer::release`] gives it back. Nothing blocks: a full queue hands the item back.

/// The writing end of a queue.
pub trait Producer: Send {
    /// What it carries.
    type Item;

    /// Appends an item.
    ///
    /// # Errors
    /// Hands the item back when the queue is full, or when nobody will ever read it.
    fn push(&mut self, item: Self::Item) -> Result<(), PushError<Self::Item>>;
}

/// Why an item was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
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
pub trait Consumer: Send {
    /// What it carries.
    type Item;

    /// Lends the items that are there, oldest first; an empty slice when there are none. Calling it
    /// again without a release lends the same items, and perhaps more.
    ///
    /// # Errors
    /// [`Closed`] when every writer is gone and everything was read.
    fn ready(&mut self) -> Result<&[Self::Item], Closed>;

    /// Gives back the first `count` of the items last lent.
    ///
    /// # Panics
    /// May panic when `count` is more than were lent.
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
