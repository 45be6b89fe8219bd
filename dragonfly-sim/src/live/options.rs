//! What is to be served, and the floor that is made of it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use dragonfly_core::clock::Clock;

use super::floor::{Floor, Venue};
use crate::{
    SimError,
    exchange::{DIALECTS, Dialect, Listing},
    fault::{Plan, Schedule},
    ledger::Record,
    market::{Character, Market},
    random::Random,
};

/// How often books change.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Rate {
    /// So many times a second on average, each book; from 0.000001 to 100,000.
    PerSecond(f64),
    /// As fast as the slowest client of a book takes the messages; a book without clients rests.
    AsFast,
}

/// What takes the ledger.
pub type Sink = Box<dyn FnMut(Record) + Send>;

/// What is to be served.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// What markets and faults are drawn from.
    pub seed: u64,
    /// The venues; none stands for all.
    pub venues: Vec<String>,
    /// The instruments of every venue: `BTC` against the venue's usual quote currency, or `BTC-USDT`.
    pub instruments: Vec<String>,
    /// The faults.
    pub plan: Plan,
    /// How often each book changes. Binance sends an image every 100 ms all the same.
    pub rate: Rate,
    /// Whether numbers are as odd as a venue's could be, such as quantities of 17 digits, and not as
    /// they usually are.
    pub wild: bool,
    /// How many levels a side an entry of the ledger has.
    pub depth: usize,
    /// The first venue listens on this port, each further one on the next; port 0 gives every venue
    /// a free port. Loopback addresses only.
    pub bind: SocketAddr,
    /// Over how long the faults of the plan are spread, from the start.
    pub span: Duration,
    /// The clock of the ledger; its zero is the zero of all times.
    pub clock: Clock,
}

