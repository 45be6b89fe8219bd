//! A line of the client program, as a view for the oracle.

use serde::Deserialize;

use crate::oracle::{Kind, View};

/// What one line of the client says.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    seq: u64,
    skipped: u64,
    live_legs: usize,
    bids: Vec<Level>,
    asks: Vec<Level>,
    legs: Vec<Leg>,
    /// Why the view before is no longer current, on a line without levels.
    #[serde(default)]
    pub(super) disconnected: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Level {
    leg: usize,
    price: String,
    qty: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Leg {
    venue: String,
    native_symbol: String,
    state: String,
    cause: String,
    epoch: u32,
    seq: u64,
}

impl Line {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let line: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let live = line.legs.iter().filter(|leg| leg.state == "live").count();
        if live != line.live_legs {
            return Err(format!("live_legs is {}, {live} are live", line.live_legs));
        }
        if line.disconnected.is_some() && !(line.bids.is_empty() && line.asks.is_empty()) {
            return Err("a loss has levels".to_owned());
        }
        Ok(line)
    }

    /// The view it shows.
    pub(super) fn view(&self, at: u64, stream: &str, depth: usize) -> View {
        let mut view = View::new(at, stream, Kind::Consolidated, depth, self.seq);
        view.skipped = self.skipped;
        for leg in &self.legs {
            let (venue, symbol) = (&leg.venue, &leg.native_symbol);
            view.leg(venue, symbol, &leg.state, leg.epoch, leg.seq);
        }
        for (is_bid, side) in [(true, &self.bids), (false, &self.asks)] {
            for level in side {
                let (price, qty) = (level.price.clone(), level.qty.clone());
                view.level(is_bid, price, qty, Some(level.leg));
            }
        }
        view
    }

    /// Why each leg is in its state.
    pub(super) fn causes(&self) -> impl Iterator<Item = &str> {
        self.legs.iter().map(|leg| leg.cause.as_str())
    }

    /// Whether the server said that it stops.
    pub(super) fn says_stopped(&self) -> bool {
        !self.legs.is_empty() && self.causes().all(|cause| cause == "stopped")
    }

    /// Whether the server has shown nothing yet.
    pub(super) const fn is_nothing(&self) -> bool {
        self.seq == 0 && self.legs.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEW: &str = r#"{"symbol":"BTC-USD","seq":7,"skipped":2,"live_legs":1,"spread":"1",
        "crossed":false,"locked":false,"ts_recv_ns":5,"ts_emit_ns":6,
        "bids":[{"venue":"kraken","leg":1,"price":"100.5","qty":"2"}],
        "asks":[{"venue":"kraken","leg":1,"price":"101.5","qty":"3"}],
        "legs":[{"venue":"bybit","symbol":"BTC-USDT","native_symbol":"BTCUSDT","state":"down",
            "cause":"disconnected","epoch":1,"seq":9,"ts_venue_ns":null,"ts_recv_ns":4},
          {"venue":"kraken","symbol":"BTC-USD","native_symbol":"BTC/USD","state":"live",
            "cause":"complete image","epoch":3,"seq":0,"ts_venue_ns":4,"ts_recv_ns":4}]}"#;
    const LOSS: &str = r#"{"symbol":"","seq":0,"skipped":0,"live_legs":0,"bids":[],"asks":[],
        "legs":[],"disconnected":"the server ended the stream"}"#;

    #[test]
    fn a_line_is_a_view() {
        let line = Line::parse(VIEW).unwrap();
        let view = line.view(11, "client 0", 10);
        assert_eq!(
            (view.at, view.seq, view.skipped, view.depth),
            (11, 7, 2, 10)
        );
        assert_eq!(view.legs[0].symbol, "BTCUSDT");
        assert!(!view.legs[0].is_live() && view.legs[1].is_live());
        assert_eq!(
            (view.bids[0].price.as_str(), view.bids[0].leg),
            ("100.5", Some(1))
        );
        assert_eq!(
            (view.asks[0].qty.as_str(), view.asks[0].leg),
            ("3", Some(1))
        );
        assert!(!line.is_nothing() && !line.says_stopped() && line.disconnected.is_none());
    }

    #[test]
    fn a_loss_says_why_and_has_no_levels() {
        let line = Line::parse(LOSS).unwrap();
        assert_eq!(
            line.disconnected.as_deref(),
            Some("the server ended the stream")
        );
        let levels = r#""bids":[{"venue":"a","leg":0,"price":"1","qty":"1"}]"#;
        let wrong = LOSS.replace(r#""bids":[]"#, levels);
        assert_eq!(Line::parse(&wrong).unwrap_err(), "a loss has levels");
    }

    #[test]
    fn what_is_no_view_is_refused() {
        for (text, named) in [
            ("", "EOF"),
            ("connected", "expected value"),
            (
                &VIEW.replace(r#""live_legs":1"#, r#""live_legs":2"#),
                "live_legs is 2, 1 are live",
            ),
            (
                &VIEW.replace(r#""price":"100.5""#, r#""price":100.5"#),
                "invalid type",
            ),
        ] {
            let error = Line::parse(text).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
