//! The stages of a flow with a stamp before or behind each, by the number of the book.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use dragonfly_aggregators::Bbo;
use dragonfly_core::{
    clock::Clock,
    market::{BookEvent, ConsolidatedBook},
    queue::{Producer, PushError},
    stage::{Aggregator, Cx, Host, Serve, Service, Source, Stage, StageError, Work},
};
use dragonfly_grpc::Server;

/// A moment on a book's way, in order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    /// The venue begins to write it to its socket.
    Sent,
    /// The thread of the feed looks at its connection.
    Polled,
    /// The message is out of socket, TLS and WebSocket frame.
    Framed,
    /// It has been decoded, applied, and its event emitted.
    Emitted,
    /// The aggregator gets the event.
    Applied,
    /// The view is made.
    Merged,
    /// The server gets the view.
    Published,
    /// It is encoded and handed to the connections.
    Encoded,
    /// The client has it.
    Received,
}

/// The quantity one, in units.
const ONE: i128 = 10_i128.pow(18);

/// How many there are.
pub(crate) const MOMENTS: usize = 9;

/// When each book was where, in ns UTC; zero: never.
#[derive(Clone, Debug)]
pub(crate) struct Stamps {
    books: Arc<Vec<[AtomicU64; MOMENTS]>>,
    /// The book behind each view, by the view's number.
    views: Arc<Vec<AtomicU64>>,
    clock: Clock,
}

impl Stamps {
    /// For books below `count`.
    pub(crate) fn new(count: u64) -> Self {
        Self {
            books: Arc::new((0..count).map(|_| Default::default()).collect()),
            // Views without a book of ours come first: of legs that are not live yet.
            views: Arc::new((0..count + 1_000).map(|_| AtomicU64::new(0)).collect()),
            clock: Clock::monotonic(),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.utc().0
    }

    pub(crate) fn put(&self, k: u64, moment: Moment, at: u64) {
        if let Some(book) = self.books.get(k as usize) {
            book[moment as usize].store(at, Relaxed);
        }
    }

    pub(crate) fn of(&self, k: u64) -> [u64; MOMENTS] {
        std::array::from_fn(|moment| self.books[k as usize][moment].load(Relaxed))
    }

    fn name_view(&self, seq: u64, k: u64) {
        if let Some(view) = self.views.get(seq as usize) {
            view.store(k, Relaxed);
        }
    }

    /// The book behind a view; zero: none.
    pub(crate) fn behind(&self, seq: u64) -> u64 {
        self.views.get(seq as usize).map_or(0, |k| k.load(Relaxed))
    }
}

/// The number of a book.
fn number(event: &BookEvent) -> u64 {
    let levels = if &*event.venue == "binance" {
        &event.depth.bids
    } else {
        &event.depth.asks
    };
    let units = levels.first().map_or(0, |level| level.qty.units());
    u64::try_from(units / ONE).unwrap_or(0)
}

/// A feed whose looks and events are stamped.
pub(crate) struct StampedFeed<S>(pub(crate) S, pub(crate) Stamps);

impl<S: Source<Event = BookEvent>> Source for StampedFeed<S> {
    type Event = BookEvent;

    fn attach(
        self: Box<Self>,
        output: Box<dyn Producer<Item = BookEvent>>,
        clock: Clock,
    ) -> Box<dyn Stage> {
        let polled = Arc::new(AtomicU64::new(0));
        let output = StampedOutput {
            output,
            polled: polled.clone(),
            stamps: self.1.clone(),
        };
        let feed = Box::new(self.0).attach(Box::new(output), clock);
        Box::new(StampedStage {
            feed,
            polled,
            stamps: self.1,
        })
    }

    fn host(&self) -> Host {
        self.0.host()
    }

    fn name(&self) -> String {
        self.0.name()
    }
}

struct StampedOutput {
    output: Box<dyn Producer<Item = BookEvent>>,
    polled: Arc<AtomicU64>,
    stamps: Stamps,
}

impl Producer for StampedOutput {
    type Item = BookEvent;

    fn push(&mut self, event: BookEvent) -> Result<(), PushError<BookEvent>> {
        let k = number(&event);
        self.stamps
            .put(k, Moment::Polled, self.polled.load(Relaxed));
        // Stamped by the feed, right after the read.
        self.stamps.put(k, Moment::Framed, event.ts_recv.0);
        self.stamps.put(k, Moment::Emitted, self.stamps.now());
        self.output.push(event)
    }
}

struct StampedStage {
    feed: Box<dyn Stage>,
    polled: Arc<AtomicU64>,
    stamps: Stamps,
}

impl Stage for StampedStage {
    fn work(&mut self, cx: &Cx<'_>) -> Result<Work, StageError> {
        self.polled.store(self.stamps.now(), Relaxed);
        self.feed.work(cx)
    }
}

/// The merge, stamped.
pub(crate) struct StampedBbo {
    pub(crate) bbo: Bbo,
    pub(crate) stamps: Stamps,
    /// The book taken in last.
    pub(crate) k: u64,
}

impl Aggregator for StampedBbo {
    type Input = BookEvent;
    type Output = ConsolidatedBook;

    fn apply(&mut self, event: &BookEvent) {
        self.k = number(event);
        self.stamps.put(self.k, Moment::Applied, self.stamps.now());
        self.bbo.apply(event);
    }

    fn publish(&mut self) -> Option<ConsolidatedBook> {
        let view = self.bbo.publish()?;
        self.stamps.name_view(view.seq, self.k);
        self.stamps.put(self.k, Moment::Merged, self.stamps.now());
        Some(view)
    }
}

/// The server, stamped.
pub(crate) struct StampedServer(pub(crate) Server, pub(crate) Stamps);

impl Service for StampedServer {
    fn work(&mut self, cx: &Cx<'_>) -> Result<Work, StageError> {
        self.0.work(cx)
    }

    fn close(&mut self) {
        self.0.close();
    }

    fn host(&self) -> Host {
        self.0.host()
    }
}

impl Serve<ConsolidatedBook> for StampedServer {
    fn publish(&mut self, views: &[ConsolidatedBook]) {
        let (begin, stamps) = (self.1.now(), &self.1);
        Serve::<ConsolidatedBook>::publish(&mut self.0, views);
        for view in views {
            let k = stamps.behind(view.seq);
            stamps.put(k, Moment::Published, begin);
            stamps.put(k, Moment::Encoded, stamps.now());
        }
    }

    fn withdraw(&mut self) {
        Serve::<ConsolidatedBook>::withdraw(&mut self.0);
    }
}
