//! The synchronisation state machine of one book: holds updates to the venue's rules and says what
//! became of the book.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "places are those of levels that are there, and counts of updates do not reach 2^64; tried by models and fuzz targets"
)]

mod outcome;

use std::collections::VecDeque;

pub use outcome::{Outcome, SyncStats};

use super::{
    Book, BookRules, BookState, BookUpdate, Cause, Depth, Ladder, Level, SequenceRule, UpdateKind,
};

/// How many out-of-date updates in a row mean that the venue's count has restarted.
const OLD_UPDATES: u32 = 16;

/// How many levels early deltas may have together: 32 MiB.
const EARLY_LEVELS: usize = 1 << 20;

/// One book with its state. No I/O and no clock.
#[derive(Debug)]
pub struct BookSync {
    rules: BookRules,
    state: BookState,
    cause: Cause,
    epoch: u32,
    last: u64,
    /// What `last` was before the book was forgotten: a leg that goes down goes back in nothing.
    newest: u64,
    book: Book,
    /// The image of a venue that sends nothing but images; those never enter `book`.
    image: Depth,
    is_image: bool,
    early: VecDeque<BookUpdate>,
    /// How many levels those have.
    early_levels: usize,
    decimals: (u8, u8),
    window: usize,
    old_in_a_row: u32,
    /// The highest number of those.
    newest_old: u64,
    /// After an image was withdrawn: older ones than this have been heard on the same connection.
    floor: u64,
    /// How far from the top the last update reached.
    reached: usize,
    stats: SyncStats,
}

impl BookSync {
    /// An empty book under `rules`.
    pub fn new(rules: BookRules) -> Self {
        Self {
            rules,
            state: BookState::Empty,
            cause: Cause::Started,
            epoch: 0,
            last: 0,
            newest: 0,
            book: Book::default(),
            image: Depth::default(),
            is_image: false,
            early: VecDeque::new(),
            early_levels: 0,
            decimals: (0, 0),
            window: usize::MAX,
            old_in_a_row: 0,
            newest_old: 0,
            floor: 0,
            reached: 0,
            stats: SyncStats::default(),
        }
    }

    /// Whether the book can be trusted.
    pub const fn state(&self) -> BookState {
        self.state
    }

    /// Why it is in that state.
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// Counts complete restarts.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The sequence of the newest update within the epoch; a count where the venue has none.
    pub const fn seq(&self) -> u64 {
        if self.last == 0 {
            self.newest
        } else {
            self.last
        }
    }

    /// Whether the updates that follow a lost one show that it is missing, or do without it, as far as
    /// the best `depth` levels are concerned.
    pub(crate) fn shows_loss(&self, depth: usize) -> bool {
        match self.rules.sequence {
            _ if self.is_image => true,
            SequenceRule::None => self.rules.checksum.is_some_and(|sum| depth <= sum.levels),
            SequenceRule::Increasing => false,
            _ => true,
        }
    }

    /// What has happened so far.
    pub const fn stats(&self) -> SyncStats {
        self.stats
    }

    /// The full book; empty for a venue that sends nothing but images.
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// The best `depth` levels, whatever the state.
    #[inline]
    pub fn depth(&self, depth: usize) -> Depth {
        if !self.is_image {
            return self.book.depth(depth);
        }
        let mut image = self.image;
        image.bids.truncate(depth);
        image.asks.truncate(depth);
        image
    }

    /// How far from the top the last update offered has reached, 0 for the best level: every better
    /// level is as it was before. [`usize::MAX`] when it changed no level at all.
    #[inline]
    pub const fn reached(&self) -> usize {
        self.reached
    }

    /// Whether `image` is the best `depth` levels, whatever the state.
    #[inline]
    pub fn shows(&self, image: &Depth, depth: usize) -> bool {
        if !self.is_image {
            return self.book.shows(image, depth);
        }
        let best = |side: &Ladder| side.len().min(depth);
        self.image.bids[..best(&self.image.bids)] == *image.bids
            && self.image.asks[..best(&self.image.asks)] == *image.asks
    }

