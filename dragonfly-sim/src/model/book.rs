//! What becomes of one book, written down from what is documented and with nothing of the product.

use super::{
    checksum::checksum,
    kind::{Kind, Tally},
    setup::{Numbers, Rules},
    side::{Side, is_crossed},
    wire::{Level, Shape, Update, decimals},
};

/// So many old numbers in a row mean that a count has restarted.
pub(super) const OLD_IN_A_ROW: u32 = 16;

/// How many levels an image has at the most.
const LONGEST_IMAGE: usize = 20;

/// Whether a book can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Empty,
    Syncing,
    Live,
    Stale,
    Gap,
    Crossed,
    Closed,
    Down,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Started,
    Subscribed,
    Image,
    SequenceGap,
    ChecksumMismatch,
    Silent,
    CrossedBook,
    Disconnected,
    Refused,
    BadMessages,
    BufferOverflow,
}

/// What came of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The book is live.
    Shown,
    /// It has just become crossed.
    Withdrawn,
    /// It must be asked for again.
    Renew,
    /// Nothing.
    Nothing,
    /// Nothing, but it may be the book that is wrong: the venue says what is older.
    Doubtful,
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) updates: u64,
    pub(super) old: u64,
    pub(super) gaps: u64,
    pub(super) checksum_failures: u64,
}

/// Whether the venue's count begins again with the update.
fn is_restart(update: &Update, rules: &Rules) -> bool {
    matches!(rules.numbers, Numbers::Next { restart } if restart == Some(update.last))
}

/// One book.
#[derive(Clone, Debug)]
pub(super) struct Book {
    pub(super) state: State,
    pub(super) cause: Cause,
    pub(super) epoch: u32,
    pub(super) seq: u64,
    pub(super) bids: Side,
    pub(super) asks: Side,
    pub(super) counts: Counts,
    /// Whether there is a whole book, so that `seq` is the number of what is in it.
    has_begun: bool,
    /// Whether the last whole book was an image.
    is_image: bool,
    kept: Vec<Update>,
    /// The numbers of the updates out of date since the last that was not.
    old_in_a_row: Vec<u64>,
    /// Images below this number are out of date, though there is no book.
    least: u64,
    window: Option<usize>,
    /// The most decimals of prices and quantities since the last whole book.
    decimals: (u8, u8),
    /// Whether the last snapshot did not fit.
    has_misfit: bool,
}

