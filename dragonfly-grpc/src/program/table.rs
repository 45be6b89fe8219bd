//! A view as a table for people.

use std::fmt::Write;

use crate::client::{Leg, Level, View};
use dragonfly_core::{clock::Nanos, market::BookState};

/// The table of a view that came `age` ago.
pub fn draw(view: &View, depth: usize, age: Nanos) -> String {
    let mut text = String::new();
    if view.is_live() {
        push(&mut text, format_args!("{}", headline(view)));
        levels(&mut text, view, depth);
    } else {
        push(&mut text, format_args!("{}", none_live(view)));
    }
    legs(&mut text, view, age);
    text
}

/// Appends a line. Writing to a `String` cannot fail.
fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    if text.write_fmt(line).is_ok() {
        text.push('\n');
    }
}

fn headline(view: &View) -> String {
    let spread = match view.spread() {
        Some(spread) => spread.to_string(),
        None => "none (a side is empty)".into(),
    };
    let flag = match (view.crossed, view.locked) {
        (true, _) => "  CROSSED between venues",
        (_, true) => "  LOCKED between venues",
        _ => "",
    };
    let skipped = match view.skipped {
        0 => String::new(),
        n => format!("  (+{n} not shown)"),
    };
    let symbol = &view.symbol;
    let seq = view.seq;
    format!("{symbol}  update {seq}{skipped}  spread {spread}{flag}")
}

/// One clear line for a view without a live venue.
pub fn none_live(view: &View) -> String {
    if view.legs.is_empty() {
        let symbol = match view.symbol.as_str() {
            "" => "any instrument",
            symbol => symbol,
        };
        return format!("No venue is live: the server has nothing of {symbol} yet");
    }
    let each: Vec<String> = view
        .legs
        .iter()
        .map(|leg| format!("{} is {} ({})", name(view, leg), leg.state, leg.cause))
        .collect();
    format!("{}  No venue is live: {}", view.symbol, each.join(", "))
}

/// The venue of a leg; with the symbol where the venue has several legs.
fn name(view: &View, leg: &Leg) -> String {
    let of_venue = view.legs.iter().filter(|other| other.venue == leg.venue);
    match of_venue.count() {
        0..=1 => leg.venue.clone(),
        _ => format!("{} {}", leg.venue, leg.symbol),
    }
}

/// Both sides next to each other, best prices in the first line.
fn levels(text: &mut String, view: &View, depth: usize) {
    let bids = columns(view, &view.bids);
    let asks = columns(view, &view.asks);
    let names = [
        ["bids: venue", "amount", "price"],
        ["asks: price", "amount", "venue"],
    ];
    let wide = |rows: &[[String; 3]], column: usize, least: &str| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0).max(least.len())
    };
    let [v, q, p] = [0, 1, 2].map(|c| wide(&bids, c, names[0][c]));
    let [ap, aq, av] = [2, 1, 0].map(|c| wide(&asks, c, names[1][2 - c]));
    let [bid, ask] = names;
    push(
        text,
        format_args!(
            "{:<v$}  {:>q$}  {:>p$} | {:<ap$}  {:>aq$}  {:<av$}",
            bid[0], bid[1], bid[2], ask[0], ask[1], ask[2]
        ),
    );
    let empty = || [String::new(), String::new(), String::new()];
    for row in 0..depth.min(bids.len().max(asks.len())) {
        let b = bids.get(row).cloned().unwrap_or_else(empty);
        let a = asks.get(row).cloned().unwrap_or_else(empty);
        push(
            text,
            format_args!(
                "{:<v$}  {:>q$}  {:>p$} | {:<ap$}  {:>aq$}  {:<av$}",
                b[0], b[1], b[2], a[2], a[1], a[0]
            ),
        );
    }
}

/// Venue, amount and price of each level, with as many decimals as the longest in the column.
fn columns(view: &View, levels: &[Level]) -> Vec<[String; 3]> {
    let prices = aligned(levels.iter().map(|l| l.price.to_string()).collect());
    let amounts = aligned(levels.iter().map(|l| l.qty.to_string()).collect());
    let rows = levels.iter().zip(amounts).zip(prices);
    rows.map(|((level, amount), price)| {
        let leg = level.leg.and_then(|leg| view.legs.get(leg));
        let venue = leg.map(|leg| name(view, leg));
        [venue.unwrap_or_else(|| "?".into()), amount, price]
    })
    .collect()
}

/// Fills up with zeros, so that the points stand below each other.
fn aligned(mut numbers: Vec<String>) -> Vec<String> {
    let decimals = |n: &String| n.split_once('.').map_or(0, |(_, d)| d.len());
    let most = numbers.iter().map(decimals).max().unwrap_or(0);
    for number in &mut numbers {
        let has = decimals(number);
        if has == 0 && most > 0 {
            number.push('.');
        }
        number.extend(std::iter::repeat_n('0', most - has));
    }
    numbers
}

