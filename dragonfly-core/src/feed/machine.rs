//! A feed: one connection's subscriber and listener, without the connection.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "sums of times saturate, and counts of messages do not reach 2^64"
)]

mod outbox;

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
};

use outbox::Outgoing;

use super::{Ack, Ask, Budget, FeedError, Heard, Link, Listener, Subscriber};
use crate::{
    clock::{Nanos, Now},
    counter::Counter,
    market::{Cause, Symbol},
};

/// From which size on messages are shown to a listener that does not care, in bytes. Smaller ones
/// come within the silence that is allowed, unless the connection is too slow for any venue.
const LARGE: usize = 16 << 10;

/// How a client asks this venue for a sign of life, and so what counts as one besides messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ping {
    /// By a ping of the protocol itself; pings and pongs of the protocol count.
    Frame,
    /// By a message of the venue's own. Pings and pongs of the protocol prove only that its socket
    /// lives, not the venue behind it, and do not count.
    Text(&'static str),
    /// Not at all: the venue sends heartbeats by itself, and only its messages count.
    Never,
}

/// What a venue wants of a connection.
#[derive(Clone, Copy, Debug)]
pub struct FeedPolicy {
    /// How to ask for a sign of life.
    pub ping: Ping,
    /// Asks after so long a silence. Shorter than the rules' `stale_after`, so that a quiet market
    /// is told from a dead connection.
    pub probe_after: Nanos,
    /// Asks this often whatever happens, where the venue wants to hear from its clients.
    pub keep_alive: Option<Nanos>,
    /// How long the venue may take to accept the subscriptions; data counts as acceptance.
    pub ack_within: Nanos,
    /// How long one message may take to arrive, however it grows. While it grows, nothing else is
    /// overdue that could only come behind it.
    pub message_within: Nanos,
    /// How long a connection whose subscriptions were all refused is kept before the next try.
    pub refused_wait: Nanos,
    /// What may be sent.
    pub messages: Budget,
    /// How often to connect at the most.
    pub connects: Budget,
    /// How often all feeds of the venue together may connect. A venue counts the attempts of an
    /// address, and not of one connection.
    pub connects_in_all: Budget,
}

impl Default for FeedPolicy {
    fn default() -> Self {
        Self {
            ping: Ping::Frame,
            probe_after: Nanos::from_secs(2),
            keep_alive: None,
            ack_within: Nanos::from_secs(10),
            message_within: Nanos::from_secs(60),
            refused_wait: Nanos::from_secs(30),
            messages: Budget::UNLIMITED,
            connects: Budget::new(10, Nanos::from_secs(6)),
            connects_in_all: Budget::new(30, Nanos::from_secs(2)),
        }
    }
}

/// What the driver is to do with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Keep it.
    Continue,
    /// Drop it, report [`Feed::on_down`] with this cause, and connect again.
    Close(Cause),
}

/// Something to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request<'a> {
    /// A message.
    Text(&'a [u8]),
    /// A ping of the protocol.
    Ping,
}

/// What a feed has done since it began; readable from any thread.
#[derive(Clone, Debug, Default)]
pub struct FeedStats {
    /// Messages received.
    pub messages: Counter,
    /// Their bytes.
    pub bytes: Counter,
    /// Messages that could not be understood.
    pub bad: Counter,
    /// Connections made.
    pub connects: Counter,
    /// Instruments asked for again.
    pub renewals: Counter,
    /// Subscriptions the venue refused.
    pub refused: Counter,
    /// Events sent into the flow, or held at its edge.
    pub events: Counter,
    /// Events replaced by a newer one of their book while the first queue was full.
    pub conflated: Counter,
}