impl Options {
    /// All venues with one instrument each, ten changes a second, no fault.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            venues: Vec::new(),
            instruments: vec!["BTC".to_owned()],
            plan: Plan::default(),
            rate: Rate::PerSecond(10.0),
            wild: false,
            depth: 20,
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            span: Duration::from_secs(60),
            clock: Clock::monotonic(),
        }
    }

    pub(super) fn dialects(&self) -> Result<Vec<&'static Dialect>, SimError> {
        let names = || DIALECTS.iter().map(|dialect| dialect.name);
        let unify = |name: &String| name.replace('_', "-");
        if let Some(unknown) = self
            .venues
            .iter()
            .find(|name| !names().any(|known| known == unify(name)))
        {
            return Err(SimError::UnknownVenue {
                name: unknown.clone(),
                known: names().collect::<Vec<_>>().join(", "),
            });
        }
        let is_wanted = |dialect: &&Dialect| {
            self.venues.is_empty() || self.venues.iter().any(|name| unify(name) == dialect.name)
        };
        Ok(DIALECTS.into_iter().filter(is_wanted).collect())
    }

    pub(super) fn check(&self) -> Result<(), SimError> {
        if !self.bind.ip().is_loopback() {
            return Err(SimError::NotLoopback(self.bind));
        }
        if let Rate::PerSecond(rate) = self.rate
            && !(1e-6..=1e5).contains(&rate)
        {
            return Err(SimError::Rate(rate));
        }
        let is_word = |part: &str| {
            (1..=12).contains(&part.len())
                && part
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        };
        for name in &self.instruments {
            let (base, quote) = name.split_once('-').unwrap_or((name, "USD"));
            if !is_word(base) || !is_word(quote) {
                return Err(SimError::Instrument(name.clone()));
            }
        }
        let mut known = BTreeSet::new();
        if let Some(name) = self.instruments.iter().find(|name| !known.insert(*name)) {
            return Err(SimError::Instrument(name.clone()));
        }
        if self.instruments.is_empty() {
            return Err(SimError::Instrument(String::new()));
        }
        for dialect in self.dialects()? {
            self.tell_apart(dialect)?;
        }
        Ok(())
    }

    /// Refuses instruments that have the same symbol at a venue.
    fn tell_apart(&self, dialect: &'static Dialect) -> Result<(), SimError> {
        let mut known = BTreeMap::new();
        for name in &self.instruments {
            let [base, quote] = pair(name, dialect);
            let symbol = (dialect.native)(base, quote);
            if let Some(first) = known.insert(symbol.clone(), name) {
                return Err(SimError::Symbol {
                    venue: dialect.name,
                    symbol,
                    first: first.clone(),
                    second: name.clone(),
                });
            }
        }
        Ok(())
    }

    /// The mean time between two changes, in ns.
    fn gap(&self) -> u64 {
        match self.rate {
            Rate::PerSecond(rate) => (1e9 / rate) as u64,
            // For books that nobody listens to.
            Rate::AsFast => 100_000_000,
        }
    }

    /// Over how long faults are spread, in ns.
    pub(super) fn span_ns(&self) -> u64 {
        u64::try_from(self.span.as_nanos()).unwrap_or(u64::MAX)
    }

    fn listings(&self, dialect: &'static Dialect) -> Vec<Listing> {
        let utc = self.clock.utc().0;
        let listing = |name: &String| {
            let [base, quote] = pair(name, dialect);
            let native = (dialect.native)(base, quote);
            // The same worth at every venue, in units of a millionth.
            let mut worth = Random::of(self.seed, &format!("worth {base}"));
            let worth = match usual(base) {
                Some(usual) if !self.wild => usual * worth.between(800, 1_200),
                _ => worth.between(100, 99_999_999) * 1_000,
            };
            let label = format!("market {} {native}", dialect.name);
            let mut random = Random::of(self.seed, &label);
            let draw = if self.wild {
                Character::draw
            } else {
                Character::ordinary
            };
            let character = draw(&mut random, worth, self.gap());
            let first = random.between(1_000_000, 1_000_000_000_000);
            let market = Market::new(character, random, self.clock.mono().0);
            Listing::new(native, market, first, utc)
        };
        self.instruments.iter().map(listing).collect()
    }

    /// The floor, whose ledger nobody takes yet.
    pub(super) fn floor(&self, dialects: &[&'static Dialect]) -> Floor {
        let venues = dialects.iter().map(|dialect| Venue {
            dialect,
            listings: self.listings(dialect),
            heads: BTreeMap::new(),
            next_attempt: None,
            refuse_next: None,
            lifetime: None,
            not_before: 0,
            barred_at: 0,
            door: Arc::default(),
        });
        let span = self.span_ns();
        let mut plan = self.plan.clone();
        plan.tell_twins();
        Floor {
            venues: venues.collect(),
            seed: self.seed,
            depth: self.depth,
            rate: self.rate,
            conns: BTreeMap::new(),
            schedule: Schedule::new(&plan, span, self.seed),
            sink: Box::new(|_| {}),
            next_stream: 0,
            connections: 0,
            is_calm: false,
            arrivals: VecDeque::new(),
            credulous: 0,
            wake: Arc::default(),
            clock: self.clock.clone(),
            started: self.clock.mono().0,
        }
    }
}

/// What a known coin is worth, in thousandths of the quote currency.
fn usual(base: &str) -> Option<u64> {
    let worths = [
        ("BTC", 65_000_000),
        ("ETH", 3_200_000),
        ("SOL", 150_000),
        ("LTC", 80_000),
        ("DOT", 6_500),
        ("XRP", 600),
        ("ADA", 450),
        ("DOGE", 150),
    ];
    let known = worths.into_iter().find(|(name, _)| *name == base);
    known.map(|(_, worth)| worth)
}

/// Base and quote currency of an instrument at a venue.
pub(super) fn pair<'a>(name: &'a str, dialect: &Dialect) -> [&'a str; 2] {
    name.split_once('-')
        .map_or([name, dialect.quote], |(base, quote)| [base, quote])
}
