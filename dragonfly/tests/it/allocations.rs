//! No allocation for a message, from the socket's read to the aggregator's output, once warm.
//!
//! Over TLS rustls allocates one buffer for each record it decrypts; that is not counted here, for
//! the connection is a plain one.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    future::{Future as _, poll_fn},
    net::TcpListener,
    path::Path,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    thread::JoinHandle,
};

use dragonfly::{
    aggregators::Bbo,
    client::{Client as _, Reader as _, Received, Writer as _},
    clients::{self, Drive, ReplaySource, capture::Record, ws},
    clock::{Nanos, Now},
    feed::{Backoff, Request},
    flow::Flow,
    market::{BookState, ConsolidatedBook},
    queue::{self, Consumer as _},
    sim::{Pace, Recorded, Recording, Sim},
    stage::{Cx, Host, Serve, Service, StageError, Work},
};

use super::recorded::feed;

/// Counts what its thread asks for.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn count() {
    ALLOCATIONS.with(|count| count.set(count.get() + 1));
}

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

#[allow(unsafe_code, reason = "an allocator can be had in no other way")]
// SAFETY: everything is the system allocator's, which keeps the contract; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of the system allocator, which is this one's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size) }
    }
}

/// Venue, recording, instrument.
const BOOKS: [(&str, &str, &str); 5] = [
    ("binance", "binance_20211012_2pairs", "NKN-USDT"),
    ("bitstamp", "bitstamp_20220105_3pairs", "ETH-USD"),
    ("bybit", "bybit_20260809_spot_btcusdt", "BTC-USDT"),
    ("coinbase-advanced", "coinbase_20260809_btcusd", "BTC-USD"),
    ("kraken", "kraken_20210405_2pairs", "DASH-EUR"),
];

/// What a venue sends to a feed from the first message to the end of its recording.
fn sent(venue: &str, recording: &str, instrument: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dragonfly-sim/recordings");
    let recording = Recording::open(folder.join(format!("{recording}.jsonl.zst"))).unwrap();
    let recorded = Recorded::new(venue, recording).pace(Pace::AsFast);
    let sim = Sim::builder().venue(recorded).start().unwrap();
    let client = ws::Client::builder(sim.endpoint(venue).unwrap()).tls_ca_pem(sim.ca_pem());
    let mut client = client.max_message(32 << 20).build().unwrap();
    let mut feed = feed(venue, instrument);
    feed.on_open(Now::default(), &mut |_| {});
    runtime().block_on(async {
        let (mut reader, mut writer) = client.connect().await.unwrap();
        while let Some(Request::Text(text)) = feed.request(Nanos(0)) {
            writer.send(text).await.unwrap();
        }
        let mut sent = Vec::new();
        while let Ok(received) = reader.read().await {
            if let Received::Message(message) = received {
                sent.push(String::from_utf8(message.to_vec()).unwrap());
            }
        }
        sent
    })
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

/// How many allocations each step made, of the steps that made views.
fn stepped(venue: &str, instrument: &str, messages: &[String]) -> Vec<u64> {
    let records: Vec<Record> = messages.iter().map(Record::received).collect();
    let mut flow = Flow::new();
    let source = ReplaySource::new(records.into_iter(), feed(venue, instrument));
    let books = flow.listen([source]).via(queue::mpsc(64));
    let mut reader = flow
        .aggregate(books, Bbo::top(10))
        .via(queue::spmc(64))
        .into_consumer();
    let mut steps = Vec::new();
    loop {
        let before = allocations();
        let work = flow.step(Nanos(0)).unwrap();
        let views = reader.ready().map_or(0, <[ConsolidatedBook]>::len);
        reader.release(views);
        let made = allocations() - before;
        if views > 0 {
            steps.push(made);
        }
        if work == Work::Done {
            return steps;
        }
    }
}

#[test]
fn a_message_is_decoded_judged_and_merged_without_allocating() {
    for (venue, recording, instrument) in BOOKS {
        let messages = sent(venue, recording, instrument);
        let steps = stepped(venue, instrument, &messages);
        // The last step is the end of the recording.
        let (warm_up, warm) = steps[..steps.len() - 1].split_at(steps.len() / 4);
        assert!(warm.len() > 15, "{venue}: {} views", warm.len());
        assert!(
            warm_up.iter().sum::<u64>() > 0,
            "{venue}: nothing is counted"
        );
        assert_eq!(warm.iter().sum::<u64>(), 0, "{venue}: {warm:?}");
    }
}

/// Notes how many allocations its thread had made when each view came, until the venue is gone.
struct Probe {
    seen: Arc<Mutex<Vec<u64>>>,
    is_over: Arc<AtomicBool>,
}

impl Service for Probe {
    fn work(&mut self, _: &Cx<'_>) -> Result<Work, StageError> {
        Ok(Work::Idle)
    }

    fn close(&mut self) {}

    fn host(&self) -> Host {
        clients::host()
    }
}

impl Serve<ConsolidatedBook> for Probe {
    fn publish(&mut self, views: &[ConsolidatedBook]) {
        let mut seen = self.seen.lock().unwrap();
        for view in views {
            let state = view.legs.status(0).unwrap().state;
            match state {
                BookState::Live => seen.push(allocations()),
                _ if !seen.is_empty() => self.is_over.store(true, Ordering::Relaxed),
                _ => {}
            }
        }
    }

    fn withdraw(&mut self) {}
}

/// A venue that sends `messages` to the first client as soon as it has asked for something.
fn serve(messages: Vec<String>) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut socket = tungstenite::accept(stream).unwrap();
        socket.read().unwrap();
        for message in messages {
            socket.send(message.into()).unwrap();
        }
        // A connection dropped with requests unread would take what was sent down with it.
        socket.close(None).unwrap();
        while socket.read().is_ok() {}
    });
    (url, thread)
}

#[test]
fn a_message_is_read_from_the_socket_without_allocating() {
    for (venue, recording, instrument) in BOOKS {
        let (url, server) = serve(sent(venue, recording, instrument));
        let seen = Arc::new(Mutex::new(Vec::with_capacity(1 << 16)));
        let is_over = Arc::new(AtomicBool::new(false));
        let client = ws::Client::builder(url).max_message(32 << 20);
        let feed = feed(venue, instrument);
        let source = Drive::new(client.build().unwrap(), feed, Backoff::new(1));
        let mut flow = Flow::new();
        let books = flow.listen([source]).via(queue::mpsc(64));
        let bbo = flow.aggregate(books, Bbo::top(10)).via(queue::spmc(64));
        let probe = Probe {
            seen: seen.clone(),
            is_over: is_over.clone(),
        };
        flow.serve(probe, bbo);
        runtime().block_on(async {
            let mut life = pin!(flow.run());
            poll_fn(|cx| match life.as_mut().poll(cx) {
                Poll::Pending if !is_over.load(Ordering::Relaxed) => Poll::Pending,
                _ => Poll::Ready(()),
            })
            .await;
        });
        server.join().unwrap();
        let seen = seen.lock().unwrap();
        let warm = &seen[seen.len() / 2..];
        assert!(warm.len() > 15, "{venue}: {} views", warm.len());
        // How much comes with one read is the system's choice: the buffer may still double.
        let grown = warm[warm.len() - 1] - warm[0];
        assert!(grown <= 2, "{venue}: {grown} for {} views", warm.len());
    }
}
