//! What a run took, from the message that ends its warm-up to its last one.

use dragonfly_benches::loopback::cpu_time;
use dragonfly_core::clock::{Clock, Nanos};

/// What came of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figure {
    /// Messages a second.
    pub(crate) rate: f64,
    /// Processor time of the receiving thread a message, in nanoseconds.
    pub(crate) cpu: f64,
    /// Messages sent.
    pub(crate) sent: usize,
    /// Messages received.
    pub(crate) received: usize,
    /// Messages that did not follow the one before.
    pub(crate) gaps: usize,
    /// Events that a newer one replaced before the aggregator had them.
    pub(crate) lost: u64,
}

/// Takes the time of a run.
#[derive(Debug)]
pub(crate) struct Meter {
    clock: Clock,
    total: usize,
    warm_up: usize,
    begin: Option<(Nanos, u64)>,
    end: Option<(Nanos, u64)>,
}

impl Meter {
    /// For `total` messages, of which the first tenth is warm-up.
    pub(crate) fn new(total: usize) -> Self {
        Self {
            clock: Clock::monotonic(),
            total,
            warm_up: total / 10,
            begin: None,
            end: None,
        }
    }

    /// So many messages have come by now; true when that is all.
    pub(crate) fn at(&mut self, count: usize) -> bool {
        if self.begin.is_none() && count >= self.warm_up {
            // Where several came at once, those are of the warm-up.
            self.warm_up = count;
            self.begin = Some((self.clock.mono(), cpu_time()));
        }
        if self.end.is_none() && count >= self.total {
            self.end = Some((self.clock.mono(), cpu_time()));
        }
        self.end.is_some()
    }

    /// What the run took.
    pub(crate) fn figure(&self) -> Figure {
        let (begin, end) = (self.begin.unwrap(), self.end.unwrap());
        let count = (self.total - self.warm_up) as f64;
        Figure {
            rate: count * 1e9 / (end.0 - begin.0).0 as f64,
            cpu: (end.1 - begin.1) as f64 / count,
            sent: self.total,
            received: self.total,
            ..Figure::default()
        }
    }
}
