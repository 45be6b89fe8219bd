//! Whether the server runs, and whether what it serves can be used.
//!
//! One state, told twice: by `grpc.health.v1` on the server's own port, and to a [`Health`] handle,
//! which the plain HTTP of [`Probes`](super::Probes) asks from another thread.

use std::{cmp::Reverse, fmt, time::Duration};

use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tonic_health::{ServingStatus, server::HealthReporter};

/// The name of the original service.
pub(super) const BOOK_SUMMARY: &str = "orderbook.OrderbookAggregator";
/// The name of the service with provenance.
pub(super) const MARKET_DATA: &str = "dragonfly.v1.MarketData";

/// The legs of a stream: how many there are, and how many of them are live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    pub(super) live: usize,
    pub(super) legs: usize,
}

impl Census {
    /// Whether there are as many live legs as are asked for: half of all, rounded up, unless it is
    /// said how many.
    fn is_ready(self, quorum: Option<usize>) -> bool {
        self.live >= self.needed(quorum)
    }

    /// The better of two: that which is ready, or is closer to it.
    pub(super) fn better(self, other: Self, quorum: Option<usize>) -> Self {
        let ahead = |census: Self| {
            let missing = census.needed(quorum).saturating_sub(census.live);
            (census.legs > 0, Reverse(missing), census.live)
        };
        if ahead(other) > ahead(self) {
            other
        } else {
            self
        }
    }

    /// Without a live leg there is nothing to serve, whatever was asked for.
    fn needed(self, quorum: Option<usize>) -> usize {
        quorum.unwrap_or_else(|| self.legs.div_ceil(2)).max(1)
    }
}

/// The state of a server. Of each kind of stream it is the best stream that counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Readiness {
    pub(super) books: Census,
    pub(super) liquidity: Census,
    pub(super) quorum: Option<usize>,
    pub(super) closing: bool,
    /// A thread of the flow stands still; what is known of it.
    pub(super) stalled: Option<String>,
}

impl Readiness {
    pub(super) fn new(quorum: Option<usize>) -> Self {
        Self {
            quorum,
            ..Self::default()
        }
    }

    const fn is_open(&self) -> bool {
        !self.closing && self.stalled.is_none()
    }

    fn serves_books(&self) -> bool {
        self.is_open() && self.books.is_ready(self.quorum)
    }

    fn serves_any(&self) -> bool {
        self.serves_books() || self.is_open() && self.liquidity.is_ready(self.quorum)
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(stall) = &self.stalled {
            return f.write_str(stall);
        }
        if self.closing {
            return f.write_str("the server is stopping");
        }
        let best = self.books.better(self.liquidity, self.quorum);
        let needed = best.needed(self.quorum);
        write!(
            f,
            "{} of {} books live, {needed} needed",
            best.live, best.legs
        )
    }
}

const fn status(serving: bool) -> ServingStatus {
    if serving {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    }
}

