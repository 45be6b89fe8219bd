//! Plans: which faults, how often, and where.

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::exchange::DIALECTS;

/// Why a plan is no good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// It is not TOML, or has fields that nobody knows.
    #[error("{0}")]
    Toml(String),
    /// It has no fault: a run of it would prove nothing.
    #[error("there is no [[fault]] in it")]
    Empty,
    /// A fault is described in a way that cannot be.
    #[error("fault {number} ({name}): {reason}")]
    Fault {
        /// Which, counted from 1.
        number: usize,
        /// Its name, as written.
        name: String,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
}

/// Which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Direction {
    /// What the venue sends does not arrive.
    #[default]
    ToClient,
    /// What the client sends does not arrive.
    ToVenue,
    /// Neither.
    Both,
}

/// One fault of a plan.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Fault {
    /// What happens.
    pub kind: Kind,
    /// How often, in times a minute; at least once.
    pub rate: f64,
    /// Only at this venue.
    pub venue: Option<String>,
    /// Only on this connection, counted from 0 over all venues in the order of their names.
    pub socket: Option<u32>,
    /// Only this instrument, in the venue's own spelling.
    pub instrument: Option<String>,
    /// Which way, for a `stall`.
    pub direction: Direction,
    /// How long it lasts, in ms, a day at most; means nothing for what is over
    /// [at once](Kind::usual_ms). In a simulated world `connect-refused` and `connect-hangs` happen to one
    /// attempt, however long they last.
    pub for_ms: u64,
    /// Begins not before this time, in seconds since the run began.
    pub from_s: u64,
    /// Begins not after this time, in seconds: what has found nothing to happen to by then does not
    /// happen. It falls due in the first three quarters of its time.
    pub until_s: u64,
    /// How many of its plan before it are of the same kind and scope.
    pub(crate) twin: u32,
}

/// The faults of a run.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// The faults.
    pub faults: Vec<Fault>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    fault: Vec<PlanLine>,
}

/// A fault as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanLine {
    name: String,
    #[serde(default = "one")]
    rate: f64,
    venue: Option<String>,
    socket: Option<u32>,
    instrument: Option<String>,
    direction: Option<Direction>,
    for_ms: Option<u64>,
    from_s: Option<u64>,
    until_s: Option<u64>,
}

const fn one() -> f64 {
    1.0
}

/// The longest plan, in bytes: some hundred faults. Reading one takes up to some hundred times as much.
const MAX_PLAN: usize = 64 << 10;

/// The longest that anything lasts, in ms: a day.
const MOST_MS: u64 = 24 * 3_600_000;

impl Plan {
    /// Reads a plan, of at most 64 KiB.
    ///
    /// # Errors
    /// [`PlanError`] names the fault and what would be right.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        if text.len() > MAX_PLAN {
            let reason = format!(
                "a plan has at most {MAX_PLAN} bytes, this one {}",
                text.len()
            );
            return Err(PlanError::Toml(reason));
        }
        let file: File =
            toml::from_str(text).map_err(|error| PlanError::Toml(error.to_string()))?;
        if file.fault.is_empty() {
            return Err(PlanError::Empty);
        }
        Self::of(file.fault)
    }

    /// The plan of what is written.
    pub(crate) fn of(lines: Vec<PlanLine>) -> Result<Self, PlanError> {
        let faults = lines.into_iter().enumerate();
        let faults = faults.map(|(at, line)| {
            let name = line.name.clone();
            line.check().map_err(|reason| PlanError::Fault {
                number: at + 1,
                name,
                reason,
            })
        });
        Ok(Self {
            faults: faults.collect::<Result<_, _>>()?,
        })
    }

    /// Tells faults of the same kind and scope apart, so that each has times of its own. Has to be done
    /// before any of them is left out.
    pub(crate) fn tell_twins(&mut self) {
        for at in 0..self.faults.len() {
            let (before, rest) = self.faults.split_at_mut(at);
            let Some(fault) = rest.first_mut() else {
                return;
            };
            let twins = before.iter().filter(|other| other.is_twin_of(fault));
            fault.twin = u32::try_from(twins.count()).unwrap_or(u32::MAX);
        }
    }
}

impl Fault {
    /// A fault that happens `rate` times a minute, anywhere, at any time.
    pub fn new(kind: Kind, rate: f64) -> Self {
        Self {
            kind,
            rate,
            venue: None,
            socket: None,
            instrument: None,
            direction: Direction::ToClient,
            for_ms: kind.usual_ms(),
            from_s: 0,
            until_s: u64::MAX,
            twin: 0,
        }
    }

    /// How long it lasts, in ns.
    pub(crate) const fn lasting(&self) -> u64 {
        let ms = if self.for_ms < MOST_MS {
            self.for_ms
        } else {
            MOST_MS
        };
        ms * 1_000_000
    }