    /// Forgets the book and enters `state`; true when state or cause are new.
    pub fn reset(&mut self, state: BookState, cause: Cause) -> bool {
        self.reached = 0;
        self.book.clear();
        self.image.bids.clear();
        self.image.asks.clear();
        self.early.clear();
        self.early_levels = 0;
        self.newest = self.seq();
        self.floor = if state == BookState::Gap && self.is_image {
            self.last.max(self.floor)
        } else {
            0
        };
        (self.last, self.old_in_a_row) = (0, 0);
        let changed = (self.state, self.cause) != (state, cause);
        (self.state, self.cause) = (state, cause);
        changed
    }

    /// A message of the book's connection is missing: withdraws the book. True when that is news.
    pub fn lose(&mut self) -> bool {
        self.stats.gaps += 1;
        self.reset(BookState::Gap, Cause::SequenceGap)
    }

    /// A book nothing was heard of for too long: not forgotten, for the next update in sequence
    /// proves it right. True when it was `Live` until now.
    pub fn silent(&mut self) -> bool {
        let was_live = self.state == BookState::Live;
        if was_live {
            (self.state, self.cause) = (BookState::Stale, Cause::Silent);
        }
        was_live
    }

    /// What was heard before is no measure any more: the next image is taken whatever its number.
    pub(crate) const fn begin_anew(&mut self) {
        self.floor = 0;
    }

    /// Takes an update.
    pub fn apply(&mut self, update: &BookUpdate) -> Outcome {
        self.stats.updates += 1;
        self.reached = usize::MAX;
        if matches!(self.state, BookState::Closed | BookState::Down) {
            return Outcome::Ignored;
        }
        if let Some(window) = update.window {
            self.window = window;
        }
        match update.kind {
            UpdateKind::Image => self.apply_image(update),
            UpdateKind::Snapshot => self.apply_snapshot(update),
            UpdateKind::Delta if self.restarts(update) => self.apply_snapshot(update),
            UpdateKind::Delta => self.apply_delta(update),
        }
    }

    fn restarts(&self, update: &BookUpdate) -> bool {
        matches!(self.rules.sequence, SequenceRule::Next { restart: Some(n) } if n == update.last)
    }

    fn apply_image(&mut self, update: &BookUpdate) -> Outcome {
        let numbered = self.rules.sequence == SequenceRule::Increasing;
        if numbered && (update.last < self.floor || self.last > 0 && update.last <= self.last) {
            return self.take_old_image(update);
        }
        let is_same =
            self.is_image && *update.bids == *self.image.bids && *update.asks == *self.image.asks;
        if !is_same
            && (!is_sorted(&update.bids, |a, b| a.price > b.price)
                || !is_sorted(&update.asks, |a, b| a.price < b.price))
        {
            return self.fail(Cause::BadMessages);
        }
        if self.last == 0 {
            self.epoch += 1;
            self.newest = 0;
        }
        self.old_in_a_row = 0;
        self.is_image = true;
        self.last = if numbered {
            update.last
        } else {
            self.last.saturating_add(1)
        };
        if !is_same {
            self.reached = 0;
            fill(&mut self.image.bids, &update.bids);
            fill(&mut self.image.asks, &update.asks);
        }
        self.settle(self.image.is_crossed())
    }

    /// The newest image once more proves that the book is still right; any other is out of date, as is
    /// one that is older than what was withdrawn.
    fn take_old_image(&mut self, update: &BookUpdate) -> Outcome {
        if self.last > 0 && update.last == self.last && self.repeats(update) {
            // Of a count that has restarted meanwhile it says nothing.
            return self.settle(self.image.is_crossed());
        }
        let outcome = self.take_old(update.last, OLD_UPDATES, Outcome::Old);
        if outcome == Outcome::Renew {
            // Of the new count nothing older than what it has already said.
            self.floor = self.newest_old;
        }
        outcome
    }

    /// Whether the image is the update's, as far down as both reach.
    pub(crate) fn repeats(&self, update: &BookUpdate) -> bool {
        let mut image = Depth::default();
        fill(&mut image.bids, &update.bids);
        fill(&mut image.asks, &update.asks);
        image == self.image
    }

