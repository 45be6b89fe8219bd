//! A generated market: random order flow on a full-depth book that nobody sees whole.
//!
//! Prices are ticks and quantities are lots, both integers; what a venue sends of them is printed
//! as decimal text. No floating point touches either.

mod flow;
mod text;

use std::collections::BTreeMap;

pub(crate) use text::{plain, wire};

use crate::random::Random;

/// A level: its price in ticks and its quantity in lots.
pub(crate) type Level = (i64, i64);

/// How an instrument's numbers are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Decimals of a price; a tick is one of the last of them.
    pub(crate) price: u8,
    /// Decimals of a quantity; a lot is one of the last of them.
    pub(crate) qty: u8,
}

/// What an instrument is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Character {
    /// How its numbers are written.
    pub(crate) scale: Scale,
    /// The price it moves around, in ticks.
    pub(crate) mid: i64,
    /// The largest quantity of a level, in lots.
    pub(crate) most_lots: i64,
    /// About how many levels a side has.
    pub(crate) levels: usize,
    /// The mean time between two changes, in ns.
    pub(crate) gap: u64,
}

impl Character {
    /// Tick and lot differ from venue to venue; now and then a number has more digits than a floating
    /// point number can hold.
    pub(crate) fn draw(random: &mut Random, worth_millionths: u64, gap: u64) -> Self {
        let mut price = u8::try_from(random.between(0, 8)).unwrap_or(2);
        let ticks = |price: u8| {
            let worth = u128::from(worth_millionths) * 10_u128.pow(u32::from(price));
            i64::try_from(worth / 1_000_000).unwrap_or(i64::MAX / 8)
        };
        // A price needs room to move.
        while ticks(price) < 2_000 {
            price += 1;
        }
        let qty = u8::try_from(random.between(0, 10)).unwrap_or(3);
        let unit = 10_i64.pow(u32::from(qty));
        let most_lots = match random.below(4) {
            0 => i64::MAX / 16,
            1 => 50,
            _ => unit.saturating_mul(100),
        };
        Self {
            scale: Scale { price, qty },
            mid: ticks(price).min(i64::MAX / 8),
            most_lots: most_lots.max(2),
            levels: usize::try_from(random.between(8, 80)).unwrap_or(20),
            gap,
        }
    }

    /// Numbers as they usually are: a tick of some millionths of the price, and up to 200,000 of the
    /// quote currency a level.
    pub(crate) fn ordinary(random: &mut Random, worth_millionths: u64, gap: u64) -> Self {
        let worth = u128::from(worth_millionths.max(1));
        let least = |is_enough: &dyn Fn(u128) -> bool| {
            let enough = (0..=8_u8).find(|decimals| is_enough(10_u128.pow(u32::from(*decimals))));
            enough.unwrap_or(8)
        };
        let price = least(&|unit| worth * unit >= 200_000 * 1_000_000);
        // A lot is worth a tenth at most.
        let qty = least(&|unit| unit * 100_000 >= worth);
        let [price, qty] = [price, qty].map(|decimals| decimals + u8::from(random.chance(1, 2)));
        let [ticks, lots] = [
            worth * 10_u128.pow(price.into()) / 1_000_000,
            200_000 * 1_000_000 * 10_u128.pow(qty.into()) / worth,
        ];
        Self {
            scale: Scale { price, qty },
            mid: i64::try_from(ticks).unwrap_or(i64::MAX / 8),
            most_lots: i64::try_from(lots).unwrap_or(i64::MAX / 16).max(2),
            levels: usize::try_from(random.between(40, 120)).unwrap_or(40),
            gap,
        }
    }
}

/// The best levels of both sides, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) bids: Vec<Level>,
    pub(crate) asks: Vec<Level>,
}

/// A passing condition of a market, until the time given in ns.
#[derive(Clone, Copy, Debug, Default)]
struct Moods {
    burst: u64,
    halted: u64,
    thin: u64,
    bidless: u64,
    askless: u64,
    crossed: u64,
}

