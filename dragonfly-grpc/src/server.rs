//! The gRPC server: serves views to any number of clients and waits for none of them.
//!
//! A view is encoded once and the bytes are shared by all its subscribers. Each subscriber has a
//! bounded queue; one that does not keep up goes on with the newest view and is told how many it
//! missed. Clients that break the limits of the [`Builder`] are refused or cut.
//!
//! Everything runs on one thread, under [`TOKIO`]: the flow pushes frames and
//! wakes connections, which write them in the same turn of the runtime.

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod accept;
#[doc(hidden)]
pub mod bench;
mod body;
mod budget;
mod builder;
mod connection;
mod gathered;
mod health;
mod hub;
mod inbound;
mod parts;
mod probes;
mod request;
mod route;
mod seats;
mod stats;
mod streams;
mod subscriber;
mod view;

use std::{
    fmt,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Weak},
    time::Duration,
};

use dragonfly_core::{
    market::{AggregatedBook, ConsolidatedBook},
    stage::{Cx, Host, Serve, Service, StageError, Work},
};
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{MissedTickBehavior, interval, timeout},
};

use self::{
    accept::{Finished, Phase},
    builder::Limits,
    hub::Hub,
    route::Routes,
    streams::lock,
};
pub use self::{
    builder::{BindError, Builder},
    health::Health,
    probes::Probes,
    stats::Stats,
};
use crate::{host::TOKIO, proto::DESCRIPTORS};

/// How often within the write-stall limit blocked clients are looked for.
const SWEEPS: u32 = 8;

/// How long after a stall nothing is shown as live yet. A thread that goes on shows what it had at
/// first; within this time it has read what waited, or found that its books are out of date.
const AFTER_STALL: Duration = Duration::from_secs(1);

/// The server of `orderbook.OrderbookAggregator` and `dragonfly.v1.MarketData`, with health and
/// reflection.
///
/// It serves any number of streams: one of each kind of view for each symbol.
///
/// ```
/// use dragonfly_grpc::Server;
///
/// let server = Server::bind("127.0.0.1:0")?;
/// assert_ne!(server.local_addr().port(), 0);
/// # Ok::<(), dragonfly_grpc::BindError>(())
/// ```
pub struct Server {
    hub: Arc<Hub>,
    address: SocketAddr,
    phase: watch::Sender<Phase>,
    finished: Arc<Finished>,
    state: State,
}

enum State {
    /// Listening, not answering yet.
    Bound(TcpListener),
    Running,
    Closing,
    Closed,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.address)
    }
}

impl Server {
    /// Listens on `address`, `HOST:PORT`, with the default limits; port 0 lets the system choose.
    ///
    /// # Errors
    /// See [`BindError`].
    pub fn bind(address: &str) -> Result<Self, BindError> {
        Self::builder().bind(address)
    }

    /// Sets options before binding.
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn new(listener: TcpListener, address: SocketAddr, limits: Limits) -> Self {
        Self {
            hub: Arc::new(Hub::new(limits)),
            address,
            phase: watch::Sender::new(Phase::Open),
            finished: Arc::default(),
            state: State::Bound(listener),
        }
    }

    /// The address it listens on, with the port the system chose.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The counters; a clone may be read on any thread.
    pub fn stats(&self) -> Stats {
        self.hub.stats.clone()
    }

    /// How the server is, as its health service tells it; for other threads.
    pub fn health(&self) -> Health {
        Health::new(self.hub.readiness.clone())
    }

    /// Starts to answer; needs the runtime of its host around it.
    fn start(&self, listener: TcpListener) -> Result<(), StageError> {
        let failed = |what: &str| StageError::Failed(format!("gRPC {}: {what}", self.address));
        let runtime = Handle::try_current()
            .map_err(|_| failed("the server was stepped outside a tokio runtime"))?;
        let listener = tokio::net::TcpListener::from_std(listener)
            .map_err(|error| failed(&error.to_string()))?;
        let (reporter, health) = tonic_health::server::health_reporter();
        runtime.spawn(health::report(self.hub.readiness.subscribe(), reporter));
        let limit = self.hub.limits.message_bytes.min(route::OTHERS_BYTES);
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let wrong = |error: tonic_reflection::server::Error| failed(&error.to_string());
        let v1 = reflection().build_v1().map_err(wrong)?;
        let v1alpha = reflection().build_v1alpha().map_err(wrong)?;
        let others = tonic::service::Routes::new(health.max_decoding_message_size(limit))
            .add_service(v1.max_decoding_message_size(limit))
            .add_service(v1alpha.max_decoding_message_size(limit));
        runtime.spawn(sweep(self.hub.clone(), self.phase.subscribe()));
        runtime.spawn(withdraw_in_stalls(
            Arc::downgrade(&self.hub),
            self.hub.readiness.subscribe(),
        ));
        runtime.spawn(accept::run(
            listener,
            self.hub.clone(),
            Routes::new(others.prepare()),
            self.phase.clone(),
            self.finished.clone(),
        ));
        Ok(())
    }

