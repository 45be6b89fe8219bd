//! What venues demand of a client beside right requests: to subscribe soon, to answer pings, not to
//! idle. Who does not is closed.

use super::{
    conn::{Conn, Parcel},
    floor::Floor,
};

/// Closes a client that does not answer.
const NO_PONG: u16 = 1008;
/// Closes a client that has subscribed nothing.
const IDLE: u16 = 1000;

/// How a client has behaved on its connection; all times in ns.
#[derive(Debug)]
pub(super) struct Manners {
    opened_at: u64,
    /// When it last said anything.
    heard_at: u64,
    has_subscribed: bool,
    /// When it was last pinged.
    pinged_at: u64,
    /// The times of the pings that have to be answered; each has its own in it.
    unanswered: Vec<u64>,
}

impl Manners {
    pub(super) const fn new(now: u64) -> Self {
        Self {
            opened_at: now,
            heard_at: now,
            has_subscribed: false,
            pinged_at: now,
            unanswered: Vec::new(),
        }
    }

    /// The client has said something.
    pub(super) const fn hear(&mut self, now: u64) {
        self.heard_at = now;
    }

    /// The client has answered a ping, and with it those before, or sent a pong that nobody asked for.
    pub(super) fn pong(&mut self, payload: &[u8]) {
        let is_it = |at: &u64| at.to_string().as_bytes() == payload;
        if let Some(place) = self.unanswered.iter().position(is_it) {
            self.unanswered.drain(..=place);
        }
    }
}

impl Floor {
    /// Pings who is to be pinged, and closes whoever does not do what its venue demands.
    pub(super) fn demand(&mut self, now: u64) {
        for conn in self.conns.values_mut().filter(|conn| conn.is_up()) {
            let demands = &self.venues[conn.venue].dialect.demands;
            if conn.is_stalled(now) {
                // What the line keeps from it, the client cannot answer.
                conn.manners.unanswered.clear();
                continue;
            }
            let has_subscription = conn.conversation.has_subscription();
            let manners = &mut conn.manners;
            manners.has_subscribed |= has_subscription;
            let is_over =
                |limit: Option<u64>, since: u64| limit.is_some_and(|limit| since + limit <= now);
            let is_late =
                is_over(demands.subscribe_within, manners.opened_at) && !manners.has_subscribed;
            let is_idle = is_over(demands.idle, manners.heard_at) && !has_subscription;
            let unanswered = manners.unanswered.first();
            let is_dumb = unanswered.is_some_and(|since| is_over(demands.pong_within, *since));
            if is_late || is_idle {
                close(conn, "a client subscribes nothing and is closed", IDLE, now);
            } else if is_dumb {
                close(conn, "a client answers no ping and is closed", NO_PONG, now);
            } else if is_over(demands.ping_every, manners.pinged_at) {
                manners.pinged_at = now;
                if demands.pong_within.is_some() {
                    manners.unanswered.push(now);
                }
                conn.push(Parcel::Ping(now.to_string().into_bytes()), now);
            }
        }
    }
}

fn close(conn: &mut Conn, why: &str, code: u16, now: u64) {
    tracing::info!(socket = conn.socket, "{why}");
    conn.push(Parcel::Close(code), now);
}

#[cfg(test)]
mod tests {
    use dragonfly_core::clock::{Clock, ManualClock, Nanos, UtcNanos};

    use super::*;
    use crate::{
        frames::Incoming,
        live::{Options, conn::Step, pipe::Controls},
    };

    /// A venue, one connection to it, and its time.
    fn visit(venue: &str) -> (Floor, u64, ManualClock) {
        let (clock, hand) = Clock::manual(UtcNanos(1_790_000_000_000_000_000));
        let mut options = Options::new(1);
        (options.venues, options.clock) = (vec![venue.to_owned()], clock);
        let dialects = options.dialects().unwrap();
        let mut floor = options.floor(&dialects);
        let controls = std::sync::Arc::new(Controls::default());
        let id = floor.open(0, [dialects[0].path, ""], controls);
        (floor, id, hand)
    }

    /// Lets so many seconds go by, and what the venue says meanwhile beside messages.
    fn pass((floor, id, hand): &mut (Floor, u64, ManualClock), seconds: u64) -> Vec<String> {
        let mut said = Vec::new();
        for _ in 0..seconds * 10 {
            hand.advance(Nanos::from_millis(100));
            floor.turn();
            loop {
                match floor.step(*id) {
                    Step::Send(Parcel::Message(..)) => {}
                    Step::Send(Parcel::Ping(payload)) => {
                        said.push(String::from_utf8(payload).unwrap());
                    }
                    Step::Send(Parcel::Close(code)) => said.push(format!("close {code}")),
                    _ => break,
                }
            }
        }
        said
    }

    #[test]
    fn binance_pings_every_20_s_and_closes_who_does_not_answer_for_60_s() {
        let mut visit = visit("binance");
        assert_eq!(pass(&mut visit, 19), [""; 0]);
        for _ in 0..6 {
            let pings = pass(&mut visit, 20);
            assert_eq!(pings.len(), 1);
            let pong = Incoming::Pong(pings[0].clone().into_bytes());
            visit.0.hear(visit.1, pong);
        }
        // One answer to two pings is enough.
        let pings = pass(&mut visit, 40);
        let pong = Incoming::Pong(pings[1].clone().into_bytes());
        visit.0.hear(visit.1, pong);
        // A pong that nobody asked for keeps nobody alive.
        let pings = pass(&mut visit, 20);
        visit.0.hear(visit.1, Incoming::Pong(b"hello".to_vec()));
        assert_eq!(pings.len(), 1);
        let said = pass(&mut visit, 60);
        assert_eq!(said.last().unwrap(), "close 1008");
    }

    #[test]
    fn coinbase_waits_5_s_for_the_first_subscription() {
        let mut silent = visit("coinbase-advanced");
        assert_eq!(pass(&mut silent, 4), [""; 0]);
        assert_eq!(pass(&mut silent, 2), ["close 1000"]);
        let mut client = visit("coinbase-advanced");
        for kind in ["subscribe", "unsubscribe"] {
            let text = format!(r#"{{"type":"{kind}","channel":"heartbeats"}}"#);
            client.0.hear(client.1, Incoming::Text(text));
            assert_eq!(pass(&mut client, 7), [""; 0], "{kind}");
        }
    }

    #[test]
    fn kraken_closes_who_neither_subscribes_nor_says_anything_for_60_s() {
        let mut visit = visit("kraken");
        let ping = || Incoming::Text(r#"{"method":"ping"}"#.to_owned());
        for _ in 0..3 {
            assert_eq!(pass(&mut visit, 40), [""; 0]);
            visit.0.hear(visit.1, ping());
        }
        assert_eq!(pass(&mut visit, 61), ["close 1000"]);
    }
}
