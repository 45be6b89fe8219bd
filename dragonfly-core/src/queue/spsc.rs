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
            head_seen: 0,
        };
        let reader = Reader {
            ring,
            head: 0,
            tail_seen: 0,
            lent: 0,
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
        let mut head = self.head.load(Ordering::Relaxed);
        let tail = self.tail.load(Ordering::Relaxed);
        while head != tail {
            // SAFETY: `head..tail` holds items, and with both ends gone only we are left. An item
            // whose drop panics ends the loop; those after it leak.
            drop(unsafe { self.slots.take(head) });
            head += 1;
        }
    }
}

/// The writing end of an [`spsc`] queue.
pub struct Writer<T> {
    ring: Arc<Ring<T>>,
    tail: u64,
    /// Where the reader stood when last looked at; it may be further by now.
    head_seen: u64,
}

impl<T> Writer<T> {
    fn is_full(&mut self) -> bool {
        if self.tail - self.head_seen < self.ring.capacity {
            return false;
        }
        self.head_seen = self.ring.head.load(Ordering::Acquire);
        self.tail - self.head_seen >= self.ring.capacity
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
pub struct Reader<T> {
    ring: Arc<Ring<T>>,
    head: u64,
    /// Where the writer stood when last looked at; it may be further by now.
    tail_seen: u64,
    lent: usize,
}

impl<T> Reader<T> {
    /// Looks for items when none are known, and tells whether none will ever come.
    fn look(&mut self) -> Result<(), Closed> {
        if self.tail_seen != self.head {
            return Ok(());
        }
        self.tail_seen = self.ring.tail.load(Ordering::Acquire);
        if self.tail_seen != self.head || self.ring.written.load(Ordering::Acquire) {
            return Ok(());
        }
        // The writer may have pushed between the two loads above and then gone.
        self.tail_seen = self.ring.tail.load(Ordering::Acquire);
        if self.tail_seen == self.head {
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
        self.look()?;
        self.lent = self.ring.slots.contiguous(self.head, self.tail_seen);
        // SAFETY: `head..tail_seen` holds items, which the writer does not touch before `head` has
        // passed them; `head` moves in `release`, which needs this end for itself.
        Ok(unsafe { self.ring.slots.lend(self.head, self.lent) })
    }

    #[inline]
    fn release(&mut self, count: usize) {
        assert!(
            count <= self.lent,
            "released {count} of {} lent items",
            self.lent
        );
        let from = self.head;
        self.ring.slots.end_loan(from, count);
        self.lent -= count;
        self.head += count as u64;
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