    /// Drops the update of this number, which is out of date; when nothing else has come for so many updates, what
    /// is shown is out of date itself.
    fn take_old(&mut self, update: u64, limit: u32, meanwhile: Outcome) -> Outcome {
        self.stats.old += 1;
        self.newest_old = if self.old_in_a_row == 0 {
            update
        } else {
            self.newest_old.max(update)
        };
        self.old_in_a_row += 1;
        if self.old_in_a_row < limit {
            return meanwhile;
        }
        self.stats.gaps += 1;
        self.fail(Cause::SequenceGap)
    }

    fn apply_snapshot(&mut self, update: &BookUpdate) -> Outcome {
        let spans = matches!(
            self.rules.sequence,
            SequenceRule::Span | SequenceRule::Previous
        );
        if spans && self.last > 0 && update.last < self.last {
            self.stats.old += 1;
            return Outcome::Ignored;
        }
        let next = update.last.saturating_add(1);
        let has_come = self.last == next || self.early.iter().any(|early| early.last == next);
        if has_come && self.restarts(update) {
            // It overtook this restart, or it is of the count before: nobody can tell.
            self.stats.gaps += 1;
            return self.fail(Cause::SequenceGap);
        }
        self.reached = 0;
        self.book.replace(&update.bids, &update.asks);
        self.book.truncate(self.window);
        self.is_image = false;
        self.epoch += 1;
        (self.last, self.newest, self.old_in_a_row) = (update.last, update.last, 0);
        self.decimals = (update.price_decimals, update.qty_decimals);
        if !self.checksum_holds(update) {
            return self.fail(Cause::ChecksumMismatch);
        }
        if self.restarts(update) {
            // What was kept of the old count follows nothing any more.
            self.early.clear();
            self.early_levels = 0;
        }
        self.replay_early()
    }

    /// Applies the deltas that came before their snapshot.
    fn replay_early(&mut self) -> Outcome {
        let mut early = std::mem::take(&mut self.early);
        self.early_levels = 0;
        let before = self.state;
        let mut outcome = self.settle(self.book.is_crossed());
        for update in early.drain(..) {
            if update.last <= self.last {
                self.stats.old += 1;
                continue;
            }
            outcome = self.apply_in_sequence(&update);
            if outcome == Outcome::Renew {
                return outcome;
            }
        }
        self.early = early;
        // Of several crossed books in a row the first is news, and nobody has been told of it yet.
        match outcome {
            Outcome::Ignored if before != self.state => Outcome::Withdrawn,
            outcome => outcome,
        }
    }

    fn apply_delta(&mut self, update: &BookUpdate) -> Outcome {
        match self.state {
            BookState::Live | BookState::Stale | BookState::Crossed => {
                let outcome = self.apply_in_sequence(update);
                if outcome == Outcome::Renew && self.cause == Cause::SequenceGap {
                    // What is missing may be the snapshot that this delta follows.
                    self.keep_early(update);
                }
                outcome
            }
            BookState::Empty | BookState::Syncing | BookState::Gap => self.keep_early(update),
            _ => Outcome::Ignored,
        }
    }

    /// Keeps a delta for the snapshot that is on its way, where numbers tell which of the two is
    /// older.
    fn keep_early(&mut self, update: &BookUpdate) -> Outcome {
        if matches!(
            self.rules.sequence,
            SequenceRule::None | SequenceRule::Connection
        ) {
            return Outcome::Ignored;
        }
        self.early_levels += update.bids.len() + update.asks.len();
        if self.early.len() >= self.rules.sync_buffer || self.early_levels > EARLY_LEVELS {
            return self.fail(Cause::BufferOverflow);
        }
        self.early.push_back(update.clone());
        Outcome::Ignored
    }