impl Book {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Empty,
            cause: Cause::Started,
            epoch: 0,
            seq: 0,
            bids: Side::new(true),
            asks: Side::new(false),
            counts: Counts {
                updates: 0,
                old: 0,
                gaps: 0,
                checksum_failures: 0,
            },
            has_begun: false,
            is_image: false,
            kept: Vec::new(),
            old_in_a_row: Vec::new(),
            least: 0,
            window: None,
            decimals: (0, 0),
            has_misfit: false,
        }
    }

    /// Forgets the book; true when state or cause are others than before.
    pub(super) fn forget(&mut self, state: State, cause: Cause) -> bool {
        let is_news = self.state != state || self.cause != cause;
        self.bids.levels.clear();
        self.asks.levels.clear();
        self.kept.clear();
        if state != State::Gap || !self.is_image {
            self.least = 0;
        } else if self.has_begun {
            // What it showed is not shown again, nor anything older.
            self.least = self.seq;
        }
        self.has_begun = false;
        self.old_in_a_row.clear();
        self.state = state;
        self.cause = cause;
        is_news
    }

    /// Whether the loss of an update would show in what follows it.
    pub(super) const fn would_show_loss(&self, rules: &Rules) -> bool {
        if self.is_image {
            return true;
        }
        match rules.numbers {
            // A checksum says nothing of what lies below the levels it is made of.
            Numbers::None => match rules.checksum {
                Some(levels) => rules.depth <= levels,
                None => false,
            },
            Numbers::Increasing => false,
            _ => true,
        }
    }

    fn fail(&mut self, cause: Cause) -> Fate {
        self.forget(State::Gap, cause);
        Fate::Renew
    }

    /// It was asked for long ago: whatever comes is its beginning.
    pub(super) const fn trust(&mut self) {
        self.least = 0;
    }

    /// Takes an update.
    pub(super) fn take(&mut self, update: &Update, rules: &Rules, tally: &mut Tally) -> Fate {
        self.counts.updates += 1;
        if self.state == State::Down || self.state == State::Closed {
            return Fate::Nothing;
        }
        if update.window.is_some() {
            self.window = update.window;
        }
        note_levels(update, self, rules, tally);
        match update.shape {
            Shape::Image => self.take_image(update, rules, tally),
            Shape::Snapshot => self.take_snapshot(update, rules, tally),
            Shape::Delta if is_restart(update, rules) => {
                tally.note(Kind::Restart);
                self.take_snapshot(update, rules, tally)
            }
            Shape::Delta => self.take_delta(update, rules, tally),
        }
    }

    fn take_image(&mut self, update: &Update, rules: &Rules, tally: &mut Tally) -> Fate {
        let (mut bids, mut asks) = (Side::new(true), Side::new(false));
        for (side, levels) in [(&mut bids, &update.bids), (&mut asks, &update.asks)] {
            let there = levels.iter().filter(|level| level.qty != 0);
            side.levels = there
                .map(|level| (level.price, level.qty))
                .take(LONGEST_IMAGE)
                .collect();
        }
        let is_numbered = rules.numbers == Numbers::Increasing;
        let is_old = match self.has_begun {
            true => update.last <= self.seq,
            false => update.last < self.least,
        };
        if is_numbered && is_old {
            let is_last = self.has_begun && update.last == self.seq;
            if is_last && bids == self.bids && asks == self.asks {
                tally.note(Kind::ImageAgain);
                return self.conclude(tally);
            }
            let heard = [&self.old_in_a_row[..], &[update.last]].concat();
            let fate = self.drop_old(update, OLD_IN_A_ROW, Fate::Doubtful, tally);
            if matches!(fate, Fate::Renew) {
                self.least = heard.into_iter().max().unwrap_or(0);
            }
            return fate;
        }
        let prices = |levels: &[Level]| levels.iter().map(|level| level.price).collect::<Vec<_>>();
        if !bids.is_sorted(&prices(&update.bids)) || !asks.is_sorted(&prices(&update.asks)) {
            tally.note(Kind::ImageUnsorted);
            return self.fail(Cause::BadMessages);
        }
        if !self.has_begun {
            self.epoch += 1;
            self.seq = 0;
        }
        (self.bids, self.asks) = (bids, asks);
        self.seq = if is_numbered {
            update.last
        } else {
            self.seq + 1
        };
        self.has_begun = true;
        self.is_image = true;
        self.old_in_a_row.clear();
        self.decimals = decimals(update);
        self.conclude(tally)
    }

    fn take_snapshot(&mut self, update: &Update, rules: &Rules, tally: &mut Tally) -> Fate {
        let is_ordered = matches!(rules.numbers, Numbers::Span | Numbers::Previous);
        if is_ordered && self.has_begun && update.last < self.seq {
            tally.note(Kind::SnapshotBehind);
            self.counts.old += 1;
            return Fate::Nothing;
        }
        let is_second = |kept: &Update| kept.last == update.last + 1;
        let is_at_second = self.has_begun && self.seq == update.last + 1;
        let has_second = is_at_second || self.kept.iter().any(is_second);
        if has_second && is_restart(update, rules) {
            // The second of this count came before its first, or it is the second of the one before.
            tally.note(Kind::Gap);
            self.counts.gaps += 1;
            return self.fail(Cause::SequenceGap);
        }
        let was_awaited = !self.has_begun;
        let before = self.state;
        let mut kept = std::mem::take(&mut self.kept);
        if is_restart(update, rules) {
            // A new count: what was kept is of the old one.
            kept.clear();
        }
        self.forget(self.state, self.cause);
        for level in &update.bids {
            self.bids.set(level.price, level.qty);
        }
        for level in &update.asks {
            self.asks.set(level.price, level.qty);
        }
        self.cut(tally);
        self.epoch += 1;
        self.seq = update.last;
        self.has_begun = true;
        self.is_image = false;
        self.decimals = decimals(update);
        let fate = if self.is_proved(update, rules) {
            self.take_kept(&kept, before, rules, tally)
        } else {
            tally.note(Kind::ChecksumWrong);
            self.fail(Cause::ChecksumMismatch)
        };
        self.note_snapshot(was_awaited, fate, tally);
        fate
    }

    fn note_snapshot(&mut self, was_awaited: bool, fate: Fate, tally: &mut Tally) {
        let is_misfit = fate == Fate::Renew && was_awaited;
        if is_misfit && self.cause == Cause::SequenceGap {
            tally.note(Kind::SnapshotOld);
        }
        if is_misfit && self.has_misfit {
            tally.note(Kind::SnapshotNeverFits);
        }
        self.has_misfit = is_misfit;
        if !was_awaited {
            tally.note(Kind::SnapshotSecond);
        } else if fate != Fate::Renew {
            tally.note(Kind::SnapshotInTime);
        }
    }

    /// The deltas that came before their snapshot follow it, as far as they are newer.
    fn take_kept(
        &mut self,
        kept: &[Update],
        before: State,
        rules: &Rules,
        tally: &mut Tally,
    ) -> Fate {
        let mut fate = self.conclude(tally);
        for update in kept {
            if update.last <= self.seq {
                self.counts.old += 1;
                continue;
            }
            if update.first <= self.seq && rules.numbers == Numbers::Span {
                tally.note(Kind::SnapshotStraddled);
            }
            fate = self.take_next(update, rules, tally);
            if fate == Fate::Renew {
                return fate;
            }
            tally.note(Kind::Replayed);
        }
        if fate == Fate::Nothing && self.state != before {
            return Fate::Withdrawn;
        }
        fate
    }

    fn take_delta(&mut self, update: &Update, rules: &Rules, tally: &mut Tally) -> Fate {
        if self.has_begun {
            let fate = self.take_next(update, rules, tally);
            // The snapshot it follows may be what is missing.
            if fate == Fate::Renew && self.cause == Cause::SequenceGap && is_kept(rules) {
                self.kept.push(update.clone());
            }
            return fate;
        }
        if !is_kept(rules) {
            return Fate::Nothing;
        }
        if self.kept.len() == rules.sync_buffer {
            tally.note(Kind::Overflow);
            return self.fail(Cause::BufferOverflow);
        }
        self.kept.push(update.clone());
        Fate::Nothing
    }

    /// Applies a delta to a whole book, if it follows it.
    fn take_next(&mut self, update: &Update, rules: &Rules, tally: &mut Tally) -> Fate {
        let is_old = update.last <= self.seq;
        let follows = match rules.numbers {
            Numbers::None | Numbers::Connection => true,
            Numbers::Increasing => !is_old,
            Numbers::Next { .. } => update.last == self.seq + 1,
            Numbers::Span => !is_old && update.first <= self.seq + 1,
            Numbers::Previous => !is_old && update.prev == Some(self.seq),
        };
        if !follows && is_old {
            let most = u32::try_from(rules.sync_buffer).unwrap_or(u32::MAX);
            return match rules.numbers {
                Numbers::Next { restart } if update.last < self.seq => {
                    let fate = self.drop_old(update, OLD_IN_A_ROW, Fate::Doubtful, tally);
                    if fate == Fate::Doubtful && restart.is_some() {
                        // Its count may be one that is about to begin.
                        self.kept.push(update.clone());
                    }
                    fate
                }
                Numbers::Next { .. } => self.drop_old(update, OLD_IN_A_ROW, Fate::Nothing, tally),
                _ => self.drop_old(update, most, Fate::Nothing, tally),
            };
        }
        if !follows {
            tally.note(Kind::Gap);
            self.counts.gaps += 1;
            return self.fail(Cause::SequenceGap);
        }
        if update.first <= self.seq && rules.numbers == Numbers::Span {
            tally.note(Kind::Straddling);
        }
        tally.note(Kind::DeltaInSequence);
        self.kept.clear();
        for level in &update.bids {
            self.bids.set(level.price, level.qty);
        }
        for level in &update.asks {
            self.asks.set(level.price, level.qty);
        }
        self.cut(tally);
        self.old_in_a_row.clear();
        self.seq = if update.last > 0 {
            update.last
        } else {
            self.seq + 1
        };
        let (price, qty) = decimals(update);
        if price > self.decimals.0 || qty > self.decimals.1 {
            tally.note(Kind::TickChange);
        }
        self.decimals = (self.decimals.0.max(price), self.decimals.1.max(qty));
        if !self.is_proved(update, rules) {
            tally.note(Kind::ChecksumWrong);
            return self.fail(Cause::ChecksumMismatch);
        }
        self.conclude(tally)
    }

    fn drop_old(&mut self, update: &Update, most: u32, fate: Fate, tally: &mut Tally) -> Fate {
        tally.note(if update.last == self.seq {
            Kind::Duplicate
        } else {
            Kind::Old
        });
        self.counts.old += 1;
        self.old_in_a_row.push(update.last);
        if u32::try_from(self.old_in_a_row.len()).is_ok_and(|old| old < most) {
            return fate;
        }
        tally.note(Kind::Recount);
        self.counts.gaps += 1;
        self.fail(Cause::SequenceGap)
    }

    /// Cuts the book to what the venue keeps of it.
    fn cut(&mut self, tally: &mut Tally) {
        let Some(window) = self.window else { return };
        if self.bids.levels.len() > window || self.asks.levels.len() > window {
            tally.note(Kind::Truncated);
        }
        self.bids.levels.truncate(window);
        self.asks.levels.truncate(window);
    }

    fn is_proved(&mut self, update: &Update, rules: &Rules) -> bool {
        let (Some(levels), Some(expected)) = (rules.checksum, update.checksum) else {
            return true;
        };
        let is = checksum(&self.asks.levels, &self.bids.levels, levels, self.decimals);
        self.counts.checksum_failures += u64::from(is != expected);
        is == expected
    }

    /// The book is whole and in sequence: live, unless it is crossed.
    fn conclude(&mut self, tally: &mut Tally) -> Fate {
        let was_crossed = self.state == State::Crossed;
        if is_crossed(&self.bids, &self.asks) {
            (self.state, self.cause) = (State::Crossed, Cause::CrossedBook);
            if was_crossed {
                return Fate::Nothing;
            }
            tally.note(Kind::Crossed);
            return Fate::Withdrawn;
        }
        if was_crossed {
            tally.note(Kind::Uncrossed);
        }
        (self.state, self.cause) = (State::Live, Cause::Image);
        Fate::Shown
    }
}

/// Whether a delta can be kept for its snapshot: its number must tell which of the two is older.
const fn is_kept(rules: &Rules) -> bool {
    !matches!(rules.numbers, Numbers::None | Numbers::Connection)
}

/// What is special about an update's levels.
fn note_levels(update: &Update, book: &Book, rules: &Rules, tally: &mut Tally) {
    let is_delta = update.shape == Shape::Delta;
    for (side, levels) in [(&book.bids, &update.bids), (&book.asks, &update.asks)] {
        for (at, level) in levels.iter().enumerate() {
            let is_known = side.has(level.price);
            match (level.qty == 0, is_delta) {
                (true, false) => tally.note(Kind::ZeroSize),
                (true, true) if !is_known => tally.note(Kind::DeleteUnknown),
                _ => {}
            }
            if is_known && level.price_decimals != rules.price_decimals {
                tally.note(Kind::Respelled);
            }
            if levels[..at].iter().any(|other| other.price == level.price) {
                tally.note(Kind::LevelTwice);
            }
        }
    }
}