/// One instrument's market.
#[derive(Clone, Debug)]
pub(crate) struct Market {
    random: Random,
    pub(crate) character: Character,
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
    moods: Moods,
    next_at: u64,
    /// Counts the changes.
    pub(crate) version: u64,
}

impl Market {
    /// A market with a full book, whose first change comes some time after `now`.
    pub(crate) fn new(character: Character, random: Random, now: u64) -> Self {
        let mut market = Self {
            random,
            character,
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            moods: Moods::default(),
            next_at: 0,
            version: 1,
        };
        market.refill();
        market.next_at = now + market.random.gap(character.gap);
        market
    }

    /// When the next change is due, in ns.
    pub(crate) const fn due(&self) -> u64 {
        self.next_at
    }

    /// One more decimal for every price; false where there is no room for it.
    pub(crate) fn refine(&mut self) -> bool {
        let character = &mut self.character;
        if character.mid > i64::MAX / 1_000 || character.scale.price >= 17 {
            return false;
        }
        character.mid *= 10;
        character.scale.price += 1;
        for side in [&mut self.bids, &mut self.asks] {
            let levels = std::mem::take(side).into_iter();
            *side = levels.map(|(price, lots)| (price * 10, lots)).collect();
        }
        self.version += 1;
        true
    }

    /// The best `depth` levels.
    pub(crate) fn window(&self, depth: usize) -> Window {
        let level = |(price, lots): (&i64, &i64)| (*price, *lots);
        Window {
            bids: self.bids.iter().rev().take(depth).map(level).collect(),
            asks: self.asks.iter().take(depth).map(level).collect(),
        }
    }

    /// Whether the full book has a bid, or else an ask, at the price.
    pub(crate) fn has(&self, is_bid: bool, price: i64) -> bool {
        self.side(is_bid).contains_key(&price)
    }

    const fn side(&self, is_bid: bool) -> &BTreeMap<i64, i64> {
        if is_bid { &self.bids } else { &self.asks }
    }

    const fn side_mut(&mut self, is_bid: bool) -> &mut BTreeMap<i64, i64> {
        if is_bid {
            &mut self.bids
        } else {
            &mut self.asks
        }
    }

    fn best(&self, is_bid: bool) -> Option<i64> {
        let found = if is_bid {
            self.bids.last_key_value()
        } else {
            self.asks.first_key_value()
        };
        found.map(|(price, _)| *price)
    }
}

impl Window {
    /// Whether the best bid is at or above the best ask.
    #[cfg(test)]
    pub(crate) fn is_crossed(&self) -> bool {
        matches!((self.bids.first(), self.asks.first()), (Some(b), Some(a)) if b.0 >= a.0)
    }

    /// Sets each changed level of a side; a quantity of zero removes it. Keeps the best `depth`.
    pub(crate) fn apply(&mut self, is_bid: bool, changes: &[Level], depth: usize) {
        let side = if is_bid {
            &mut self.bids
        } else {
            &mut self.asks
        };
        for &(price, lots) in changes {
            let is_before = |level: &Level| {
                if is_bid {
                    level.0 > price
                } else {
                    level.0 < price
                }
            };
            let at = side.partition_point(is_before);
            let is_known = side.get(at).is_some_and(|level| level.0 == price);
            match (is_known, lots) {
                (true, 0) => {
                    side.remove(at);
                }
                (false, 0) => {}
                (true, _) => side[at].1 = lots,
                (false, _) => side.insert(at, (price, lots)),
            }
        }
        side.truncate(depth);
    }
}

