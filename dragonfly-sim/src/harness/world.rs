//! The world of a run: markets, conversations, connections and the client, moved from one moment at
//! which anything happens to the next.

use std::{cell::Cell, collections::BTreeMap};

use super::{
    Outcome, Scenario, Witness,
    client::Client,
    digest::Digest,
    line::{Incoming, Refusal, Shared},
    network::{Conn, Down, Up},
    teller::Teller,
};
use crate::{
    exchange::{Cx, Dialect, Frame, Listing},
    fault::{Kind, Schedule},
    ledger::{Entry, Record},
    market::Market,
    oracle::{Limits, Oracle, Rule, Violation},
    random::Random,
};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
/// The wall clock at the beginning of a run: 2026-01-01T00:00:00Z.
pub(super) const UTC: u64 = 1_767_225_600 * SECOND;
/// How often all legs are looked at, in ns.
const LOOK: u64 = 50 * MS;
/// How long every leg must be well before the run may end.
const WELL: u64 = 2 * SECOND;
/// How long faults that have not fired are waited for after the last was due.
const PATIENCE: u64 = 600 * SECOND;
/// How many moments in a row may be the same one.
const MOST_AT_ONCE: u32 = 20_000;

/// A venue.
pub(super) struct Exchange {
    pub(super) dialect: &'static Dialect,
    pub(super) listings: Vec<Listing>,
}

/// The venue's end of a feed's line, with what connects the two.
pub(super) struct Port {
    pub(super) number: u32,
    pub(super) line: Shared,
    pub(super) exchange: usize,
    /// Which of the exchange's listings it is to carry.
    pub(super) listings: Vec<usize>,
    pub(super) conn: Option<Conn>,
    /// When an attempt to connect ends, and how.
    pub(super) connecting: Option<(u64, Option<Refusal>)>,
    /// What will become of the next attempt, and the fault that wants it so.
    pub(super) next_attempt: Option<(usize, Kind, u64)>,
    /// The fault that wants the next subscription refused.
    pub(super) refuse_next: Option<usize>,
    pub(super) attempts: Vec<u64>,
    /// When the venue allows the next attempt, in ns.
    pub(super) not_before: u64,
    /// How long connections live, in ns, and the fault that wants it so.
    pub(super) lifetime: Option<(usize, u64)>,
    /// When the connection has lived long enough, and the fault that wants it so.
    pub(super) ends_at: Option<(u64, usize)>,
    /// When the client learned that its connection, or its attempt, has failed.
    pub(super) lost_at: Option<u64>,
    /// The next silence: from when to when.
    pub(super) silence: Option<(u64, u64)>,
}

impl Port {
    fn new(number: u32, exchange: usize, listings: Vec<usize>) -> Self {
        Self {
            number,
            line: Shared::default(),
            exchange,
            listings,
            conn: None,
            connecting: None,
            next_attempt: None,
            refuse_next: None,
            attempts: Vec::new(),
            not_before: 0,
            lifetime: None,
            ends_at: None,
            lost_at: None,
            silence: None,
        }
    }
}

/// Everything there is.
pub(super) struct World<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) witness: &'a mut dyn Witness,
    pub(super) now: u64,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) ports: Vec<Port>,
    pub(super) schedule: Schedule,
    pub(super) random: Random,
    pub(super) client: Result<Client, String>,
    pub(super) oracle: Oracle,
    pub(super) teller: Teller,
    /// The venues that no fault of the plan reaches.
    pub(super) untouched: Vec<&'static str>,
    /// How long each attempt to connect was waited for, in ns.
    pub(super) waits: Vec<u64>,
    pub(super) digest: Digest,
    pub(super) messages: u64,
    pub(super) next_stream: u64,
    pub(super) connections: u64,
    pub(super) looked: u64,
    pub(super) read: u64,
    /// When the reader of the views, who is away, comes back, in ns.
    pub(super) back_at: Option<u64>,
    pub(super) starved_until: u64,
    pub(super) at_once: u32,
    pub(super) found: Vec<Violation>,
}

