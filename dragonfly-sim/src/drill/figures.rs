//! How long things took, as the first client saw them.

use std::collections::{BTreeMap, HashMap};

use crate::{ledger::Record, oracle::View};

/// Silence that is shorter than this, in ns, was not what made a leg stale.
const LEAST_SILENCE: u64 = 4_000_000_000;

/// Times in ns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<u64>);

impl Times {
    pub(super) fn push(&mut self, time: u64) {
        self.0.push(time);
    }

    pub(super) fn extend(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// Median, 99th percentile and largest, in ms, and how many there are.
    pub(crate) fn words(&self) -> Option<String> {
        let mut times = self.0.clone();
        times.sort_unstable();
        let last = times.len().checked_sub(1)?;
        // The smallest that at least so many of a hundred do not exceed.
        let at = |percent: usize| times[(times.len() * percent).div_ceil(100).saturating_sub(1)];
        let ms = |time: u64| format!("{:.1} ms", time as f64 / 1e6);
        let (median, p99, most) = (ms(at(50)), ms(at(99)), ms(times[last]));
        Some(format!(
            "{p99} (median {median}, largest {most}, n = {})",
            times.len()
        ))
    }
}

/// A leg that is not live, though it was.
#[derive(Debug)]
struct Away {
    since: u64,
    /// The state and the cause it left with.
    why: (String, String),
    /// Whether its connection had to be made anew.
    was_down: bool,
}

/// What was measured.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// From the view that withdraws a leg to the one that has it back, by why it was withdrawn, and
    /// whether its connection had to be made anew.
    pub(super) back: BTreeMap<(String, String, bool), Times>,
    /// From the last message on a connection to the view that withdraws its leg as stale.
    pub(super) stale: Times,
    /// From the death of the server to the first book of the next.
    pub(super) restart: Times,
    heard: HashMap<u32, u64>,
    sockets: HashMap<(String, String), u32>,
    live: HashMap<(String, String), bool>,
    away: HashMap<(String, String), Away>,
    /// When the server was killed, until its clients have noticed, and from then on.
    dying: Option<u64>,
    killed: Option<u64>,
}

impl Figures {
    pub(super) fn said(&mut self, record: &Record) {
        match record {
            Record::Entry(entry) => {
                self.heard.insert(entry.socket, entry.at);
                let book = (entry.venue.clone(), entry.symbol.clone());
                self.sockets.insert(book, entry.socket);
            }
            Record::Heard { at, socket } => {
                self.heard.insert(*socket, *at);
            }
            Record::Began { .. } | Record::Looked { .. } => {}
        }
    }

    /// A view with the causes of its legs' states, read at `at`.
    pub(super) fn shown(&mut self, view: &View, causes: &[&str], at: u64) {
        for (leg, cause) in view.legs.iter().zip(causes) {
            let book = (leg.venue.clone(), leg.symbol.clone());
            let was_live = self
                .live
                .insert(book.clone(), leg.is_live())
                .unwrap_or(false);
            if leg.is_live() {
                if let Some(away) = self.away.remove(&book) {
                    let (state, cause) = away.why;
                    self.back
                        .entry((state, cause, away.was_down))
                        .or_default()
                        .push(at.saturating_sub(away.since));
                }
            } else if was_live {
                let socket = self.sockets.get(&book);
                let heard = socket.and_then(|socket| self.heard.get(socket));
                let silent = at.saturating_sub(*heard.unwrap_or(&at));
                if leg.state == "stale" && silent > LEAST_SILENCE {
                    self.stale.push(silent);
                }
                let why = (leg.state.clone(), (*cause).to_owned());
                let was_down = leg.state == "down";
                let away = Away {
                    since: at,
                    why,
                    was_down,
                };
                self.away.insert(book, away);
            } else if let Some(away) = self.away.get_mut(&book) {
                away.was_down |= leg.state == "down";
            }
        }
        let is_live = view.legs.iter().any(|leg| leg.is_live());
        if let Some(killed) = self.killed.filter(|_| is_live) {
            self.restart.push(at.saturating_sub(killed));
            self.killed = None;
        }
    }

    /// The client lost its connection: what it waited for begins anew.
    pub(super) fn lost(&mut self) {
        self.killed = self.dying.take().or(self.killed);
        self.live.clear();
        self.away.clear();
    }

    /// The server was killed.
    pub(super) fn killed(&mut self, at: u64) {
        self.dying = Some(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Kind;

    const MS: u64 = 1_000_000;

    #[test]
    fn the_99th_percentile_of_a_hundred_is_the_last_but_one() {
        let mut times = Times::default();
        assert_eq!(times.words(), None);
        (1..=100).rev().for_each(|ms| times.push(ms * MS));
        let words = "99.0 ms (median 50.0 ms, largest 100.0 ms, n = 100)";
        assert_eq!(times.words().as_deref(), Some(words));
    }

    fn show(figures: &mut Figures, at: u64, state: &str, cause: &str) {
        let mut view = View::new(at * MS, "a", Kind::Consolidated, 10, 1);
        view.leg("bybit", "BTCUSDT", state, 1, 1);
        figures.shown(&view, &[cause], at * MS);
    }

    #[test]
    fn a_leg_is_timed_from_its_withdrawal_to_its_return_and_silence_from_the_last_message() {
        let mut figures = Figures::default();
        let entry = crate::ledger::Entry {
            at: 10 * MS,
            socket: 3,
            venue: "bybit".into(),
            symbol: "BTCUSDT".into(),
            stream: 1,
            seq: 1,
            is_whole: true,
            bids: Default::default(),
            asks: Default::default(),
        };
        figures.said(&Record::Entry(entry));
        show(&mut figures, 10, "syncing", "subscribed");
        show(&mut figures, 11, "live", "complete image");
        figures.said(&Record::Heard {
            at: 20 * MS,
            socket: 3,
        });
        show(&mut figures, 5_060, "stale", "silent for too long");
        show(&mut figures, 5_100, "down", "disconnected");
        show(&mut figures, 5_160, "live", "complete image");
        assert_eq!(figures.stale.0, [5_040 * MS]);
        let why = ("stale".to_owned(), "silent for too long".to_owned(), true);
        assert_eq!(figures.back[&why].0, [100 * MS]);
        assert_eq!(figures.back.len(), 1);

        figures.killed(6_000 * MS);
        show(&mut figures, 5_990, "live", "complete image");
        assert!(
            figures.restart.0.is_empty(),
            "what was still on its way is not of the next server"
        );
        figures.lost();
        show(&mut figures, 6_100, "syncing", "subscribed");
        show(&mut figures, 6_200, "live", "complete image");
        assert_eq!(figures.restart.0, [200 * MS]);
        assert_eq!(figures.back.len(), 1);
    }
}
