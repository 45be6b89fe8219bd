//! What the targets over TCP need: a runtime of this thread's own, and the servers under test in it.

use std::{future::Future, net::SocketAddr, task::Waker, time::Duration};

use dragonfly_core::{
    clock::{Nanos, UtcNanos},
    market::{
        BookEvent, BookState, Cause, ConsolidatedBook, Price, Qty, Symbol, Venue, VenueLevel,
    },
    stage::{Cx, Serve, Service},
};
use dragonfly_grpc::Server;
use tokio::{net::TcpListener, runtime::Runtime, time::timeout};

thread_local! {
    // Never dropped: a runtime must not go with a thread's other belongings, in no order of its own.
    static RIG: &'static Rig = Box::leak(Box::new(Rig::new()));
}

/// How long an exchange over loopback may take by the clock of the wall.
const LONGEST: Duration = Duration::from_secs(20);

struct Rig {
    runtime: Runtime,
    server: Server,
    listener: TcpListener,
}

impl Rig {
    fn new() -> Self {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().expect("a runtime");
        let (server, listener) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await;
            (serving(), listener.expect("a port"))
        });
        Self {
            runtime,
            server,
            listener,
        }
    }
}

/// Runs `work` on this thread's runtime; it must come to its end.
pub(super) fn run<T>(work: impl Future<Output = T>) -> T {
    let rig = RIG.with(|rig| *rig);
    let work = rig.runtime.block_on(async { timeout(LONGEST, work).await });
    work.expect("a connection whose peer has closed must end")
}

/// The address of this thread's gRPC server.
pub(super) fn server() -> SocketAddr {
    RIG.with(|rig| *rig).server.local_addr()
}

/// Where this thread waits for WebSocket clients.
pub(super) fn listener() -> &'static TcpListener {
    &RIG.with(|rig| *rig).listener
}

/// A server with one stream of books.
fn serving() -> Server {
    let mut server = Server::bind("127.0.0.1:0").expect("a port");
    let cx = Cx {
        now: Nanos(0),
        waker: Waker::noop(),
        stop: false,
    };
    server.work(&cx).expect("a server that answers");
    server.publish(&[book()]);
    server
}

fn book() -> ConsolidatedBook {
    let level = |ticks: i128| VenueLevel {
        price: Price::from_units(ticks * 1_000_000_000_000),
        qty: Qty::from_units(1_000_000_000_000_000_001),
        leg: 0,
    };
    let symbol = Symbol::new("ETH-BTC").expect("a symbol");
    let mut book = ConsolidatedBook {
        symbol,
        seq: 1,
        bids: (0..20).map(|i| level(68_000 - i)).collect(),
        asks: (0..20).map(|i| level(68_001 + i)).collect(),
        ..ConsolidatedBook::default()
    };
    book.legs.note(&BookEvent {
        venue: Venue::new("somewhere").expect("a venue"),
        symbol,
        native_symbol: symbol,
        state: BookState::Live,
        cause: Cause::Image,
        ts_recv: UtcNanos(1),
        ..BookEvent::default()
    });
    book
}
