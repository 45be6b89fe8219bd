//! What the connections of a server share.

use std::sync::{Arc, Mutex};

use dragonfly_core::market::{AggregatedBook, ConsolidatedBook};
use tokio::sync::watch;

use super::{
    builder::Limits,
    health::Readiness,
    stats::Stats,
    streams::{Streams, lock},
};

/// Both kinds of streams, with the limits and counters that hold for all of them.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) books: Arc<Mutex<Streams<ConsolidatedBook>>>,
    pub(super) liquidity: Arc<Mutex<Streams<AggregatedBook>>>,
    pub(super) limits: Limits,
    pub(super) stats: Stats,
    pub(super) readiness: watch::Sender<Readiness>,
}

impl Hub {
    pub(super) fn new(limits: Limits) -> Self {
        let stats = Stats::default();
        let outbound = limits.outbound_bytes;
        let readiness = Readiness::new(limits.quorum);
        Self {
            books: Arc::new(Mutex::new(Streams::new(outbound, stats.clone()))),
            liquidity: Arc::new(Mutex::new(Streams::new(outbound, stats.clone()))),
            limits,
            stats,
            readiness: watch::Sender::new(readiness),
        }
    }

    /// Cuts clients that took nothing for so many calls.
    pub(super) fn sweep(&self, sweeps: u32) {
        lock(&self.books).sweep(sweeps);
        lock(&self.liquidity).sweep(sweeps);
    }

    /// Whether anything is hidden because the flow is in doubt.
    pub(super) fn in_doubt(&self) -> bool {
        lock(&self.books).is_in_doubt() || lock(&self.liquidity).is_in_doubt()
    }

    /// Shows nothing as live while the flow is in doubt, and the newest again when it is not.
    pub(super) fn doubt(&self, in_doubt: bool) {
        let (mut books, mut liquidity) = (lock(&self.books), lock(&self.liquidity));
        if in_doubt {
            books.doubt();
            liquidity.doubt();
        } else {
            books.trust();
            liquidity.trust();
        }
        let quorum = self.limits.quorum;
        let now = (books.census(quorum), liquidity.census(quorum));
        self.readiness.send_if_modified(|readiness| {
            let before = (readiness.books, readiness.liquidity);
            (readiness.books, readiness.liquidity) = now;
            before != now
        });
    }

    /// Ends every subscription.
    pub(super) fn close(&self) {
        lock(&self.books).close();
        lock(&self.liquidity).close();
    }
}
