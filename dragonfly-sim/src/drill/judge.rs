//! Puts what was said and what was shown in the order of time, and has the oracle judge it.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{figures::Figures, line::Line, process::Written, trace::Trace};
use crate::{
    ledger::Record,
    oracle::{Judged, Limits, Oracle, Rule, View, Violation},
};

/// What comes in from outside.
#[derive(Debug)]
pub(super) enum News {
    /// From the venues.
    Said(Record),
    /// From a client, by its place.
    Shown(usize, Written),
}

/// How long something may be on its way to the judge, in ns: what is older than that is in order.
pub(super) const HELD: u64 = 500_000_000;

/// How much later than it was read a view is taken to have come, in ns: a message may be shown before
/// the venue has written down that it is sent.
pub(super) const AHEAD: u64 = 150_000_000;

/// One client program.
#[derive(Debug)]
struct Viewer {
    /// It is never stopped, so that it is held to times.
    is_prompt: bool,
    /// Counts its connections, each a stream of its own for the oracle.
    connection: u32,
    /// Counts the servers there have been, by what this client has noticed.
    server: u32,
    last: Option<View>,
    /// When it last lost its connection, and why.
    loss: Option<(u64, String)>,
    was_told: bool,
    skipped: u64,
}

/// The judge of a run.
#[derive(Debug)]
pub(super) struct Judge {
    depth: usize,
    waiting: BTreeMap<(u64, u8, u64), Waiting>,
    count: u64,
    prompt: Oracle,
    slow: Oracle,
    viewers: Vec<Viewer>,
    /// How many servers have been killed.
    killed: u32,
    judged_until: u64,
    /// How long an update may take to be shown, in ns.
    lag: u64,
    /// Until when a server that stood still may cut its clients off.
    excused_until: u64,
    /// What each view of each server showed, whoever it was shown to first.
    digests: HashMap<(u32, u64), u64>,
    own: Vec<Violation>,
    trace: Trace,
    pub(super) figures: Figures,
}

#[derive(Debug)]
enum Waiting {
    Said(Record),
    Shown(usize, String),
}

impl Judge {
    /// A judge of one client for each item of `prompt`, which says whether it is held to times.
    pub(super) fn new(depth: usize, limits: Limits, prompt: &[bool], trace: Trace) -> Self {
        let (mut patient, lag) = (limits.clone(), limits.lag);
        // What a slow client is shown was right, but long ago.
        (patient.view_delay, patient.alive) = (u64::MAX, 0);
        let viewer = |is_prompt: &bool| Viewer {
            is_prompt: *is_prompt,
            connection: 0,
            server: 0,
            last: None,
            loss: None,
            was_told: false,
            skipped: 0,
        };
        Self {
            depth,
            waiting: BTreeMap::new(),
            count: 0,
            prompt: Oracle::new(limits),
            slow: Oracle::new(patient),
            viewers: prompt.iter().map(viewer).collect(),
            killed: 0,
            judged_until: 0,
            lag,
            excused_until: 0,
            digests: HashMap::new(),
            own: Vec::new(),
            trace,
            figures: Figures::default(),
        }
    }

    /// Takes what has come in.
    pub(super) fn take(&mut self, news: News) {
        // Of one moment what was said comes first, then what was shown, and then the look around.
        let (at, order, waiting) = match news {
            News::Said(Record::Looked { at }) => (at, 2, Waiting::Said(Record::Looked { at })),
            News::Said(record) => (record.at(), 0, Waiting::Said(record)),
            News::Shown(viewer, Written { at, text }) => {
                (at + AHEAD, 1, Waiting::Shown(viewer, text))
            }
        };
        self.count += 1;
        self.waiting.insert((at, order, self.count), waiting);
    }

    /// Judges all that happened until then.
    pub(super) fn judge(&mut self, until: u64) {
        self.judged_until = self.judged_until.max(until);
        while let Some(first) = self.waiting.first_entry() {
            if first.key().0 > until {
                return;
            }
            let ((at, _, _), waiting) = first.remove_entry();
            match waiting {
                Waiting::Said(record) => self.said(record),
                Waiting::Shown(viewer, text) => self.shown(viewer, at, &text),
            }
        }
    }

    fn said(&mut self, record: Record) {
        self.trace.record(&record);
        self.figures.said(&record);
        if !matches!(record, Record::Looked { .. }) {
            self.slow.record(record.clone());
        }
        self.prompt.record(record);
    }

    fn shown(&mut self, number: usize, at: u64, text: &str) {
        let stream = self.stream(number);
        let line = match Line::parse(text) {
            Ok(line) => line,
            Err(why) => {
                let what = format!("{why}: {}", text.chars().take(200).collect::<String>());
                return self.find(Rule::Failure, at, &stream, what);
            }
        };
        if let Some(why) = &line.disconnected {
            return self.lost(number, at, why);
        }
        if line.is_nothing() {
            return;
        }
        let view = line.view(at, &stream, self.depth);
        let Some(viewer) = self.viewers.get_mut(number) else {
            return;
        };
        viewer.was_told = line.says_stopped();
        viewer.skipped += view.skipped;
        viewer.last = Some(view.clone());
        let (key, digest) = ((viewer.server, view.seq), digest(&view));
        if *self.digests.entry(key).or_insert(digest) != digest {
            let what = format!(
                "seq {} differs from what another client was shown",
                view.seq
            );
            self.find(Rule::Subsequence, at, &stream, what);
        }
        if number == 0 {
            let causes: Vec<&str> = line.causes().collect();
            self.figures.shown(&view, &causes, at - AHEAD);
        }
        self.pass(number, view);
    }

