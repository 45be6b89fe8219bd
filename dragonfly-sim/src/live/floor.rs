//! What all connections share: the venues with their markets, the conversations, the faults and the
//! ledger. Nothing here waits; the time comes from the one clock.

use std::{
    cell::Cell,
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use dragonfly_core::clock::Clock;
use tokio::sync::Notify;

use super::{
    Arrival, Head, Rate,
    conn::{Conn, Fate, Parcel, Spoil, Step},
    pipe::Controls,
};
use crate::{
    exchange::{Conversation, Cx, Dialect, Frame, Listing, Step as Claims},
    fault::{Kind, Place, Schedule, Target},
    frames::Incoming,
    ledger::{Entry, Record},
    post::Counter,
    random::Random,
};

const MS: u64 = 1_000_000;
/// An attempt that comes so soon after a `Retry-After` may have begun before its client heard of it.
const ON_THE_WAY: u64 = 250 * MS;
/// A market that is further behind than this goes on from the present, in ns.
const FAR_BEHIND: u64 = 1_000 * MS;
/// How many messages may wait before a market without a pace of its own waits too.
const ENOUGH: usize = 64;
/// How many changes in a row a market without a pace of its own may make that nobody sees.
const MOST_UNSEEN: usize = 32;
/// How many attempts to connect are remembered.
const MOST_ARRIVALS: usize = 65_536;

/// A venue.
pub(super) struct Venue {
    pub(super) dialect: &'static Dialect,
    pub(super) listings: Vec<Listing>,
    /// What clients were last told of each listing.
    pub(super) heads: BTreeMap<usize, Head>,
    /// What will become of the next attempt to connect.
    pub(super) next_attempt: Option<Attempt>,
    /// The fault that wants the next subscription refused.
    pub(super) refuse_next: Option<usize>,
    /// How long connections live, in ns, and the fault that wants it so.
    pub(super) lifetime: Option<(usize, u64)>,
    /// When the venue allows the next attempt, in ns.
    pub(super) not_before: u64,
    /// When it asked for that.
    pub(super) barred_at: u64,
    /// Wakes whoever accepts connections.
    pub(super) door: Arc<Notify>,
}

/// A fault of an attempt to connect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) kind: Kind,
    /// Its place in the plan.
    pub(super) index: usize,
    /// How long it takes, in ns.
    pub(super) lasting: u64,
    /// One of two ways in which it can happen.
    pub(super) is_other: bool,
}

/// Everything connections share.
pub(super) struct Floor {
    pub(super) clock: Clock,
    /// When it all began, in ns: the plan counts from there.
    pub(super) started: u64,
    pub(super) seed: u64,
    pub(super) depth: usize,
    pub(super) rate: Rate,
    pub(super) venues: Vec<Venue>,
    /// By the connection's number.
    pub(super) conns: BTreeMap<u64, Conn>,
    pub(super) schedule: Schedule,
    pub(super) sink: Box<dyn FnMut(Record) + Send>,
    pub(super) next_stream: u64,
    pub(super) connections: u64,
    pub(super) is_calm: bool,
    /// The last attempts to connect.
    pub(super) arrivals: VecDeque<Arrival>,
    /// How many clients took a certificate that they must refuse.
    pub(super) credulous: u64,
    /// Wakes the market.
    pub(super) wake: Arc<Notify>,
}

/// A handle on the floor.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Floor>>);

impl Shared {
    pub(super) fn new(floor: Floor) -> Self {
        Self(Arc::new(Mutex::new(floor)))
    }

    pub(super) fn get(&self) -> MutexGuard<'_, Floor> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Floor {
    pub(super) fn now(&self) -> u64 {
        self.clock.mono().0
    }

    /// Lets everything happen that is due; says when to come again, in ns.
    pub(super) fn turn(&mut self) -> u64 {
        let now = self.now();
        let since = now - self.started;
        if self.schedule.due().is_some_and(|at| at <= since) {
            self.schedule.arm(since);
        }
        self.trouble(now);
        self.bury(now);
        self.demand(now);
        let is_busy = self.trade(now);
        self.talk(now);
        if is_busy { now } else { self.next_at(now) }
    }

