//! Generated markets with faults in the real dialects of all venues, over real WebSocket and TLS on
//! loopback, with a truth ledger.
//!
//! A [`Live`] is what `dragonfly-sim serve` runs. Each venue has a port of its own; its instruments
//! are [markets](Options::instruments) that a seed makes, and what its clients are told of them goes
//! into the [ledger](crate::ledger). The faults are those of a [`Plan`](crate::fault::Plan), of every
//! [kind](crate::fault::Kind) but those that [need](crate::fault::Kind::needs_machine) power over the
//! client.
//!
//! ```no_run
//! use dragonfly_sim::live::{Live, Options};
//!
//! # fn main() -> Result<(), dragonfly_sim::SimError> {
//! let mut options = Options::new(7);
//! options.venues = vec!["kraken".to_owned(), "bybit".to_owned()];
//! options.instruments = vec!["BTC-USD".to_owned()];
//! let live = Live::start(options, Box::new(|record| println!("{record:?}")))?;
//! for (venue, url) in live.endpoints() {
//!     println!("{venue} {url}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A plan spreads its faults over time. A test that wants one at a certain moment
//! [injects](Live::inject) it, and waits until it was [counted](Live::fired).
//!
//! # What the ledger says here
//!
//! All times are of [`Options::clock`], in ns: a caller that stamps what a client shows with the same
//! clock can compare the two.
//!
//! * An [`Entry`](crate::ledger::Entry)'s `at` is taken right after the last byte of its message was
//!   handed to the system. The client may read the message a moment before that time, so that who
//!   judges allows for some ms: a view may seem to be ahead of its entry. A message of which only a
//!   part was handed over when the connection was cut has no entry.
//! * `socket` is unique for the venue and the *slot* of the connection: a connection takes the lowest
//!   slot that no other open connection of the venue has, so that a client with one connection a
//!   venue has slot 0 however often it connects anew. `socket` = slot x number of venues + place of
//!   the venue in the order of the names. A connection that is half-open has lost its slot.
//! * A [`Began`](crate::ledger::Record::Began) is not written here: who has the clock can write one, as
//!   `dragonfly-sim serve` does.
//! * A [`Heard`](crate::ledger::Record::Heard) is written with every message, whatever it says, but
//!   not with pings and pongs. [`Looked`](crate::ledger::Record::Looked) is never written: only who knows what
//!   the client shows can look.
//! * Records come in the order of their times, from one thread, the one that serves: a sink that
//!   takes long holds everything up.
//!
//! # What is demanded of a client
//!
//! As at the venues: at Coinbase something has to be subscribed within 5 s; Binance pings every 20 s and
//! closes who does not answer within 60 s, Bitstamp pings every 54 s; Kraken closes who has nothing
//! subscribed and says nothing for 60 s. While a fault holds a connection up, nothing is demanded on it.
//!
//! # What a fault is counted by
//!
//! Messages: that it was sent (or held back). Connections: that the venue did it. Certificates: that
//! the client broke the handshake off. What hangs: that the client gave up. A closed port: that the
//! client that was cut off for it came back once it was open again. What no client may accept: that
//! it was sent, or that the client went away in the middle of it.

mod conn;
mod door;
mod floor;
mod line;
mod manners;
mod options;
mod pipe;
mod trouble;
mod upgrade;
mod wire;

use std::{collections::BTreeMap, fmt, sync::Arc, thread::JoinHandle, time::Duration};

use tokio::{sync::oneshot, time::timeout};
use tokio_rustls::TlsAcceptor;

use crate::{
    SimError, certificate,
    fault::{Fault, Kind},
    sim,
};
use door::Door;
use floor::Shared;
use options::pair;
pub use options::{Options, Rate, Sink};

/// The newest entry of the ledger of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// When it was made, in ns.
    pub at: u64,
    /// Its stream.
    pub stream: u64,
    /// Its number.
    pub seq: u64,
}

/// A book that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Book {
    /// The venue's id.
    pub venue: &'static str,
    /// The venue's own symbol.
    pub symbol: String,
    /// The same in the spelling of all venues, such as `BTC-USDT`.
    pub instrument: String,
    /// Whether it is traded under its symbol: false once it has been delisted or renamed.
    pub is_listed: bool,
    /// What a client was last told of it; `None` if nobody has asked for it yet.
    pub head: Option<Head>,
}