/// One connection's worth of a venue, as a state machine.
///
/// Call order: [`on_start`](Self::on_start) once; then for each connection
/// [`on_open`](Self::on_open), any number of the others, and [`on_down`](Self::on_down). After each
/// call, send what [`request`](Self::request) yields and come back by
/// [`deadline`](Self::deadline).
#[derive(Debug)]
pub struct Feed<S, L> {
    name: String,
    subscriber: S,
    listener: L,
    policy: FeedPolicy,
    outbox: VecDeque<Outgoing>,
    /// The subscriber panicked while it was asked for a request.
    is_broken: bool,
    sending: Vec<u8>,
    heard: Option<Nanos>,
    probed: Option<Nanos>,
    kept_alive: Nanos,
    ack_by: Option<Nanos>,
    retry_by: Option<Nanos>,
    /// Since when a message is under way that is not whole.
    under_way: Option<Nanos>,
    has_data: bool,
    last_was_bad: bool,
    stats: FeedStats,
}

impl<S: Subscriber, L: Listener> Feed<S, L> {
    /// Joins the two layers under a name for logs and counters.
    pub fn new(name: impl Into<String>, subscriber: S, listener: L, policy: FeedPolicy) -> Self {
        Self {
            name: name.into(),
            subscriber,
            listener,
            policy,
            outbox: VecDeque::new(),
            is_broken: false,
            sending: Vec::new(),
            heard: None,
            probed: None,
            kept_alive: Nanos(0),
            ack_by: None,
            retry_by: None,
            under_way: None,
            has_data: false,
            last_was_bad: false,
            stats: FeedStats::default(),
        }
    }

    /// The feed's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it wants of a connection.
    pub const fn policy(&self) -> &FeedPolicy {
        &self.policy
    }

    /// The counters; clones go on counting.
    pub const fn stats(&self) -> &FeedStats {
        &self.stats
    }

    /// The listener.
    pub const fn listener(&self) -> &L {
        &self.listener
    }

    /// Replaces the listener by one made of it: how decorators are put on.
    pub fn map_listener<M: Listener>(self, decorate: impl FnOnce(L) -> M) -> Feed<S, M> {
        let Self {
            name,
            subscriber,
            listener,
            policy,
            ..
        } = self;
        Feed::new(name, subscriber, decorate(listener), policy)
    }

    /// Whether market data has arrived on the present connection: the moment to reset a back-off.
    pub const fn has_data(&self) -> bool {
        self.has_data
    }

    /// The feed begins: its instruments show up, without a book.
    pub fn on_start(&mut self, now: Now, emit: &mut dyn FnMut(L::Event)) {
        self.listener.on_link(Link::Started, now, emit);
    }

    /// A connection is up.
    pub fn on_open(&mut self, now: Now, emit: &mut dyn FnMut(L::Event)) {
        self.stats.connects.add(1);
        self.outbox.clear();
        self.is_broken = false;
        (self.heard, self.probed, self.kept_alive) = (Some(now.mono), None, now.mono);
        self.ack_by = Some(now.mono + self.policy.ack_within);
        (self.retry_by, self.under_way, self.has_data) = (None, None, false);
        self.listener.on_link(Link::Up, now, emit);
        let mut send = |text: &[u8]| self.outbox.push_back(Outgoing::Text(text.to_vec()));
        self.subscriber.subscribe(Ask::All, &mut send);
    }

    /// The connection could not be made, or is gone.
    pub fn on_down(&mut self, cause: Cause, now: Now, emit: &mut dyn FnMut(L::Event)) {
        self.outbox.clear();
        (self.heard, self.probed, self.ack_by, self.retry_by) = (None, None, None, None);
        (self.under_way, self.has_data) = (None, false);
        self.listener.on_link(Link::Down(cause), now, emit);
    }

    /// A pong of the protocol arrived, or a ping; see [`Ping`] for what that proves.
    pub fn on_alive(&mut self, now: Now) {
        if self.policy.ping != Ping::Frame {
            return;
        }
        self.heard = Some(now.mono);
        self.probed = None;
        self.listener.on_alive(now);
    }

    /// A message arrived; it may be changed in place.
    ///
    /// # Errors
    /// What could not be understood. It has been counted, and the connection is kept.
    pub fn on_message(
        &mut self,
        message: &mut [u8],
        now: Now,
        emit: &mut dyn FnMut(L::Event),
    ) -> Result<Verdict, FeedError> {
        self.guarded(|feed| feed.take(message, now, emit))
    }