    fn next_at(&self, now: u64) -> u64 {
        let listings = self.venues.iter().flat_map(|venue| &venue.listings);
        let markets = listings.map(|listing| listing.market.due()).min();
        let talks = self.conns.values().filter(|conn| conn.is_up());
        let talks = talks.filter_map(|conn| conn.conversation.due()).min();
        let fault = self
            .schedule
            .due()
            .map(|at| self.started.saturating_add(at));
        let next = [markets, talks, fault];
        let next = next.into_iter().flatten().min();
        // What is armed looks for something to happen to.
        next.unwrap_or(u64::MAX).min(now + 50 * MS)
    }

    /// Markets move, and those who listen are told; true when there is more to tell at once.
    fn trade(&mut self, now: u64) -> bool {
        let mut is_busy = false;
        for venue in 0..self.venues.len() {
            for listing in 0..self.venues[venue].listings.len() {
                let due = self.venues[venue].listings[listing].market.due();
                if due + FAR_BEHIND < now {
                    self.move_market(venue, listing, now);
                }
                while self.venues[venue].listings[listing].market.due() <= now {
                    let due = self.venues[venue].listings[listing].market.due();
                    self.move_market(venue, listing, due);
                }
                if self.rate == Rate::AsFast && !self.is_calm && self.has_room(venue, listing) {
                    // Many a change is below the levels that the client has asked for.
                    is_busy |= (0..MOST_UNSEEN).any(|_| self.move_market(venue, listing, now));
                }
            }
        }
        is_busy
    }

    /// Whether all who listen to a book, and there is one, can take more.
    fn has_room(&self, venue: usize, listing: usize) -> bool {
        let is_carried = |conn: &&Conn| conn.venue == venue && conn.carried.contains(&listing);
        let mut conns = self.conns.values().filter(is_carried).peekable();
        conns.peek().is_some() && conns.all(|conn| conn.waiting() < ENOUGH)
    }

    /// One change of a market; true when anybody was told.
    fn move_market(&mut self, venue: usize, listing: usize, at: u64) -> bool {
        let utc = self.clock.utc().0;
        let known = &mut self.venues[venue].listings[listing];
        known.market.step(at);
        known.stamp(utc);
        let mut is_told = false;
        for id in self.conns_of(venue) {
            let before = self.conns.get(&id).map_or(0, Conn::waiting);
            self.converse(id, |talk, cx| talk.on_market(listing, cx));
            is_told |= self.conns.get(&id).map_or(0, Conn::waiting) > before;
        }
        is_told
    }

    pub(super) fn conns_of(&self, venue: usize) -> Vec<u64> {
        let own = self.conns.iter().filter(|(_, conn)| conn.venue == venue);
        own.map(|(id, _)| *id).collect()
    }

    /// Conversations do what is due.
    fn talk(&mut self, now: u64) {
        let is_due = |conn: &Conn| conn.conversation.due().is_some_and(|at| at <= now);
        let due = self.conns.iter().filter(|(_, conn)| is_due(conn));
        let due: Vec<u64> = due.map(|(id, _)| *id).collect();
        for id in due {
            self.converse(id, |talk, cx| talk.on_due(cx));
        }
    }