/// An attempt to connect that a venue saw: one that was refused by a closed port is not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival {
    /// When, in ns.
    pub at: u64,
    /// The venue's id.
    pub venue: &'static str,
    /// Whether it came sooner than a `Retry-After` of the venue had asked for, and not so soon that its
    /// client cannot have heard of that.
    pub is_early: bool,
}

/// Where clients will come in, and what awaits them there.
type Entrance = (std::net::TcpListener, Arc<Door>);

/// Markets being served. Dropping it stops them.
pub struct Live {
    floor: Shared,
    instruments: Vec<String>,
    endpoints: Vec<(&'static str, String)>,
    ca_pem: String,
    /// Those that are still closed.
    doors: Vec<Entrance>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// Makes markets and certificates, binds the ports and starts serving on a thread of its own.
    ///
    /// # Errors
    /// When a venue is unknown, an instrument is none, the rate is out of range, the plan has a fault
    /// that cannot happen here, the address is not loopback, or the system refuses a port or a thread.
    pub fn start(options: Options, sink: Sink) -> Result<Self, SimError> {
        Self::start_with(options, || Ok(sink))
    }

    /// The same with what makes the sink: it is called once the ports are bound, before any client is
    /// let in, so that a start that fails has not touched what another one writes to.
    ///
    /// # Errors
    /// As [`Live::start`], and what `sink` returns.
    pub fn start_with<E: From<SimError>>(
        options: Options,
        sink: impl FnOnce() -> Result<Sink, E>,
    ) -> Result<Self, E> {
        let mut live = Self::bind(options)?;
        let sink = sink()?;
        live.floor.get().sink = sink;
        live.open()?;
        Ok(live)
    }

    /// Everything but letting clients in.
    fn bind(options: Options) -> Result<Self, SimError> {
        options.check()?;
        let dialects = options.dialects()?;
        let floor = options.floor(&dialects);
        for (at, fault) in options.plan.faults.iter().enumerate() {
            floor.check(at + 1, fault)?;
            trouble::check_time(at + 1, fault, options.span_ns())?;
        }
        let floor = Shared::new(floor);
        let (authority, impostors) = certificate::generate_with_impostors(options.bind.ip())?;
        let tls = TlsAcceptor::from(authority.server);
        let (mut endpoints, mut doors) = (Vec::new(), Vec::new());
        for (venue, dialect) in dialects.iter().enumerate() {
            let listener = sim::listen(options.bind, venue)?;
            let address = listener.local_addr().map_err(SimError::Thread)?;
            endpoints.push((dialect.name, sim::url(address, dialect.path)));
            let wake = Arc::clone(&floor.get().venues[venue].door);
            let door = Door {
                venue,
                address,
                floor: floor.clone(),
                tls: tls.clone(),
                impostors: impostors.clone(),
                wake,
            };
            doors.push((listener, Arc::new(door)));
        }
        Ok(Self {
            floor,
            instruments: options.instruments,
            endpoints,
            ca_pem: authority.pem,
            doors,
            stop: None,
            thread: None,
        })
    }

    /// Lets clients in.
    fn open(&mut self) -> Result<(), SimError> {
        let (stop, stopped) = oneshot::channel();
        let doors = std::mem::take(&mut self.doors);
        self.thread = Some(spawn(self.floor.clone(), doors, stopped)?);
        self.stop = Some(stop);
        Ok(())
    }

    /// Where clients connect, by venue, such as `wss://localhost:40123/v2`.
    pub fn endpoints(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.endpoints
            .iter()
            .map(|(venue, url)| (*venue, url.as_str()))
    }

    /// The endpoint of one venue; `None` if it is not served.
    pub fn endpoint(&self, venue: &str) -> Option<&str> {
        let venue = venue.replace('_', "-");
        let mut endpoints = self.endpoints();
        endpoints
            .find(|(name, _)| *name == venue)
            .map(|(_, url)| url)
    }

    /// The certificate authority to trust, as PEM text.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Every book that is served, in the order of venues and instruments.
    pub fn books(&self) -> Vec<Book> {
        let floor = self.floor.get();
        let books = floor.venues.iter().flat_map(|venue| {
            let listings = venue.listings.iter().zip(&self.instruments).enumerate();
            listings.map(|(at, (listing, name))| Book {
                venue: venue.dialect.name,
                symbol: listing.native.clone(),
                instrument: pair(name, venue.dialect).join("-"),
                is_listed: listing.is_known(),
                head: venue.heads.get(&at).copied(),
            })
        });
        books.collect()
    }

    /// How often each kind of fault of the plan has fired; 0 for those that have not.
    pub fn fired(&self) -> BTreeMap<Kind, u64> {
        let mut fired = BTreeMap::new();
        for (kind, count) in self.floor.get().schedule.counts() {
            *fired.entry(kind).or_insert(0) += count;
        }
        fired
    }

    /// The faults of the plan that have never fired, by their places in it, counted from 0.
    pub fn unfired(&self) -> Vec<(usize, Kind)> {
        let counts = self.floor.get().schedule.counts().into_iter().enumerate();
        let unfired = counts.filter(|(_, (_, count))| *count == 0);
        unfired.map(|(at, (kind, _))| (at, kind)).collect()
    }

    /// How many of the [arrivals](Live::arrivals) came sooner than a `Retry-After` had asked for.
    pub fn early_attempts(&self) -> u64 {
        let floor = self.floor.get();
        floor.arrivals.iter().filter(|at| at.is_early).count() as u64
    }

    /// The attempts to connect since the start, oldest first; of more than 65,536 the newest.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.floor.get().arrivals.iter().copied().collect()
    }