    /// From which size on messages are to be shown while they arrive, in bytes, see
    /// [`on_part`](Self::on_part): the listener's wish, or else what is too much to come within
    /// the silence that is allowed.
    pub fn early(&mut self) -> usize {
        self.listener.early().unwrap_or(LARGE)
    }

    /// So much of a large message has come by now, from its first byte on: more than when it was
    /// last shown. Call [`on_message`](Self::on_message) when it is whole, which counts it.
    ///
    /// While a message grows, the time of what can only come behind it stands still, for at most
    /// [`FeedPolicy::message_within`].
    pub fn on_part(&mut self, so_far: &[u8], now: Now, emit: &mut dyn FnMut(L::Event)) -> Verdict {
        let verdict = self.guarded(|feed| {
            feed.under_way.get_or_insert(now.mono);
            feed.listener.on_part(so_far, now, emit);
            Ok(Verdict::Continue)
        });
        verdict.unwrap_or(Verdict::Continue)
    }

    /// A panic of the venue's code ends the connection and nothing else.
    fn guarded(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<Verdict, FeedError>,
    ) -> Result<Verdict, FeedError> {
        catch_unwind(AssertUnwindSafe(|| step(self))).unwrap_or_else(|panic| {
            let error = FeedError::Panicked(panic_text(&*panic));
            tracing::error!(feed = %self.name, %error, "dropping the connection");
            self.stats.bad.add(1);
            Ok(Verdict::Close(Cause::Panicked))
        })
    }

    fn take(
        &mut self,
        message: &mut [u8],
        now: Now,
        emit: &mut dyn FnMut(L::Event),
    ) -> Result<Verdict, FeedError> {
        self.stats.messages.add(1);
        self.stats.bytes.add(message.len() as u64);
        (self.heard, self.probed) = (Some(now.mono), None);
        self.go_on(now.mono);
        let heard = match self.listener.on_message(message, now, emit) {
            Ok(heard) => heard,
            Err(error) => return self.on_bad(error),
        };
        self.last_was_bad = false;
        if heard == Heard::Data {
            self.has_data = true;
            self.ack_by = None;
            return Ok(Verdict::Continue);
        }
        Ok(self.act(heard, message, now, emit))
    }

    /// What was under way is whole: what had to wait for it has as much time left as before.
    fn go_on(&mut self, now: Nanos) {
        let Some(since) = self.under_way.take() else {
            return;
        };
        for by in [&mut self.ack_by, &mut self.retry_by].into_iter().flatten() {
            *by = *by + (now - since);
        }
    }

    fn on_bad(&mut self, error: FeedError) -> Result<Verdict, FeedError> {
        self.stats.bad.add(1);
        if !std::mem::replace(&mut self.last_was_bad, true) {
            tracing::warn!(feed = %self.name, %error, "a message could not be understood");
        }
        Err(error)
    }

    fn act(
        &mut self,
        heard: Heard,
        message: &[u8],
        now: Now,
        emit: &mut dyn FnMut(L::Event),
    ) -> Verdict {
        match heard {
            Heard::Data => Verdict::Continue,
            Heard::Control => self.on_control(message, now, emit),
            Heard::Renew(symbol) => {
                tracing::warn!(feed = %self.name, %symbol, "asking for the book again");
                self.stats.renewals.add(1);
                self.ask_again(symbol);
                Verdict::Continue
            }
            Heard::Reconnect(cause) => Verdict::Close(cause),
        }
    }

    fn on_control(&mut self, message: &[u8], now: Now, emit: &mut dyn FnMut(L::Event)) -> Verdict {
        match self.subscriber.acknowledge(message) {
            Ack::Waiting => {}
            Ack::Accepted => self.ack_by = None,
            Ack::Rejected { symbol, reason } => self.on_refused(symbol, &reason, now, emit),
            Ack::Reconnect => {
                tracing::info!(feed = %self.name, "the venue asks for a new connection");
                return Verdict::Close(Cause::Disconnected);
            }
        }
        Verdict::Continue
    }

