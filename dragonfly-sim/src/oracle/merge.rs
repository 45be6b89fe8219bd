//! Rule (b): what a view must be, made the obvious way.

use std::{borrow::Cow, cmp::Ordering};

use super::{Kind, Oracle, Rule, Shelf, View, decimal, truth::Said};
use crate::ledger::Pairs;

/// How many ways of telling which entries a view rests on are tried.
const MOST_WAYS: usize = 64;

impl Oracle {
    /// Rule (b).
    pub(super) fn judge_merge(&mut self, view: &View, stream: usize) {
        let Some(grounds) = self.grounds(view, stream) else {
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
        let is_right = match view.kind {
            Kind::Consolidated => is_merged(shown, view, chosen, is_bid),
            Kind::Aggregated => is_summed(shown, view, chosen, is_bid),
        };
        if is_right {
            continue;
        }
        let all: Vec<Placed<'_>> = Merged::new(view, chosen, is_bid).collect();
        let expected: Vec<Shelf> = match view.kind {
            Kind::Aggregated => summed(&all, view.depth),
            Kind::Consolidated => all.iter().take(view.depth).map(shelf).collect(),
        };
        let at = shown
            .iter()
            .zip(&expected)
            .position(|(a, b)| !is_same(a, b));
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
    None
}

fn shelf(&(price, qty, leg): &Placed<'_>) -> Shelf {
    Shelf {
        price: price.to_owned(),
        qty: qty.to_owned(),
        leg: Some(leg),
    }
}

fn is_same(a: &Shelf, b: &Shelf) -> bool {
    a.leg == b.leg && decimal::same(&a.price, &b.price) && decimal::same(&a.qty, &b.qty)
}

/// Whether the side is the best levels of the legs.
fn is_merged(shown: &[Shelf], view: &View, chosen: &[(usize, &Said)], is_bid: bool) -> bool {
    let mut all = Merged::new(view, chosen, is_bid);
    let is_next = |own: &Shelf| {
        let next = all.next();
        next.is_some_and(|(price, qty, leg)| {
            own.leg == Some(leg) && decimal::same(&own.price, price) && decimal::same(&own.qty, qty)
        })
    };
    shown.len() <= view.depth
        && shown.iter().all(is_next)
        && (shown.len() == view.depth || all.next().is_none())
}

/// Whether the side is the sums of the legs by price.
fn is_summed(shown: &[Shelf], view: &View, chosen: &[(usize, &Said)], is_bid: bool) -> bool {
    let mut all = Merged::new(view, chosen, is_bid).peekable();
    for own in shown {
        let Some((price, qty, _)) = all.next() else {
            return false;
        };
        let is_here = |(other, ..): &Placed<'_>| decimal::same(other, price);
        let mut sum = Cow::Borrowed(qty);
        while let Some((_, more, _)) = all.next_if(is_here) {
            sum = decimal::add(&sum, more).into();
        }
        if own.leg.is_some() || !decimal::same(&own.price, price) || !decimal::same(&own.qty, &sum)
        {
            return false;
        }
    }
    shown.len() == view.depth || shown.len() < view.depth && all.next().is_none()
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

/// Every level of the legs: by price, then the larger quantity, then the venue's name. Each leg's
/// own levels are in order already.
struct Merged<'a, 'b> {
    view: &'b View,
    is_bid: bool,
    legs: Vec<Rest<'a>>,
}

/// What is left of a leg: the next level, and those after it.
struct Rest<'a> {
    leg: usize,
    next: Option<(&'a str, &'a str)>,
    others: Pairs<'a>,
}

impl<'a, 'b> Merged<'a, 'b> {
    fn new(view: &'b View, chosen: &[(usize, &'a Said)], is_bid: bool) -> Self {
        let rest = |&(leg, said): &(usize, &'a Said)| {
            let mut others = if is_bid {
                said.bids.iter()
            } else {
                said.asks.iter()
            };
            Rest {
                leg,
                next: others.next(),
                others,
            }
        };
        Self {
            view,
            is_bid,
            legs: chosen.iter().map(rest).collect(),
        }
    }

    fn is_before(&self, a: &Placed<'_>, b: &Placed<'_>) -> bool {
        let name = |leg: usize| self.view.legs.get(leg).map(|leg| (&leg.venue, &leg.symbol));
        let by_price = match self.is_bid {
            true => decimal::compare(b.0, a.0),
            false => decimal::compare(a.0, b.0),
        };
        by_price
            .then_with(|| decimal::compare(b.1, a.1))
            .then_with(|| name(a.2).cmp(&name(b.2)))
            .is_lt()
    }
}

impl<'a> Iterator for Merged<'a, '_> {
    type Item = Placed<'a>;

    fn next(&mut self) -> Option<Placed<'a>> {
        let mut best: Option<(usize, Placed<'a>)> = None;
        for (at, rest) in self.legs.iter().enumerate() {
            if let Some((price, qty)) = rest.next {
                let placed = (price, qty, rest.leg);
                if best.is_none_or(|(_, best)| self.is_before(&placed, &best)) {
                    best = Some((at, placed));
                }
            }
        }
        let (at, placed) = best?;
        let rest = &mut self.legs[at];
        rest.next = rest.others.next();
        Some(placed)
    }
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
