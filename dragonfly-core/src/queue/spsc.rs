//! One writer, one reader: a bounded ring.
//!
//! * **Wait-free.** [`push`](Producer::push), [`ready`](Consumer::ready) and
//!   [`release`](Consumer::release) finish in a bounded number of steps, whatever the other end does
//!   or fails to do.
//! * **Bound.** Exactly the `n` it was made with. (The memory is rounded up to a power of two.)
//! * **Full:** the item is handed back as [`PushError::Full`]. **Empty:** the loan is an empty slice.
//! * **Closed:** when the reader is gone, `push` hands back [`PushError::Closed`]; when the writer is
//!   gone and everything was read, `ready` says [`Closed`].
//! * **Drops.** Released items are dropped by `release`, on the reader's thread. Items nobody read
//!   are dropped when both ends are gone.
//! * **Cannot** have a second writer or reader: neither end is `Clone`. It does not wake anybody.
//!
//! The algorithm is Lamport's ring (*Proving the Correctness of Multiprocess Programs*, 1977) with
//! ever-growing positions, and each end remembers where it last saw the other (Giacomoni et al.,
//! *FastForward*, 2008, and the rings that followed it), so that in the common case neither touches
//! the other's cache line.
#![allow(unsafe_code)]

use std::fmt;

use crossbeam_utils::CachePadded;

use super::{
    Closed, Consumer, Producer, PushError, Queue,
    slots::{Slots, check_capacity},
};
use crate::sync::{Arc, AtomicBool, AtomicU64, Ordering};

/// A ring of `capacity` items with one writer and one reader.
///
/// ```
/// use dragonfly_core::queue::{self, Consumer, Producer, PushError, Queue};
///
/// let (mut writer, mut reader) = queue::spsc(2).open();
/// writer.push("bid")?;
/// writer.push("ask")?;
/// assert_eq!(writer.push("late"), Err(PushError::Full("late")));
///
/// assert_eq!(reader.ready(), Ok(&["bid", "ask"][..]));
/// reader.release(2);
/// assert_eq!(reader.ready(), Ok(&[][..]));
/// # Ok::<(), PushError<&str>>(())
/// ```
///
/// The reading end is not `Clone`; several readers need [`spmc`](super::spmc()):
///
/// ```compile_fail
/// use dragonfly_core::queue::{self, Queue};
///
/// let (_writer, reader) = Queue::<u32>::open(queue::spsc(2));
/// let second = reader.clone();
/// ```
///
/// # Panics
/// When `capacity` is 0 or more than [`MAX_CAPACITY`](super::MAX_CAPACITY).
#[track_caller]
pub fn spsc(capacity: usize) -> Spsc {
    check_capacity(capacity);
    Spsc { capacity }
}

/// The kind made by [`spsc`].
#[derive(Clone, Copy, Debug)]
pub struct Spsc {
    capacity: usize,
}

impl<T: Send + 'static> Queue<T> for Spsc {
    type Producer = Writer<T>;
    type Consumer = Reader<T>;

    fn open(self) -> (Writer<T>, Reader<T>) {
        let ring = Arc::new(Ring {
            slots: Slots::new(self.capacity),
            capacity: self.capacity as u64,
            head: CachePadded::new(AtomicU64::new(0)),
            tail: CachePadded::new(AtomicU64::new(0)),
            written: AtomicBool::new(true),
            read: AtomicBool::new(true),
        });
        let writer = Writer {
            ring: Arc::clone(&ring),
            tail: 0,
            limit: self.capacity as u64,
        };
        let reader = Reader {
            wrap: ring.slots.count() as u64,
            ring,
            head: 0,
            seen: 0,
        };
        (writer, reader)
    }

    fn label(&self) -> String {
        format!("spsc({})", self.capacity)
    }
}

/// Positions `head..tail` hold items; they only grow.
#[derive(Debug)]
struct Ring<T> {
    slots: Slots<T>,
    capacity: u64,
    /// Stored by the reader only, after it has dropped what it released.
    head: CachePadded<AtomicU64>,
    /// Stored by the writer only, after it has written the item before it.
    tail: CachePadded<AtomicU64>,
    /// False once the writer is gone.
    written: AtomicBool,
    /// False once the reader is gone.
    read: AtomicBool,
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        let head = self.head.load(Ordering::Relaxed);
        let tail = self.tail.load(Ordering::Relaxed);
        // SAFETY: `head..tail` holds items, and with both ends gone only we are left.
        let left = (head..tail).map(|position| unsafe { self.slots.take(position) });
        // A vector drops all of them, even when one's drop panics.
        drop(left.collect::<Vec<_>>());
    }
}

