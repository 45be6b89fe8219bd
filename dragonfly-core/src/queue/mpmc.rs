//! Many writers, many readers, each of which sees every item: a bounded broadcast ring.
//!
//! This is a broadcast, not a pool of workers: an item goes to every reader, not to one of them.
//!
//! * **Progress.** [`ready`] and [`release`] are wait-free.
//!   [`push`] is lock-free while writers run: it claims a position against the other
//!   writers and never waits for them. A writer that is suspended between claiming and writing hides
//!   later items from the readers until it goes on, as in every Disruptor.
//! * **Order.** Every reader sees the same order, and each writer's items in the order it pushed
//!   them.
//! * **Bound.** Exactly the `n` it was made with: the writers are at most `n` items ahead of the
//!   slowest reader. (The memory is rounded up to a power of two.)
//! * **Full:** the item is handed back as [`PushError::Full`]; a reader that does not read stops the
//!   queue for everyone. **Empty:** the loan is an empty slice.
//! * **Closed:** when every reader is gone, `push` hands back [`PushError::Closed`]; when every
//!   writer is gone, each reader reads what is left for it and is then told [`Closed`].
//! * **Readers** are cloned and dropped at any time, at most [`MAX_READERS`] at once. A clone stands
//!   where the reader it was cloned from does; a dropped reader is no longer waited for.
//! * **Drops.** An item is dropped when a later one takes its slot, on that writer's thread, or when
//!   all ends are gone; not when it is released. Up to `n`, rounded up, read items stay in memory.
//! * **Cannot** give an item away (readers share it), or wake anybody.
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

pub use super::ends::{SharedWriter as Writer, StampReader as Reader};
use super::{Queue, ends, readers::MAX_READERS, slots::check_capacity};

/// A broadcast ring of `capacity` items with many writers.
///
/// ```
/// use dragonfly_core::queue::{self, Consumer, Producer, PushError, Queue};
///
/// let (mut binance, mut bbo) = queue::mpmc(8).open();
/// let mut kraken = binance.clone();
/// let mut liquidity = bbo.clone();
/// binance.push(1)?;
/// kraken.push(2)?;
/// assert_eq!(bbo.ready(), Ok(&[1, 2][..]));
/// assert_eq!(liquidity.ready(), Ok(&[1, 2][..]));
/// # Ok::<(), PushError<i32>>(())
/// ```
///
/// Readers share the items between threads, so these must be `Sync`:
///
/// ```compile_fail,E0277
/// use dragonfly_core::queue::{self, Queue};
///
/// let ends = Queue::<std::cell::Cell<u32>>::open(queue::mpmc(8));
/// ```
///
/// # Panics
/// When `capacity` is 0 or more than [`MAX_CAPACITY`](super::MAX_CAPACITY).
#[track_caller]
pub fn mpmc(capacity: usize) -> Mpmc {
    check_capacity(capacity);
    Mpmc { capacity }
}

/// The kind made by [`mpmc`].
#[derive(Clone, Copy, Debug)]
pub struct Mpmc {
    capacity: usize,
}

impl<T: Send + Sync + 'static> Queue<T> for Mpmc {
    type Producer = Writer<T>;
    type Consumer = Reader<T>;

    fn open(self) -> (Writer<T>, Reader<T>) {
        let (writing, reading) = ends::open(self.capacity, MAX_READERS);
        (Writer::new(writing), Reader::new(reading))
    }

    fn label(&self) -> String {
        format!("mpmc({})", self.capacity)
    }
}
