//! The book a venue keeps to itself, and what it says of it.

use std::collections::VecDeque;

use super::super::{
    checksum::checksum,
    setup::{Numbers, Rules, Setup},
    side::{Side, is_crossed},
    wire::{self, Level, Shape, Update},
};
use crate::random::Random;

/// How many updates are remembered to be sent again.
const REMEMBERED: usize = 8;

/// Of how many numbers it is remembered what the book was.
const TRUTHS: usize = 48;

/// A number, and the book there.
type Saved = (u64, Side, Side);

/// One book of a venue. Prices are whole tenths of a tick.
#[derive(Clone, Debug)]
pub(super) struct Hidden {
    bids: Side,
    asks: Side,
    seq: u64,
    /// Where the sides meet, in tenths of a tick.
    middle: i128,
    /// A tenth of a tick, in units.
    tenth: i128,
    /// Whether the tick has become ten times finer.
    is_fine: bool,
    price_decimals: u8,
    qty_decimals: u8,
    /// What was sent last, newest at the end.
    sent: Vec<Update>,
    /// The book as it was some time ago.
    saved: Option<Saved>,
    /// How many snapshots more are of that time.
    stuck: u64,
    is_honest: bool,
    /// What the book was at its last numbers, newest at the end.
    truths: VecDeque<Saved>,
    /// What changed last, sent or not.
    made: Option<Update>,
}

impl Hidden {
    pub(super) fn new(setup: &Setup, rules: &Rules) -> Self {
        Self {
            bids: Side::new(true),
            asks: Side::new(false),
            seq: 100,
            middle: setup.middle * 10,
            tenth: wire::unit(setup.price_decimals + 1),
            is_fine: false,
            price_decimals: rules.price_decimals,
            qty_decimals: rules.qty_decimals,
            sent: Vec::new(),
            saved: None,
            stuck: 0,
            is_honest: setup.is_honest,
            truths: VecDeque::new(),
            made: None,
        }
    }

    /// What the book was at a number, if that is known.
    pub(super) fn truth(&self, seq: u64) -> Option<(&Side, &Side)> {
        let known = self.truths.iter().rev().find(|truth| truth.0 == seq);
        known.map(|(_, bids, asks)| (bids, asks))
    }

    fn qty(&self, random: &mut Random) -> i128 {
        let lots = match random.below(8) {
            0 => random.between(1, 1_000_000_000_000_000),
            _ => random.between(1, 4),
        };
        i128::from(lots) * wire::unit(self.qty_decimals)
    }

    /// A level as the venue writes it, or in another way.
    fn spell(&self, random: &mut Random, rules: &Rules, price: i128, qty: i128) -> Level {
        let price_decimals = self.price_decimals.max(wire::needed(price));
        let qty_decimals = self.qty_decimals;
        // Sums depend on the spelling: where there are any, another one is rare.
        let is_odd = random.chance(1, if rules.checksum.is_some() { 300 } else { 12 });
        let shift = |random: &mut Random, decimals: u8, number: i128| match random.below(2) {
            0 => wire::needed(number),
            _ => (decimals + 3).min(wire::SCALE),
        };
        Level {
            price,
            qty,
            price_decimals: if is_odd {
                shift(random, price_decimals, price)
            } else {
                price_decimals
            },
            qty_decimals: if is_odd && qty > 0 {
                shift(random, qty_decimals, qty)
            } else {
                qty_decimals
            },
        }
    }

    /// A price on a side, mostly near the middle.
    fn price(&self, random: &mut Random, is_bid: bool) -> i128 {
        let ticks = random.pick(&[3, 6, 6, 24], 6);
        let away = i128::from(random.below(ticks)) + 1;
        let step = if self.is_fine && random.chance(1, 2) {
            1
        } else {
            10
        };
        let away = if is_bid { -away * step } else { away * step };
        (self.middle + away) * self.tenth
    }

    /// One change of one side, applied here and written down.
    fn change(&mut self, random: &mut Random, rules: &Rules, levels: &mut [Vec<Level>; 2]) {
        let is_bid = random.chance(1, 2);
        let side = if is_bid { &self.bids } else { &self.asks };
        let near = side.levels.get(random.index(side.levels.len().min(12)));
        let (price, qty) = match (random.below(100), near) {
            (0..30, Some(level)) => (level.0, 0),
            (30..50, Some(level)) => (level.0, self.qty(random)),
            (50..55, _) => (self.price(random, is_bid), 0),
            (55, _) => (self.price(random, !is_bid), self.qty(random)),
            _ => (self.price(random, is_bid), self.qty(random)),
        };
        self.put(random, rules, levels, (is_bid, price, qty));
        if random.chance(1, 25) {
            let qty = if random.chance(1, 2) {
                0
            } else {
                self.qty(random)
            };
            self.put(random, rules, levels, (is_bid, price, qty));
        }
    }

