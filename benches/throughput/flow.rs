//! The whole way: client, feed, listener, queue, aggregator, on one thread.

use std::{
    collections::HashMap,
    future::{Future as _, poll_fn},
    pin::pin,
    task::Poll,
};

use dragonfly_aggregators::Bbo;
use dragonfly_benches::{
    loopback::{Packing, Plan, Venue},
    messages::Depth20,
};
use dragonfly_clients::Drive;
use dragonfly_core::{
    feed::{Backoff, BookListener, Feed, FeedStats, Listener},
    flow::Flow,
    market::{BookEvent, BookState, ConsolidatedBook, Instrument, LegId, Symbol},
    queue,
    stage::{Aggregator, Cx, Host, Serve, Service, StageError, Work},
};
use dragonfly_feeds::venue::{self, Subscription};

use super::{
    layers::{client, runtime},
    meter::{Figure, Meter},
};

/// A consolidated book of each instrument, and a check that no message of any leg is missing.
#[derive(Default)]
struct ByInstrument {
    books: HashMap<Symbol, Bbo>,
    last: HashMap<LegId, u64>,
    changed: Option<Symbol>,
    tally: Tally,
}

/// What arrived.
#[derive(Clone, Debug, Default)]
struct Tally {
    live: dragonfly_core::counter::Counter,
    gaps: dragonfly_core::counter::Counter,
}

impl Aggregator for ByInstrument {
    type Input = BookEvent;
    type Output = ConsolidatedBook;

    fn apply(&mut self, event: &BookEvent) {
        if event.state == BookState::Live {
            let before = self.last.insert(event.key(), event.seq);
            let is_gap = before.is_some_and(|last| last + 1 != event.seq);
            self.tally.gaps.add(is_gap.into());
            self.tally.live.add(1);
        }
        let book = self.books.entry(event.symbol);
        book.or_insert_with(|| Bbo::top(10)).apply(event);
        self.changed = Some(event.symbol);
    }

    fn publish(&mut self) -> Option<ConsolidatedBook> {
        let symbol = self.changed.take()?;
        self.books.get_mut(&symbol)?.publish()
    }
}

/// Takes the views and looks at them.
struct Sink {
    views: dragonfly_core::counter::Counter,
    bids: usize,
}

impl Service for Sink {
    fn work(&mut self, _: &Cx<'_>) -> Result<Work, StageError> {
        Ok(Work::Idle)
    }
    fn close(&mut self) {}
    fn host(&self) -> Host {
        dragonfly_clients::host()
    }
}

impl Serve<ConsolidatedBook> for Sink {
    fn publish(&mut self, views: &[ConsolidatedBook]) {
        self.views.add(views.len() as u64);
        self.bids += views.iter().map(|view| view.bids.len()).sum::<usize>();
    }
    fn withdraw(&mut self) {}
}