/// Reports every change of a service, and nothing else: who watches one is told of each report.
pub(super) async fn report(mut changes: watch::Receiver<Readiness>, reporter: HealthReporter) {
    let mut told = [None; 3];
    loop {
        let now = changes.borrow_and_update().clone();
        let services = [
            ("", now.is_open()),
            (BOOK_SUMMARY, now.serves_books()),
            (MARKET_DATA, now.serves_any()),
        ];
        for ((name, serving), told) in services.into_iter().zip(&mut told) {
            if told.replace(serving) != Some(serving) {
                reporter.set_service_status(name, status(serving)).await;
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// The state of a [`Server`](super::Server), for other threads; from
/// [`Server::health`](super::Server::health).
#[derive(Clone, Debug)]
pub struct Health(watch::Sender<Readiness>);

impl Health {
    pub(super) const fn new(state: watch::Sender<Readiness>) -> Self {
        Self(state)
    }

    /// Whether it runs: no thread of the flow is known to stand still. A server that stops in order
    /// is live to its end.
    ///
    /// # Errors
    /// What stands still.
    pub fn live(&self) -> Result<(), String> {
        self.0.borrow().stalled.clone().map_or(Ok(()), Err)
    }

    /// Whether it has what it is to serve: enough books live, and neither stopping nor stalled. Says
    /// in words how that is, either way.
    ///
    /// # Errors
    /// Why it has not.
    pub fn ready(&self) -> Result<String, String> {
        let state = self.0.borrow();
        if state.serves_any() {
            Ok(state.to_string())
        } else {
            Err(state.to_string())
        }
    }

    /// Says that a thread of the flow stands still, or that none does any more. Until then every
    /// service is `NOT_SERVING`, and every live leg is shown as stale and silent, without levels;
    /// one second later the newest views are shown again.
    pub fn set_stalled(&self, stall: Option<String>) {
        self.0.send_if_modified(|state| {
            let is_new = state.stalled != stall;
            state.stalled = stall;
            is_new
        });
    }

    /// Asks `look` once a second whether a thread stands still, for ever. To be run on a thread that
    /// is not the flow's, inside a tokio runtime with a timer.
    pub async fn watch(self, mut look: impl FnMut() -> Option<String>) {
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let (stall, before) = (look(), self.live());
            // First, as the log may stand still with the rest.
            self.set_stalled(stall.clone());
            match (stall, before) {
                (Some(stall), Ok(())) => tracing::error!("not serving: {stall}"),
                (None, Err(_)) => tracing::warn!("serving again: every thread moves"),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_legs_are_enough_unless_it_is_said_how_many() {
        let ready = |live, legs, quorum| Census { live, legs }.is_ready(quorum);
        for (live, legs) in [(1, 1), (1, 2), (2, 3), (2, 4), (3, 5)] {
            assert!(ready(live, legs, None), "{live} of {legs}");
            assert!(
                !ready(live - 1, legs, None),
                "one less than {live} of {legs}"
            );
        }
        assert!(ready(3, 3, Some(3)) && !ready(2, 3, Some(3)));
        assert!(ready(1, 5, Some(1)));
        for quorum in [None, Some(0), Some(1)] {
            assert!(!ready(0, 0, quorum) && !ready(0, 3, quorum), "{quorum:?}");
        }
    }

    #[test]
    fn the_stream_that_is_ready_counts_and_not_the_one_with_the_most_legs() {
        let [many, whole] = [(2, 10), (1, 1)].map(|(live, legs)| Census { live, legs });
        assert_eq!(many.better(whole, None), whole);
        assert_eq!(whole.better(many, None), whole);
        assert_eq!(whole.better(many, Some(2)), many);
        let [none, down, few] = [(0, 0), (0, 4), (2, 4)].map(|(live, legs)| Census { live, legs });
        assert_eq!(none.better(down, None), down);
        assert_eq!(down.better(few, None), few);
        assert_eq!(few.better(many, None), few);
    }

    #[test]
    fn it_says_in_words_how_it_is() {
        let health = Health::new(watch::Sender::new(Readiness::new(None)));
        let books = Census { live: 1, legs: 3 };
        assert_eq!(health.ready().unwrap_err(), "0 of 0 books live, 1 needed");
        health.0.send_modify(|state| state.books = books);
        assert_eq!(health.ready().unwrap_err(), "1 of 3 books live, 2 needed");
        health.0.send_modify(|state| state.books.live = 2);
        assert_eq!(health.ready().unwrap(), "2 of 3 books live, 2 needed");
        health.set_stalled(Some("it stands".into()));
        let stands = Err("it stands".to_owned());
        assert_eq!(
            (health.live(), health.ready()),
            (stands.clone().map(|_: String| ()), stands)
        );
        health.set_stalled(None);
        health.0.send_modify(|state| state.closing = true);
        assert_eq!(health.live(), Ok(()));
        assert_eq!(health.ready().unwrap_err(), "the server is stopping");
    }
}