    /// Says what is wrong with it wherever it is to happen.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (kind, ms) = (self.kind, self.for_ms);
        if ms > MOST_MS {
            return Err(format!(
                "for_ms = {ms} is more than a day, which is {MOST_MS}"
            ));
        }
        if ms == 0 && kind.usual_ms() > 0 {
            return Err("for_ms = 0 is no time at all: nothing would happen".to_owned());
        }
        if kind == Kind::LostRequest && self.instrument.is_some() {
            return Err("a request is of no single instrument: leave `instrument` out".to_owned());
        }
        let Some(venue) = &self.venue else {
            return Ok(());
        };
        let names = || DIALECTS.iter().map(|dialect| dialect.name);
        if !names().any(|name| name == venue) {
            let known = names().collect::<Vec<_>>().join(", ");
            return Err(format!("there is no venue {venue:?}, only {known}"));
        }
        if !kind.fits(venue) {
            let venues = kind.venues().join(", ");
            return Err(format!("cannot happen at {venue:?}, only at {venues}"));
        }
        Ok(())
    }

    fn is_twin_of(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.venue == other.venue
            && self.socket == other.socket
            && self.instrument == other.instrument
    }

    /// Whether it has any time before the end of all faults, at `span` ns.
    pub(crate) fn is_within(&self, span: u64) -> bool {
        self.from_s == 0 || self.from_s.saturating_mul(1_000_000_000) < span
    }
}

impl PlanLine {
    fn check(self) -> Result<Fault, String> {
        let Some(kind) = Kind::find(&self.name) else {
            let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            return Err(format!("unknown; choose among {}", known.join(", ")));
        };
        if !(self.rate > 0.0 && self.rate <= 6_000.0) {
            return Err(format!(
                "a rate of {} is not above 0 and up to 6000",
                self.rate
            ));
        }
        if self.for_ms.is_some() && kind.usual_ms() == 0 {
            return Err("for_ms means nothing here: it is over at once".to_owned());
        }
        if self.direction.is_some() && kind != Kind::Stall {
            return Err("direction means nothing here, only for a stall".to_owned());
        }
        let fault = Fault::new(kind, self.rate);
        let (from_s, until_s) = (self.from_s.unwrap_or(0), self.until_s.unwrap_or(u64::MAX));
        if from_s >= until_s {
            return Err(format!(
                "from_s = {from_s} is not before until_s = {until_s}"
            ));
        }
        let fault = Fault {
            // Programs take either spelling.
            venue: self.venue.map(|venue| venue.replace('_', "-")),
            socket: self.socket,
            instrument: self.instrument,
            direction: self.direction.unwrap_or_default(),
            for_ms: self.for_ms.unwrap_or(fault.for_ms),
            from_s,
            until_s,
            ..fault
        };
        fault.check().map(|()| fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_says_what_where_and_how_often() {
        let plan = Plan::parse(
            "[[fault]]\nname = \"stall\"\nvenue = \"kraken\"\nfor_ms = 70\ndirection = \"both\"\n\
             [[fault]]\nname = \"gap\"\nrate = 0.5\nsocket = 2\nfrom_s = 3\nuntil_s = 9",
        );
        let [stall, gap] = &plan.unwrap().faults[..] else {
            panic!("two faults")
        };
        assert_eq!(
            (stall.kind, stall.for_ms, stall.rate),
            (Kind::Stall, 70, 1.0)
        );
        assert_eq!(stall.direction, Direction::Both);
        assert_eq!((gap.socket, gap.from_s, gap.until_s), (Some(2), 3, 9));
    }

    #[test]
    fn a_venue_can_be_spelled_in_either_way() {
        for venue in ["coinbase-advanced", "coinbase_advanced"] {
            let plan = Plan::parse(&format!("[[fault]]\nname = \"gap\"\nvenue = {venue:?}"));
            let venue = plan.unwrap().faults.remove(0).venue;
            assert_eq!(venue.as_deref(), Some("coinbase-advanced"));
        }
    }

    #[test]
    fn a_wrong_plan_is_named() {
        for (text, named) in [
            (
                "[[fault]]\nname = \"gab\"",
                "fault 1 (gab): unknown; choose among stall, ",
            ),
            (
                "[[fault]]\nname = \"gap\"\nrate = 0",
                "a rate of 0 is not above 0",
            ),
            (
                "[[fault]]\nname = \"checksum\"\nvenue = \"bybit\"",
                "cannot happen at \"bybit\", only at kraken",
            ),
            (
                "[[fault]]\nname = \"gap\"\nfrom_s = 5\nuntil_s = 5",
                "is not before",
            ),
            (
                "[[fault]]\nname = \"gap\"\nvenue = \"Kraken\"",
                "there is no venue \"Kraken\", only binance, bitstamp, ",
            ),
            (
                "[[fault]]\nname = \"stall\"\nfor_ms = 18446744073709551",
                "for_ms = 18446744073709551 is more than a day, which is 86400000",
            ),
            (
                "[[fault]]\nname = \"stall\"\nfor_ms = 0",
                "nothing would happen",
            ),
            (
                "[[fault]]\nname = \"cut\"\nfor_ms = 5",
                "for_ms means nothing here",
            ),
            (
                "[[fault]]\nname = \"cut\"\ndirection = \"both\"",
                "direction means nothing here",
            ),
            (
                "[[fault]]\nname = \"lost-request\"\ninstrument = \"BTCUSDT\"",
                "leave `instrument` out",
            ),
            ("", "there is no [[fault]] in it"),
            ("# nothing\nfault = []", "there is no [[fault]] in it"),
            ("[[fault]]\nname = \"gap\"\nfoo = 5", "unknown field `foo`"),
            ("[[fault]", "TOML"),
        ] {
            let error = Plan::parse(text).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
