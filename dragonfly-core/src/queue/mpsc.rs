//! Many writers, one reader: a bounded ring that lends slices all the same.
//!
//! * **Progress.** [`ready`] and [`release`] are wait-free.
//!   [`push`] is lock-free while writers run: it claims a position against the other
//!   writers and never waits for them. A writer that is suspended between claiming and writing hides
//!   later items from the reader until it goes on, as in every Disruptor.
//! * **Order.** Each writer's items come in the order it pushed them.
//! * **Bound.** Exactly the `n` it was made with, over all writers together. (The memory is rounded
//!   up to a power of two.)
//! * **Full:** the item is handed back as [`PushError::Full`]. **Empty:** the loan is an empty slice.
//! * **Closed:** when the reader is gone, `push` hands back [`PushError::Closed`]; when every writer
//!   is gone and everything was read, `ready` says [`Closed`].
//! * **Drops.** An item is dropped when a later one takes its slot, on that writer's thread, or when
//!   all ends are gone; not when it is released. Up to `n`, rounded up, read items stay in memory.
//! * **Cannot** have a second reader or wake anybody. It does not share out the room: one writer may
//!   fill it.
//!
//! The algorithm is the LMAX Disruptor's with many producers (Thompson, Farley, Barker, Gee,
//! Stewart, 2011).
//!
//! [`push`]: super::Producer::push
//! [`ready`]: super::Consumer::ready
//! [`release`]: super::Consumer::release
//! [`PushError::Full`]: super::PushError::Full
//! [`PushError::Closed`]: super::PushError::Closed
//! [`Closed`]: super::Closed

pub use super::ends::{SharedWriter as Writer, SoleReader as Reader};
use super::{Queue, ends, slots::check_capacity};

/// A ring of `capacity` items with many writers and one reader.
///
/// ```
/// use dragonfly_core::queue::{self, Consumer, Producer, PushError, Queue};
///
/// let (mut binance, mut reader) = queue::mpsc(8).open();
/// let mut kraken = binance.clone();
/// binance.push(1)?;
/// kraken.push(2)?;
/// assert_eq!(reader.ready(), Ok(&[1, 2][..]));
/// reader.release(2);
///
/// drop((binance, kraken));
/// assert_eq!(reader.ready(), Err(queue::Closed));
/// # Ok::<(), PushError<i32>>(())
/// ```
///
/// The reading end is not `Clone`; several readers need [`mpmc`](super::mpmc()):
///
/// ```compile_fail
/// use dragonfly_core::queue::{self, Queue};
///
/// let (_writer, reader) = Queue::<u32>::open(queue::mpsc(8));
/// let second = reader.clone();
/// ```
///
/// # Panics
/// When `capacity` is 0 or more than [`MAX_CAPACITY`](super::MAX_CAPACITY).
#[track_caller]
pub fn mpsc(capacity: usize) -> Mpsc {
    check_capacity(capacity);
    Mpsc { capacity }
}

/// The kind made by [`mpsc`].
#[derive(Clone, Copy, Debug)]
pub struct Mpsc {
    capacity: usize,
}

impl<T: Send + 'static> Queue<T> for Mpsc {
    type Producer = Writer<T>;
    type Consumer = Reader<T>;

    fn open(self) -> (Writer<T>, Reader<T>) {
        let (writing, reading) = ends::open(self.capacity, 1);
        (Writer::new(writing), Reader::new(reading))
    }

    fn label(&self) -> String {
        format!("mpsc({})", self.capacity)
    }
}
