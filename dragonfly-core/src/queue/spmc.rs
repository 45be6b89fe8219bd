//! One writer, many readers, each of which sees every item: a bounded broadcast ring.
//!
//! * **Progress.** [`ready`] and [`release`] are wait-free.
//!   [`push`] is wait-free too, except that while it looks for the slowest reader it
//!   starts again when another reader was cloned meanwhile.
//! * **Bound.** Exactly the `n` it was made with: the writer is at most `n` items ahead of the
//!   slowest reader. (The memory is rounded up to a power of two.)
//! * **Full:** the item is handed back as [`PushError::Full`]; a reader that does not read stops the
//!   queue for everyone. **Empty:** the loan is an empty slice.
//! * **Closed:** when every reader is gone, `push` hands back [`PushError::Closed`]; when the writer
//!   is gone, each reader reads what is left for it and is then told [`Closed`].
//! * **Readers** are cloned and dropped at any time, at most [`MAX_READERS`] at once. A clone stands
//!   where the reader it was cloned from does; a dropped reader is no longer waited for.
//! * **Drops.** An item is dropped when a later one takes its slot, on the writer's thread, or when
//!   all ends are gone; not when it is released. Up to `n`, rounded up, read items stay in memory.
//! * **Cannot** have a second writer, give an item away (readers share it), or wake anybody.
//!
//! The algorithm is the LMAX Disruptor's with a single producer (Thompson, Farley, Barker, Gee,
//! Stewart, 2011).
//!
//! [`push`]: super::Producer::push
//! [`ready`]: super::Consumer::ready
//! [`release`]: super::Consumer::release
//! [`PushError::Full`]: super::PushError::Full
//! [`PushError::Closed`]: super::PushError::Closed
//! [`Closed`]: super::Closed

pub use super::ends::{CursorReader as Reader, SoleWriter as Writer};
use super::{Queue, ends, readers::MAX_READERS, slots::check_capacity};

/// A broadcast ring of `capacity` items with one writer.
///
/// ```
/// use dragonfly_core::queue::{self, Consumer, Producer, PushError, Queue};
///
/// let (mut writer, mut one) = queue::spmc(2).open();
/// let mut two = one.clone();
/// writer.push("bid")?;
/// writer.push("ask")?;
/// assert_eq!(one.ready(), Ok(&["bid", "ask"][..]));
/// one.release(2);
///
/// // The second reader has not read yet, so there is no room; without it there is.
/// assert_eq!(writer.push("late"), Err(PushError::Full("late")));
/// assert_eq!(two.ready(), Ok(&["bid", "ask"][..]));
/// drop(two);
/// writer.push("late")?;
/// # Ok::<(), PushError<&str>>(())
/// ```
///
/// The writing end is not `Clone`; several writers need [`mpmc`](super::mpmc()):
///
/// ```compile_fail
/// use dragonfly_core::queue::{self, Queue};
///
/// let (writer, _reader) = Queue::<u32>::open(queue::spmc(2));
/// let second = writer.clone();
/// ```
///
/// # Panics
/// When `capacity` is 0 or more than [`MAX_CAPACITY`](super::MAX_CAPACITY).
#[track_caller]
pub fn spmc(capacity: usize) -> Spmc {
    check_capacity(capacity);
    Spmc { capacity }
}

/// The kind made by [`spmc`].
#[derive(Clone, Copy, Debug)]
pub struct Spmc {
    capacity: usize,
}

impl<T: Send + Sync + 'static> Queue<T> for Spmc {
    type Producer = Writer<T>;
    type Consumer = Reader<T>;

    fn open(self) -> (Writer<T>, Reader<T>) {
        let (writing, reading) = ends::open(self.capacity, MAX_READERS);
        (Writer::new(writing), Reader::new(reading))
    }

    fn label(&self) -> String {
        format!("spmc({})", self.capacity)
    }
}