    /// Lets a conversation speak; `None` when nobody is there.
    pub(super) fn converse<R>(
        &mut self,
        id: u64,
        speak: impl FnOnce(&mut dyn Conversation, &mut Cx<'_>) -> R,
    ) -> Option<R> {
        let (now, utc, depth) = (self.now(), self.clock.utc().0, self.depth);
        let conn = self.conns.get_mut(&id).filter(|conn| conn.is_up())?;
        let venue = &self.venues[conn.venue];
        let (name, socket, at) = (venue.dialect.name, conn.socket, conn.venue);
        let schedule = &self.schedule;
        let refusable = schedule.fitting(venue.refuse_next, name, socket, &venue.listings);
        let (mut out, has_refused): (Vec<Frame>, _) = (Vec::new(), Cell::new(false));
        let mut cx = Cx {
            now,
            utc,
            listings: &venue.listings,
            depth,
            out: &mut out,
            refusable: &refusable,
            has_refused: &has_refused,
        };
        let said = speak(conn.conversation.as_mut(), &mut cx);
        out.iter_mut()
            .for_each(|frame| frame.rename(&venue.listings));
        let target = |listing: usize| (name, socket, venue.listings[listing].native.clone());
        let is_mute = now < conn.mute_until;
        for frame in out {
            let close = frame.close.filter(|_| !is_mute);
            let mut counter = Counter::new(&mut self.next_stream, &mut self.schedule, &target);
            for frame in conn.post.pass(frame, is_mute, &mut counter) {
                conn.carried.extend(frame.claims.iter().map(|c| c.listing));
                let spoil = spoil(&frame, &mut self.schedule, &target);
                if spoil.is_some_and(|spoil| spoil.kind == Kind::Drip) {
                    conn.push(Parcel::Message(frame.clone(), None), now);
                    let again = conn.post.again(frame, &mut self.next_stream);
                    conn.push(Parcel::Message(again, spoil), now);
                } else {
                    conn.push(Parcel::Message(frame, spoil), now);
                }
            }
            if let Some(code) = close {
                conn.push(Parcel::Close(code), now);
            }
        }
        if has_refused.get()
            && let Some(index) = self.venues[at].refuse_next.take()
        {
            self.schedule.keep(index);
        }
        Some(said)
    }

    /// A client knocks; the fault that wants its attempt to go wrong, if there is one.
    pub(super) fn knock(&mut self, venue: usize) -> Option<Attempt> {
        let at = self.now();
        let venue = &mut self.venues[venue];
        if self.arrivals.len() == MOST_ARRIVALS {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(Arrival {
            at,
            venue: venue.dialect.name,
            is_early: at < venue.not_before && at > venue.barred_at + ON_THE_WAY,
        });
        venue.next_attempt.take()
    }

    /// A client has got through to a venue; the connection's number.
    pub(super) fn open(
        &mut self,
        venue: usize,
        [path, query]: [&str; 2],
        controls: Arc<Controls>,
    ) -> u64 {
        self.connections += 1;
        let id = self.connections;
        let dialect = self.venues[venue].dialect;
        let is_taken = |slot: &u32| {
            let mut conns = self.conns.values();
            conns.any(|conn| conn.venue == venue && conn.slot == *slot && conn.is_up())
        };
        let slot = (0..).find(|slot| !is_taken(slot)).unwrap_or(0);
        let count = u32::try_from(self.venues.len()).unwrap_or(1);
        let socket = slot * count + u32::try_from(venue).unwrap_or(0);
        let random = Random::of(self.seed, &format!("line {id}"));
        let talk = (dialect.open)(id);
        let (place, now) = ((venue, slot, socket), self.now());
        let mut conn = Conn::new(place, dialect, talk, controls, random, now);
        let lifetime = self.venues[venue].lifetime;
        conn.ends_at = lifetime.map(|(index, lasting)| (self.now() + lasting, index));
        self.conns.insert(id, conn);
        self.converse(id, |talk, cx| talk.on_open(cx));
        self.converse(id, |talk, cx| talk.on_target(path, query, cx));
        self.wake.notify_one();
        id
    }

    /// The venue has asked to wait so long, in ns, before the next attempt.
    pub(super) fn bar(&mut self, venue: usize, lasting: u64) {
        // The header says it in whole seconds.
        let lasting = lasting.div_ceil(1_000 * MS) * 1_000 * MS;
        let now = self.now();
        let venue = &mut self.venues[venue];
        (venue.barred_at, venue.not_before) = (now, now + lasting);
    }

    /// What the client said.
    pub(super) fn hear(&mut self, id: u64, incoming: Incoming) {
        let now = self.now();
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let is_lost = now < conn.deaf_until;
        conn.manners.hear(now);
        match incoming {
            Incoming::Close(payload) => conn.push(Parcel::Farewell(payload), now),
            Incoming::Violation(code, _) => conn.push(Parcel::Close(code), now),
            _ if is_lost => {}
            Incoming::Ping(payload) => conn.push(Parcel::Pong(payload), now),
            Incoming::Pong(payload) => conn.manners.pong(&payload),
            Incoming::Text(text) if conn.is_up() => self.request(id, &text),
            Incoming::Text(_) => {}
        }
        self.wake.notify_one();
    }

    fn request(&mut self, id: u64, text: &str) {
        let target = self.conns.get(&id).map(|conn| Target {
            venue: self.venues[conn.venue].dialect.name,
            socket: conn.socket,
            instrument: None,
        });
        let armed = self.schedule.armed(Place::Request);
        let fits = |at: &usize| target.is_some_and(|target| self.schedule.fits(*at, &target));
        if let Some(index) = armed.into_iter().find(fits) {
            self.schedule.fire(index);
            return;
        }
        self.converse(id, |talk, cx| talk.on_text(text, cx));
    }

    /// The client has gone, or the connection is given up.
    pub(super) fn lose(&mut self, id: u64, fate: Fate) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.finish(fate);
        }
    }