/// Runs a wired flow until `received` says that the last of `messages` has come.
fn drive(flow: Flow, messages: usize, received: impl Fn() -> usize) -> Figure {
    let mut meter = Meter::new(messages);
    runtime().block_on(async {
        let mut life = pin!(flow.run());
        poll_fn(|cx| match life.as_mut().poll(cx) {
            Poll::Pending if !meter.at(received()) => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
    });
    meter.figure()
}

/// One book over one connection.
pub(crate) fn one(plan: Plan, listener: impl Listener<Event = BookEvent> + 'static) -> Figure {
    let messages = plan.messages;
    let venue = Venue::start(plan);
    let spec = venue::find("binance").unwrap();
    let subscriber = (spec.subscriber)(&Subscription::default());
    let feed = Feed::new("binance", subscriber, listener, (spec.policy)());
    let stats = feed.stats().clone();
    let mut flow = Flow::new();
    let source = Drive::new(client(&venue, 0), feed, Backoff::new(1));
    let books = flow.listen([source]).via(queue::mpsc(256));
    let bbo = flow.aggregate(books, Bbo::top(10)).via(queue::spmc(256));
    let sink = Sink {
        views: dragonfly_core::counter::Counter::default(),
        bids: 0,
    };
    flow.serve(sink, bbo);
    let figure = drive(flow, messages, || stats.messages.get() as usize);
    venue.join();
    assert_eq!(stats.conflated.get(), 0);
    figure
}

/// What a run of many books is made of.
pub(crate) struct Load {
    venues: usize,
    connections: usize,
    /// Of each venue, spread evenly over its connections.
    instruments: usize,
    messages: usize,
    pub(crate) rate: Option<u64>,
}

impl Load {
    pub(crate) const fn new(
        venues: usize,
        connections: usize,
        instruments: usize,
        messages: usize,
    ) -> Self {
        Self {
            venues,
            connections,
            instruments,
            messages,
            rate: None,
        }
    }

    /// The instruments of one connection.
    fn instruments_of(&self, connection: usize) -> Vec<Instrument> {
        let each = self.instruments * self.venues / self.connections;
        let first = connection * each % self.instruments;
        (first..first + each)
            .map(|n| format!("S{n:04}-BTC").parse().unwrap())
            .collect()
    }

    fn plan(&self) -> Plan {
        let streams: Vec<Vec<Depth20>> = (0..self.connections)
            .map(|connection| {
                let books = self.instruments_of(connection);
                let native = books.iter().map(|book| book.base().to_ascii_lowercase());
                native
                    .map(|base| Depth20::of(&format!("{base}btc")))
                    .collect()
            })
            .collect();
        Plan {
            tls: true,
            upgrade: true,
            connections: self.connections,
            messages: self.messages / self.connections,
            packing: Packing {
                messages_a_record: 1,
                records_a_write: if self.rate.is_some() { 1 } else { 50 },
            },
            rate: self.rate,
            cut: None,
            make: Box::new(move |connection, n, into| {
                let books = &streams[connection];
                books[n % books.len()].write(n / books.len(), true, into);
            }),
        }
    }
}

/// Runs many books to their consolidated views, one aggregator for all.
pub(crate) fn run(load: &Load) -> Figure {
    let plan = load.plan();
    let messages = plan.messages * plan.connections;
    let venue = Venue::start(plan);
    let mut stats: Vec<FeedStats> = Vec::new();
    let spec = venue::find("binance").unwrap();
    let sources: Vec<_> = (0..load.connections)
        .map(|connection| {
            let books = load.instruments_of(connection);
            let symbols = books
                .iter()
                .map(|book| (book.symbol(), (spec.native)(book).unwrap()));
            let decoder = (spec.decoder)(&Subscription::default());
            let name = format!("venue-{:02}", connection % load.venues);
            let venue_name = name.parse().unwrap();
            let listener = BookListener::new(venue_name, decoder, (spec.rules)(), 10, symbols);
            let subscriber = (spec.subscriber)(&Subscription::default());
            let feed = Feed::new(name, subscriber, listener, (spec.policy)());
            stats.push(feed.stats().clone());
            Drive::new(client(&venue, connection), feed, Backoff::new(1))
        })
        .collect();
    let mut flow = Flow::new();
    let books = flow.listen(sources).via(queue::mpsc(4096));
    let aggregator = ByInstrument::default();
    let tally = aggregator.tally.clone();
    let views = flow.aggregate(books, aggregator).via(queue::spmc(256));
    let sink = Sink {
        views: dragonfly_core::counter::Counter::default(),
        bids: 0,
    };
    flow.serve(sink, views);
    let figure = drive(flow, messages, || tally.live.get() as usize);
    venue.join();
    Figure {
        received: tally.live.get() as usize,
        gaps: tally.gaps.get() as usize,
        lost: stats.iter().map(|stats| stats.conflated.get()).sum(),
        ..figure
    }
}
