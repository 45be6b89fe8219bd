//! What clients ask of their lines: to connect, to send, to drop the connection.

use super::{
    line::{Act, Refusal},
    network::{Conn, Up},
    world::World,
};
use crate::{
    fault::{Kind, Place, Target},
    oracle::Rule,
    random::Random,
};

const SECOND: u64 = 1_000_000_000;
/// How often a client may try to connect within a minute.
const MOST_ATTEMPTS: usize = 60;

impl World<'_> {
    /// What clients ask of their lines.
    pub(super) fn see_to_acts(&mut self) {
        for port in 0..self.ports.len() {
            let acts = std::mem::take(&mut self.ports[port].line.get().acts);
            for act in acts {
                self.witness
                    .note(self.now, &|| format!("socket {port} -> {act:?}"));
                match act {
                    Act::Connect(address) => self.attempt(port, address),
                    Act::Send(text) => self.request(port, text),
                    Act::Ping => self.send_up(port, Up::Ping),
                    Act::Drop => {
                        self.ports[port].conn = None;
                        self.ports[port].lost_at = Some(self.now);
                    }
                }
            }
        }
    }

    pub(super) fn send_up(&mut self, port: usize, up: Up) {
        if let Some(conn) = &mut self.ports[port].conn {
            conn.send_up(up, self.now);
        }
    }

    pub(super) fn request(&mut self, port: usize, text: String) {
        if self.schedule.has_armed(Place::Request) {
            let target = Target {
                venue: self.exchanges[self.ports[port].exchange].dialect.name,
                socket: self.ports[port].number,
                instrument: None,
            };
            let armed = self.schedule.armed(Place::Request);
            if let Some(index) = armed
                .into_iter()
                .find(|at| self.schedule.fits(*at, &target))
            {
                self.schedule.fire(index);
                return;
            }
        }
        self.send_up(port, Up::Text(text));
    }

    /// A client begins to connect.
    pub(super) fn attempt(&mut self, port: usize, address: u32) {
        let now = self.now;
        let latency = self.scenario.latency;
        let end = &mut self.ports[port];
        // Attempts that only a budget holds back come at its beat, in whole seconds.
        let since = end.attempts.last().map_or(1, |before| now - before);
        let lost = end.lost_at.take().filter(|_| !since.is_multiple_of(SECOND));
        self.waits.extend(lost.map(|lost| now - lost));
        end.attempts.push(now);
        let recent = end
            .attempts
            .iter()
            .filter(|at| **at + 60 * SECOND > now)
            .count();
        let early = end.not_before.saturating_sub(now);
        let fault = end.next_attempt.take();
        let quick = now + 3 * latency;
        end.connecting = Some(match fault.map(|(_, kind, _)| kind) {
            Some(Kind::ConnectRefused) => (quick, Some(Refusal::Refused)),
            // The product's client gives each step of connecting a few seconds.
            Some(Kind::ConnectHangs) => (now + 5 * SECOND, Some(Refusal::TimedOut)),
            Some(Kind::RetryAfter) => {
                let seconds = fault.map_or(1, |(_, _, ms)| ms.div_ceil(1_000));
                (quick, Some(Refusal::RetryAfter(seconds)))
            }
            // Nobody is there any more.
            _ if address != end.line.get().address => (quick, Some(Refusal::Refused)),
            _ => (quick, None),
        });
        if let Some((index, kind, _)) = fault {
            self.schedule.keep(index);
            if kind == Kind::AcceptThenClose {
                self.ports[port].next_attempt = Some((usize::MAX, Kind::Cut, 0));
            }
        }
        if early > 0 {
            let what = format!("an attempt to connect {} ms too early", early / 1_000_000);
            self.find(Rule::Storm, "client", what);
        }
        if recent > MOST_ATTEMPTS {
            self.find(
                Rule::Storm,
                "client",
                format!("{recent} attempts to connect in a minute"),
            );
        }
    }

    /// An attempt to connect ends when its time has come.
    pub(super) fn settle_attempt(&mut self, port: usize) {
        let now = self.now;
        let Some((_, refusal)) = self.ports[port].connecting.filter(|(at, _)| *at <= now) else {
            return;
        };
        self.ports[port].connecting = None;
        self.ports[port].line.get().answer = Some(refusal.map_or(Ok(()), Err));
        if let Some(Refusal::RetryAfter(seconds)) = refusal {
            self.ports[port].not_before = now + seconds * SECOND;
        }
        if refusal.is_some() {
            self.ports[port].lost_at = Some(now);
            return;
        }
        self.connections += 1;
        let dialect = self.exchanges[self.ports[port].exchange].dialect;
        let talk = (dialect.open)(self.connections);
        let random = Random::of(
            self.scenario.seed,
            &format!("line {port} {}", self.connections),
        );
        self.ports[port].line.get().inbox.clear();
        self.ports[port].conn = Some(Conn::new(dialect, talk, self.scenario.latency, random));
        let lifetime = self.ports[port].lifetime;
        self.ports[port].ends_at = lifetime.map(|(index, lasts)| (now + lasts, index));
        self.converse(port, |talk, cx| talk.on_open(cx));
        let is_closing = matches!(
            self.ports[port].next_attempt,
            Some((usize::MAX, Kind::Cut, _))
        );
        if is_closing {
            self.ports[port].next_attempt = None;
            if let Some(conn) = &mut self.ports[port].conn {
                conn.end(now);
            }
        }
    }
}