    /// How many times a client took a certificate that it must refuse: of an unknown authority, for
    /// another host, or out of date.
    pub fn credulous(&self) -> u64 {
        self.floor.get().credulous
    }

    /// How many connections were let in since the start.
    pub fn connections(&self) -> u64 {
        self.floor.get().connections
    }

    /// Lets a fault happen once, as soon as there is anything it can happen to. It counts as the next
    /// of the plan; its rate and its times mean nothing.
    ///
    /// ```no_run
    /// # use dragonfly_sim::{fault::{Fault, Kind}, live::{Live, Options}};
    /// # fn bot_has_left_the_market() -> bool { true }
    /// # fn main() -> Result<(), dragonfly_sim::SimError> {
    /// let live = Live::start(Options::new(1), Box::new(|_| {}))?;
    /// // Once the bot is connected:
    /// let mut stall = Fault::new(Kind::Stall, 1.0);
    /// stall.venue = Some("kraken".to_owned());
    /// live.inject(&stall)?;
    /// while live.fired()[&Kind::Stall] == 0 {
    ///     std::thread::yield_now();
    /// }
    /// assert!(bot_has_left_the_market());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the fault cannot happen to what is served.
    pub fn inject(&self, fault: &Fault) -> Result<(), SimError> {
        let mut floor = self.floor.get();
        let number = floor.schedule.counts().len() + 1;
        floor.check(number, fault)?;
        let seed = floor.seed.wrapping_add(number as u64);
        floor.schedule.add(fault, seed);
        floor.wake.notify_one();
        Ok(())
    }

    /// Ends all faults, what lasts and what is still to come; every market goes on, slowly. A
    /// connection that is half-open stays so, and what was delisted or renamed stays so.
    pub fn calm(&self) {
        self.floor.get().calm();
    }

    /// Stops serving. Connections end without a closing handshake, as when a venue dies.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic on that thread has been reported by its own hook.
            thread.join().ok();
        }
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

fn spawn(
    floor: Shared,
    doors: Vec<Entrance>,
    stopped: oneshot::Receiver<()>,
) -> Result<JoinHandle<()>, SimError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(SimError::Thread)?;
    let body = move || {
        runtime.block_on(async {
            for (listener, door) in doors {
                tokio::spawn(door::serve(listener, door));
            }
            tokio::spawn(drive(floor));
            // A dropped sender means stop as well.
            stopped.await.ok();
        });
    };
    std::thread::Builder::new()
        .name("dragonfly-live".to_owned())
        .spawn(body)
        .map_err(SimError::Thread)
}

/// Lets markets move and faults happen, for ever.
async fn drive(floor: Shared) {
    let wake = Arc::clone(&floor.get().wake);
    loop {
        let (next, now) = {
            let mut floor = floor.get();
            (floor.turn(), floor.now())
        };
        if next > now {
            let wait = Duration::from_nanos(next - now);
            timeout(wait, wake.notified()).await.ok();
        } else {
            // Lets the connections send what there is.
            tokio::task::yield_now().await;
        }
    }
}
