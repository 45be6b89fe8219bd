//! What the server counts.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A count or gauge. Inside a runtime of several threads connections change it at the same time.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter(Arc<AtomicU64>);

impl Counter {
    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn sub(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The server's counters. Clones read the same counts, from any thread.
        #[derive(Clone, Debug, Default)]
        pub struct Stats {
            $(pub(super) $name: Counter,)*
        }

        impl Stats {
            $($(#[$doc])* pub fn $name(&self) -> u64 { self.$name.get() })*
        }
    };
}

stats! {
    /// Connections open now.
    connections,
    /// Connections accepted since the start.
    accepted,
    /// Connections refused because a limit was reached or because they do not speak HTTP/2, and
    /// subscriptions refused because of what they asked for.
    refused,
    /// Connections cut because a client did not take what was sent to it.
    cut,
    /// Subscriptions open now.
    subscribers,
    /// Views published to the server, all streams together.
    published,
    /// Encodings made; shared by all subscribers of the same stream, schema and depth.
    encoded,
    /// Messages handed to connections.
    sent,
    /// Updates that a subscriber did not get because it was too slow or asked for fewer.
    skipped,
    /// Bytes waiting now for connections to take them.
    queued_bytes,
}

/// One more of a gauge.
pub(super) fn up(gauge: &Counter, n: u64) {
    gauge.add(n);
}

/// Fewer of a gauge.
pub(super) fn down(gauge: &Counter, n: u64) {
    gauge.sub(n);
}
