//! The ring behind [`spmc`](super::spmc()), [`mpmc`](super::mpmc()) and [`mpsc`](super::mpsc()):
//! writers write at positions of their own, say that they did, and wait for the slowest reader.
//!
//! The algorithm is the LMAX Disruptor's (Thompson, Farley, Barker, Gee, Stewart: *Disruptor: High
//! performance alternative to bounded queues*, 2011). A writer writes at the next position, and says
//! so by its [`Progress`]: a sole writer moves a [`Cursor`] over what it has written; of many, each
//! claims the next position against the others, writes the slot, then stores the position into the
//! slot's *stamp* ([`Stamps`]). A reader follows the cursor or the stamps; a writer may write at a
//! position only when every reader has passed the item it would overwrite. The stamps lie beside the
//! items, not among them, so that items in a row can be lent as a slice, even with many writers.
//! What is added here is that readers come and go: see [`Readers`].
//!
//! Items are dropped when they are overwritten, by the writer that does so, or with the ring.
#![allow(unsafe_code)]

use crossbeam_utils::CachePadded;

use super::{
    PushError,
    readers::{Place, Readers},
    slots::Slots,
};
use crate::sync::{AtomicU64, AtomicUsize, Ordering};

/// How writers tell readers which positions are written.
pub(super) trait Progress {
    /// Nothing is written in `count` slots, a power of two.
    fn new(count: usize) -> Self;

    /// The end of the written items from `from` on, where a reader stands, at most up to `wrap`,
    /// which is at most the count of slots further. What was written before it is visible.
    fn follow(&self, from: u64, wrap: u64) -> u64;

    /// One position of each slot that holds an item, when nobody writes any more.
    fn filled(&self) -> impl Iterator<Item = u64>;
}

/// What a sole writer has written: everything before one position.
#[derive(Debug)]
pub(super) struct Cursor {
    next: CachePadded<AtomicU64>,
    count: u64,
}

impl Progress for Cursor {
    fn new(count: usize) -> Self {
        Self {
            next: CachePadded::new(AtomicU64::new(0)),
            count: count as u64,
        }
    }

    #[inline]
    fn follow(&self, _from: u64, wrap: u64) -> u64 {
        self.next.load(Ordering::Acquire).min(wrap)
    }

    fn filled(&self) -> impl Iterator<Item = u64> {
        let next = self.next.load(Ordering::Relaxed);
        next.saturating_sub(self.count)..next
    }
}

/// What many writers have written: the stamped positions.
#[derive(Debug)]
pub(super) struct Stamps {
    /// For each slot one more than the position of the item in it; 0 when it never held one.
    stamps: Box<[AtomicU64]>,
    /// The next position to claim.
    next: CachePadded<AtomicU64>,
}

impl Stamps {
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // Only the low bits count.
    fn of(&self, position: u64) -> &AtomicU64 {
        &self.stamps[(position as usize) & (self.stamps.len() - 1)]
    }
}

impl Progress for Stamps {
    fn new(count: usize) -> Self {
        Self {
            stamps: (0..count).map(|_| AtomicU64::new(0)).collect(),
            next: CachePadded::new(AtomicU64::new(0)),
        }
    }

    #[inline]
    fn follow(&self, from: u64, wrap: u64) -> u64 {
        let mut end = from;
        while end < wrap && self.of(end).load(Ordering::Acquire) == end + 1 {
            end += 1;
        }
        end
    }

    fn filled(&self) -> impl Iterator<Item = u64> {
        let stamps = self
            .stamps
            .iter()
            .map(|stamp| stamp.load(Ordering::Relaxed));
        stamps.filter(|&stamp| stamp != 0).map(|stamp| stamp - 1)
    }
}

/// The shared part. Positions only grow; position `p` lives in slot `p mod count`.
#[derive(Debug)]
pub(super) struct Ring<T, P: Progress> {
    slots: Slots<T>,
    progress: P,
    capacity: u64,
    writers: CachePadded<AtomicUsize>,
    readers: Readers,
}

