//! Faults that do not wait for a message: of connections, of attempts to connect, and of venues.

use super::{
    conn::{Conn, Fate, Parcel},
    floor::{Attempt, Floor, Venue},
};
use crate::{
    SimError,
    exchange::Trick,
    fault::{Direction, Fault, Kind, Place, Target},
};

/// Refuses a fault whose time begins when faults have ended, at `span` ns.
pub(super) fn check_time(number: usize, fault: &Fault, span: u64) -> Result<(), SimError> {
    if fault.is_within(span) {
        return Ok(());
    }
    let (from, span) = (fault.from_s, span as f64 / 1e9);
    Err(SimError::Fault {
        number,
        kind: fault.kind,
        reason: format!("from_s = {from}, but faults are spread over the first {span} s"),
    })
}

impl Floor {
    /// Refuses a fault that could never happen.
    pub(super) fn check(&self, number: usize, fault: &Fault) -> Result<(), SimError> {
        let kind = fault.kind;
        let reason = match fault.check() {
            Err(reason) => Some(reason),
            Ok(()) => self.why_never(fault),
        };
        reason.map_or(Ok(()), |reason| {
            Err(SimError::Fault {
                number,
                kind,
                reason,
            })
        })
    }

    /// Why nothing that is served can have the fault happen to it.
    fn why_never(&self, fault: &Fault) -> Option<String> {
        let kind = fault.kind;
        if kind.needs_machine() {
            return Some("it is the client's machine that it happens to, not a venue".to_owned());
        }
        let names = self.venues.iter().map(|venue| venue.dialect.name);
        let served = names.collect::<Vec<_>>().join(", ");
        let is_wanted = |name: &str| {
            kind.fits(name) && fault.venue.as_deref().is_none_or(|venue| venue == name)
        };
        let all = self.venues.iter().enumerate();
        let fitting = all.filter(|(_, venue)| is_wanted(venue.dialect.name));
        let mut fitting: Vec<(usize, &Venue)> = fitting.collect();
        let Some(&(first, home)) = fitting.first() else {
            let only = kind.venues().join(", ");
            let wanted = fault.venue.as_ref().unwrap_or(&only);
            return Some(format!(
                "no venue is served that it can happen at: that is {wanted}, and served are {served}"
            ));
        };
        if let Some(socket) = fault.socket {
            let count = self.venues.len();
            let at = usize::try_from(socket).unwrap_or(0) % count;
            fitting.retain(|(place, _)| *place == at);
            if fitting.is_empty() {
                let (name, other) = (home.dialect.name, self.venues[at].dialect.name);
                let (second, third) = (first + count, first + 2 * count);
                return Some(format!(
                    "socket {socket} is one of {other}; those of {name} are {first}, {second}, {third} and so on"
                ));
            }
        }
        let instrument = fault.instrument.as_ref()?;
        let listings = fitting.iter().flat_map(|(_, venue)| &venue.listings);
        let natives: Vec<&str> = listings.map(|listing| listing.native.as_str()).collect();
        let is_there = natives.contains(&instrument.as_str());
        (!is_there).then(|| {
            let known = natives.join(", ");
            format!("no venue has {instrument:?}, only {known}")
        })
    }

    /// Lets happen what is armed and can happen now.
    pub(super) fn trouble(&mut self, now: u64) {
        for place in [
            Place::Line,
            Place::Socket,
            Place::Connect,
            Place::Handshake,
            Place::Request,
            Place::Venue,
            Place::World,
        ] {
            if !self.schedule.has_armed(place) {
                continue;
            }
            for index in self.schedule.armed(place) {
                match place {
                    Place::Line | Place::Socket => self.hurt_line(index, now),
                    Place::Connect | Place::Handshake => self.hurt_attempt(index),
                    Place::Request => self.provoke(index),
                    Place::World => self.hurt_many(index, now),
                    _ => self.hurt_venue(index, now),
                }
            }
        }
    }

    fn fault(&mut self, index: usize) -> Option<(Kind, u64, Direction)> {
        let (fault, _) = self.schedule.get(index)?;
        Some((fault.kind, fault.lasting(), fault.direction))
    }

    fn chance(&mut self, index: usize) -> bool {
        let fault = self.schedule.get(index);
        fault.is_some_and(|(_, random)| random.chance(1, 2))
    }

    fn draw(&mut self, index: usize, limit: usize) -> usize {
        let fault = self.schedule.get(index);
        fault.map_or(0, |(_, random)| random.index(limit))
    }

