//! What happens in a market: orders, trades, cancellations, and the moods it passes through.

use super::{Market, Moods};

/// How much more often things happen in a burst.
const BURST: u64 = 50;

impl Moods {
    /// When the first of those ends that show in the book.
    fn next_end(&self) -> Option<u64> {
        let ends = [self.crossed, self.thin, self.bidless, self.askless];
        ends.into_iter().filter(|until| *until > 0).min()
    }
}

impl Market {
    /// Lets happen what is due at `now`.
    pub(crate) fn step(&mut self, now: u64) {
        self.leave_moods(now);
        let ops = match self.random.below(8) {
            0..=4 => 1,
            5..=6 => self.random.between(2, 4),
            _ => self.random.between(5, 12),
        };
        for _ in 0..ops {
            self.happen(now);
        }
        self.keep_moods(now);
        self.version += 1;
        let gap = self.random.gap(self.character.gap);
        let gap = if now < self.moods.burst {
            gap / BURST + 1
        } else {
            gap
        };
        let next = now.max(self.moods.halted) + gap;
        // What ends can be seen at its end, unless nothing happens then.
        let end = self.moods.next_end().map(|at| at.max(self.moods.halted));
        self.next_at = end.map_or(next, |end| next.min(end));
    }

    /// Things happen fifty times as often.
    pub(crate) fn burst(&mut self, until: u64, now: u64) {
        self.moods.burst = until;
        self.next_at = self.next_at.min(now + self.character.gap / BURST + 1);
    }

    /// Nothing happens.
    pub(crate) fn halt(&mut self, until: u64) {
        self.moods.halted = until;
        self.next_at = self.next_at.max(until);
    }

    /// Each side has fewer than five levels.
    pub(crate) fn thin(&mut self, until: u64) {
        self.moods.thin = until;
        self.trim();
        self.version += 1;
    }

    /// One side has none.
    pub(crate) fn empty_side(&mut self, is_bid: bool, until: u64) {
        if is_bid {
            self.moods.bidless = until;
        } else {
            self.moods.askless = until;
        }
        self.side_mut(is_bid).clear();
        self.version += 1;
    }

    /// The best bid is above the best ask.
    pub(crate) fn cross(&mut self, until: u64) {
        if let Some(ask) = self.best(false) {
            self.moods.crossed = until;
            let lots = self.lots();
            let above = self.random.near(0, 3);
            self.bids.insert(ask + above, lots);
            self.version += 1;
        }
    }

    /// Brings the next change forward to `now`, so that what a mood did is sent out.
    pub(crate) fn hurry(&mut self, now: u64) {
        self.next_at = self.next_at.min(now.max(self.moods.halted));
    }

    /// Ends every mood and slows down or speeds up to a change every `gap` ns.
    pub(crate) fn calm(&mut self, now: u64, gap: u64) {
        self.moods = Moods::default();
        self.character.gap = gap;
        self.uncross();
        self.refill();
        self.version += 1;
        self.next_at = now + self.random.gap(gap);
    }

    fn leave_moods(&mut self, now: u64) {
        let moods = &mut self.moods;
        let ends = |until: &mut u64| {
            let is_over = *until > 0 && *until <= now;
            if is_over {
                *until = 0;
            }
            is_over
        };
        let is_uncrossed = ends(&mut moods.crossed);
        let over = [
            ends(&mut moods.thin),
            ends(&mut moods.bidless),
            ends(&mut moods.askless),
            ends(&mut moods.halted),
        ];
        if is_uncrossed {
            self.uncross();
        }
        if over.contains(&true) {
            self.refill();
        }
    }

    fn keep_moods(&mut self, now: u64) {
        if now < self.moods.thin {
            self.trim();
        } else if self.bids.len().min(self.asks.len()) < self.character.levels / 2 {
            self.refill();
        }
        for (is_bid, until) in [(true, self.moods.bidless), (false, self.moods.askless)] {
            if now < until {
                self.side_mut(is_bid).clear();
            }
        }
        if self.moods.crossed <= now {
            self.uncross();
        }
    }

    fn uncross(&mut self) {
        while let (Some(bid), Some(ask)) = (self.best(true), self.best(false)) {
            if bid < ask {
                return;
            }
            self.bids.remove(&bid);
        }
    }

    fn trim(&mut self) {
        while self.bids.len() > 4 {
            self.bids.pop_first();
        }
        while self.asks.len() > 4 {
            self.asks.pop_last();
        }
    }

