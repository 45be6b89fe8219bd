//! What the views must be: all levels of all live legs, sorted and cut.

use super::{
    book::{Cause, State},
    kind::{Kind, Tally},
    listener::Told,
    setup::{Setup, book_name},
};

/// How many legs a view has room for.
const MOST_LEGS: usize = 24;

/// A leg of the views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leg {
    pub(super) venue: usize,
    pub(super) book: usize,
    /// The names of venue and book.
    pub(super) name: (String, String),
    pub(super) state: State,
    pub(super) cause: Cause,
    pub(super) epoch: u32,
    pub(super) seq: u64,
    pub(super) stamps: (Option<u64>, u64),
    bids: Vec<(i128, i128)>,
    asks: Vec<(i128, i128)>,
}

/// A level of a leg: price, quantity, the place of the leg.
pub(super) type Placed = (i128, i128, usize);

/// Both views after an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Views {
    pub(super) seq: u64,
    pub(super) legs: Vec<Leg>,
    pub(super) bids: Vec<Placed>,
    pub(super) asks: Vec<Placed>,
    /// Quantities summed by price.
    pub(super) bid_sums: Vec<(i128, i128)>,
    pub(super) ask_sums: Vec<(i128, i128)>,
    pub(super) ts_recv: u64,
}

impl Views {
    /// Takes an event in; false when its leg has no room.
    pub(super) fn take(&mut self, told: &Told, setup: &Setup, tally: &mut Tally) -> bool {
        let known = |leg: &Leg| (leg.venue, leg.book) == (told.venue, told.book);
        let leg = Leg {
            venue: told.venue,
            book: told.book,
            name: (setup.venues[told.venue].name.clone(), book_name(told.book)),
            state: told.state,
            cause: told.cause,
            epoch: told.epoch,
            seq: told.seq,
            stamps: told.stamps,
            bids: told.bids.clone(),
            asks: told.asks.clone(),
        };
        match self.legs.iter().position(known) {
            Some(at) => self.legs[at] = leg,
            None if self.legs.len() == MOST_LEGS => {
                tally.note(Kind::LegTooMany);
                return false;
            }
            None => self.legs.push(leg),
        }
        self.seq += 1;
        self.ts_recv = self.ts_recv.max(told.stamps.1);
        let bids = self.sorted(true);
        let asks = self.sorted(false);
        if bids
            .windows(2)
            .chain(asks.windows(2))
            .any(|pair| pair[0].0 == pair[1].0)
        {
            tally.note(Kind::Tie);
        }
        self.bid_sums = sums(&bids, setup.shown);
        self.ask_sums = sums(&asks, setup.shown);
        (self.bids, self.asks) = (bids, asks);
        self.bids.truncate(setup.shown);
        self.asks.truncate(setup.shown);
        true
    }

    /// Every level of every live leg: by price, then the larger quantity, then the name.
    fn sorted(&self, is_bid: bool) -> Vec<Placed> {
        let mut all: Vec<Placed> = Vec::new();
        for (at, leg) in self.legs.iter().enumerate() {
            if leg.state == State::Live {
                let side = if is_bid { &leg.bids } else { &leg.asks };
                all.extend(side.iter().map(|level| (level.0, level.1, at)));
            }
        }
        all.sort_by(|a, b| {
            let by_price = if is_bid { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) };
            let by_size = b.1.cmp(&a.1);
            let by_name = || self.legs[a.2].name.cmp(&self.legs[b.2].name);
            by_price.then(by_size).then_with(by_name)
        });
        all
    }
}

fn sums(all: &[Placed], shown: usize) -> Vec<(i128, i128)> {
    let mut sums: Vec<(i128, i128)> = Vec::new();
    for (price, qty, _) in all {
        match sums.last_mut() {
            Some(last) if last.0 == *price => last.1 += qty,
            _ => sums.push((*price, *qty)),
        }
    }
    sums.truncate(shown);
    sums
}