impl<'a> World<'a> {
    pub(super) fn new(scenario: &'a Scenario, witness: &'a mut dyn Witness) -> Self {
        let mut exchanges: Vec<Exchange> = Vec::new();
        let mut ports = Vec::new();
        for plan in &scenario.sockets {
            let known = exchanges
                .iter()
                .position(|e| e.dialect.name == plan.dialect.name);
            let exchange = known.unwrap_or_else(|| {
                exchanges.push(Exchange {
                    dialect: plan.dialect,
                    listings: Vec::new(),
                });
                exchanges.len() - 1
            });
            let mut listings = Vec::new();
            for listing in &plan.listings {
                let native = (plan.dialect.native)(listing.base, plan.dialect.quote);
                let label = format!("market {} {native}", plan.dialect.name);
                let mut random = Random::of(scenario.seed, &label);
                let first = random.between(1_000_000, 1_000_000_000_000);
                let market = Market::new(listing.character, random, 0);
                listings.push(exchanges[exchange].listings.len());
                exchanges[exchange]
                    .listings
                    .push(Listing::new(native, market, first, UTC));
            }
            ports.push(Port::new(plan.number, exchange, listings));
        }
        let lines: Vec<Shared> = ports.iter().map(|port| port.line.clone()).collect();
        let limits = Limits {
            view_delay: scenario.away,
            ..Limits::default()
        };
        Self {
            client: Client::new(scenario, &lines, UTC),
            witness,
            now: 0,
            exchanges,
            ports,
            schedule: Schedule::new(&scenario.plan, scenario.span, scenario.seed),
            random: Random::of(scenario.seed, "world"),
            oracle: Oracle::new(limits),
            teller: Teller::new(scenario.view_depth),
            untouched: scenario.untouched(),
            waits: Vec::new(),
            digest: Digest::new(),
            messages: 0,
            next_stream: 0,
            connections: 0,
            looked: 0,
            read: 0,
            back_at: None,
            starved_until: 0,
            at_once: 0,
            found: Vec::new(),
            scenario,
        }
    }

    /// Lets everything happen.
    pub(super) fn run(mut self) -> Outcome {
        let span = self.scenario.span;
        while self.now < span || self.schedule.is_waited_for() && self.now < span + PATIENCE {
            let end = if self.now < span {
                span
            } else {
                self.now + LOOK
            };
            if !self.advance(end) {
                return self.outcome();
            }
        }
        for (index, (kind, count)) in self.schedule.counts().into_iter().enumerate() {
            if count == 0 && self.could_happen(index) {
                self.find(Rule::Fired, "plan", format!("{kind} never fired"));
            }
        }
        self.calm();
        let deadline = self.now + self.scenario.recovery();
        let mut well_since = None;
        while self.now < deadline {
            let end = (self.now + LOOK).min(deadline);
            if !self.advance(end) {
                return self.outcome();
            }
            if self.read < self.now {
                // The reader has not seen yet what has arrived.
                continue;
            }
            let since = *well_since.get_or_insert(self.now);
            match self.ailing().is_empty() {
                true if self.now - since >= WELL => return self.outcome(),
                true => {}
                false => well_since = None,
            }
        }
        for (leg, what) in self.ailing() {
            let what = format!(
                "{what}, {} s after the last fault",
                self.scenario.recovery() / SECOND
            );
            self.find(Rule::Recovery, &leg, what);
        }
        self.outcome()
    }

    pub(super) fn find(&mut self, rule: Rule, stream: &str, what: impl Into<String>) {
        self.found
            .push(Violation::new(rule, self.now, stream, what));
    }

    fn outcome(mut self) -> Outcome {
        self.judge_waits();
        let mut fired = BTreeMap::new();
        for (kind, count) in self.schedule.counts() {
            *fired.entry(kind).or_insert(0) += count;
        }
        let mut violations = self.oracle.violations().to_vec();
        violations.append(&mut self.found);
        Outcome {
            digest: self.digest.0,
            judged: self.oracle.judged(),
            messages: self.messages,
            fired,
            violations,
            span: self.now,
        }
    }

