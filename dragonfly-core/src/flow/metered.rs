//! A producer that counts what passes it.

use std::sync::Arc;

use super::graph::{QueueRecord, WriterCounts};
use crate::queue::{ManyProducers, Producer, PushError};

/// A queue's writing end with counters; each clone counts on its own, for it has its own thread.
#[derive(Debug)]
pub struct Metered<P> {
    inner: P,
    record: Arc<QueueRecord>,
    counts: WriterCounts,
}

impl<P> Metered<P> {
    pub(crate) fn new(inner: P, record: &Arc<QueueRecord>) -> Self {
        let counts = record.add_writer();
        Self {
            inner,
            record: record.clone(),
            counts,
        }
    }
}

impl<P: Producer> Producer for Metered<P> {
    type Item = P::Item;

    #[inline]
    fn push(&mut self, item: Self::Item) -> Result<(), PushError<Self::Item>> {
        let result = self.inner.push(item);
        match &result {
            Ok(()) => self.counts.pushed.add(1),
            Err(PushError::Full(_)) => self.counts.full.add(1),
            Err(PushError::Closed(_)) => {}
        }
        self.counts.lost.set(self.inner.lost());
        result
    }

    fn lost(&self) -> u64 {
        self.inner.lost()
    }
}

impl<P: Clone> Clone for Metered<P> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), &self.record)
    }
}

impl<P: ManyProducers> ManyProducers for Metered<P> {}