    /// The client says that nothing it showed is current any more.
    fn lost(&mut self, number: usize, at: u64, why: &str) {
        let killed = self.killed;
        let Some(viewer) = self.viewers.get_mut(number) else {
            return;
        };
        let is_cut = viewer.is_prompt && viewer.last.is_some() && !viewer.was_told;
        let is_unasked = is_cut && viewer.server == killed && at > self.excused_until;
        viewer.loss = Some((at - AHEAD, why.to_owned()));
        viewer.server = killed;
        viewer.connection += 1;
        let last = viewer.last.take();
        if is_unasked {
            let what = format!("client {number} is cut off from a server that lives: {why}");
            self.find(Rule::Failure, at, "server", what);
        }
        if number == 0 {
            self.figures.lost();
        }
        let Some(mut view) = last else {
            return;
        };
        // For the oracle the stream ends with a view without any live leg.
        (view.at, view.seq, view.skipped) = (at, view.seq + 1, 0);
        view.legs
            .iter_mut()
            .for_each(|leg| leg.state = "lost".to_owned());
        view.bids.clear();
        view.asks.clear();
        self.pass(number, view);
    }

    fn pass(&mut self, number: usize, view: View) {
        let is_prompt = self
            .viewers
            .get(number)
            .is_some_and(|viewer| viewer.is_prompt);
        self.trace.view(&view, is_prompt);
        match is_prompt {
            true => self.prompt.view(view),
            false => self.slow.view(view),
        }
    }

    /// The oracle's name for what a client is being shown.
    fn stream(&self, number: usize) -> String {
        let connection = self
            .viewers
            .get(number)
            .map_or(0, |viewer| viewer.connection);
        format!("client {number}, connection {connection}")
    }

    /// The server was killed.
    pub(super) fn killed(&mut self, at: u64) {
        self.killed += 1;
        self.figures.killed(at);
    }

    /// The server stands still until then: its pings may have gone unanswered when it goes on, and it
    /// then takes its clients for gone.
    pub(super) const fn excuse(&mut self, until: u64) {
        self.excused_until = until + AHEAD;
    }

    /// Notes a broken promise.
    pub(super) fn find(&mut self, rule: Rule, at: u64, stream: &str, what: impl Into<String>) {
        self.own.push(Violation::new(rule, at, stream, what));
    }

    /// Whether every client that is held to times shows every book as live.
    pub(super) fn is_all_live(&self) -> bool {
        let is_live = |viewer: &Viewer| {
            let last = viewer.last.as_ref();
            last.is_some_and(|view| view.legs.iter().all(|leg| leg.is_live()))
        };
        let mut prompt = self.viewers.iter().filter(|viewer| viewer.is_prompt);
        prompt.all(is_live)
    }

    /// What is not yet as it should be when nothing goes wrong any more: every client that is held
    /// to times shows every book, as it is.
    pub(super) fn ailing(&self, books: &[(String, String)]) -> Vec<String> {
        let mut ailing = Vec::new();
        let by = self.judged_until.saturating_sub(self.lag);
        for (number, viewer) in self.viewers.iter().enumerate() {
            if !viewer.is_prompt {
                continue;
            }
            let stream = self.stream(number);
            for (venue, symbol) in books {
                if let Err(what) = self.prompt.is_settled_since(&stream, venue, symbol, by) {
                    ailing.push(format!("{stream}: {venue} {symbol} {what}"));
                }
            }
        }
        ailing
    }

    /// Whether the client was told that the server stops, and then that the stream ended.
    pub(super) fn was_told(&self, number: usize) -> bool {
        let is_told = |viewer: &Viewer| viewer.was_told && viewer.loss.is_some();
        self.viewers.get(number).is_some_and(is_told)
    }

    /// When the client last lost its connection.
    pub(super) fn lost_at(&self, number: usize) -> Option<u64> {
        let loss = self.viewers.get(number)?.loss.as_ref();
        loss.map(|(at, _)| *at)
    }

    /// How many views the clients were told they were not shown.
    pub(super) fn skipped(&self) -> u64 {
        self.viewers.iter().map(|viewer| viewer.skipped).sum()
    }

    /// How much was judged.
    pub(super) fn judged(&self) -> Judged {
        let mut judged = self.prompt.judged();
        judged.views += self.slow.judged().views;
        judged.legs += self.slow.judged().legs;
        judged
    }

    /// Everything that was found, in the order of time, and whether the files could be written.
    pub(super) fn finish(mut self) -> (Vec<Violation>, Result<(), String>) {
        let mut found = std::mem::take(&mut self.own);
        found.extend_from_slice(self.prompt.violations());
        found.extend_from_slice(self.slow.violations());
        found.sort_by_key(|violation| violation.at);
        (found, self.trace.finish())
    }
}

/// Stands for what a view shows.
fn digest(view: &View) -> u64 {
    let mut hasher = DefaultHasher::new();
    for leg in &view.legs {
        (&leg.venue, &leg.symbol, &leg.state, leg.epoch, leg.seq).hash(&mut hasher);
    }
    for side in [&view.bids, &view.asks] {
        side.len().hash(&mut hasher);
        for shelf in side {
            (&shelf.price, &shelf.qty, shelf.leg).hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests;
