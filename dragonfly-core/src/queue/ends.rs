//! The ends of the gating ring, in the four kinds the queues are made of: alone or one of many, on
//! either side. A kind that may be cloned says so with a trait, so misuse does not compile.
//!
//! Each end fills cache lines of its own (128 bytes, because lines are fetched in pairs), so that two
//! that were made side by side do not slow each other down on two cores.
#![allow(unsafe_code)]

use std::{fmt, marker::PhantomData};

use super::{
    Closed, Consumer, ManyProducers, ManyReaders, Producer, PushError,
    gating::{Cursor, Progress, Ring, Stamps},
    readers::Place,
};
use crate::sync::Arc;

/// A new ring's first two ends, for a single reader or several.
pub(super) fn open<T, P: Progress>(
    capacity: usize,
    max_readers: usize,
) -> (Writing<T, P>, Reading<T, P>) {
    let ring = Arc::new(Ring::new(capacity, max_readers));
    let writing = Writing {
        next: 0,
        limit: ring.first_limit(),
        ring: Arc::clone(&ring),
    };
    let wrap = ring.wrap_after(0);
    let reading = Reading {
        place: ring.readers().first(),
        ring,
        from: 0,
        seen: 0,
        wrap,
    };
    (writing, reading)
}

/// A writer's part of the ring.
#[repr(align(128))]
pub(super) struct Writing<T, P: Progress> {
    ring: Arc<Ring<T, P>>,
    /// How many items were appended, if this is the only writer.
    next: u64,
    /// Positions before this one were free when last looked.
    limit: u64,
}

impl<T, P: Progress> Writing<T, P> {
    fn another(&self) -> Self {
        self.ring.add_writer();
        Self {
            ring: Arc::clone(&self.ring),
            next: self.next,
            limit: self.limit,
        }
    }
}

impl<T, P: Progress> Drop for Writing<T, P> {
    fn drop(&mut self) {
        self.ring.remove_writer();
    }
}

/// A reader's part of the ring.
#[repr(align(128))]
pub(super) struct Reading<T, P: Progress> {
    ring: Arc<Ring<T, P>>,
    place: Place,
    /// The first position not released.
    from: u64,
    /// Positions before this one are known to be written, and what lies between is on loan.
    seen: u64,
    /// Where the ring wraps after `from`.
    wrap: u64,
}

impl<T, P: Progress> Reading<T, P> {
    fn another(&self) -> Self {
        let place = self.ring.readers().add(self.from);
        Self {
            ring: Arc::clone(&self.ring),
            place,
            from: self.from,
            seen: self.from,
            wrap: self.wrap,
        }
    }

    #[inline]
    fn ready(&mut self) -> Result<&[T], Closed> {
        if self.seen == self.from {
            self.seen = self.ring.follow(self.from, self.wrap);
            if self.seen == self.from {
                self.check_closed()?;
            }
        }
        // SAFETY: `seen` is what `follow` returned for `from` or a position before it, and our place
        // stays at `from` until `release`, which needs this end for itself.
        Ok(unsafe { self.ring.lend(self.from, self.seen) })
    }

    /// Called when there is nothing.
    #[cold]
    fn check_closed(&mut self) -> Result<(), Closed> {
        if !self.ring.is_abandoned() {
            return Ok(());
        }
        // The last writer may have pushed after we looked.
        self.seen = self.ring.follow(self.from, self.wrap);
        if self.seen == self.from {
            Err(Closed)
        } else {
            Ok(())
        }
    }

    #[inline]
    fn release(&mut self, count: usize) {
        let lent = self.seen - self.from;
        assert!(
            count as u64 <= lent,
            "released {count} of {lent} lent items"
        );
        self.ring.pass(&self.place, self.from, count);
        self.from += count as u64;
        if self.from == self.wrap {
            self.wrap = self.ring.wrap_after(self.from);
        }
    }
}

impl<T, P: Progress> Drop for Reading<T, P> {
    fn drop(&mut self) {
        self.ring.readers().remove(&self.place);
    }
}

/// The writing end of a queue with one writer. Not `Clone`.
pub struct SoleWriter<T>(Writing<T, Cursor>);

impl<T> SoleWriter<T> {
    /// The first writer of a ring, which nobody clones.
    pub(super) fn new(first: Writing<T, Cursor>) -> Self {
        Self(first)
    }
}

