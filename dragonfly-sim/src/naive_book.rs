//! A book kept the obvious way: sorted maps keyed by decimal text.
//!
//! It shares no code with the books of the framework on purpose: what the simulator derives from a
//! recording must not contain the mistakes it is there to find.

use std::{collections::BTreeMap, fmt::Write};

/// A price ordered by value: `9.5 < 10.0 = 10.00`. Plain digits and one point only, which is all
/// these venues send.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PriceText {
    /// Digits before the point: more digits are a higher price.
    whole_digits: usize,
    /// All digits without leading and trailing zeros, the point kept.
    digits: String,
}

impl PriceText {
    pub(crate) fn new(price: &str) -> Self {
        let (whole, fraction) = price.split_once('.').unwrap_or((price, ""));
        let whole = whole.trim_start_matches('0');
        Self {
            whole_digits: whole.len(),
            digits: format!("{whole}.{}", fraction.trim_end_matches('0')),
        }
    }
}

/// A level as the venues write it: price, quantity, and at times more.
pub(crate) type LevelText = Vec<String>;

/// One side of a book: quantity text by price.
pub(crate) type SideText = BTreeMap<PriceText, (String, String)>;

/// A full book as text.
#[derive(Clone, Debug, Default)]
pub(crate) struct NaiveBook {
    pub(crate) bids: SideText,
    pub(crate) asks: SideText,
}

impl NaiveBook {
    /// The book a full image describes.
    pub(crate) fn of(bids: &[LevelText], asks: &[LevelText]) -> Self {
        let mut book = Self::default();
        book.apply(bids, asks);
        book
    }

    /// Sets each level to its absolute quantity, in order; a quantity of zero removes the level.
    pub(crate) fn apply(&mut self, bids: &[LevelText], asks: &[LevelText]) {
        apply(&mut self.bids, bids);
        apply(&mut self.asks, asks);
    }

    /// Drops what lies behind the best `depth` levels of each side.
    pub(crate) fn truncate(&mut self, depth: usize) {
        while self.bids.len() > depth {
            self.bids.pop_first();
        }
        while self.asks.len() > depth {
            self.asks.pop_last();
        }
    }

    /// The best `depth` bids, highest first.
    pub(crate) fn best_bids(&self, depth: usize) -> impl Iterator<Item = (&str, &str)> {
        self.bids
            .values()
            .rev()
            .take(depth)
            .map(|(price, qty)| (price.as_str(), qty.as_str()))
    }

    /// The best `depth` asks, lowest first.
    pub(crate) fn best_asks(&self, depth: usize) -> impl Iterator<Item = (&str, &str)> {
        self.asks
            .values()
            .take(depth)
            .map(|(price, qty)| (price.as_str(), qty.as_str()))
    }
}

fn apply(side: &mut SideText, levels: &[LevelText]) {
    for level in levels {
        let [price, qty, ..] = level.as_slice() else {
            continue;
        };
        let key = PriceText::new(price);
        if is_zero(qty) {
            side.remove(&key);
        } else {
            side.insert(key, (price.clone(), qty.clone()));
        }
    }
}

/// Whether a quantity text means zero, however many digits it has.
fn is_zero(qty: &str) -> bool {
    qty.bytes().all(|byte| byte == b'0' || byte == b'.')
}

/// Levels as a JSON array of pairs of strings, as Binance and Bitstamp write them.
pub(crate) fn pairs<'a>(levels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::from("[");
    for (index, (price, qty)) in levels.enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        write!(text, "{comma}[\"{price}\",\"{qty}\"]").ok();
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(texts: &[(&str, &str)]) -> Vec<LevelText> {
        texts
            .iter()
            .map(|(price, qty)| vec![(*price).to_owned(), (*qty).to_owned()])
            .collect()
    }

    #[test]
    fn prices_order_by_value_and_not_by_spelling() {
        let mut book = NaiveBook::of(
            &levels(&[("9.5", "1"), ("10.0", "2"), ("0.05", "3"), ("0.5", "4")]),
            &[],
        );
        book.apply(&levels(&[("10.00", "7"), ("0.50", "0.000")]), &[]);
        let bids: Vec<_> = book.best_bids(9).collect();
        assert_eq!(bids, [("10.00", "7"), ("9.5", "1"), ("0.05", "3")]);
    }
}