    fn is_stalled(&self) -> bool {
        self.hub.readiness.borrow().stalled.is_some()
    }

    fn note_readiness(&self, change: impl FnOnce(&mut health::Readiness)) {
        self.hub.readiness.send_if_modified(|readiness| {
            let before = (readiness.books, readiness.liquidity, readiness.closing);
            change(readiness);
            before != (readiness.books, readiness.liquidity, readiness.closing)
        });
    }
}

/// Looks for blocked clients while the server is open.
async fn sweep(hub: Arc<Hub>, mut phase: watch::Receiver<Phase>) {
    let mut ticks = interval(hub.limits.write_stall.div_f64(f64::from(SWEEPS)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while *phase.borrow_and_update() == Phase::Open {
        ticks.tick().await;
        hub.sweep(SWEEPS);
    }
}

/// Shows nothing as live while a thread of the flow stands still: whose levels it would have changed,
/// nobody knows.
async fn withdraw_in_stalls(hub: Weak<Hub>, mut changes: watch::Receiver<health::Readiness>) {
    loop {
        let stands = changes.borrow_and_update().stalled.is_some();
        // What is published during a stall is in doubt before this is woken.
        let Some(in_doubt) = hub.upgrade().map(|hub| hub.in_doubt()) else {
            return;
        };
        if stands != in_doubt {
            if !stands && is_stalled_within(AFTER_STALL, &mut changes).await {
                continue;
            }
            let Some(hub) = hub.upgrade() else { return };
            hub.doubt(stands);
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Whether a thread stands still before the time is over.
async fn is_stalled_within(
    limit: Duration,
    changes: &mut watch::Receiver<health::Readiness>,
) -> bool {
    let stall = changes.wait_for(|readiness| readiness.stalled.is_some());
    matches!(timeout(limit, stall).await, Ok(Ok(_)))
}

impl Drop for Server {
    /// A server that did not close in order leaves no connection behind.
    fn drop(&mut self) {
        self.note_readiness(|r| r.closing = true);
        self.phase.send_replace(Phase::Aborting);
    }
}

impl Service for Server {
    fn work(&mut self, cx: &Cx<'_>) -> Result<Work, StageError> {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Bound(listener) => {
                self.start(listener)?;
                self.state = State::Running;
                Ok(Work::Busy)
            }
            State::Running => {
                self.state = State::Running;
                Ok(Work::Idle)
            }
            State::Closing if !self.finished.poll(cx.waker) => {
                self.state = State::Closing;
                Ok(Work::Idle)
            }
            State::Closing | State::Closed => Ok(Work::Done),
        }
    }

    /// Shows every stream as ended, ends every subscription with status OK and closes the
    /// connections; clients that do not take that in time are cut.
    fn close(&mut self) {
        if !matches!(self.state, State::Running) {
            self.state = State::Closed;
            return;
        }
        Serve::<ConsolidatedBook>::withdraw(self);
        Serve::<AggregatedBook>::withdraw(self);
        self.note_readiness(|r| r.closing = true);
        self.hub.close();
        self.phase.send_replace(Phase::Draining);
        self.state = State::Closing;
    }

    fn host(&self) -> Host {
        TOKIO
    }

    fn name(&self) -> String {
        format!("grpc {}", self.address)
    }
}

impl Serve<ConsolidatedBook> for Server {
    fn publish(&mut self, items: &[ConsolidatedBook]) {
        let is_stalled = self.is_stalled();
        let mut books = lock(&self.hub.books);
        if is_stalled {
            // A thread that goes on after a stall of its own is here before anybody else.
            books.doubt();
        }
        books.publish(items);
        let census = books.census(self.hub.limits.quorum);
        self.note_readiness(|r| r.books = census);
    }

    /// Several wires of one kind cannot be told apart here, so all streams of the kind are shown
    /// as ended; those that go on are whole again with their next view.
    fn withdraw(&mut self) {
        let mut books = lock(&self.hub.books);
        books.withdraw();
        let census = books.census(self.hub.limits.quorum);
        self.note_readiness(|r| r.books = census);
    }
}

impl Serve<AggregatedBook> for Server {
    fn publish(&mut self, items: &[AggregatedBook]) {
        let is_stalled = self.is_stalled();
        let mut liquidity = lock(&self.hub.liquidity);
        if is_stalled {
            // A thread that goes on after a stall of its own is here before anybody else.
            liquidity.doubt();
        }
        liquidity.publish(items);
        let census = liquidity.census(self.hub.limits.quorum);
        self.note_readiness(|r| r.liquidity = census);
    }

    /// See [`Serve<ConsolidatedBook>`]: all streams of the kind are shown as ended.
    fn withdraw(&mut self) {
        let mut liquidity = lock(&self.hub.liquidity);
        liquidity.withdraw();
        let census = liquidity.census(self.hub.limits.quorum);
        self.note_readiness(|r| r.liquidity = census);
    }
}
