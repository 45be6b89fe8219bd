//! The oracle: judges what a client of a flow was shown against what the venues said.
//!
//! It shares no code with the product: it works on decimal text in sorted vectors, the obvious way.
//! Its input is a ledger ([`Record`]) and the views clients received ([`View`]), in the order of
//! time; its output is a list of [`Violation`]s, each of one [`Rule`].
//!
//! # How a leg finds its entry
//!
//! A leg shows the epoch of its book and the number of its last change. The number is the ledger's
//! `seq`. The epoch is the client's own count of complete restarts; which of the ledger's streams
//! it is, the oracle finds out. When a leg shows an epoch for the first time, every stream is a
//! candidate of which a whole book arrived since the epoch before was first shown. Each view after
//! that strikes out the candidates that have no entry of the leg's number that had arrived, or one
//! with other levels than the view has of the leg. When none is left, the leg shows what nobody
//! said: rule (a).

mod decimal;
mod leg;
mod merge;
mod truth;
mod view;

use std::collections::{BTreeMap, HashMap};

use leg::Told;
use truth::Truth;
pub use view::{Kind, Leg, Rule, Shelf, View, Violation};

use crate::ledger::{Entry, Record};

/// What the product promises, and how exactly it is held to it. Times in ns.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// A leg is not `Live` for longer without any message on its connection.
    pub silence: u64,
    /// A leg is not `Live` for longer without a message of its own.
    pub own_silence: u64,
    /// The same, of venues where nothing but a message of its own proves a book right.
    pub image_silence: BTreeMap<String, u64>,
    /// A leg is not `Stale` sooner after a message of its own.
    pub alive: u64,
    /// What has arrived is shown within this time, or the leg is not `Live`.
    pub lag: u64,
    /// How many images may arrive of a new count before the leg takes it up.
    pub recount_images: u64,
    /// How much later than its message a view may come.
    pub view_delay: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const SECOND: u64 = 1_000_000_000;
        const TOLERANCE: u64 = 100_000_000;
        Self {
            silence: 5 * SECOND + TOLERANCE,
            own_silence: 60 * SECOND + TOLERANCE,
            image_silence: BTreeMap::from([("binance".to_owned(), 5 * SECOND + TOLERANCE)]),
            alive: 5 * SECOND - TOLERANCE,
            lag: TOLERANCE / 2,
            recount_images: 17,
            view_delay: 0,
        }
    }
}

impl Limits {
    /// Limits for programs on a busy machine: of what takes time 800 ms more than promised is not
    /// held against them, so that what is found is not the machine's doing. A leg that stays `Live`
    /// in silence is still found, and so is one that is not updated.
    pub fn real_time() -> Self {
        const TOLERANCE: u64 = 800_000_000;
        let mut limits = Self::default();
        limits.silence += TOLERANCE;
        limits.own_silence += TOLERANCE;
        limits
            .image_silence
            .values_mut()
            .for_each(|time| *time += TOLERANCE);
        limits.alive -= TOLERANCE;
        limits.lag += TOLERANCE;
        limits.view_delay = TOLERANCE;
        limits
    }
}

/// How many views a client may be behind of what was published.
const MOST_BEHIND: u64 = 100_000;

/// What has been judged so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Judged {
    /// Entries of the ledger that arrived.
    pub entries: u64,
    /// Views.
    pub views: u64,
    /// Legs of views that were `Live` and compared with their entry.
    pub legs: u64,
}

/// The judge.
#[derive(Debug, Default)]
pub struct Oracle {
    limits: Limits,
    truths: Vec<Truth>,
    /// Where the truth of each book is, by the venue's id and the venue's own symbol.
    books: HashMap<String, HashMap<String, usize>>,
    /// When a message of any kind last arrived, by connection.
    heard: BTreeMap<u32, u64>,
    /// What each of the published streams shows.
    told: Vec<Told>,
    streams: HashMap<String, usize>,
    /// The last sequence of each client's stream.
    sequences: HashMap<(String, String), u64>,
    /// The published views, by stream and sequence: what other clients may be shown.
    published: HashMap<(String, u64), View>,
    violations: Vec<Violation>,
    judged: Judged,
}

