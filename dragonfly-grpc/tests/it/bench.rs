//! A server stepped by hand inside the runtime its host makes, and views to publish.

use std::{future::Future, task::Waker, time::Duration};

use bytes::{Buf, Bytes};
use dragonfly_core::{
    clock::{Nanos, UtcNanos},
    market::{
        AggregatedBook, BookEvent, BookState, Cause, ConsolidatedBook, Level, Price, Qty, Symbol,
        Venue, VenueLevel,
    },
    stage::{Cx, Serve, Service, Work},
};
use dragonfly_grpc::{
    Server, TOKIO,
    proto::{
        orderbook::orderbook_aggregator_client::OrderbookAggregatorClient,
        v1::market_data_client::MarketDataClient,
    },
};
use tokio::time::timeout;
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::{Channel, Endpoint},
};

/// Runs a test on the runtime of the server's host.
pub(crate) fn run(test: impl Future<Output = ()>) {
    (TOKIO.run)(Box::pin(test));
}

/// What should happen happens long before this; a test fails instead of hanging.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), what)
        .await
        .expect("it should have happened by now")
}

/// A running server.
pub(crate) struct Bench {
    pub(crate) server: Server,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::of(Server::bind("127.0.0.1:0").unwrap())
    }

    pub(crate) fn of(server: Server) -> Self {
        let mut bench = Self { server };
        assert_eq!(bench.work(), Work::Busy);
        bench
    }

    pub(crate) fn work(&mut self) -> Work {
        let cx = Cx {
            now: Nanos(0),
            waker: Waker::noop(),
            stop: false,
        };
        self.server.work(&cx).unwrap()
    }

    pub(crate) fn publish(&mut self, books: &[ConsolidatedBook]) {
        self.server.publish(books);
    }

    pub(crate) fn publish_liquidity(&mut self, views: &[AggregatedBook]) {
        self.server.publish(views);
    }

    pub(crate) fn uri(&self) -> String {
        format!("http://{}", self.server.local_addr())
    }

    pub(crate) async fn channel(&self) -> Channel {
        soon(Endpoint::from_shared(self.uri()).unwrap().connect())
            .await
            .unwrap()
    }

    pub(crate) async fn legacy(&self) -> OrderbookAggregatorClient<Channel> {
        OrderbookAggregatorClient::new(self.channel().await)
    }

    pub(crate) async fn market_data(&self) -> MarketDataClient<Channel> {
        MarketDataClient::new(self.channel().await)
    }

    /// Steps until the server has closed.
    pub(crate) async fn close(&mut self) {
        self.server.close();
        soon(async {
            while self.work() != Work::Done {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// A leg's state, as a listener reports it.
pub(crate) fn leg(venue: &str, state: BookState, cause: Cause) -> BookEvent {
    BookEvent {
        venue: Venue::new(venue).unwrap(),
        symbol: Symbol::new("ETH-BTC").unwrap(),
        native_symbol: Symbol::new("ethbtc").unwrap(),
        epoch: 3,
        seq: 1_234_567_890_123,
        state,
        cause,
        ts_venue: Some(UtcNanos(1_700_000_000_000_000_001)),
        ts_recv: UtcNanos(1_700_000_000_000_000_002),
        ..BookEvent::default()
    }
}

pub(crate) fn live(venue: &str) -> BookEvent {
    leg(venue, BookState::Live, Cause::Image)
}

/// `price, quantity, leg`.
pub(crate) type Row = (&'static str, &'static str, u8);

/// A book of two live venues.
pub(crate) fn book(seq: u64, bids: &[Row], asks: &[Row]) -> ConsolidatedBook {
    let row = |(price, qty, leg): &Row| VenueLevel {
        price: price.parse().unwrap(),
        qty: qty.parse().unwrap(),
        leg: *leg,
    };
    let mut book = ConsolidatedBook {
        symbol: Symbol::new("ETH-BTC").unwrap(),
        seq,
        bids: bids.iter().map(row).collect(),
        asks: asks.iter().map(row).collect(),
        ts_recv: UtcNanos(1_700_000_000_000_000_002),
        ..ConsolidatedBook::default()
    };
    book.legs.note(&live("binance"));
    book.legs.note(&live("bitstamp"));
    book
}

/// A book of twenty levels a side, different for each `seq`.
pub(crate) fn deep(seq: u64) -> ConsolidatedBook {
    let level = |ticks: i128| VenueLevel {
        price: Price::from_units(ticks * 1_000_000_000_000),
        qty: Qty::from_units(i128::from(seq) * 1_000_000_000_000_000_000 + 1),
        leg: 1,
    };
    let mut book = book(seq, &[], &[]);
    book.bids = (0..20).map(|i| level(68_000 - i)).collect();
    book.asks = (0..20).map(|i| level(68_001 + i)).collect();
    book
}

/// A book none of whose venues is live.
pub(crate) fn dead(seq: u64) -> ConsolidatedBook {
    let mut book = book(seq, &[], &[]);
    book.legs
        .note(&leg("binance", BookState::Down, Cause::Disconnected));
    book.legs
        .note(&leg("bitstamp", BookState::Stale, Cause::Silent));
    book
}

pub(crate) fn liquidity(seq: u64) -> AggregatedBook {
    let level = |price: &str, qty: &str| Level::new(price.parse().unwrap(), qty.parse().unwrap());
    let mut view = AggregatedBook {
        symbol: Symbol::new("ETH-BTC").unwrap(),
        seq,
        bids: [level("0.068", "3.5")].into_iter().collect(),
        asks: [level("0.069", "0.000000000000000001")]
            .into_iter()
            .collect(),
        ..AggregatedBook::default()
    };
    view.legs.note(&live("binance"));
    view
}

/// Sends and receives messages as they are.
#[derive(Default)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;
    fn encoder(&mut self) -> Self {
        Self
    }
    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;
    fn encode(&mut self, item: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put_slice(out, &item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(bytes.copy_to_bytes(bytes.remaining())))
    }
}