fn legs(text: &mut String, view: &View, age: Nanos) {
    if !view.legs.is_empty() {
        push(
            text,
            format_args!("venues, {} of {} live:", view.live_legs, view.legs.len()),
        );
    }
    let names: Vec<_> = view.legs.iter().map(|leg| name(view, leg)).collect();
    let wide = names.iter().map(String::len).max().unwrap_or(0);
    for (leg, name) in view.legs.iter().zip(&names) {
        let symbol = &leg.native_symbol;
        let cause = match leg.state {
            BookState::Live => String::new(),
            _ => format!(" ({})", leg.cause),
        };
        let (state, changed) = (leg.state, changed(view, leg, age));
        push(
            text,
            format_args!("  {name:<wide$}  {symbol}  {state}{cause}, {changed}"),
        );
    }
}

/// How long ago the venue's book last changed, by the clock of the server. A quiet market's is live
/// without changing.
fn changed(view: &View, leg: &Leg, age: Nanos) -> String {
    if leg.ts_recv.0 == 0 {
        return "no book yet".into();
    }
    let ns = view.ts_emit.0.saturating_sub(leg.ts_recv.0) + age.0;
    match ns {
        0..1_000_000_000 => format!("last change {} ms ago", ns / 1_000_000),
        _ => format!("last change {} s ago", ns / 1_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    use dragonfly_core::{clock::UtcNanos, market::Cause};

    use super::*;

    fn leg(venue: &str, state: BookState, cause: Cause) -> Leg {
        Leg {
            venue: venue.into(),
            symbol: "ETH-BTC".into(),
            native_symbol: "ethbtc".into(),
            state,
            cause,
            epoch: 1,
            seq: 1,
            ts_venue: None,
            ts_recv: UtcNanos(1_000_000_000),
        }
    }

    fn view() -> View {
        let level = |price: &str, qty: &str, leg| Level {
            price: price.parse().unwrap(),
            qty: qty.parse().unwrap(),
            leg: Some(leg),
        };
        View {
            symbol: "ETH-BTC".into(),
            seq: 7,
            bids: vec![level("0.0683", "12.5", 1), level("0.06824", "3", 0)],
            asks: vec![level("0.06825", "1", 0)],
            legs: vec![
                leg("binance", BookState::Live, Cause::Image),
                leg("kraken", BookState::Gap, Cause::SequenceGap),
            ],
            live_legs: 1,
            crossed: true,
            ts_emit: UtcNanos(1_250_000_000),
            ..View::default()
        }
    }

    #[test]
    fn both_sides_stand_next_to_each_other_and_every_leg_says_how_it_is() {
        let text = draw(&view(), 10, Nanos::from_millis(250));
        let mut lines = text.lines();
        assert_eq!(
            lines.next(),
            Some("ETH-BTC  update 7  spread -0.00005  CROSSED between venues")
        );
        assert_eq!(
            lines.map(str::trim_end).collect::<Vec<_>>(),
            [
                "bids: venue  amount    price | asks: price  amount  venue",
                "kraken         12.5  0.06830 | 0.06825           1  binance",
                "binance         3.0  0.06824 |",
                "venues, 1 of 2 live:",
                "  binance  ethbtc  live, last change 500 ms ago",
                "  kraken   ethbtc  gap (sequence gap), last change 500 ms ago",
            ]
        );
    }

    #[test]
    fn two_books_of_one_venue_are_told_apart_wherever_they_are_named() {
        let mut view = view();
        for (leg, symbol) in view.legs.iter_mut().zip(["BTC-USDT", "BTC-USDT-PERP"]) {
            leg.venue = "bybit".into();
            (leg.symbol, leg.native_symbol) = (symbol.into(), "BTCUSDT".into());
        }
        let text = draw(&view, 10, Nanos::from_millis(250));
        let lines: Vec<_> = text.lines().skip(2).map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "bybit BTC-USDT-PERP    12.5  0.06830 | 0.06825           1  bybit BTC-USDT",
                "bybit BTC-USDT          3.0  0.06824 |",
                "venues, 1 of 2 live:",
                "  bybit BTC-USDT       BTCUSDT  live, last change 500 ms ago",
                "  bybit BTC-USDT-PERP  BTCUSDT  gap (sequence gap), last change 500 ms ago",
            ]
        );
        view.live_legs = 0;
        assert_eq!(
            none_live(&view),
            "ETH-BTC  No venue is live: bybit BTC-USDT is live (complete image), \
             bybit BTC-USDT-PERP is gap (sequence gap)"
        );
    }

    #[test]
    fn without_a_live_venue_there_is_no_price_and_a_reason_for_each() {
        let mut view = view();
        view.legs[0] = leg("binance", BookState::Down, Cause::Disconnected);
        (view.live_legs, view.bids, view.asks) = (0, vec![], vec![]);
        let text = draw(&view, 10, Nanos::from_secs(3));
        assert_eq!(
            text.lines().next(),
            Some(
                "ETH-BTC  No venue is live: binance is down (disconnected), \
                 kraken is gap (sequence gap)"
            )
        );
        assert!(text.contains("last change 3 s ago"), "{text}");
        assert!(draw(&View::default(), 10, Nanos(0)).contains("nothing of any instrument yet"));
    }
}
