//! The newest value only: what comes faster than it is read is conflated, and counted.
//!
//! For snapshots, where the newest makes the others worthless. Never for deltas or trades: there a
//! lost item is a gap.
//!
//! * **Wait-free** on both ends: every call is a handful of steps.
//! * **Bound.** One value waits; besides it, one may be on loan.
//! * **Full:** never. A value that was not read is overwritten, dropped on the writer's thread, and
//!   counted by [`Producer::lost`]. **Empty:** the loan is an empty slice; it never holds more than
//!   one value.
//! * **A loan stays.** While a value is on loan, `ready` lends the same one; a newer one is lent after
//!   `release`.
//! * **Closed:** when the reader is gone, `push` hands back [`PushError::Closed`]; when the writer is
//!   gone and the last value was read, `ready` says [`Closed`]. The last value is never lost.
//! * **Drops.** A released value is dropped by `release`, on the reader's thread.
//! * **Cannot** have a second writer or reader, or wake anybody.
//!
//! The algorithm is the triple buffer known from graphics: writer and reader own one slot each, and
//! either swaps its own with the third in one atomic step.
#![allow(unsafe_code)]

use std::fmt;

use crossbeam_utils::CachePadded;

use super::{Closed, Consumer, Producer, PushError, Queue, slots::Slots};
use crate::sync::{Arc, AtomicBool, AtomicU64, Ordering};

/// A queue that keeps the newest value only, whatever it is the newest of: not for the events of a
/// feed of several instruments, where the image of one would replace the withdrawal of another.
///
/// ```
/// use dragonfly_core::queue::{self, Consumer, Producer, PushError, Queue};
///
/// let (mut writer, mut reader) = queue::latest().open();
/// writer.push("old")?;
/// writer.push("new")?;
/// assert_eq!(reader.ready(), Ok(&["new"][..]));
/// assert_eq!(writer.lost(), 1);
/// # Ok::<(), PushError<&str>>(())
/// ```
pub fn latest() -> Latest {
    Latest { _private: () }
}

/// The kind made by [`latest`].
#[derive(Clone, Copy, Debug)]
pub struct Latest {
    _private: (),
}

impl<T: Send + 'static> Queue<T> for Latest {
    type Producer = Writer<T>;
    type Consumer = Reader<T>;

    fn open(self) -> (Writer<T>, Reader<T>) {
        let buffer = Arc::new(Buffer {
            slots: Slots::new(3),
            third: CachePadded::new(AtomicU64::new(2)),
            written: AtomicBool::new(true),
            read: AtomicBool::new(true),
        });
        let writer = Writer {
            buffer: Arc::clone(&buffer),
            own: 0,
            lost: 0,
        };
        (
            writer,
            Reader {
                buffer,
                own: 1,
                lent: false,
            },
        )
    }

    fn label(&self) -> String {
        "latest".to_owned()
    }
}

/// Set in `third` when its slot holds a value. The bits below are the slot's number.
const FRESH: u64 = 0b100;
const SLOT: u64 = 0b011;

#[derive(Debug)]
struct Buffer<T> {
    slots: Slots<T>,
    /// The slot that neither end owns, and whether it is [`FRESH`].
    third: CachePadded<AtomicU64>,
    written: AtomicBool,
    read: AtomicBool,
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        let third = self.third.load(Ordering::Relaxed);
        if third & FRESH != 0 {
            // SAFETY: a fresh slot holds a value, and with both ends gone only we are left.
            drop(unsafe { self.slots.take(third & SLOT) });
        }
    }
}

/// The writing end of a [`latest`] queue. Its own slot is empty between calls.
// Each end has cache lines of its own, wherever the two are kept.
#[repr(align(128))]
pub struct Writer<T> {
    buffer: Arc<Buffer<T>>,
    own: u64,
    lost: u64,
}

impl<T: Send> Producer for Writer<T> {
    type Item = T;

    #[inline]
    fn push(&mut self, item: T) -> Result<(), PushError<T>> {
        if !self.buffer.read.load(Ordering::Relaxed) {
            return Err(PushError::Closed(item));
        }
        // SAFETY: our own slot is empty and nobody else touches it.
        unsafe { self.buffer.slots.write(self.own, item) };
        // Acquire as well, because the reader may have just emptied the slot we get.
        let third = self.buffer.third.swap(self.own | FRESH, Ordering::AcqRel);
        self.own = third & SLOT;
        if third & FRESH != 0 {
            self.lost += 1;
            // SAFETY: the slot we got is ours now and holds the value nobody read.
            drop(unsafe { self.buffer.slots.take(self.own) });
        }
        Ok(())
    }

    fn lost(&self) -> u64 {
        self.lost
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        self.buffer.written.store(false, Ordering::Release);
    }
}

impl<T> fmt::Debug for Writer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("latest::Writer")
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

/// The reading end of a [`latest`] queue.
#[repr(align(128))]
pub struct Reader<T> {
    buffer: Arc<Buffer<T>>,
    own: u64,
    /// Whether our own slot holds a value.
    lent: bool,
}

impl<T> Reader<T> {
    fn is_fresh(&self) -> bool {
        self.buffer.third.load(Ordering::Relaxed) & FRESH != 0
    }

    /// Fetches the newest value when none is on loan, and tells whether none will ever come.
    fn fetch(&mut self) -> Result<(), Closed> {
        if self.lent {
            return Ok(());
        }
        if !self.is_fresh() {
            if self.buffer.written.load(Ordering::Acquire) {
                return Ok(());
            }
            // The writer may have pushed between the two loads above and then gone.
            if !self.is_fresh() {
                return Err(Closed);
            }
        }
        // Only we clear `FRESH`, so it is still set; the slot may be a newer one by now.
        let third = self.buffer.third.swap(self.own, Ordering::AcqRel);
        self.own = third & SLOT;
        self.lent = true;
        Ok(())
    }
}

impl<T: Send> Consumer for Reader<T> {
    type Item = T;

    #[inline]
    fn ready(&mut self) -> Result<&[T], Closed> {
        self.fetch()?;
        // SAFETY: our own slot holds a value when `lent` says so, and nobody else touches it.
        Ok(unsafe { self.buffer.slots.lend(self.own, usize::from(self.lent)) })
    }

    #[inline]
    fn release(&mut self, count: usize) {
        let lent = usize::from(self.lent);
        assert!(count <= lent, "released {count} of {lent} lent items");
        if count == 1 {
            self.lent = false;
            // SAFETY: our own slot held a value, which is no longer on loan.
            drop(unsafe { self.buffer.slots.take(self.own) });
        }
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        self.buffer.read.store(false, Ordering::Release);
        if self.lent {
            // SAFETY: our own slot holds a value, and nobody else touches it.
            drop(unsafe { self.buffer.slots.take(self.own) });
        }
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("latest::Reader")
            .field("lent", &self.lent)
            .finish_non_exhaustive()
    }
}