    fn apply_in_sequence(&mut self, update: &BookUpdate) -> Outcome {
        match self.follows(update) {
            Follows::Yes => {}
            Follows::Old => return self.take_old_delta(update),
            Follows::Gap => {
                self.stats.gaps += 1;
                return self.fail(Cause::SequenceGap);
            }
        }
        if !self.early.is_empty() {
            // What was out of date is of the past, then.
            self.early.clear();
            self.early_levels = 0;
        }
        let reached = self.book.update(&update.bids, &update.asks);
        self.reached = self.reached.min(reached);
        if self.book.truncate(self.window) {
            self.reached = self.reached.min(self.window);
        }
        self.old_in_a_row = 0;
        self.last = if update.last == 0 {
            self.last.saturating_add(1)
        } else {
            update.last
        };
        self.decimals.0 = self.decimals.0.max(update.price_decimals);
        self.decimals.1 = self.decimals.1.max(update.qty_decimals);
        if !self.checksum_holds(update) {
            return self.fail(Cause::ChecksumMismatch);
        }
        self.settle(self.book.is_crossed())
    }

    /// Where the snapshot comes on a way of its own, it may be ahead of as many deltas as it may be
    /// behind.
    fn take_old_delta(&mut self, update: &BookUpdate) -> Outcome {
        let number = update.last;
        let SequenceRule::Next { restart } = self.rules.sequence else {
            let limit = u32::try_from(self.rules.sync_buffer).unwrap_or(u32::MAX);
            return self.take_old(number, limit, Outcome::Ignored);
        };
        if number == self.last {
            return self.take_old(number, OLD_UPDATES, Outcome::Ignored);
        }
        let outcome = self.take_old(number, OLD_UPDATES, Outcome::Old);
        if outcome == Outcome::Old && restart.is_some() {
            // It may have overtaken the restart that it follows.
            self.early_levels += update.bids.len() + update.asks.len();
            self.early.push_back(update.clone());
        }
        outcome
    }

    fn follows(&self, update: &BookUpdate) -> Follows {
        let (last, next) = (self.last, self.last.saturating_add(1));
        match self.rules.sequence {
            SequenceRule::None | SequenceRule::Connection => Follows::Yes,
            _ if update.last <= last => Follows::Old,
            SequenceRule::Increasing => Follows::Yes,
            SequenceRule::Next { .. } if update.last == next => Follows::Yes,
            SequenceRule::Span if update.first <= next => Follows::Yes,
            SequenceRule::Previous if update.prev == Some(last) => Follows::Yes,
            _ => Follows::Gap,
        }
    }

    fn checksum_holds(&mut self, update: &BookUpdate) -> bool {
        let (Some(rule), Some(expected)) = (self.rules.checksum, update.checksum) else {
            return true;
        };
        let holds = rule.of(&self.book, self.decimals.0, self.decimals.1) == expected;
        self.stats.checksum_failures += u64::from(!holds);
        holds
    }

    /// The book is complete and in sequence: `Live`, unless it is crossed.
    const fn settle(&mut self, crossed: bool) -> Outcome {
        if !crossed {
            (self.state, self.cause) = (BookState::Live, Cause::Image);
            return Outcome::Live;
        }
        let was_crossed = matches!(self.state, BookState::Crossed);
        (self.state, self.cause) = (BookState::Crossed, Cause::CrossedBook);
        if was_crossed {
            Outcome::Ignored
        } else {
            Outcome::Withdrawn
        }
    }

    /// Withdraws the book: nothing is applied to it until it has been asked for again.
    fn fail(&mut self, cause: Cause) -> Outcome {
        self.reset(BookState::Gap, cause);
        Outcome::Renew
    }
}

enum Follows {
    Yes,
    Old,
    Gap,
}

#[inline]
fn is_sorted(levels: &[Level], before: impl Fn(&Level, &Level) -> bool) -> bool {
    levels.windows(2).all(|pair| before(&pair[0], &pair[1]))
}

#[inline]
fn fill(ladder: &mut Ladder, levels: &[Level]) {
    ladder.clear();
    for level in levels.iter().filter(|level| !level.qty.is_zero()) {
        if !ladder.push(*level) {
            break;
        }
    }
}
