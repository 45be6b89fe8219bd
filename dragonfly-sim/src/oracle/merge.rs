//! Rule (b): what a view must be, made the obvious way.

use std::cmp::Ordering;

use super::{Kind, Oracle, Rule, Shelf, View, decimal, leg::Said};
use crate::ledger::Levels;

/// How many ways of telling which entries a view rests on are tried.
const MOST_WAYS: usize = 64;

impl Oracle {
    /// Rule (b).
    pub(super) fn judge_merge(&mut self, view: &View) {
        let Some(grounds) = self.grounds(view) else {
            return;
        };
        let ways: usize = grounds.iter().map(|(_, said)| said.len().max(1)).product();
        let mut first = None;
        for way in 0..ways.min(MOST_WAYS) {
            match compare(view, &choose(&grounds, way)) {
                None => return,
                difference => first = first.or(difference),
            }
        }
        if let Some(what) = first {
            self.violate(Rule::Merge, view, what);
        }
    }
}

/// One way of telling which entry each leg shows.
fn choose<'a>(grounds: &[(usize, Vec<&'a Said>)], mut way: usize) -> Vec<(usize, &'a Said)> {
    let mut chosen = Vec::new();
    for (leg, said) in grounds {
        if let Some(one) = said.get(way % said.len().max(1)) {
            chosen.push((*leg, *one));
        }
        way /= said.len().max(1);
    }
    chosen
}

/// A level with its leg.
type Placed<'a> = (&'a str, &'a str, usize);

/// What is wrong with the view, if anything.
fn compare(view: &View, chosen: &[(usize, &Said)]) -> Option<String> {
    for (name, is_bid, shown) in [("bids", true, &view.bids), ("asks", false, &view.asks)] {
        let all = merged(view, chosen, is_bid);
        let expected: Vec<Shelf> = match view.kind {
            Kind::Aggregated => summed(&all, view.depth),
            Kind::Consolidated => {
                let shelf = |&(price, qty, leg): &Placed<'_>| Shelf {
                    price: price.to_owned(),
                    qty: qty.to_owned(),
                    leg: Some(leg),
                };
                all.iter().take(view.depth).map(shelf).collect()
            }
        };
        let is_same = |(a, b): (&Shelf, &Shelf)| {
            a.leg == b.leg && decimal::same(&a.price, &b.price) && decimal::same(&a.qty, &b.qty)
        };
        if shown.len() != expected.len() || !shown.iter().zip(&expected).all(is_same) {
            let at = shown.iter().zip(&expected).position(|pair| !is_same(pair));
            let at = at.unwrap_or_else(|| shown.len().min(expected.len()));
            let (got, wanted) = (shown.get(at), expected.get(at));
            return Some(format!(
                "view {}, {name}, level {at} of {}: {}, expected {} of {}",
                view.seq,
                shown.len(),
                words(got),
                words(wanted),
                expected.len(),
            ));
        }
    }
    None
}

fn words(shelf: Option<&Shelf>) -> String {
    let Some(shelf) = shelf else {
        return "nothing".to_owned();
    };
    let leg = shelf
        .leg
        .map_or_else(String::new, |leg| format!(" of leg {leg}"));
    format!("{} x {}{leg}", shelf.price, shelf.qty)
}

/// Every level of the legs: by price, then the larger quantity, then the venue's name.
fn merged<'a>(view: &View, chosen: &[(usize, &'a Said)], is_bid: bool) -> Vec<Placed<'a>> {
    let side = |said: &'a Said| -> &'a Levels { if is_bid { &said.bids } else { &said.asks } };
    let mut all: Vec<Placed<'a>> = Vec::new();
    for &(leg, said) in chosen {
        all.extend(side(said).iter().map(|(price, qty)| (price, qty, leg)));
    }
    let name = |leg: usize| view.legs.get(leg).map(|leg| (&leg.venue, &leg.symbol));
    all.sort_by(|a, b| {
        let by_price = match is_bid {
            true => decimal::compare(b.0, a.0),
            false => decimal::compare(a.0, b.0),
        };
        let by_size = || decimal::compare(b.1, a.1);
        by_price
            .then_with(by_size)
            .then_with(|| name(a.2).cmp(&name(b.2)))
    });
    all
}

/// The quantities of equal prices in one.
fn summed(all: &[Placed<'_>], depth: usize) -> Vec<Shelf> {
    let mut sums: Vec<Shelf> = Vec::new();
    for (price, qty, _) in all {
        let is_full = sums.len() == depth;
        match sums.last_mut() {
            Some(last) if decimal::compare(&last.price, price) == Ordering::Equal => {
                last.qty = decimal::add(&last.qty, qty);
            }
            _ if is_full => break,
            _ => sums.push(Shelf {
                price: (*price).to_owned(),
                qty: (*qty).to_owned(),
                leg: None,
            }),
        }
    }
    sums
}
