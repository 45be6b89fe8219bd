//! What a subscriber of a small depth holds, derived from the full book.
//!
//! The venue tells a subscriber of depth N what changes among the best N levels: new quantities,
//! levels that are gone, and levels that move up into view when others go. It does not tell of
//! levels pushed out of view, which is why clients have to truncate.

use std::ops::Bound;

use crate::naive_book::{LevelText, PriceText, SideText};

/// Price and quantity texts.
pub(super) type Change = (String, String);

/// Which end of a side is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Best {
    /// Bids.
    Highest,
    /// Asks.
    Lowest,
}

impl Best {
    fn worst(self, side: &SideText) -> Option<PriceText> {
        let worst = match self {
            Self::Highest => side.first_key_value(),
            Self::Lowest => side.last_key_value(),
        };
        worst.map(|(key, _)| key.clone())
    }

    /// Whether `a` comes before `b`.
    fn ahead(self, a: &PriceText, b: &PriceText) -> bool {
        match self {
            Self::Highest => a > b,
            Self::Lowest => a < b,
        }
    }

    /// The best level of `full` behind `worst`, or of all if there is no worst.
    fn next(self, full: &SideText, worst: Option<PriceText>) -> Option<(&PriceText, &Change)> {
        let behind = worst.map_or(Bound::Unbounded, Bound::Excluded);
        match self {
            Self::Highest => full.range((Bound::Unbounded, behind)).next_back(),
            Self::Lowest => full.range((behind, Bound::Unbounded)).next(),
        }
    }
}

/// Moves `window`, the best `depth` levels of what `full` was before `touched` was applied to it,
/// on to the best `depth` of what it is now. Returns what the subscriber is told.
pub(super) fn advance(
    window: &mut SideText,
    full: &SideText,
    touched: &[LevelText],
    depth: usize,
    best: Best,
) -> Vec<Change> {
    let mut told = Vec::new();
    let short = window.len() < depth;
    let edge = best.worst(window);
    for price in touched.iter().filter_map(|level| level.first()) {
        let key = PriceText::new(price);
        let in_view = short || edge.as_ref().is_some_and(|edge| !best.ahead(edge, &key));
        if !in_view {
            continue;
        }
        match full.get(&key) {
            Some(level) if window.get(&key) != Some(level) => {
                window.insert(key, level.clone());
                told.push(level.clone());
            }
            Some(_) => {}
            None => {
                if let Some((price, qty)) = window.remove(&key) {
                    told.push((price, zero_like(&qty)));
                }
            }
        }
    }
    while window.len() > depth {
        let Some(pushed_out) = best.worst(window) else {
            break;
        };
        window.remove(&pushed_out);
    }
    while window.len() < depth {
        let Some((key, level)) = best.next(full, best.worst(window)) else {
            break;
        };
        window.insert(key.clone(), level.clone());
        told.push(level.clone());
    }
    told
}

/// A zero with as many decimals as `qty`.
fn zero_like(qty: &str) -> String {
    let decimals = qty
        .split_once('.')
        .map_or(0, |(_, decimals)| decimals.len());
    format!("{:.decimals$}", 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naive_book::NaiveBook;

    fn levels(levels: &[(&str, &str)]) -> Vec<LevelText> {
        levels
            .iter()
            .map(|(p, q)| vec![(*p).to_owned(), (*q).to_owned()])
            .collect()
    }

    fn changes(levels: &[(&str, &str)]) -> Vec<Change> {
        levels
            .iter()
            .map(|(p, q)| ((*p).to_owned(), (*q).to_owned()))
            .collect()
    }

    #[test]
    fn a_window_is_refilled_and_not_told_of_levels_pushed_out() {
        let mut full = NaiveBook::of(&[], &levels(&[("1", "9.5"), ("2", "1"), ("3", "1")]));
        let mut window = full.clone();
        window.truncate(2);
        let mut step = |touched: &[(&str, &str)]| {
            let touched = levels(touched);
            full.apply(&[], &touched);
            advance(&mut window.asks, &full.asks, &touched, 2, Best::Lowest)
        };
        assert_eq!(step(&[("1", "0")]), changes(&[("1", "0.0"), ("3", "1")]));
        assert_eq!(step(&[("1.5", "7")]), changes(&[("1.5", "7")]));
        assert_eq!(step(&[("3", "8")]), [], "pushed out, so not told");
        assert_eq!(
            step(&[("1.5", "0"), ("2", "0")]),
            changes(&[("1.5", "0"), ("2", "0"), ("3", "8")])
        );
        assert_eq!(
            step(&[("9", "1"), ("8", "1")]),
            changes(&[("9", "1"), ("8", "1")])
        );
    }

    #[test]
    fn bids_are_best_at_the_top() {
        let mut full = NaiveBook::of(&levels(&[("3", "1"), ("2", "1"), ("1", "1")]), &[]);
        let mut window = full.clone();
        window.truncate(2);
        let touched = levels(&[("3", "0")]);
        full.apply(&touched, &[]);
        let told = advance(&mut window.bids, &full.bids, &touched, 2, Best::Highest);
        assert_eq!(told, changes(&[("3", "0"), ("1", "1")]));
    }
}
