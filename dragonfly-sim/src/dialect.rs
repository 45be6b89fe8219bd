//! Dialects: what makes the simulator sound like one venue and not another.
//!
//! A dialect is one file. It prepares a recording for playing ([`Spec::prepare`]) and holds one
//! conversation with one client ([`Dialect`]): it answers what the client asks and says which
//! streams to play. It does no I/O and reads no clock; pacing, pings, limits and closing are the
//! session's business, so that faults can later be injected in one place for all venues.

mod binance;
mod bitstamp;
mod bybit;
mod coinbase_advanced;
mod kraken;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use dragonfly_core::clock::UtcNanos;

use crate::{
    Recording,
    tape::{Item, Tape},
};

/// Every venue there is a dialect for.
const SPECS: [&Spec; 5] = [
    &binance::SPEC,
    &bitstamp::SPEC,
    &bybit::SPEC,
    &coinbase_advanced::SPEC,
    &kraken::SPEC,
];

/// The tapes of one venue by the path clients connect to.
pub(crate) type Tapes = BTreeMap<String, Arc<Tape>>;

/// What a venue's dialect file provides.
pub(crate) struct Spec {
    /// The venue's id.
    pub(crate) name: &'static str,
    /// Turns a recording into tapes; empty when nothing in it can be played.
    pub(crate) prepare: fn(&Recording) -> Tapes,
    /// The conversation a client that connects to this target (path and query) gets; `None` where
    /// the venue has nothing under that path.
    pub(crate) open: fn(&Tapes, &Visit<'_>) -> Option<Box<dyn Dialect>>,
    /// How long a client may stay connected without subscribing.
    pub(crate) patience: Duration,
    /// The largest message a client may send, in bytes.
    pub(crate) max_message: usize,
}

/// A client that connects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visit<'a> {
    /// The path of the request.
    pub(crate) path: &'a str,
    /// Its query, empty if there is none.
    pub(crate) query: &'a str,
    /// The connection's number, unique in this simulator.
    pub(crate) connection: u64,
}

/// What a dialect wants done, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send this text.
    Reply(String),
    /// Start these streams. An empty list is a subscription that stays silent.
    Play(Vec<usize>),
    /// Stop these streams.
    Stop(Vec<usize>),
}

/// One conversation with one client.
pub(crate) trait Dialect: Send {
    /// The tape this conversation plays from.
    fn tape(&self) -> &Arc<Tape>;

    /// What happens without being asked for when the connection opens.
    fn on_open(&mut self) -> Vec<Action> {
        Vec::new()
    }

    /// Answers a client's message.
    fn on_text(&mut self, text: &str, now: UtcNanos) -> Vec<Action>;

    /// Writes a played message as this connection gets it.
    fn present(&mut self, item: &Item, out: &mut Vec<u8>) {
        out.extend_from_slice(item.text.as_bytes());
    }

    /// What is sent after a second in which nothing else was, if anything.
    fn heartbeat(&self) -> Option<&'static str> {
        None
    }
}

/// The dialect of a venue; `_` may stand for `-` in its name.
pub(crate) fn find(venue: &str) -> Option<&'static Spec> {
    let venue = venue.replace('_', "-");
    SPECS.into_iter().find(|spec| spec.name == venue)
}

/// The names of all venues there is a dialect for.
pub fn venues() -> impl Iterator<Item = &'static str> {
    SPECS.into_iter().map(|spec| spec.name)
}

/// The path of a `wss://host:port/path?query` URL; `/` where there is none.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest
        .find('/')
        .and_then(|start| rest.get(start..))
        .unwrap_or("/");
    path.split(['?', '#']).next().unwrap_or("/")
}

/// Tapes with one tape under one path, or none if there is nothing on it.
fn only(path: &str, tape: Tape) -> Tapes {
    if tape.is_empty() {
        return Tapes::new();
    }
    Tapes::from([(path.to_owned(), Arc::new(tape))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_urls() {
        assert_eq!(path_of("wss://ws.kraken.com"), "/");
        assert_eq!(path_of("wss://a.b:9443/stream?streams=x/y"), "/stream");
        assert_eq!(
            path_of("wss://stream.bybit.com/v5/public/spot"),
            "/v5/public/spot"
        );
    }

    #[test]
    fn venues_are_found_under_both_spellings() {
        assert_eq!(
            find("coinbase_advanced").map(|s| s.name),
            Some("coinbase-advanced")
        );
        assert!(find("mtgox").is_none());
    }
}
