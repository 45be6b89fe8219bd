//! Faults that do not wait for a message: of lines, of attempts to connect, of venues, and of the
//! client's machine.

use super::world::World;
use crate::{
    exchange::Trick,
    fault::{Direction, Kind, Place, Target},
};

const MS: u64 = 1_000_000;
/// How far a wall clock jumps at most, in ns: an hour.
const LEAP: u64 = 3_600_000 * MS;

impl World<'_> {
    /// Lets happen what is armed and can happen now.
    pub(super) fn trouble(&mut self) {
        self.keep_promises();
        for place in [
            Place::Machine,
            Place::Line,
            Place::Connect,
            Place::Request,
            Place::Venue,
            Place::World,
        ] {
            if !self.schedule.has_armed(place) {
                continue;
            }
            for index in self.schedule.armed(place) {
                match place {
                    Place::Machine => self.hurt_machine(index),
                    Place::Line => self.hurt_line(index),
                    Place::Connect => self.hurt_attempt(index),
                    Place::Request => self.provoke(index),
                    Place::World => self.hurt_world(index),
                    _ => self.hurt_venue(index),
                }
            }
        }
    }

    fn fault(&mut self, index: usize) -> Option<(Kind, u64, Direction)> {
        let (fault, _) = self.schedule.get(index)?;
        Some((fault.kind, fault.lasting(), fault.direction))
    }

    fn chance(&mut self, index: usize, hits: u64, of: u64) -> bool {
        self.schedule
            .get(index)
            .is_some_and(|(_, random)| random.chance(hits, of))
    }

    fn draw(&mut self, index: usize, limit: u64) -> u64 {
        self.schedule
            .get(index)
            .map_or(0, |(_, random)| random.below(limit))
    }

    /// Brings about what earlier faults have left for later.
    fn keep_promises(&mut self) {
        let now = self.now;
        for port in &mut self.ports {
            if let Some((from, until)) = port.silence.filter(|(from, _)| *from <= now) {
                port.silence = None;
                if let Some(conn) = &mut port.conn {
                    conn.jammed_until = until.max(from);
                }
            }
            if let Some((_, index)) = port.ends_at.take_if(|(at, _)| *at <= now)
                && let Some(conn) = &mut port.conn
            {
                conn.end(now);
                self.schedule.keep(index);
            }
        }
    }

    fn hurt_world(&mut self, index: usize) {
        match self.fault(index) {
            Some((Kind::TickSize | Kind::Renamed, ..)) => self.hurt_venue(index),
            Some((Kind::DnsMoved, ..)) => self.hurt_attempt(index),
            _ => self.hurt_line(index),
        }
    }

    fn hurt_machine(&mut self, index: usize) {
        let Some((kind, lasting, _)) = self.fault(index) else {
            return;
        };
        if kind == Kind::Starved {
            self.starved_until = self.now + lasting;
        } else {
            let ahead = self.chance(index, 1, 2);
            let by = self.draw(index, LEAP);
            self.step_clock(ahead, by);
        }
        self.note(&|| format!("fault: {kind}"));
        self.schedule.fire(index);
    }

    /// One of the ports the fault may happen to.
    fn any_port(
        &mut self,
        index: usize,
        is_right: impl Fn(&super::world::Port) -> bool,
    ) -> Option<usize> {
        let fits = |at: &usize| {
            let port = &self.ports[*at];
            let exchange = &self.exchanges[port.exchange];
            let mut natives = port
                .listings
                .iter()
                .map(|l| exchange.listings[*l].native.as_str());
            is_right(port)
                && natives.any(|native| {
                    let target = Target {
                        venue: exchange.dialect.name,
                        socket: port.number,
                        instrument: Some(native),
                    };
                    self.schedule.fits(index, &target)
                })
        };
        let ports: Vec<usize> = (0..self.ports.len()).filter(fits).collect();
        let at = self.draw(index, ports.len() as u64);
        ports.get(usize::try_from(at).unwrap_or(0)).copied()
    }

    fn hurt_line(&mut self, index: usize) {
        let Some((kind, lasting, direction)) = self.fault(index) else {
            return;
        };
        let is_up =
            |port: &super::world::Port| port.conn.as_ref().is_some_and(super::network::Conn::is_up);
        let Some(at) = self.any_port(index, is_up) else {
            return;
        };
        match kind {
            Kind::MassCut => return self.cut_all(index),
            Kind::RollingStall => return self.stall_all(index, lasting),
            Kind::Lifetime => {
                let port = &mut self.ports[at];
                // A connection that is to end sooner does.
                let end = (self.now + lasting, index);
                port.ends_at = Some(port.ends_at.map_or(end, |known| known.min(end)));
                port.lifetime = Some((index, lasting));
                return self.schedule.promise(index);
            }
            _ => {}
        }
        let until = self.now + lasting;
        let is_jam = self.chance(index, 1, 2);
        if kind == Kind::AskToReconnect {
            self.converse(at, |talk, cx| talk.trick(Trick::AskToReconnect, 0, cx));
        } else if let Some(conn) = &mut self.ports[at].conn {
            match kind {
                Kind::Stall => {
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
                Kind::HalfOpen => conn.is_half_open = true,
                Kind::AdapterPanic => self.ports[at].line.get().is_to_panic = true,
                _ => conn.end(self.now),
            }
        }
        self.note(&|| format!("fault: {kind} on socket {at}"));
        self.schedule.fire(index);
    }

    /// Breaks every connection there is.
    fn cut_all(&mut self, index: usize) {
        let now = self.now;
        for port in &mut self.ports {
            if let Some(conn) = &mut port.conn {
                conn.end(now);
            }
        }
        self.note(&|| "fault: every connection breaks".to_owned());
        self.schedule.fire(index);
    }

    /// Lets one connection after the other fall silent, each for a time of its own.
    fn stall_all(&mut self, index: usize, lasting: u64) {
        let count = self.ports.len() as u64;
        let first = self.draw(index, count);
        for at in 0..self.ports.len() {
            let place = (at as u64 + first) % count;
            let from = self.now + place * lasting / (2 * count);
            let until = from + lasting / 2 + self.draw(index, lasting / 2);
            self.ports[at].silence = Some((from, until));
        }
        self.note(&|| "fault: one connection after the other falls silent".to_owned());
        self.schedule.fire(index);
    }

    /// Decides what becomes of the next attempt, and brings it about.
    fn hurt_attempt(&mut self, index: usize) {
        let Some((kind, lasting, _)) = self.fault(index) else {
            return;
        };
        let is_free =
            |port: &super::world::Port| port.next_attempt.is_none() && port.conn.is_some();
        let Some(at) = self.any_port(index, is_free) else {
            return;
        };
        let now = self.now;
        let port = &mut self.ports[at];
        if kind == Kind::DnsMoved {
            port.line.get().address += 1;
            self.schedule.keep(index);
        } else {
            port.next_attempt = Some((index, kind, lasting / MS));
        }
        if let Some(conn) = &mut port.conn {
            conn.end(now);
        }
        self.note(&|| format!("fault: {kind} on socket {at}"));
        self.schedule.promise(index);
    }

    /// Cuts a connection, so that there are requests to lose.
    fn provoke(&mut self, index: usize) {
        if self.schedule.is_provoked(index) {
            return;
        }
        let now = self.now;
        let is_up =
            |port: &super::world::Port| port.conn.as_ref().is_some_and(super::network::Conn::is_up);
        if let Some(at) = self.any_port(index, is_up)
            && let Some(conn) = &mut self.ports[at].conn
        {
            conn.end(now);
            self.schedule.provoke(index);
        }
    }

    fn hurt_venue(&mut self, index: usize) {
        let Some((kind, lasting, _)) = self.fault(index) else {
            return;
        };
        let Some(at) = self.any_port(index, |port| port.conn.is_some()) else {
            return;
        };
        let (exchange, number) = (self.ports[at].exchange, self.ports[at].number);
        let listings = self.ports[at].listings.clone();
        let fits = |listing: &usize| {
            let target = Target {
                venue: self.exchanges[exchange].dialect.name,
                socket: number,
                instrument: Some(&self.exchanges[exchange].listings[*listing].native),
            };
            self.schedule.fits(index, &target)
                && self.exchanges[exchange].listings[*listing].is_known()
        };
        let listings: Vec<usize> = listings.into_iter().filter(fits).collect();
        let which = usize::try_from(self.draw(index, listings.len() as u64)).unwrap_or(0);
        let Some(&listing) = listings.get(which) else {
            return;
        };
        let native = self.exchanges[exchange].listings[listing].native.clone();
        self.note(&|| format!("fault: {kind} of {native} on socket {at}"));
        let trick = match kind {
            Kind::SecondSnapshot => Some(Trick::SecondSnapshot),
            Kind::PartialSnapshot => Some(Trick::PartialSnapshot),
            Kind::Recount => Some(Trick::Recount),
            _ => None,
        };
        if let Some(trick) = trick {
            let done = self.converse(at, |talk, cx| talk.trick(trick, listing, cx));
            if done == Some(true) {
                if trick == Trick::Recount {
                    let by_us = 1 + self.draw(index, 3_600_000_000);
                    self.exchanges[exchange].listings[listing].recount(by_us);
                }
                self.schedule.fire(index);
            }
        } else if kind == Kind::Refused {
            let now = self.now;
            let port = &mut self.ports[at];
            if port.refuse_next.is_none() {
                port.refuse_next = Some(index);
                if let Some(conn) = &mut port.conn {
                    conn.end(now);
                }
                self.schedule.promise(index);
            }
        } else if kind == Kind::TickSize {
            self.refine(index, at, exchange, listing);
        } else {
            let is_bid = self.chance(index, 1, 2);
            let (now, until) = (self.now, self.now + lasting);
            self.exchanges[exchange].listings[listing].hurt(kind, is_bid, now, until);
            self.schedule.fire(index);
        }
    }

    /// Changes the tick of a listing, of which its venue then sends the whole book.
    fn refine(&mut self, index: usize, at: usize, exchange: usize, listing: usize) {
        let now = self.now;
        let known = &mut self.exchanges[exchange].listings[listing];
        // Of what is frozen nothing can be sent.
        if known.frozen_until <= now && known.market.refine() {
            known.stamp(super::world::UTC + now);
            known.market.hurry(now);
            self.converse(at, |talk, cx| {
                talk.trick(Trick::SecondSnapshot, listing, cx)
            });
            self.schedule.fire(index);
        }
    }

    /// The client's wall clock jumps.
    fn step_clock(&self, ahead: bool, by: u64) {
        if let Ok(client) = &self.client {
            client.set_utc(|utc| if ahead { utc + by } else { utc - by });
        }
    }

    /// What the witness should know of a fault.
    fn note(&mut self, what: &dyn Fn() -> String) {
        self.witness.note(self.now, what);
    }
}
