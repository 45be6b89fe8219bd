//! Where the readers of a gating ring stand, while they come and go.
//!
//! Each reader has a *place*: one padded atomic that holds its position, or [`FREE`]. A writer that
//! needs room takes the smallest position over all places. It must not miss a reader that a clone
//! just added behind the others: it could look at the new reader's place before it is taken, and at
//! the old reader's after that one has moved on. Therefore a clone, once it has its place, raises
//! `changes`, and a writer looks again when `changes` differs before and after. The old reader
//! moves only after its clone is made, so whoever sees it moved also sees `changes` raised.
//!
//! It follows that the smallest position never decreases, so a writer may remember it.

use crossbeam_utils::CachePadded;

use crate::sync::{Arc, AtomicU64, AtomicUsize, Ordering};

/// How many readers a broadcast queue can have at a time.
pub const MAX_READERS: usize = if cfg!(loom) { 3 } else { 64 };

/// No reader has this place.
const FREE: u64 = u64::MAX;

/// Where one reader stands, or [`FREE`]. The reader holds it too, which saves it the way there.
pub(super) type Place = Arc<CachePadded<AtomicU64>>;

/// The readers of one ring.
#[derive(Debug)]
pub(super) struct Readers {
    places: Box<[Place]>,
    /// Written only when readers come and go, read by writers all the time.
    roll: CachePadded<Roll>,
}

#[derive(Debug)]
struct Roll {
    /// How many readers there are.
    present: AtomicUsize,
    /// How often one was added.
    changes: AtomicUsize,
    /// Places from here on were never taken.
    used: AtomicUsize,
}

impl Readers {
    /// One reader, at position 0 in the [`first`](Self::first) place, and room for `max` in all.
    pub(super) fn new(max: usize) -> Self {
        let position = |at| if at == 0 { 0 } else { FREE };
        let place = |at| Arc::new(CachePadded::new(AtomicU64::new(position(at))));
        Self {
            places: (0..max).map(place).collect(),
            roll: CachePadded::new(Roll {
                present: AtomicUsize::new(1),
                changes: AtomicUsize::new(0),
                used: AtomicUsize::new(1),
            }),
        }
    }

    /// The place of the reader that was there from the start.
    pub(super) fn first(&self) -> Place {
        Arc::clone(&self.places[0])
    }

    /// Adds a reader at `position`, where the caller, itself a reader, stands and stays meanwhile.
    ///
    /// # Panics
    /// When every place is taken.
    pub(super) fn add(&self, position: u64) -> Place {
        let take = |place: &Place| {
            place
                .compare_exchange(FREE, position, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        };
        let Some(at) = self.places.iter().position(take) else {
            panic!(
                "a broadcast queue has at most {} readers at a time",
                self.places.len()
            );
        };
        self.roll.present.fetch_add(1, Ordering::Relaxed);
        self.roll.used.fetch_max(at + 1, Ordering::Relaxed);
        self.roll.changes.fetch_add(1, Ordering::Release);
        Arc::clone(&self.places[at])
    }

    /// The reader in `place` is gone; it gates no longer.
    pub(super) fn remove(&self, place: &Place) {
        place.store(FREE, Ordering::Release);
        self.roll.present.fetch_sub(1, Ordering::Release);
    }

    /// Whether no reader is left. None can come back.
    #[inline]
    pub(super) fn are_gone(&self) -> bool {
        self.roll.present.load(Ordering::Relaxed) == 0
    }

    /// The position of the slowest reader, perhaps a moment old; nothing when none is left.
    pub(super) fn slowest(&self) -> Option<u64> {
        let mut before = self.roll.changes.load(Ordering::Acquire);
        loop {
            let used = self.roll.used.load(Ordering::Relaxed);
            let places = self.places.iter().take(used);
            let slowest = places.map(|place| place.load(Ordering::Acquire)).min();
            let after = self.roll.changes.load(Ordering::Acquire);
            if after == before {
                return slowest.filter(|&position| position != FREE);
            }
            before = after;
        }
    }
}