/// The levels of `new` that differ from `old`, and those of `old` that are gone, with zero lots.
pub(crate) fn changes(old: &[Level], new: &[Level], is_bid: bool) -> Vec<Level> {
    let is_before = |a: i64, b: i64| if is_bid { a > b } else { a < b };
    let (mut found, mut at) = (Vec::new(), 0);
    for &(price, lots) in new {
        while let Some(&(gone, _)) = old.get(at).filter(|o| is_before(o.0, price)) {
            found.push((gone, 0));
            at += 1;
        }
        match old.get(at) {
            Some(&(known, was)) if known == price => {
                if was != lots {
                    found.push((price, lots));
                }
                at += 1;
            }
            _ => found.push((price, lots)),
        }
    }
    found.extend(old.iter().skip(at).map(|(gone, _)| (*gone, 0)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn market(seed: u64) -> Market {
        let character = Character {
            scale: Scale { price: 2, qty: 3 },
            mid: 10_000,
            most_lots: 5_000,
            levels: 30,
            gap: 1_000_000,
        };
        Market::new(character, Random::new(seed), 0)
    }

    #[test]
    fn ordinary_numbers_are_ordinary() {
        for seed in 0..200 {
            let mut random = Random::new(seed);
            // From a tenth of a cent to a million.
            let worth = 10_u64.pow(random.between(3, 11) as u32) * random.between(1, 9);
            let character = Character::ordinary(&mut random, worth, 1_000_000);
            let market = Market::new(character, random, 0);
            let Scale { price, qty } = character.scale;
            let window = market.window(usize::MAX);
            assert!(window.bids.len() >= 20 && window.asks.len() >= 20);
            for level in window.bids.iter().chain(&window.asks) {
                let shown = level.0 as f64 / 10_f64.powi(price.into());
                let amount = level.1 as f64 / 10_f64.powi(qty.into());
                let ratio = shown / (worth as f64 / 1e6);
                assert!(
                    (0.9..1.1).contains(&ratio),
                    "{worth} {character:?} {level:?}"
                );
                assert!(
                    shown * amount < 250_000.0,
                    "{worth} {character:?} {level:?}"
                );
            }
        }
    }

    #[test]
    fn a_market_changes_and_is_never_crossed_by_itself() {
        for seed in 0..20 {
            let (mut market, mut seen) = (market(seed), 0);
            for _ in 0..500 {
                let (now, before) = (market.due(), market.window(usize::MAX));
                market.step(now);
                let after = market.window(usize::MAX);
                assert!(!after.is_crossed(), "seed {seed}");
                assert!(after.bids.iter().all(|level| level.1 > 0 && level.0 > 0));
                seen += u32::from(before != after);
            }
            assert!(seen > 400, "seed {seed} changed {seen} times");
        }
    }

    #[test]
    fn the_changes_between_two_windows_lead_from_one_to_the_other() {
        let mut market = market(5);
        for depth in [3, 10, usize::MAX] {
            let mut held = market.window(depth);
            for _ in 0..300 {
                let before = market.window(depth);
                market.step(market.due());
                let after = market.window(depth);
                held.apply(true, &changes(&before.bids, &after.bids, true), depth);
                held.apply(false, &changes(&before.asks, &after.asks, false), depth);
                assert_eq!(held, after);
            }
        }
    }

    #[test]
    fn a_mood_ends_in_time_where_hardly_anything_happens() {
        let end = 50_000_000;
        let moods: [fn(&mut Market, u64); 3] = [
            |market, until| market.cross(until),
            |market, until| market.thin(until),
            |market, until| market.empty_side(false, until),
        ];
        for mood in moods {
            let mut market = market(4);
            market.character.gap = 3_600_000_000_000;
            mood(&mut market, end);
            market.hurry(1);
            market.step(1);
            assert_eq!(market.due(), end);
            market.step(end);
            let window = market.window(20);
            assert!(!window.is_crossed() && window.bids.len() == 20 && window.asks.len() == 20);
            assert!(market.due() > 2 * end);
        }
    }

    #[test]
    fn moods_come_and_go() {
        let mut market = market(9);
        let end = 50_000_000;
        market.cross(end);
        assert!(market.window(1).is_crossed());
        market.step(end);
        assert!(!market.window(1).is_crossed());
        market.empty_side(true, 2 * end);
        market.step(end + 1);
        assert!(market.window(5).bids.is_empty());
        market.thin(4 * end);
        market.step(2 * end);
        let window = market.window(20);
        assert!(
            !window.bids.is_empty() && window.bids.len() < 5,
            "{window:?}"
        );
        market.halt(9 * end);
        assert!(market.due() >= 9 * end);
        market.step(9 * end);
        assert!(market.window(20).asks.len() == 20);
    }
}