    /// Whether the fault may happen to one of the connection's books.
    fn fits(&self, index: usize, conn: &Conn) -> bool {
        let venue = &self.venues[conn.venue];
        conn.is_up()
            && conn.carried.iter().any(|listing| {
                let target = Target {
                    venue: venue.dialect.name,
                    socket: conn.socket,
                    instrument: Some(&venue.listings[*listing].native),
                };
                self.schedule.fits(index, &target)
            })
    }

    /// The connections the fault may happen to.
    fn all_conns(&self, index: usize) -> Vec<u64> {
        let fitting = self.conns.iter().filter(|(_, conn)| self.fits(index, conn));
        fitting.map(|(id, _)| *id).collect()
    }

    /// One of them.
    fn any_conn(&mut self, index: usize) -> Option<u64> {
        let fitting = self.all_conns(index);
        let at = self.draw(index, fitting.len());
        fitting.get(at).copied()
    }

    fn hurt_many(&mut self, index: usize, now: u64) {
        let Some((kind, lasting, _)) = self.fault(index) else {
            return;
        };
        match kind {
            Kind::RollingStall => self.stall_all(index, now, lasting),
            Kind::Lifetime => self.limit_lives(index, now, lasting),
            _ => self.hurt_venue(index, now),
        }
    }

    /// Lets one connection after the other fall silent, each for a time of its own.
    fn stall_all(&mut self, index: usize, now: u64, lasting: u64) {
        let conns = self.all_conns(index);
        if conns.is_empty() {
            return;
        }
        let first = self.draw(index, conns.len());
        for (at, id) in conns.iter().enumerate() {
            let place = (at + first) % conns.len();
            let from = now + place as u64 * lasting / (2 * conns.len() as u64);
            let further = self.draw(index, usize::try_from(lasting / 2).unwrap_or(0));
            if let Some(conn) = self.conns.get_mut(id) {
                conn.silence = Some((from, from + lasting / 2 + further as u64));
            }
        }
        tracing::info!(
            connections = conns.len(),
            "one after the other falls silent"
        );
        self.schedule.fire(index);
    }

    /// From now on no connection of a venue lives longer.
    fn limit_lives(&mut self, index: usize, now: u64, lasting: u64) {
        let Some(at) = self.any_conn(index).and_then(|id| self.conns.get(&id)) else {
            return;
        };
        let at = at.venue;
        self.venues[at].lifetime = Some((index, lasting));
        for conn in self.conns.values_mut().filter(|conn| conn.venue == at) {
            // One that is to end sooner does.
            let end = (now + lasting, index);
            conn.ends_at = Some(conn.ends_at.map_or(end, |known| known.min(end)));
        }
        self.schedule.promise(index);
    }

    /// Ends the connections that have lived long enough.
    pub(super) fn bury(&mut self, now: u64) {
        for conn in self.conns.values_mut() {
            if let Some((_, index)) = conn.ends_at.filter(|(at, _)| conn.is_up() && *at <= now) {
                conn.finish(Fate::Cut);
                self.schedule.keep(index);
            }
        }
    }

    fn hurt_line(&mut self, index: usize, now: u64) {
        let (Some((kind, lasting, direction)), Some(id)) =
            (self.fault(index), self.any_conn(index))
        else {
            return;
        };
        let is_jam = self.chance(index);
        let until = now + lasting;
        if kind == Kind::MassCut {
            for id in self.all_conns(index) {
                self.lose(id, Fate::Cut);
            }
        } else if kind == Kind::AskToReconnect {
            self.converse(id, |talk, cx| talk.trick(Trick::AskToReconnect, 0, cx));
        } else if let Some(conn) = self.conns.get_mut(&id) {
            match kind {
                Kind::Stall => stall(conn, direction, is_jam, until),
                Kind::HalfOpen => conn.finish(Fate::HalfOpen),
                Kind::Close1000 => conn.push(Parcel::Close(1000), now),
                Kind::Close1001 => conn.push(Parcel::Close(1001), now),
                Kind::Close1012 => conn.push(Parcel::Close(1012), now),
                Kind::Dribble => conn.byte_wise_until = until,
                Kind::Delayed => conn.late_until = until,
                _ => conn.finish(Fate::Cut),
            }
        }
        tracing::info!(%kind, connection = id, "fault");
        self.schedule.fire(index);
    }