    /// Goes on to the next moment at which anything happens, at the latest to `end`; false when
    /// there is no going on.
    fn advance(&mut self, end: u64) -> bool {
        let next = self.next_at().min(end).max(self.now);
        self.at_once = if next == self.now {
            self.at_once + 1
        } else {
            0
        };
        if self.at_once > MOST_AT_ONCE {
            self.find(
                Rule::Storm,
                "client",
                "time stands still: there is always something due now",
            );
            return false;
        }
        if let Ok(client) = &self.client {
            client.advance(next - self.now);
        }
        self.now = next;
        if self.schedule.due().is_some_and(|at| at <= next) {
            self.schedule.arm(next);
        }
        self.trouble();
        self.trade();
        self.talk();
        self.arrive();
        if !self.let_the_client_work() {
            return false;
        }
        self.see_to_acts();
        if self.now >= self.looked + LOOK && self.starved_until <= self.now {
            self.looked = self.now;
            self.tell(Record::Looked { at: self.now });
        }
        true
    }

    fn next_at(&self) -> u64 {
        let is_starved = self.now < self.starved_until;
        let markets = self
            .exchanges
            .iter()
            .flat_map(|exchange| &exchange.listings);
        let markets = markets.map(|listing| listing.market.due()).min();
        let ports = self.ports.iter().filter_map(|port| {
            let conn = port.conn.as_ref().and_then(|conn| conn.due(is_starved));
            let connecting = port.connecting.map(|(at, _)| at);
            let line = port.line.get().due.filter(|_| !is_starved);
            let silence = port.silence.map(|(from, _)| from);
            let end = port.ends_at.map(|(at, _)| at);
            [conn, connecting, line, end, silence]
                .into_iter()
                .flatten()
                .min()
        });
        let starved = is_starved.then_some(self.starved_until);
        let looked = (!is_starved).then_some(self.looked + LOOK);
        let back = self.back_at.filter(|_| !is_starved);
        let next = [
            markets,
            ports.min(),
            self.schedule.due(),
            starved,
            looked,
            back,
        ];
        next.into_iter().flatten().min().unwrap_or(u64::MAX)
    }

    /// Markets move, and those who listen are told.
    fn trade(&mut self) {
        for exchange in 0..self.exchanges.len() {
            for listing in 0..self.exchanges[exchange].listings.len() {
                let known = &mut self.exchanges[exchange].listings[listing];
                if known.market.due() <= self.now {
                    known.market.step(self.now);
                    known.stamp(UTC + self.now);
                    self.announce(exchange, listing);
                }
            }
        }
    }

    /// The book of a listing has changed.
    fn announce(&mut self, exchange: usize, listing: usize) {
        for port in 0..self.ports.len() {
            if self.ports[port].exchange == exchange {
                self.converse(port, |talk, cx| talk.on_market(listing, cx));
            }
        }
    }

