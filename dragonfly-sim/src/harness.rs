//! The assembled flow of the product in a simulated world: stepped by hand, on a clock moved by
//! hand, over a network that is a few queues. The same seed gives the same run, to the last byte.
//!
//! Everything here and nothing else of the simulator's generated side knows the product: its feeds
//! (subscriber, decoder, book listener, `Changed`), its queues, edge, aggregators and flow. What the
//! product's asynchronous driver does around a feed is done again here without I/O, so that driver,
//! sockets, TLS, WebSocket framing and services are *not* covered.

mod attempts;
mod client;
mod desk;
mod digest;
mod ending;
mod fragile;
mod line;
mod network;
mod planted;
mod scenario;
mod source;
mod teller;
mod telling;
mod trouble;
mod watch;
mod world;

use std::collections::BTreeMap;

pub(crate) use planted::Plant;
pub(crate) use scenario::{SHORTEST, Scenario, Wishes};

use crate::{
    fault::Kind,
    ledger::Record,
    oracle::{Judged, View, Violation},
};

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Stands for everything that was said and shown.
    pub(crate) digest: u64,
    pub(crate) judged: Judged,
    /// Messages that reached a client.
    pub(crate) messages: u64,
    /// How often each fault fired.
    pub(crate) fired: BTreeMap<Kind, u64>,
    pub(crate) violations: Vec<Violation>,
    /// Simulated time, in ns.
    pub(crate) span: u64,
}

/// What wants to see a run as it goes.
pub(crate) trait Witness {
    fn record(&mut self, _record: &Record) {}
    fn view(&mut self, _view: &View) {}
    fn note(&mut self, _at: u64, _what: &dyn Fn() -> String) {}
}

/// Nobody looks.
pub(crate) struct Nobody;

impl Witness for Nobody {}

/// Runs a scenario to its end.
pub(crate) fn run(scenario: &Scenario, witness: &mut dyn Witness) -> Outcome {
    world::World::new(scenario, witness).run()
}