    fn put(
        &mut self,
        random: &mut Random,
        rules: &Rules,
        levels: &mut [Vec<Level>; 2],
        (is_bid, price, qty): (bool, i128, i128),
    ) {
        let level = self.spell(random, rules, price, qty);
        if is_bid {
            self.bids.set(price, qty);
            levels[0].push(level);
        } else {
            self.asks.set(price, qty);
            levels[1].push(level);
        }
    }

    /// The market moves on: some changes, at times many, at times a whole side goes.
    fn evolve(&mut self, random: &mut Random, rules: &Rules) -> [Vec<Level>; 2] {
        let mut levels = [Vec::new(), Vec::new()];
        if random.chance(1, 60) {
            self.middle += i128::from(random.near(-3, 3)) * 10;
        }
        if random.chance(1, 2_000) {
            self.is_fine = !self.is_fine;
            self.price_decimals = rules.price_decimals + u8::from(self.is_fine);
        }
        if random.chance(1, 250) {
            let is_bid = random.chance(1, 2);
            let side = if is_bid { &self.bids } else { &self.asks };
            for (price, _) in side.levels.clone() {
                self.put(random, rules, &mut levels, (is_bid, price, 0));
            }
        }
        if is_crossed(&self.bids, &self.asks) && random.chance(1, 2) {
            self.uncross(random, rules, &mut levels);
        }
        let changes = if random.chance(1, 30) {
            20
        } else {
            random.between(1, 4)
        };
        for _ in 0..changes {
            self.change(random, rules, &mut levels);
        }
        let window = rules.window.unwrap_or(usize::MAX);
        self.bids.levels.truncate(window);
        self.asks.levels.truncate(window);
        levels
    }

    fn uncross(&mut self, random: &mut Random, rules: &Rules, levels: &mut [Vec<Level>; 2]) {
        let (Some(bid), Some(ask)) = (self.bids.levels.first(), self.asks.levels.first()) else {
            return;
        };
        let (bid, ask) = (bid.0, ask.0);
        let beyond = |side: &Side, is_beyond: &dyn Fn(i128) -> bool| -> Vec<i128> {
            let prices = side.levels.iter().map(|level| level.0);
            prices.filter(|price| is_beyond(*price)).collect()
        };
        for price in beyond(&self.bids, &|price| price >= ask) {
            self.put(random, rules, levels, (true, price, 0));
        }
        for price in beyond(&self.asks, &|price| price <= bid) {
            self.put(random, rules, levels, (false, price, 0));
        }
    }

    fn sum(&self, random: &mut Random, rules: &Rules) -> Option<u32> {
        let levels = rules.checksum?;
        let decimals = (self.price_decimals, self.qty_decimals);
        let sum = checksum(&self.asks.levels, &self.bids.levels, levels, decimals);
        Some(if random.chance(1, 80) { sum ^ 1 } else { sum })
    }

    /// A delta: the next one, or one of those that should not come.
    pub(super) fn delta(&mut self, random: &mut Random, rules: &Rules) -> Update {
        match random.below(600) {
            0..10 => {
                // This one is lost.
                let _lost = self.next(random, rules);
            }
            10..20 => {
                if let Some(last) = self.sent.last() {
                    return last.clone();
                }
            }
            20..30 if !self.sent.is_empty() => {
                return self.sent[random.index(self.sent.len())].clone();
            }
            30 if !self.is_honest => self.seq = random.between(1, 5),
            31..33 if !self.is_honest => self.seq = 0,
            33..150 => self.saved = Some((self.seq, self.bids.clone(), self.asks.clone())),
            _ => {}
        }
        let update = self.next(random, rules);
        if self.sent.len() == REMEMBERED {
            self.sent.remove(0);
        }
        self.sent.push(update.clone());
        update
    }

    fn next(&mut self, random: &mut Random, rules: &Rules) -> Update {
        let mut update = Update::new(0, Shape::Delta);
        let [bids, asks] = self.evolve(random, rules);
        (update.bids, update.asks) = (bids, asks);
        let before = self.seq;
        match rules.numbers {
            Numbers::None | Numbers::Connection => {}
            Numbers::Increasing => self.seq += random.between(1, 3),
            Numbers::Next { restart } => {
                self.seq += 1;
                if restart == Some(self.seq) {
                    (update.bids, update.asks) = self.whole(random, rules);
                }
            }
            Numbers::Span => self.seq += random.between(1, 4),
            Numbers::Previous => {
                self.seq += random.between(1, 5);
                update.prev = Some(before);
            }
        }
        if self.seq > 0 && !matches!(rules.numbers, Numbers::None | Numbers::Connection) {
            update.last = self.seq;
            update.first = self.seq;
        }
        if rules.numbers == Numbers::Span {
            update.first = before + 1;
            self.overlap(random, rules, &mut update);
        }
        update.checksum = self.sum(random, rules);
        update.window = rules.window;
        update.ts = random.chance(1, 2).then(|| random.below(1 << 40));
        if self.truths.len() == TRUTHS {
            self.truths.pop_front();
        }
        let truth = (self.seq, self.bids.clone(), self.asks.clone());
        self.truths.push_back(truth);
        self.made = Some(update.clone());
        update
    }

