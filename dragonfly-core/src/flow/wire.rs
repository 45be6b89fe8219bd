//! The wired reading end of a stage's output.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use super::graph::QueueRecord;
use crate::{
    queue::{self, Closed, Consumer, ManyReaders},
    run::Bells,
};

/// The reading end of a queue, while a flow is being wired.
///
/// Pass it to [`Flow::aggregate`](super::Flow::aggregate) or [`Flow::serve`](super::Flow::serve),
/// or take it out of the flow with [`Wire::into_consumer`]. The wire of a broadcast queue can be
/// cloned; each clone is a reader of its own that sees every item.
#[must_use = "a wire nobody reads keeps the flow from running"]
pub struct Wire<C: Consumer> {
    consumer: C,
    tickets: Vec<Ticket>,
    bells: Arc<Bells>,
}

impl<C: Consumer> Wire<C> {
    pub(crate) fn new(consumer: C, record: Arc<QueueRecord>, bells: Arc<Bells>) -> Self {
        Self {
            consumer,
            tickets: vec![Ticket::new(record)],
            bells,
        }
    }

    /// The queue behind it; the first of several.
    pub(crate) fn id(&self) -> usize {
        self.tickets.first().map_or(0, |ticket| ticket.record.id)
    }

    /// The queues behind it.
    pub(crate) fn ids(&self) -> Vec<usize> {
        self.tickets.iter().map(|ticket| ticket.record.id).collect()
    }

    /// The reading end for a stage of the flow.
    pub(crate) fn into_input(self) -> C {
        self.tickets.into_iter().for_each(Ticket::redeem);
        self.consumer
    }

    /// Applies `f` to every item on its way; needs no stage and no queue.
    pub fn map<U, F>(self, f: F) -> Wire<queue::Map<C, F, U>>
    where
        F: FnMut(&C::Item) -> U + Send,
        U: Send,
    {
        Wire {
            consumer: queue::map(self.consumer, f),
            tickets: self.tickets,
            bells: self.bells,
        }
    }

    /// Takes the reading end out of the flow: for a bot's own loop, or a test.
    pub fn into_consumer(self) -> Tap<C> {
        let bells = self.bells.clone();
        Tap {
            consumer: self.into_input(),
            bells: Wakes(bells),
        }
    }

    /// Another reader, which sees every item too.
    #[allow(
        clippy::should_implement_trait,
        reason = "it does, too; this one explains itself"
    )]
    pub fn clone(&self) -> Self
    where
        C: ManyReaders,
    {
        Self {
            consumer: self.consumer.clone(),
            tickets: self
                .tickets
                .iter()
                .map(|t| Ticket::new(t.record.clone()))
                .collect(),
            bells: self.bells.clone(),
        }
    }
}

impl<C: ManyReaders> Clone for Wire<C> {
    fn clone(&self) -> Self {
        Self::clone(self)
    }
}

impl<C: Consumer> fmt::Debug for Wire<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("queues", &self.ids())
            .finish_non_exhaustive()
    }
}

/// Reads several wires as one, in turn.
pub fn merge<C: Consumer, const N: usize>(wires: [Wire<C>; N]) -> Wire<queue::Merge<C>> {
    let (mut consumers, mut tickets) = (Vec::with_capacity(N), Vec::new());
    let mut bells = None;
    for wire in wires {
        consumers.push(wire.consumer);
        tickets.extend(wire.tickets);
        bells = Some(wire.bells);
    }
    Wire {
        consumer: queue::merge(consumers),
        tickets,
        bells: bells.unwrap_or_default(),
    }
}

/// Proof that a reader is wanted, until it is redeemed by one or dropped.
struct Ticket {
    record: Arc<QueueRecord>,
}

impl Ticket {
    fn new(record: Arc<QueueRecord>) -> Self {
        record.unread.fetch_add(1, Ordering::AcqRel);
        Self { record }
    }

    fn redeem(self) {
        self.record.readers.fetch_add(1, Ordering::AcqRel);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.record.unread.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The reading end of a wire, outside the flow. Making room wakes the stages that wait for it, and
/// so does dropping it.
///
/// Whoever holds it and does not read fills the queue: the flow then waits, and every other reader with it,
/// unless the queue is one that loses what is not read ([`latest`](crate::queue::latest())).
pub struct Tap<C: Consumer> {
    consumer: C,
    // After the consumer: its end must be visible to whoever this wakes.
    bells: Wakes,
}

/// Wakes every thread of the flow when it is dropped.
#[derive(Clone)]
struct Wakes(Arc<Bells>);

impl Drop for Wakes {
    fn drop(&mut self) {
        self.0.ring_all();
    }
}

impl<C: Consumer> Consumer for Tap<C> {
    type Item = C::Item;

    fn ready(&mut self) -> Result<&[Self::Item], Closed> {
        self.consumer.ready()
    }

    fn release(&mut self, count: usize) {
        self.consumer.release(count);
        if count > 0 {
            self.bells.0.ring_all();
        }
    }
}

impl<C: ManyReaders> Clone for Tap<C> {
    fn clone(&self) -> Self {
        Self {
            consumer: self.consumer.clone(),
            bells: self.bells.clone(),
        }
    }
}

impl<C: ManyReaders> ManyReaders for Tap<C> {}

impl<C: Consumer> fmt::Debug for Tap<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").finish_non_exhaustive()
    }
}