    /// Decides what becomes of the next attempt, and brings it about.
    fn hurt_attempt(&mut self, index: usize) {
        let (Some((kind, lasting, _)), Some(id)) = (self.fault(index), self.any_conn(index)) else {
            return;
        };
        let Some(at) = self.conns.get(&id).map(|conn| conn.venue) else {
            return;
        };
        if self.venues[at].next_attempt.is_some() {
            return;
        }
        let is_other = self.chance(index);
        let venue = &mut self.venues[at];
        venue.next_attempt = Some(Attempt {
            kind,
            index,
            lasting,
            is_other,
        });
        venue.door.notify_one();
        tracing::info!(%kind, venue = venue.dialect.name, "fault of the next attempt");
        self.lose(id, Fate::Cut);
        self.schedule.promise(index);
    }

    /// Cuts a connection, so that there are requests to lose.
    fn provoke(&mut self, index: usize) {
        if self.schedule.is_provoked(index) {
            return;
        }
        if let Some(id) = self.any_conn(index) {
            self.schedule.provoke(index);
            self.lose(id, Fate::Cut);
        }
    }

    fn hurt_venue(&mut self, index: usize, now: u64) {
        let (Some((kind, lasting, _)), Some(id)) = (self.fault(index), self.any_conn(index)) else {
            return;
        };
        let Some((at, listings)) = self.books_of(index, id) else {
            return;
        };
        let which = self.draw(index, listings.len());
        let Some(&listing) = listings.get(which) else {
            return;
        };
        let trick = match kind {
            Kind::SecondSnapshot => Some(Trick::SecondSnapshot),
            Kind::PartialSnapshot => Some(Trick::PartialSnapshot),
            Kind::Recount => Some(Trick::Recount),
            _ => None,
        };
        if let Some(trick) = trick {
            if self.converse(id, |talk, cx| talk.trick(trick, listing, cx)) != Some(true) {
                return;
            }
            if trick == Trick::Recount {
                let by_us = 1 + self.draw(index, 3_600_000_000) as u64;
                self.venues[at].listings[listing].recount(by_us);
            }
        } else if kind == Kind::Refused {
            if self.venues[at].refuse_next.is_none() {
                self.venues[at].refuse_next = Some(index);
                self.lose(id, Fate::Cut);
                self.schedule.promise(index);
            }
            return;
        } else {
            let is_bid = self.chance(index);
            let known = &mut self.venues[at].listings[listing];
            if kind == Kind::TickSize {
                return self.refine(index, at, listing);
            }
            known.hurt(kind, is_bid, now, now + lasting);
        }
        let native = &self.venues[at].listings[listing].native;
        tracing::info!(%kind, %native, "fault");
        self.schedule.fire(index);
    }

    /// Changes the tick of a listing, of which its venue then sends the whole book to everybody.
    fn refine(&mut self, index: usize, at: usize, listing: usize) {
        let (now, utc) = (self.now(), self.clock.utc().0);
        let known = &mut self.venues[at].listings[listing];
        // Of what is frozen nothing can be sent.
        if known.frozen_until <= now && known.market.refine() {
            known.stamp(utc);
            known.market.hurry(now);
            for id in self.conns_of(at) {
                self.converse(id, |talk, cx| {
                    talk.trick(Trick::SecondSnapshot, listing, cx)
                });
            }
            self.schedule.fire(index);
        }
    }

    /// The connection's venue, and those of its books that the fault may happen to.
    fn books_of(&self, index: usize, id: u64) -> Option<(usize, Vec<usize>)> {
        let conn = self.conns.get(&id)?;
        let venue = &self.venues[conn.venue];
        let fits = |listing: &usize| {
            let known = &venue.listings[*listing];
            let target = Target {
                venue: venue.dialect.name,
                socket: conn.socket,
                instrument: Some(&known.native),
            };
            known.is_known() && self.schedule.fits(index, &target)
        };
        let listings = conn.carried.iter().copied().filter(fits);
        Some((conn.venue, listings.collect()))
    }
}

const fn stall(conn: &mut Conn, direction: Direction, is_jam: bool, until: u64) {
    let (to_client, to_venue) = match direction {
        Direction::ToClient => (true, false),
        Direction::ToVenue => (false, true),
        Direction::Both => (true, true),
    };
    if to_venue {
        conn.deaf_until = until;
    }
    match (to_client, is_jam) {
        (true, true) => conn.jammed_until = until,
        (true, false) => conn.mute_until = until,
        _ => {}
    }
}