    /// One order, cancellation or trade.
    fn happen(&mut self, now: u64) {
        let is_bid = self.random.chance(1, 2);
        match self.random.below(100) {
            0..=54 => self.quote(is_bid),
            55..=74 => self.cancel(is_bid),
            75..=87 => self.improve(is_bid),
            88..=96 => self.trade(is_bid),
            _ if now < self.moods.crossed => {}
            _ => self.shift(),
        }
    }

    /// An order joins a level, new or old, mostly near the best.
    fn quote(&mut self, is_bid: bool) {
        let reach = if self.random.chance(1, 6) { 2 } else { 0 };
        let span = 3 + reach * self.character.levels as u64;
        let away = i64::try_from(self.random.below(span)).unwrap_or(0);
        let best = self.best(is_bid).or_else(|| self.best(!is_bid));
        let best = best.unwrap_or(self.character.mid);
        let price = if is_bid { best - away } else { best + away };
        let is_free = match self.best(!is_bid) {
            Some(other) if is_bid => price < other,
            Some(other) => price > other,
            None => true,
        };
        if is_free && price > 0 {
            let lots = self.lots();
            self.side_mut(is_bid).insert(price, lots);
        }
    }

    fn cancel(&mut self, is_bid: bool) {
        let side = self.side(is_bid);
        let near = if self.random.clone().chance(1, 4) {
            side.len()
        } else {
            side.len().min(6)
        };
        let at = self.random.index(near);
        let side = self.side(is_bid);
        let price = if is_bid {
            side.keys().rev().nth(at)
        } else {
            side.keys().nth(at)
        };
        if let Some(price) = price.copied() {
            self.side_mut(is_bid).remove(&price);
        }
    }

    /// A new best price, if the spread has room for one.
    fn improve(&mut self, is_bid: bool) {
        if let (Some(bid), Some(ask)) = (self.best(true), self.best(false))
            && ask - bid > 1
        {
            let inside = self.random.near(bid + 1, ask - 1);
            let lots = self.lots();
            self.side_mut(is_bid).insert(inside, lots);
        }
    }

    /// Takes away the best levels, the last of them in part.
    fn trade(&mut self, is_bid: bool) {
        for _ in 0..self.random.below(4) {
            if let Some(best) = self.best(is_bid) {
                self.side_mut(is_bid).remove(&best);
            }
        }
        if let Some(best) = self.best(is_bid)
            && let Some(lots) = self.side_mut(is_bid).get_mut(&best)
        {
            *lots = (*lots / 2).max(1);
        }
    }

    /// The market moves: what stands in the way is taken, and the other side follows.
    fn shift(&mut self) {
        let (mid, step) = (self.character.mid, (self.character.mid / 2_000).max(2));
        let Some(from) = self.best(true).or_else(|| self.best(false)) else {
            return;
        };
        let up = if from > mid + mid / 3 {
            false
        } else if from < mid - mid / 3 {
            true
        } else {
            self.random.chance(1, 2)
        };
        let move_by = self.random.near(1, step);
        let to = if up {
            from + move_by
        } else {
            (from - move_by).max(2)
        };
        if up {
            self.asks.retain(|price, _| *price > to);
            let lots = self.lots();
            self.bids.insert(to, lots);
        } else {
            self.bids.retain(|price, _| *price < to);
            let lots = self.lots();
            self.asks.insert(to, lots);
        }
        self.refill();
    }

    /// Fills both sides up from their worst levels outwards.
    pub(super) fn refill(&mut self) {
        let wanted = self.character.levels;
        for is_bid in [true, false] {
            let mid = self.character.mid;
            let start = self
                .best(!is_bid)
                .unwrap_or(if is_bid { mid + 1 } else { mid });
            while self.side(is_bid).len() < wanted {
                let step = if self.random.chance(3, 4) {
                    1
                } else {
                    self.random.near(2, 9)
                };
                let worst = if is_bid {
                    self.bids.first_key_value()
                } else {
                    self.asks.last_key_value()
                };
                let from = worst.map_or(start, |(price, _)| *price);
                let price = if is_bid { from - step } else { from + step };
                if price <= 0 {
                    break;
                }
                let lots = self.lots();
                self.side_mut(is_bid).insert(price, lots);
            }
        }
    }

    /// Round quantities, which tie between venues, small ones, and ones with every digit in use.
    fn lots(&mut self) -> i64 {
        let most = self.character.most_lots.max(1);
        let unit = 10_i64.pow(u32::from(self.character.scale.qty));
        match self.random.below(6) {
            0 | 1 if unit <= most => unit * self.random.near(1, (most / unit).min(5)),
            2 => self.random.near(1, most.min(9)),
            _ => self.random.near(1, most),
        }
    }
}