impl Oracle {
    /// A judge with these limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// What has been found so far.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// What has been judged so far.
    pub const fn judged(&self) -> Judged {
        self.judged
    }

    /// Takes a record of the ledger. Records and views come in the order of time, of those of one
    /// moment the records first, and a [`Record::Looked`] after the views.
    pub fn record(&mut self, record: Record) {
        match record {
            Record::Began { .. } => {}
            Record::Entry(entry) => self.arrived(entry),
            Record::Heard { at, socket } => {
                self.heard.insert(socket, at);
            }
            Record::Looked { at } => self.look(at),
        }
    }

    fn arrived(&mut self, entry: Entry) {
        self.judged.entries += 1;
        self.heard.insert(entry.socket, entry.at);
        let book = self.book(&entry.venue, &entry.symbol);
        if let Err(what) = self.truths[book].take(entry, self.limits.recount_images) {
            self.violations.push(what);
        }
    }

    /// Where the truth of a book is.
    fn book(&mut self, venue: &str, symbol: &str) -> usize {
        if let Some(at) = self.books.get(venue).and_then(|of| of.get(symbol)) {
            return *at;
        }
        let at = self.truths.len();
        self.truths.push(Truth::of(venue, symbol));
        let of = self.books.entry(venue.to_owned()).or_default();
        of.insert(symbol.to_owned(), at);
        at
    }

    /// Judges a view, and keeps one that was published for the judgement of its copies.
    pub fn view(&mut self, view: View) {
        self.judge(&view);
        if view.client.is_empty() {
            // A client that far behind is not waited for.
            let old = view.seq.saturating_sub(MOST_BEHIND);
            self.published.remove(&(view.stream.clone(), old));
            self.published.insert((view.stream.clone(), view.seq), view);
        }
    }

    /// Judges a view of which no client is shown a copy.
    pub fn judge(&mut self, view: &View) {
        self.judged.views += 1;
        if !view.client.is_empty() {
            let key = (view.client.clone(), view.stream.clone());
            let last = self.sequences.insert(key, view.seq);
            self.judge_sequence(view, last);
            return self.judge_copy(view);
        }
        let at = self.stream(&view.stream);
        let last = self.told[at].seq.replace(view.seq);
        self.judge_sequence(view, last);
        self.judge_legs(view, at);
        self.judge_merge(view, at);
    }

    /// Where what a published stream shows is kept.
    fn stream(&mut self, name: &str) -> usize {
        if let Some(at) = self.streams.get(name) {
            return *at;
        }
        self.told.push(Told::of(name));
        self.streams.insert(name.to_owned(), self.told.len() - 1);
        self.told.len() - 1
    }

    /// Rule (f): no view is left out without being counted as skipped.
    fn judge_sequence(&mut self, view: &View, last: Option<u64>) {
        let next = last.map_or(1, |last| last.saturating_add(1));
        let expected = next.saturating_add(view.skipped);
        if view.seq != expected && !(last.is_none() && view.skipped == 0) {
            let what = format!(
                "seq {} with {} skipped, {expected} expected",
                view.seq, view.skipped
            );
            self.violate(Rule::Subsequence, view, what);
        }
    }

    /// Rule (f): what a client is shown has been published.
    fn judge_copy(&mut self, view: &View) {
        let key = (view.stream.clone(), view.seq);
        let what = match self.published.get(&key) {
            None => "was never published".to_owned(),
            Some(published) if !published.shows_the_same(view) => {
                "differs from what was published".to_owned()
            }
            Some(_) => return,
        };
        self.violate(
            Rule::Subsequence,
            view,
            format!("client {:?}: seq {} {what}", view.client, view.seq),
        );
    }

    fn violate(&mut self, rule: Rule, view: &View, what: String) {
        self.violations.push(Violation {
            rule,
            at: view.at,
            stream: view.stream.clone(),
            what,
        });
    }
}