    /// At times an update begins before the one that it follows ended. One that is honest has all
    /// that changed since then; where the book is cut, that cannot be told by the changes alone.
    fn overlap(&self, random: &mut Random, rules: &Rules, update: &mut Update) {
        if !random.chance(1, 20) {
            return;
        }
        if !self.is_honest {
            update.first = update.first.saturating_sub(random.below(4));
        } else if let (Some(made), None) = (&self.made, rules.window) {
            update.first = made.first;
            update.bids.splice(..0, made.bids.iter().copied());
            update.asks.splice(..0, made.asks.iter().copied());
        }
    }

    fn whole(&self, random: &mut Random, rules: &Rules) -> (Vec<Level>, Vec<Level>) {
        let mut write = |side: &Side| {
            let levels = side.levels.iter();
            levels
                .map(|level| self.spell(random, rules, level.0, level.1))
                .collect()
        };
        (write(&self.bids), write(&self.asks))
    }

    /// A snapshot: of now or of before, whole or not; true when levels were left out on purpose.
    pub(super) fn snapshot(
        &mut self,
        random: &mut Random,
        rules: &Rules,
        is_awaited: bool,
    ) -> (Update, bool) {
        if self.bids.levels.len() < 3 || self.asks.levels.len() < 3 {
            for _ in 0..8 {
                let _lost = self.next(random, rules);
            }
        }
        if self.stuck == 0 && is_awaited && random.chance(1, 40) {
            self.stuck = random.between(2, 4);
        }
        let is_of_before = self.stuck > 0 || random.chance(1, 2);
        self.stuck = self.stuck.saturating_sub(1);
        let mut of = self.clone();
        if let (true, Some((seq, bids, asks))) = (is_of_before, &self.saved) {
            of.seq = seq + if self.is_honest { 0 } else { random.below(3) };
            (of.bids, of.asks) = (bids.clone(), asks.clone());
        }
        let mut update = Update::new(0, Shape::Snapshot);
        (update.bids, update.asks) = of.whole(random, rules);
        if !matches!(rules.numbers, Numbers::None | Numbers::Connection) {
            update.last = of.seq.max(1);
            update.first = update.last;
        }
        update.checksum = of.sum(random, rules);
        update.window = rules.window;
        update.ts = random.chance(1, 2).then(|| random.below(1 << 40));
        let is_partial = !self.is_honest && random.chance(1, 12);
        if is_partial {
            let side = if random.chance(1, 2) {
                &mut update.bids
            } else {
                &mut update.asks
            };
            side.truncate(random.index(side.len() + 1));
        }
        if !self.is_honest {
            self.disorder(random, rules, &mut update);
        }
        (update, is_partial)
    }

    /// What no venue should do to a whole book: levels of no quantity, levels twice, any order.
    fn disorder(&self, random: &mut Random, rules: &Rules, update: &mut Update) {
        for side in [&mut update.bids, &mut update.asks] {
            if random.chance(1, 40) && !side.is_empty() {
                let level = side[random.index(side.len())];
                let qty = if random.chance(1, 2) {
                    0
                } else {
                    self.qty(random)
                };
                let again = self.spell(random, rules, level.price, qty);
                side.insert(random.index(side.len() + 1), again);
            }
            if random.chance(1, 40) {
                side.reverse();
            }
        }
    }

    /// A whole image: the next one, or one of those that should not come.
    pub(super) fn image(&mut self, random: &mut Random, rules: &Rules) -> Update {
        let is_numbered = rules.numbers == Numbers::Increasing;
        match random.below(600) {
            0..20 => {
                if let Some(last) = self.sent.last() {
                    return last.clone();
                }
            }
            20..40 if !self.sent.is_empty() => {
                return self.sent[random.index(self.sent.len())].clone();
            }
            40..42 => self.seq = random.between(1, 5),
            _ => {
                let _changes = self.evolve(random, rules);
            }
        }
        self.seq += random.between(1, 3);
        let mut update = Update::new(0, Shape::Image);
        (update.bids, update.asks) = self.whole(random, rules);
        let most = random.pick(&[5, 20, 20, 25], 20);
        update.bids.truncate(most);
        update.asks.truncate(most);
        if is_numbered {
            (update.first, update.last) = (self.seq, self.seq);
        }
        update.ts = random.chance(1, 2).then(|| random.below(1 << 40));
        match random.below(120) {
            0 => update.bids.reverse(),
            1 => update.asks.reverse(),
            2 => {
                if let Some(level) = update.asks.last_mut() {
                    level.qty = 0;
                }
            }
            _ => {}
        }
        if self.sent.len() == REMEMBERED {
            self.sent.remove(0);
        }
        self.sent.push(update.clone());
        update
    }
}