/// The writing end of an [`spsc`] queue.
// Each end has cache lines of its own, wherever the two are kept.
#[repr(align(128))]
pub struct Writer<T> {
    ring: Arc<Ring<T>>,
    tail: u64,
    /// Positions before this one were free when last looked; more may be by now.
    limit: u64,
}

impl<T> Writer<T> {
    #[inline]
    fn is_full(&mut self) -> bool {
        self.tail == self.limit && self.is_full_now()
    }

    /// Looks where the reader is.
    fn is_full_now(&mut self) -> bool {
        self.limit = self.ring.head.load(Ordering::Acquire) + self.ring.capacity;
        self.tail == self.limit
    }
}

impl<T: Send> Producer for Writer<T> {
    type Item = T;

    #[inline]
    fn push(&mut self, item: T) -> Result<(), PushError<T>> {
        if !self.ring.read.load(Ordering::Relaxed) {
            return Err(PushError::Closed(item));
        }
        if self.is_full() {
            return Err(PushError::Full(item));
        }
        // SAFETY: the position is at most `capacity` ahead of the reader, so its slot is empty, and
        // the reader does not look at it before `tail` is stored below.
        unsafe { self.ring.slots.write(self.tail, item) };
        self.tail += 1;
        self.ring.tail.store(self.tail, Ordering::Release);
        Ok(())
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        self.ring.written.store(false, Ordering::Release);
    }
}

impl<T> fmt::Debug for Writer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("spsc::Writer")
            .field("tail", &self.tail)
            .finish_non_exhaustive()
    }
}

/// The reading end of an [`spsc`] queue.
#[repr(align(128))]
pub struct Reader<T> {
    ring: Arc<Ring<T>>,
    head: u64,
    /// Positions before this one are known to be written, and what lies between is on loan.
    seen: u64,
    /// Where the ring wraps after `head`.
    wrap: u64,
}

impl<T> Reader<T> {
    /// The end of the items from `head` on, up to where the ring wraps.
    #[inline]
    fn look(&self) -> u64 {
        self.ring.tail.load(Ordering::Acquire).min(self.wrap)
    }

    /// Called when there is nothing: tells whether there never will be.
    #[cold]
    fn check_closed(&mut self) -> Result<(), Closed> {
        if self.ring.written.load(Ordering::Acquire) {
            return Ok(());
        }
        // The writer may have pushed after we looked, and then gone.
        self.seen = self.look();
        if self.seen == self.head {
            Err(Closed)
        } else {
            Ok(())
        }
    }
}

impl<T: Send> Consumer for Reader<T> {
    type Item = T;

    #[inline]
    fn ready(&mut self) -> Result<&[T], Closed> {
        if self.seen == self.head {
            self.seen = self.look();
            if self.seen == self.head {
                self.check_closed()?;
            }
        }
        // SAFETY: `head..seen` holds items in a row, which the writer does not touch before `head`
        // has passed them; `head` moves in `release`, which needs this end for itself.
        Ok(unsafe {
            self.ring
                .slots
                .lend(self.head, (self.seen - self.head) as usize)
        })
    }

    #[inline]
    fn release(&mut self, count: usize) {
        let (from, lent) = (self.head, self.seen - self.head);
        assert!(
            count as u64 <= lent,
            "released {count} of {lent} lent items"
        );
        self.ring.slots.end_loan(from, count);
        self.head += count as u64;
        if self.head == self.wrap {
            self.wrap += self.ring.slots.count() as u64;
        }
        // Stored even when an item's drop panics, or the ring would drop these items again.
        let _passed = Passed {
            head: &self.ring.head,
            to: self.head,
        };
        // SAFETY: the items were lent, so they are there and in a row; nobody sees them again,
        // because `head` is past them before the writer or anyone else looks.
        unsafe { self.ring.slots.drop_row(from, count) };
    }
}

/// Stores the reader's position when dropped.
struct Passed<'a> {
    head: &'a AtomicU64,
    to: u64,
}

impl Drop for Passed<'_> {
    #[inline]
    fn drop(&mut self) {
        self.head.store(self.to, Ordering::Release);
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        self.ring.read.store(false, Ordering::Release);
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("spsc::Reader")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}
