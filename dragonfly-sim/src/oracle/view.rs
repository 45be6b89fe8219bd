//! What a client was shown, and what can be wrong with it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a view is made of its legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// The best levels of all legs, each with its leg.
    Consolidated,
    /// The quantities of all legs summed by price.
    Aggregated,
}

/// One book a view rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Leg {
    /// The venue's id.
    pub venue: String,
    /// The venue's own symbol.
    pub symbol: String,
    /// The client's count of complete restarts.
    pub epoch: u32,
    /// The number of the last change.
    pub seq: u64,
    /// `live`, or why it is not.
    pub state: String,
}

/// A level of a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Shelf {
    /// The price, as text.
    pub price: String,
    /// The quantity, as text.
    pub qty: String,
    /// Which of the view's legs; none where quantities are summed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<usize>,
}

/// What a client was shown at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct View {
    /// When, in ns since the run began.
    pub at: u64,
    /// Who: empty for what was published, the name of a client for what it received of that.
    #[serde(default)]
    pub client: String,
    /// Which of the streams of views.
    pub stream: String,
    /// What it is made of its legs.
    pub kind: Kind,
    /// How many levels a side it has, if there are so many.
    pub depth: usize,
    /// Counts the views of the stream.
    pub seq: u64,
    /// How many the client was not shown before this one.
    #[serde(default)]
    pub skipped: u64,
    /// The books it rests on.
    pub legs: Vec<Leg>,
    /// Bids, best first.
    pub bids: Vec<Shelf>,
    /// Asks, best first.
    pub asks: Vec<Shelf>,
}

impl Leg {
    /// Whether the leg takes part.
    pub fn is_live(&self) -> bool {
        self.state == "live"
    }
}

impl Shelf {
    pub(crate) const fn new(price: String, qty: String, leg: Option<usize>) -> Self {
        Self { price, qty, leg }
    }
}

impl View {
    /// An empty view.
    pub fn new(at: u64, stream: impl Into<String>, kind: Kind, depth: usize, seq: u64) -> Self {
        Self {
            at,
            client: String::new(),
            stream: stream.into(),
            kind,
            depth,
            seq,
            skipped: 0,
            legs: Vec::new(),
            bids: Vec::new(),
            asks: Vec::new(),
        }
    }

    /// Adds a book it rests on.
    pub fn leg(&mut self, venue: &str, symbol: &str, state: &str, epoch: u32, seq: u64) {
        self.legs.push(Leg {
            venue: venue.to_owned(),
            symbol: symbol.to_owned(),
            epoch,
            seq,
            state: state.to_owned(),
        });
    }

    /// Adds a level, worse than those before it.
    pub fn level(&mut self, is_bid: bool, price: String, qty: String, leg: Option<usize>) {
        let side = if is_bid {
            &mut self.bids
        } else {
            &mut self.asks
        };
        side.push(Shelf::new(price, qty, leg));
    }

    /// Whether two views say the same of the market.
    pub(super) fn shows_the_same(&self, other: &Self) -> bool {
        (&self.legs, &self.bids, &self.asks) == (&other.legs, &other.bids, &other.asks)
    }
}

/// Which promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// (a) A `Live` leg shows what the venue said at the leg's own epoch and number.
    Truth,
    /// (b) The view is the merge of exactly the `Live` legs, ties broken as documented.
    Merge,
    /// (c) Epoch and number of a leg never go back.
    Order,
    /// (d) A leg that was not heard of for too long, or not updated in time, is not `Live`.
    Freshness,
    /// (e) A `Live` leg is not crossed.
    Crossed,
    /// (f) A client is shown part of what was published, and told how much it was not shown.
    Subsequence,
    /// In a quiet end every leg becomes `Live` and shows the newest book.
    Recovery,
    /// Nothing storms: no timer, no request, no connection attempt.
    Storm,
    /// Every fault of the plan fires.
    Fired,
    /// Nothing panics or fails.
    Failure,
}

impl Rule {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truth => "(a) truth",
            Self::Merge => "(b) merge",
            Self::Order => "(c) order",
            Self::Freshness => "(d) freshness",
            Self::Crossed => "(e) crossed",
            Self::Subsequence => "(f) subsequence",
            Self::Recovery => "recovery",
            Self::Storm => "storm",
            Self::Fired => "fired",
            Self::Failure => "failure",
        }
    }
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Which promise.
    pub rule: Rule,
    /// When, in ns since the run began.
    pub at: u64,
    /// In which stream of views, or of which book.
    pub stream: String,
    /// What was seen, and what should have been.
    pub what: String,
}

impl Violation {
    pub(crate) fn new(
        rule: Rule,
        at: u64,
        stream: impl Into<String>,
        what: impl Into<String>,
    ) -> Self {
        Self {
            rule,
            at,
            stream: stream.into(),
            what: what.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.at / 1_000_000_000, self.at % 1_000_000_000 / 1_000);
        let (rule, stream, what) = (self.rule.name(), &self.stream, &self.what);
        write!(f, "{seconds}.{micros:06} s, {rule}: {stream}: {what}")
    }
}
