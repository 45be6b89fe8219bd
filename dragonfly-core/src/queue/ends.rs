//! The ends of the gating ring, in the four kinds the queues are made of: alone or one of many, on
//! either side. A kind that may be cloned says so with a trait, so misuse does not compile.
#![allow(unsafe_code)]

use std::{fmt, marker::PhantomData};

use super::{Closed, Consumer, ManyProducers, ManyReaders, Producer, PushError, gating::Ring};
use crate::sync::Arc;

/// A new ring's first two ends, for a single reader or several.
pub(super) fn open<T>(capacity: usize, max_readers: usize) -> (Writing<T>, Reading<T>) {
    let ring = Arc::new(Ring::new(capacity, max_readers));
    let writing = Writing {
        ring: Arc::clone(&ring),
        gate: 0,
    };
    let reading = Reading {
        ring,
        place: 0,
        from: 0,
        seen: 0,
        lent: 0,
    };
    (writing, reading)
}

/// A writer's part of the ring.
pub(super) struct Writing<T> {
    ring: Arc<Ring<T>>,
    /// Where the slowest reader was when last looked at.
    gate: u64,
}

impl<T> Writing<T> {
    fn another(&self) -> Self {
        self.ring.add_writer();
        Self {
            ring: Arc::clone(&self.ring),
            gate: self.gate,
        }
    }
}

impl<T> Drop for Writing<T> {
    fn drop(&mut self) {
        self.ring.remove_writer();
    }
}

/// A reader's part of the ring.
pub(super) struct Reading<T> {
    ring: Arc<Ring<T>>,
    place: usize,
    /// The first position not released.
    from: u64,
    /// Positions before this one are known to be written.
    seen: u64,
    lent: usize,
}

impl<T> Reading<T> {
    fn another(&self) -> Self {
        let place = self.ring.readers().add(self.from);
        Self {
            ring: Arc::clone(&self.ring),
            place,
            from: self.from,
            seen: self.from,
            lent: 0,
        }
    }

    #[inline]
    fn ready(&mut self) -> Result<&[T], Closed> {
        self.seen = self.ring.follow(self.from, self.seen);
        if self.seen == self.from {
            self.check_closed()?;
        }
        self.lent = (self.seen - self.from) as usize;
        // SAFETY: `seen` is what `follow` returned for `from`, and our place stays at `from` until
        // `release`, which needs this end for itself.
        Ok(unsafe { self.ring.lend(self.from, self.seen) })
    }

    /// Called when nothing was seen.
    #[cold]
    fn check_closed(&mut self) -> Result<(), Closed> {
        if !self.ring.is_abandoned() {
            return Ok(());
        }
        // The last writer may have pushed after we followed the stamps.
        self.seen = self.ring.follow(self.from, self.seen);
        if self.seen == self.from {
            Err(Closed)
        } else {
            Ok(())
        }
    }

    #[inline]
    fn release(&mut self, count: usize) {
        assert!(
            count <= self.lent,
            "released {count} of {} lent items",
            self.lent
        );
        self.lent -= count;
        self.ring.pass(self.place, self.from, count);
        self.from += count as u64;
    }
}

impl<T> Drop for Reading<T> {
    fn drop(&mut self) {
        self.ring.readers().remove(self.place);
    }
}

/// The writing end of a queue with one writer. Not `Clone`.
pub struct SoleWriter<T>(pub(super) Writing<T>);

impl<T: Send> Producer for SoleWriter<T> {
    type Item = T;

    #[inline]
    fn push(&mut self, item: T) -> Result<(), PushError<T>> {
        let Writing { ring, gate } = &mut self.0;
        // SAFETY: this end is the ring's first writer and cannot be cloned, so it is the only one.
        unsafe { ring.push_alone(item, gate) }
    }
}

/// The writing end of a queue with many writers. Every clone is one more.
pub struct SharedWriter<T>(pub(super) Writing<T>);

impl<T: Send> Producer for SharedWriter<T> {
    type Item = T;

    #[inline]
    fn push(&mut self, item: T) -> Result<(), PushError<T>> {
        let Writing { ring, gate } = &mut self.0;
        ring.push_shared(item, gate)
    }
}

impl<T> Clone for SharedWriter<T> {
    fn clone(&self) -> Self {
        Self(self.0.another())
    }
}

impl<T: Send> ManyProducers for SharedWriter<T> {}

/// The reading end of a queue with one reader. Not `Clone`.
pub struct SoleReader<T>(pub(super) Reading<T>);

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

/// The reading end of a broadcast queue. Every clone is a reader of its own that sees every item
/// from where this one stands, and that the writers wait for.
///
/// Several threads look at one item, so it can be sent to another thread only when `T` is `Sync`
/// as well as `Send`.
pub struct BroadcastReader<T> {
    pub(super) reading: Reading<T>,
    /// Readers share items, as the holders of an `Arc` do: `Send` needs `T: Send + Sync`.
    pub(super) shares: PhantomData<Arc<T>>,
}

impl<T: Send + Sync> Consumer for BroadcastReader<T> {
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

impl<T> Clone for BroadcastReader<T> {
    /// One more reader, which stands where this one does.
    ///
    /// # Panics
    /// When there are already [`MAX_READERS`](super::MAX_READERS) readers.
    fn clone(&self) -> Self {
        Self {
            reading: self.reading.another(),
            shares: PhantomData,
        }
    }
}

impl<T: Send + Sync> ManyReaders for BroadcastReader<T> {}

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
    SoleWriter, 0, gate;
    SharedWriter, 0, gate;
    SoleReader, 0, from;
    BroadcastReader, reading, from;
}