    /// What a connection is to do next.
    pub(super) fn step(&mut self, id: u64) -> Step {
        let now = self.now();
        let Some(conn) = self.conns.get_mut(&id) else {
            return Step::End;
        };
        let step = conn.step(now);
        if self.rate == Rate::AsFast && conn.waiting() == ENOUGH / 2 {
            self.wake.notify_one();
        }
        step
    }

    /// A message has been handed to the system: it goes into the ledger.
    pub(super) fn deliver(&mut self, venue: usize, socket: u32, frame: Frame) {
        let at = self.now();
        (self.sink)(Record::Heard { at, socket });
        for claim in frame.claims {
            let venue = &mut self.venues[venue];
            venue.heads.insert(
                claim.listing,
                Head {
                    at,
                    stream: claim.stream,
                    seq: claim.seq,
                },
            );
            let entry = Entry {
                at,
                socket,
                venue: venue.dialect.name.to_owned(),
                symbol: venue.listings[claim.listing].native.clone(),
                stream: claim.stream,
                seq: claim.seq,
                is_whole: claim.step != Claims::Change,
                bids: claim.bids,
                asks: claim.asks,
            };
            (self.sink)(Record::Entry(entry));
        }
    }

    /// The end of all faults: what lasts is over, and every market moves a little.
    pub(super) fn calm(&mut self) {
        let now = self.now();
        self.schedule.end();
        self.is_calm = true;
        let mut random = Random::of(self.seed, "calm");
        for venue in &mut self.venues {
            (venue.next_attempt, venue.refuse_next) = (None, None);
            (venue.lifetime, venue.not_before) = (None, 0);
            for listing in &mut venue.listings {
                listing.frozen_until = 0;
                let gap = random.between(100, 900) * MS;
                listing.market.calm(now, gap);
            }
            venue.door.notify_one();
        }
        for conn in self.conns.values_mut() {
            conn.heal();
        }
        self.wake.notify_one();
    }
}

/// The fault that wants the message sent in another way, if any.
fn spoil(
    frame: &Frame,
    schedule: &mut Schedule,
    target: &dyn Fn(usize) -> (&'static str, u32, String),
) -> Option<Spoil> {
    let claim = frame.claims.first()?;
    if !schedule.has_armed(Place::Wire) {
        return None;
    }
    let (venue, socket, instrument) = target(claim.listing);
    let target = Target {
        venue,
        socket,
        instrument: Some(&instrument),
    };
    let armed = schedule.armed(Place::Wire).into_iter();
    let index = armed.into_iter().find(|at| schedule.fits(*at, &target))?;
    let (fault, _) = schedule.get(index)?;
    let (kind, lasting) = (fault.kind, fault.lasting());
    schedule.promise(index);
    Some(Spoil {
        kind,
        index,
        lasting,
    })
}