    /// Lets a conversation speak; `None` when nobody is there.
    pub(super) fn converse<R>(
        &mut self,
        port: usize,
        speak: impl FnOnce(&mut dyn crate::exchange::Conversation, &mut Cx<'_>) -> R,
    ) -> Option<R> {
        let Self {
            ports,
            exchanges,
            schedule,
            next_stream,
            ..
        } = self;
        let port = &mut ports[port];
        let conn = port.conn.as_mut()?;
        let exchange = &exchanges[port.exchange];
        let (number, name) = (port.number, exchange.dialect.name);
        let target = |listing: usize| (name, number, exchange.listings[listing].native.clone());
        let refusable = schedule.fitting(port.refuse_next, name, number, &exchange.listings);
        let (mut out, has_refused): (Vec<Frame>, _) = (Vec::new(), Cell::new(false));
        let mut cx = Cx {
            now: self.now,
            utc: UTC + self.now,
            listings: &exchange.listings,
            depth: self.scenario.depth,
            out: &mut out,
            refusable: &refusable,
            has_refused: &has_refused,
        };
        let said = speak(conn.conversation.as_deref_mut()?, &mut cx);
        out.iter_mut()
            .for_each(|frame| frame.rename(&exchange.listings));
        if has_refused.get()
            && let Some(index) = port.refuse_next.take()
        {
            schedule.keep(index);
        }
        conn.post(out, self.now, next_stream, schedule, &target);
        Some(said)
    }

    /// Conversations hear what has reached them, and do what is due.
    fn talk(&mut self) {
        for port in 0..self.ports.len() {
            self.settle_attempt(port);
            while let Some(up) = self.ports[port]
                .conn
                .as_mut()
                .and_then(|c| c.take_up(self.now))
            {
                match up {
                    Up::Text(text) => {
                        self.converse(port, |talk, cx| talk.on_text(&text, cx));
                    }
                    Up::Ping => {
                        if let Some(conn) = &mut self.ports[port].conn {
                            conn.pong(self.now);
                        }
                    }
                }
            }
            let due = self.ports[port]
                .conn
                .as_ref()
                .and_then(|c| c.conversation.as_ref()?.due());
            if due.is_some_and(|at| at <= self.now) {
                self.converse(port, |talk, cx| talk.on_due(cx));
            }
        }
    }

    /// What has reached the client goes into the ledger and into its inbox.
    fn arrive(&mut self) {
        if self.now < self.starved_until {
            return;
        }
        for port in 0..self.ports.len() {
            while let Some(down) = self.ports[port]
                .conn
                .as_mut()
                .and_then(|c| c.take_down(self.now))
            {
                let incoming = match down {
                    Down::Frame(frame) => {
                        let parts = self.parts(port, &frame);
                        let whole = self.deliver(port, frame);
                        self.ports[port].line.get().inbox.extend(parts);
                        whole
                    }
                    Down::Pong => Incoming::Pong,
                    Down::End => {
                        let port = &mut self.ports[port];
                        (port.conn, port.lost_at) = (None, Some(self.now));
                        Incoming::End
                    }
                };
                self.ports[port].line.get().inbox.push_back(incoming);
            }
        }
    }

    /// What is seen of a large message before it is whole.
    fn parts(&mut self, port: usize, frame: &Frame) -> Vec<Incoming> {
        let (early, len) = (self.ports[port].line.get().early, frame.text.len());
        // What is broken further on must not be shown, and is not known to be so before.
        let is_sound = self.scenario.reads_early && !frame.claims.is_empty();
        let Some(least) = early.filter(|least| is_sound && *least < len) else {
            return Vec::new();
        };
        let mut ends: Vec<usize> = (0..3)
            .map(|_| least + self.random.index(len - least))
            .collect();
        ends.sort_unstable();
        self.witness.note(self.now, &|| {
            format!("socket {port} <- parts {ends:?} of {len}")
        });
        let part = |end: usize| Incoming::Part(frame.text[..end].to_vec());
        ends.into_iter().map(part).collect()
    }

    fn deliver(&mut self, port: usize, frame: Frame) -> Incoming {
        self.messages += 1;
        self.digest.word(self.now);
        self.digest.bytes(&frame.text);
        let (number, exchange) = (self.ports[port].number, self.ports[port].exchange);
        let text = || String::from_utf8_lossy(&frame.text).into_owned();
        let claims: Vec<(u64, u64)> = frame.claims.iter().map(|c| (c.stream, c.seq)).collect();
        self.witness.note(self.now, &|| {
            format!("socket {number} <- {claims:?} {}", text())
        });
        self.tell(Record::Heard {
            at: self.now,
            socket: number,
        });
        for claim in frame.claims {
            let exchange = &self.exchanges[exchange];
            let entry = Entry {
                at: self.now,
                socket: number,
                venue: exchange.dialect.name.to_owned(),
                symbol: exchange.listings[claim.listing].native.clone(),
                stream: claim.stream,
                seq: claim.seq,
                is_whole: claim.step != crate::exchange::Step::Change,
                bids: claim.bids,
                asks: claim.asks,
            };
            self.tell(Record::Entry(entry));
        }
        Incoming::Text(frame.text)
    }

    pub(super) fn tell(&mut self, record: Record) {
        self.witness.record(&record);
        self.oracle.record(record);
    }
}