impl<T: Send> Producer for SoleWriter<T> {
    type Item = T;

    #[inline]
    fn push(&mut self, item: T) -> Result<(), PushError<T>> {
        let Writing { ring, next, limit } = &mut self.0;
        // SAFETY: this end is the ring's first writer and cannot be cloned, so it is the only one,
        // and `next` was 0 at first.
        unsafe { ring.push_alone(item, next, limit) }
    }
}

/// The writing end of a queue with many writers. Every clone is one more.
pub struct SharedWriter<T>(Writing<T, Stamps>);

impl<T> SharedWriter<T> {
    pub(super) fn new(writing: Writing<T, Stamps>) -> Self {
        Self(writing)
    }
}

impl<T: Send> Producer for SharedWriter<T> {
    type Item = T;

    #[inline]
    fn push(&mut self, item: T) -> Result<(), PushError<T>> {
        let Writing { ring, limit, .. } = &mut self.0;
        ring.push_shared(item, limit)
    }
}

impl<T> Clone for SharedWriter<T> {
    fn clone(&self) -> Self {
        Self::new(self.0.another())
    }
}

impl<T: Send> ManyProducers for SharedWriter<T> {}

/// The reading end of a queue with one reader. Not `Clone`.
pub struct SoleReader<T>(Reading<T, Stamps>);

impl<T> SoleReader<T> {
    /// The first reader of a ring, which nobody clones.
    pub(super) fn new(first: Reading<T, Stamps>) -> Self {
        Self(first)
    }
}

impl<T: Send> Consumer for SoleReader<T> {
    type Item = T;

    #[inline]
    fn ready(&mut self) -> Result<&[T], Closed> {
        self.0.ready()
    }

    #[inline]
    fn release(&mut self, count: usize) {
        self.0.release(count);
    }
}

/// A reading end that may be cloned, of a ring whose writers tell their progress in this way.
macro_rules! broadcast_reader {
    ($(#[$doc:meta])* $end:ident, $progress:ty) => {
        $(#[$doc])*
        ///
        /// Every clone is a reader of its own that sees every item from where this one stands, and
        /// that the writers wait for.
        ///
        /// Several threads look at one item, so it can be sent to another thread only when `T` is
        /// `Sync` as well as `Send`.
        pub struct $end<T> {
            reading: Reading<T, $progress>,
            /// Readers share items, as the holders of an `Arc` do: `Send` needs `T: Send + Sync`.
            shares: PhantomData<Arc<T>>,
        }

        impl<T> $end<T> {
            pub(super) fn new(reading: Reading<T, $progress>) -> Self {
                Self {
                    reading,
                    shares: PhantomData,
                }
            }
        }

        impl<T: Send + Sync> Consumer for $end<T> {
            type Item = T;

            #[inline]
            fn ready(&mut self) -> Result<&[T], Closed> {
                self.reading.ready()
            }

            #[inline]
            fn release(&mut self, count: usize) {
                self.reading.release(count);
            }
        }

        impl<T> Clone for $end<T> {
            /// One more reader, which stands where this one does.
            ///
            /// # Panics
            /// When there are already [`MAX_READERS`](super::MAX_READERS) readers.
            fn clone(&self) -> Self {
                Self::new(self.reading.another())
            }
        }
    };
}

broadcast_reader!(
    /// The reading end of a broadcast queue with one writer.
    CursorReader,
    Cursor
);

broadcast_reader!(
    /// The reading end of a broadcast queue with many writers.
    StampReader,
    Stamps
);

// Written out, because the compiler shows these lines to whom clones another reader.
impl<T: Send + Sync> ManyReaders for CursorReader<T> {}
impl<T: Send + Sync> ManyReaders for StampReader<T> {}

macro_rules! show {
    ($($end:ident, $part:tt, $field:ident;)*) => {$(
        impl<T> fmt::Debug for $end<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($end))
                    .field(stringify!($field), &self.$part.$field)
                    .finish_non_exhaustive()
            }
        }
    )*};
}

show! {
    SoleWriter, 0, next;
    SharedWriter, 0, limit;
    SoleReader, 0, from;
    CursorReader, reading, from;
    StampReader, reading, from;
}