impl<T, P: Progress> Ring<T, P> {
    /// An empty ring with one writer and with one reader, which has reading place 0.
    pub(super) fn new(capacity: usize, max_readers: usize) -> Self {
        let slots = Slots::new(capacity);
        Self {
            progress: P::new(slots.count()),
            slots,
            capacity: capacity as u64,
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

    /// Whether nobody writes any more. What was written before is then visible.
    pub(super) fn is_abandoned(&self) -> bool {
        self.writers.load(Ordering::Acquire) == 0
    }

    pub(super) fn readers(&self) -> &Readers {
        &self.readers
    }

    /// Whether `position` would overwrite an item that a reader has not passed. Positions before
    /// `limit` would not when last looked; it is moved up when that is too long ago.
    #[inline]
    fn is_full(&self, position: u64, limit: &mut u64) -> bool {
        position >= *limit && self.is_full_now(position, limit)
    }

    /// Looks where the readers are.
    fn is_full_now(&self, position: u64, limit: &mut u64) -> bool {
        if let Some(slowest) = self.readers.slowest() {
            *limit = slowest + self.capacity;
        }
        position >= *limit
    }

    /// Where a new writer may write up to.
    pub(super) fn first_limit(&self) -> u64 {
        self.capacity
    }

    /// Writes the item of a position and returns the one it replaces, if that has to be dropped.
    ///
    /// # Safety
    /// The caller alone writes at `position`, no reader has been told that it is written, and every
    /// reader has passed the item it overwrites.
    #[inline]
    unsafe fn fill(&self, position: u64, item: T) -> Option<T> {
        if position < self.slots.count() as u64 {
            // SAFETY: by contract nobody but us touches the slot.
            unsafe { self.slots.write(position, item) };
            return None;
        }
        // SAFETY: the slot was filled one lap ago, and by contract nobody but us touches it.
        unsafe { self.slots.replace(position, item) }
    }

    /// The first position after `from` that lies in the first slot.
    pub(super) fn wrap_after(&self, from: u64) -> u64 {
        from + (self.slots.count() - self.slots.slot(from)) as u64
    }

    /// The end of the written items from `from` on, where a reader stands; at most up to `wrap`,
    /// which is where the ring wraps after `from`.
    #[inline]
    pub(super) fn follow(&self, from: u64, wrap: u64) -> u64 {
        self.progress.follow(from, wrap)
    }

    /// The items of the positions `from..to`.
    ///
    /// # Safety
    /// [`follow`](Self::follow) has returned `to` or a later position for `from` or an earlier one,
    /// with the same wrap, and a reader stands at `from` or before while the slice is in use.
    #[inline]
    pub(super) unsafe fn lend(&self, from: u64, to: u64) -> &[T] {
        // SAFETY: the writers said that the items are there, `follow` stops at the wrap, and the
        // reader's place keeps writers from them.
        unsafe { self.slots.lend(from, (to - from) as usize) }
    }

    /// Ends the loan of `count` items of the reader that stands at `from`, in `place`.
    #[inline]
    pub(super) fn pass(&self, place: &Place, from: u64, count: usize) {
        self.slots.end_loan(from, count);
        place.store(from + count as u64, Ordering::Release);
    }
}

impl<T> Ring<T, Stamps> {
    /// Appends an item when many write: claims a position against the other writers.
    #[inline]
    pub(super) fn push_shared(&self, item: T, limit: &mut u64) -> Result<(), PushError<T>> {
        if self.readers.are_gone() {
            return Err(PushError::Closed(item));
        }
        let next = &self.progress.next;
        let mut position = next.load(Ordering::Relaxed);
        loop {
            if self.is_full(position, limit) {
                return Err(PushError::Full(item));
            }
            // Relaxed, because what orders the accesses to a slot are the stamps and the limit.
            match next.compare_exchange_weak(
                position,
                position + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(now) => position = now,
            }
        }
        // SAFETY: we claimed the position, nobody has stamped it, and it is before the limit.
        let old = unsafe { self.fill(position, item) };
        self.progress
            .of(position)
            .store(position + 1, Ordering::Release);
        // Dropped last, so that an item whose drop panics leaves the ring in order.
        drop(old);
        Ok(())
    }
}

impl<T> Ring<T, Cursor> {
    /// Appends an item when only one writes, at `next`, which it moves on.
    ///
    /// # Safety
    /// There is no other writer, and `next` counts the items it has appended.
    #[inline]
    pub(super) unsafe fn push_alone(
        &self,
        item: T,
        next: &mut u64,
        limit: &mut u64,
    ) -> Result<(), PushError<T>> {
        if self.readers.are_gone() {
            return Err(PushError::Closed(item));
        }
        let position = *next;
        if self.is_full(position, limit) {
            return Err(PushError::Full(item));
        }
        // SAFETY: nobody else writes, the cursor is not past the position, and it is before the
        // limit.
        let old = unsafe { self.fill(position, item) };
        *next = position + 1;
        self.progress.next.store(position + 1, Ordering::Release);
        // Dropped last, so that an item whose drop panics leaves the ring in order.
        drop(old);
        Ok(())
    }
}

impl<T, P: Progress> Drop for Ring<T, P> {
    fn drop(&mut self) {
        let left = self.progress.filled().map(|position| {
            // SAFETY: the slot holds an item, and with every end gone only we are left.
            unsafe { self.slots.take(position) }
        });
        // A vector drops all of them, even when one's drop panics.
        drop(left.collect::<Vec<_>>());
    }
}