    fn on_refused(
        &mut self,
        symbol: Option<Symbol>,
        reason: &str,
        now: Now,
        emit: &mut dyn FnMut(L::Event),
    ) {
        self.stats.refused.add(1);
        self.ack_by = None;
        self.retry_by
            .get_or_insert(now.mono + self.policy.refused_wait);
        self.listener.on_link(Link::Refused(symbol), now, emit);
        let what = symbol.map_or_else(|| "the subscription".into(), |s| s.to_string());
        tracing::error!(feed = %self.name, %what, reason, "refused by the venue");
    }

    /// When [`Feed::on_deadline`] wants to be called at the latest.
    pub fn deadline(&self) -> Option<Nanos> {
        let heard = self.heard?;
        if self.is_broken {
            return Some(Nanos(0));
        }
        let asks = self.policy.ping != Ping::Never && self.probed.is_none();
        let probe = asks.then(|| heard + self.policy.probe_after);
        let keep_alive = self.policy.keep_alive.map(|every| self.kept_alive + every);
        let send = (!self.outbox.is_empty()).then(|| self.policy.messages.next_at(Nanos(0)));
        let [ack_by, retry_by] = self.awaited();
        [
            self.listener.deadline(),
            self.whole_by(),
            ack_by,
            retry_by,
            probe,
            keep_alive,
            send,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When what can only come behind a message under way is overdue.
    const fn awaited(&self) -> [Option<Nanos>; 2] {
        match self.under_way {
            None => [self.ack_by, self.retry_by],
            Some(_) => [None, None],
        }
    }

    /// When the message under way has to be whole.
    fn whole_by(&self) -> Option<Nanos> {
        self.under_way
            .map(|since| since + self.policy.message_within)
    }

    /// Does what is due; to be called at or after the deadline, calls before it do no harm.
    pub fn on_deadline(&mut self, now: Now, emit: &mut dyn FnMut(L::Event)) -> Verdict {
        let verdict = self.guarded(|feed| Ok(feed.act_on_deadline(now, emit)));
        verdict.unwrap_or(Verdict::Continue)
    }

    fn act_on_deadline(&mut self, now: Now, emit: &mut dyn FnMut(L::Event)) -> Verdict {
        let Some(heard) = self.heard else {
            return Verdict::Continue;
        };
        if std::mem::take(&mut self.is_broken) {
            return Verdict::Close(Cause::Panicked);
        }
        while let Some(due) = self.listener.on_deadline(now, emit) {
            if let Verdict::Close(cause) = self.act(due, b"", now, emit) {
                return Verdict::Close(cause);
            }
        }
        let is_due = |by: Option<Nanos>| by.is_some_and(|by| by <= now.mono);
        let [ack_by, retry_by] = self.awaited();
        if is_due(self.whole_by()) {
            tracing::warn!(feed = %self.name, "a message takes too long to arrive");
            return Verdict::Close(Cause::Silent);
        }
        if is_due(ack_by) {
            tracing::warn!(feed = %self.name, "the venue did not answer the subscription");
            return Verdict::Close(Cause::Silent);
        }
        if is_due(retry_by) {
            self.retry_by = None;
            if !self.has_data {
                return Verdict::Close(Cause::Refused);
            }
        }
        let asks = self.policy.ping != Ping::Never && self.probed.is_none();
        let probe = asks && heard + self.policy.probe_after <= now.mono;
        let keep_alive = |every: Nanos| self.kept_alive + every <= now.mono;
        if probe || self.policy.keep_alive.is_some_and(keep_alive) {
            (self.probed, self.kept_alive) = (Some(now.mono), now.mono);
            self.outbox.push_back(match self.policy.ping {
                Ping::Frame => Outgoing::Ping,
                Ping::Text(text) => Outgoing::Text(text.into()),
                Ping::Never => return Verdict::Continue,
            });
        }
        Verdict::Continue
    }
}

/// The text of a panic.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into())
}
