//! The memory of a ring: slots that hold an item or nothing, and do not know which.
//!
//! Every access to an item goes through this file. It decides nothing: which slot may be touched by
//! whom is the ring's business, and each ring says so where it calls. Under loom each slot has a
//! shadow cell that is touched with it, so that loom reports an access two threads did not order.
#![allow(unsafe_code)]

use std::{
    cell::UnsafeCell,
    fmt,
    mem::{self, MaybeUninit},
    ptr, slice,
};

/// The largest bound a queue may be given, in items.
pub const MAX_CAPACITY: usize = 1 << 30;

/// A power of two of slots, addressed by ever-growing positions.
pub(super) struct Slots<T> {
    cells: Box<[UnsafeCell<MaybeUninit<T>>]>,
    /// One less than the count of cells.
    mask: u64,
    #[cfg(loom)]
    shadows: Box<[loom::cell::UnsafeCell<()>]>,
}

// SAFETY: a shared `Slots` only hands out items through unsafe methods, whose callers promise that
// no slot is written by one thread while another touches it. What remains is moving items from
// thread to thread, for which `T: Send` is enough. (A ring whose readers share items between
// threads must ask for `T: Sync` itself.)
unsafe impl<T: Send> Sync for Slots<T> {}

impl<T> Slots<T> {
    /// At least `capacity` slots, all of them empty.
    ///
    /// # Panics
    /// When `capacity` is 0 or more than [`MAX_CAPACITY`].
    pub(super) fn new(capacity: usize) -> Self {
        check_capacity(capacity);
        let count = capacity.next_power_of_two();
        Self {
            mask: count as u64 - 1,
            cells: (0..count)
                .map(|_| UnsafeCell::new(MaybeUninit::uninit()))
                .collect(),
            #[cfg(loom)]
            shadows: (0..count)
                .map(|_| loom::cell::UnsafeCell::new(()))
                .collect(),
        }
    }

    /// How many slots there are.
    pub(super) fn count(&self) -> usize {
        self.cells.len()
    }

    /// The slot of a position: in bounds, because the count of slots is a power of two, so a mask
    /// cuts every position to below it.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // Less than the count of cells.
    pub(super) fn slot(&self, position: u64) -> usize {
        (position & self.mask) as usize
    }

    /// The slot's place in memory, with leave to touch all slots: from the base pointer, because a
    /// pointer made from one cell may not be used for its neighbours. In bounds for what
    /// [`slot`](Self::slot) returns.
    #[inline]
    fn at(&self, slot: usize) -> *mut T {
        debug_assert!(slot < self.cells.len());
        // `UnsafeCell` and `MaybeUninit` both have the layout of what they hold, and writing through
        // a shared slice of `UnsafeCell` is what `UnsafeCell` is for.
        self.cells
            .as_ptr()
            .cast::<T>()
            .cast_mut()
            .wrapping_add(slot)
    }

    /// Fills the empty slot of `position`.
    ///
    /// # Safety
    /// No other thread touches the slot during the call. An item that was in it is forgotten.
    #[inline]
    pub(super) unsafe fn write(&self, position: u64, item: T) {
        let slot = self.slot(position);
        self.touch_mut(slot);
        // SAFETY: the place is in bounds and aligned, and by contract ours alone.
        unsafe { ptr::write(self.at(slot), item) }
    }

    /// Puts `item` into the full slot of `position` and returns what was there, if it has to be
    /// dropped.
    ///
    /// # Safety
    /// The slot holds an item and no other thread touches it during the call.
    #[inline]
    pub(super) unsafe fn replace(&self, position: u64, item: T) -> Option<T> {
        if !mem::needs_drop::<T>() {
            // Forgetting it saves moving it out first.
            // SAFETY: by contract the slot is ours alone.
            unsafe { self.write(position, item) };
            return None;
        }
        let slot = self.slot(position);
        self.touch_mut(slot);
        // SAFETY: the place is in bounds, aligned, by contract initialised and ours alone.
        Some(unsafe { ptr::replace(self.at(slot), item) })
    }

    /// Moves the item of `position` out; the slot is empty afterwards.
    ///
    /// # Safety
    /// The slot holds an item, which nobody uses again, and no other thread touches it during the
    /// call.
    #[inline]
    pub(super) unsafe fn take(&self, position: u64) -> T {
        let slot = self.slot(position);
        self.touch_mut(slot);
        // SAFETY: the place is in bounds, aligned, by contract initialised and ours alone.
        unsafe { ptr::read(self.at(slot)) }
    }

    /// The `count` items from `position` on, in a row.
    ///
    /// # Safety
    /// These slots hold items, the ring does not wrap between them, and nobody writes them while
    /// the slice is in use.
    #[inline]
    pub(super) unsafe fn lend(&self, position: u64, count: usize) -> &[T] {
        let slot = self.slot(position);
        self.touch(slot, count);
        // SAFETY: by contract the slots from here on are in bounds, initialised and not written.
        unsafe { slice::from_raw_parts(self.at(slot), count) }
    }

    /// Tells loom that the loan of these slots lasted until now; nothing otherwise.
    #[inline]
    pub(super) fn end_loan(&self, position: u64, count: usize) {
        self.touch(self.slot(position), count);
    }

    /// Drops the `count` items from `position` on, in a row; the slots are empty afterwards. When
    /// an item's own drop panics, the others are dropped all the same.
    ///
    /// # Safety
    /// These slots hold items that nobody uses again, the ring does not wrap between them, and no
    /// other thread touches them during the call.
    #[inline]
    pub(super) unsafe fn drop_row(&self, position: u64, count: usize) {
        if !mem::needs_drop::<T>() {
            return;
        }
        let slot = self.slot(position);
        for at in slot..slot + count {
            self.touch_mut(at);
        }
        let row = ptr::slice_from_raw_parts_mut(self.at(slot), count);
        // SAFETY: by contract the row is in bounds, initialised and ours alone.
        unsafe { ptr::drop_in_place(row) }
    }

    #[cfg(loom)]
    fn touch(&self, slot: usize, count: usize) {
        for shadow in &self.shadows[slot..slot + count] {
            shadow.with(|_| ());
        }
    }

    #[cfg(loom)]
    fn touch_mut(&self, slot: usize) {
        self.shadows[slot].with_mut(|_| ());
    }

    #[cfg(not(loom))]
    #[inline(always)]
    fn touch(&self, _slot: usize, _count: usize) {}

    #[cfg(not(loom))]
    #[inline(always)]
    fn touch_mut(&self, _slot: usize) {}
}

impl<T> fmt::Debug for Slots<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots")
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

/// Panics when a queue cannot have this bound.
#[track_caller]
pub(super) fn check_capacity(capacity: usize) {
    assert!(
        (1..=MAX_CAPACITY).contains(&capacity),
        "a queue holds between 1 and {MAX_CAPACITY} items, not {capacity}"
    );
}
