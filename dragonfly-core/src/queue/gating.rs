//! The ring behind [`spmc`](super::spmc()), [`mpmc`](super::mpmc()) and [`mpsc`](super::mpsc()):
//! writers claim positions, stamp what they have written, and wait for the slowest reader.
//!
//! The algorithm is the LMAX Disruptor's (Thompson, Farley, Barker, Gee, Stewart: *Disruptor: High
//! performance alternative to bounded queues*, 2011): a writer claims the next position, writes the
//! slot, then stores the position into the slot's *stamp*; a reader follows the stamps; a writer
//! may claim a position only when every reader has passed the item it would overwrite. The stamps
//! lie beside the items, not among them, so that items in a row can be lent as a slice, even with
//! many writers. What is added here is that readers come and go: see [`Readers`].
//!
//! Items are dropped when they are overwritten, by the writer that does so, or with the ring.
#![allow(unsafe_code)]

use crossbeam_utils::CachePadded;

use super::{PushError, readers::Readers, slots::Slots};
use crate::sync::{AtomicU64, AtomicUsize, Ordering};

/// The shared part. Positions only grow; position `p` lives in slot `p mod count`.
#[derive(Debug)]
pub(super) struct Ring<T> {
    slots: Slots<T>,
    /// For each slot one more than the position of the item in it; 0 when it never held one.
    stamps: Box<[AtomicU64]>,
    capacity: u64,
    /// The next position to claim.
    next: CachePadded<AtomicU64>,
    writers: CachePadded<AtomicUsize>,
    readers: Readers,
}

impl<T> Ring<T> {
    /// An empty ring with one writer and with one reader, which has reading place 0.
    pub(super) fn new(capacity: usize, max_readers: usize) -> Self {
        let slots = Slots::new(capacity);
        Self {
            stamps: (0..slots.count()).map(|_| AtomicU64::new(0)).collect(),
            slots,
            capacity: capacity as u64,
            next: CachePadded::new(AtomicU64::new(0)),
            writers: CachePadded::new(AtomicUsize::new(1)),
            readers: Readers::new(max_readers),
        }
    }

    pub(super) fn add_writer(&self) {
        self.writers.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove_writer(&self) {
        self.writers.fetch_sub(1, Ordering::Release);
    }

    pub(super) fn readers(&self) -> &Readers {
        &self.readers
    }

    /// Whether `position` would overwrite an item that a reader has not passed. `gate` is where the
    /// slowest reader was last seen, and is moved up when that is too long ago.
    #[inline]
    fn is_full(&self, position: u64, gate: &mut u64) -> bool {
        // Not `position - gate`: when others write too, `position` may lie behind the gate.
        if position < *gate + self.capacity {
            return false;
        }
        if let Some(slowest) = self.readers.slowest() {
            *gate = slowest;
        }
        position >= *gate + self.capacity
    }

    /// Appends an item when many write: claims a position against the other writers.
    #[inline]
    pub(super) fn push_shared(&self, item: T, gate: &mut u64) -> Result<(), PushError<T>> {
        if self.readers.are_gone() {
            return Err(PushError::Closed(item));
        }
        let mut position = self.next.load(Ordering::Relaxed);
        loop {
            if self.is_full(position, gate) {
                return Err(PushError::Full(item));
            }
            // Relaxed, because what orders the accesses to a slot are the stamps and the gate.
            match self.next.compare_exchange_weak(
                position,
                position + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(now) => position = now,
            }
        }
        // SAFETY: we claimed the position, and it is past the gate.
        unsafe { self.publish(position, item) };
        Ok(())
    }

    /// Appends an item when only one writes.
    ///
    /// # Safety
    /// There is no other writer.
    #[inline]
    pub(super) unsafe fn push_alone(&self, item: T, gate: &mut u64) -> Result<(), PushError<T>> {
        if self.readers.are_gone() {
            return Err(PushError::Closed(item));
        }
        let position = self.next.load(Ordering::Relaxed);
        if self.is_full(position, gate) {
            return Err(PushError::Full(item));
        }
        self.next.store(position + 1, Ordering::Relaxed);
        // SAFETY: nobody else claims positions, and this one is past the gate.
        unsafe { self.publish(position, item) };
        Ok(())
    }

    /// Writes the item of a claimed position and lets the readers see it.
    ///
    /// # Safety
    /// The caller alone claimed `position`, and every reader has passed the item it overwrites.
    #[inline]
    unsafe fn publish(&self, position: u64, item: T) {
        let old = if position < self.slots.count() as u64 {
            // SAFETY: nobody but us writes this position, and readers wait for its stamp.
            unsafe { self.slots.write(position, item) };
            None
        } else {
            // SAFETY: the slot was filled one lap ago, every reader has read it and passed it, and
            // readers wait for the new stamp.
            Some(unsafe { self.slots.replace(position, item) })
        };
        self.stamps[self.slots.slot(position)].store(position + 1, Ordering::Release);
        // Dropped last, so that an item whose drop panics leaves the ring in order.
        drop(old);
    }

    /// The end of the stamped items from `seen` on, at most up to where the ring wraps after `from`.
    #[inline]
    pub(super) fn follow(&self, from: u64, seen: u64) -> u64 {
        let wrap = from + (self.slots.count() - self.slots.slot(from)) as u64;
        let mut end = seen;
        while end < wrap && self.stamps[self.slots.slot(end)].load(Ordering::Acquire) == end + 1 {
            end += 1;
        }
        end
    }

    /// Whether nobody writes any more. What was written before is then visible.
    pub(super) fn is_abandoned(&self) -> bool {
        self.writers.load(Ordering::Acquire) == 0
    }

    /// The items of the positions `from..to`.
    ///
    /// # Safety
    /// [`follow`](Self::follow) has returned `to` for `from`, and a reader stands at `from` or before
    /// while the slice is in use.
    #[inline]
    pub(super) unsafe fn lend(&self, from: u64, to: u64) -> &[T] {
        // SAFETY: the stamps said that the items are there, `follow` stops at the wrap, and the
        // reader's place keeps writers from them.
        unsafe { self.slots.lend(from, (to - from) as usize) }
    }

    /// Ends the loan of `count` items of the reader that stands at `from`.
    #[inline]
    pub(super) fn pass(&self, place: usize, from: u64, count: usize) {
        self.slots.end_loan(from, count);
        self.readers.advance(place, from + count as u64);
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        for stamp in &self.stamps {
            let stamp = stamp.load(Ordering::Relaxed);
            if stamp != 0 {
                // SAFETY: a stamped slot holds an item, and with every end gone only we are left.
                // Its position is one below the stamp. An item whose drop panics ends the loop;
                // those after it leak.
                drop(unsafe { self.slots.take(stamp - 1) });
            }
        }
    }
}
