//! The demo: recorded venues behind real WebSocket and TLS on this machine, and a look at the book
//! through the same client that users have.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use dragonfly_core::{clock::Nanos, market::Symbol};
use dragonfly_feeds::{BookFeed, Builder};
use dragonfly_grpc::{
    Client, Policy, TOKIO,
    client::{Event, View},
    program,
};
use dragonfly_sim::{Recorded, Recording, Sim};

/// What is said about the book, each part within the width of a terminal.
const ORIGIN: &str = "Recorded on 2026-08-09, twenty minutes apart, played over and over.";
const EQUIVALENCE: &str =
    "Bybit's BTC-USDT and Coinbase's BTC-USD are merged as if 1 USDT were 1 USD.";

/// The demo's venues and what is asked of each; Bybit was recorded at a depth of 200.
pub(crate) const VENUES: [(&str, &str, Option<usize>); 2] = [
    ("bybit", "BTC-USDT", Some(200)),
    ("coinbase-advanced", "BTC-USD", None),
];

/// Starts the recorded venues.
pub(crate) fn venues() -> Result<Sim> {
    let started = Recording::demo_bybit().and_then(|bybit| {
        Sim::builder()
            .venue(Recorded::new("bybit", bybit))
            .venue(Recorded::new(
                "coinbase-advanced",
                Recording::demo_coinbase()?,
            ))
            .start()
    });
    started.context("--demo: the recorded venues cannot be started")
}

/// The feeds, connected to the recorded venues by the code that connects to the real ones.
pub(crate) fn feeds(sim: &Sim, depth: u8) -> Result<Vec<BookFeed>> {
    tracing::info!("{ORIGIN} {EQUIVALENCE}");
    let feed = |(venue, instrument, channel): (&str, &str, Option<usize>)| {
        let mut feed = Builder::new(venue, instrument)?.depth(depth.into());
        if let Some(levels) = channel {
            feed = feed.channel_depth(levels);
        }
        let endpoint = sim.endpoint(venue).unwrap_or_default();
        feed.endpoint(endpoint).tls_ca_pem(sim.ca_pem()).build()
    };
    VENUES
        .into_iter()
        .map(|venue| feed(venue).context("--demo"))
        .collect()
}

/// What the merged book is called.
pub(crate) fn name() -> Result<Symbol> {
    Ok(Symbol::new("BTC-USD")?)
}

/// Shows the book until the process ends: a table on a terminal, else a log line a second.
pub(crate) fn show(address: SocketAddr, draws: bool, depth: u8) {
    let look = move || (TOKIO.run)(Box::pin(watch(address, draws, depth)));
    let started = std::thread::Builder::new()
        .name("screen".into())
        .spawn(look);
    if let Err(error) = started {
        tracing::warn!(%error, "the book cannot be shown here; the client can");
    }
}

async fn watch(address: SocketAddr, draws: bool, depth: u8) {
    let client = match Client::builder(format!("http://{address}")).build() {
        Ok(client) => client,
        Err(error) => return tracing::warn!(%error, "the book cannot be shown here"),
    };
    let policy = Policy::AtMost(if draws { 10 } else { 1 });
    let mut views = client
        .book("")
        .depth(depth.into())
        .policy(policy)
        .subscribe();
    loop {
        let text = match views.next().await {
            Event::View(view) if draws => program::draw(&view, depth.into(), Nanos(0)),
            Event::View(view) => line(&view),
            // What was shown last is no book any more.
            Event::Disconnected(why) => format!("No book: {why}."),
            _ => continue,
        };
        if draws {
            let text =
                format!("{ORIGIN}\n{EQUIVALENCE}\ngRPC on {address}; Ctrl-C ends it.\n\n{text}");
            if program::paint(&text).is_err() {
                return;
            }
        } else {
            tracing::info!("{text}");
        }
    }
}

/// The top of a view in one line.
fn line(view: &View) -> String {
    let (Some(bid), Some(ask)) = (view.bids.first(), view.asks.first()) else {
        return program::none_live(view);
    };
    let best = |level| view.venue(level).unwrap_or("?");
    let spread = view
        .spread()
        .map(|spread| spread.to_string())
        .unwrap_or_default();
    let flag = if view.crossed {
        ", crossed between venues"
    } else {
        ""
    };
    format!(
        "{} update {}: bid {} x {} at {}, ask {} x {} at {}, spread {spread}{flag}, {} of {} venues live",
        view.symbol,
        view.seq,
        bid.price,
        bid.qty,
        best(bid),
        ask.price,
        ask.qty,
        best(ask),
        view.live_legs,
        view.legs.len(),
    )
}
