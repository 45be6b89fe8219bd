//! One book of a listener: its state machine, and what its own silence calls for.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "sums of times saturate, and counts of messages do not reach 2^64"
)]

use crate::{
    clock::{Nanos, Now, UtcNanos},
    feed::{Budget, Heard},
    market::{
        BookEvent, BookRules, BookState, BookSync, BookUpdate, Cause, Depth, Outcome, Symbol,
        UpdateKind, Venue,
    },
};

use super::Emit;

/// How often in a row a book is asked for again in vain before the whole connection is made anew;
/// and how often at once, before it has to wait for its turn.
const RENEWALS: u32 = 3;
/// How long a first refusal is left at that, at the most.
const FIRST_REFUSED: Nanos = Nanos::from_secs(10);

/// What is told of a book.
#[derive(Clone, Copy, Debug)]
pub(super) struct Telling {
    pub(super) venue: Venue,
    /// So many levels a side.
    pub(super) depth: usize,
    /// Nothing that was told before.
    pub(super) only_changes: bool,
}

/// What was told of a book last.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    state: BookState,
    cause: Cause,
    epoch: u32,
    depth: Depth,
}

/// One book of a [`BookListener`](super::BookListener).
#[derive(Debug)]
pub struct TrackedBook {
    /// The unified symbol.
    pub symbol: Symbol,
    /// The venue's own spelling.
    pub native_symbol: Symbol,
    /// The book and its state.
    pub sync: BookSync,
    ts_venue: Option<UtcNanos>,
    ts_recv: UtcNanos,
    /// When an update of its own last arrived, or it was last asked for.
    pub(super) touched: Nanos,
    /// When its present state began.
    since: Nanos,
    /// Since when an update of its own may be missing: one that could not be understood, or what has
    /// come since is older than the book.
    doubted: Option<(Nanos, Cause)>,
    renewals: u32,
    /// How often in a row it was refused.
    refusals: u32,
    /// A book that fails as soon as it comes must not be asked for as fast as the venue answers.
    asks: Budget,
    /// How far from the top the book has changed since it was told, or compared with it.
    reached: usize,
    /// Kept only where nothing is told twice.
    told: Option<Told>,
}

impl TrackedBook {
    pub(super) fn new(symbol: Symbol, native_symbol: Symbol, rules: BookRules) -> Self {
        Self {
            symbol,
            native_symbol,
            sync: BookSync::new(rules),
            ts_venue: None,
            ts_recv: UtcNanos(0),
            touched: Nanos(0),
            since: Nanos(0),
            doubted: None,
            renewals: 0,
            refusals: 0,
            asks: Budget::new(RENEWALS, rules.sync_within),
            reached: 0,
            told: None,
        }
    }

    /// Emits the book as it is, unless that was told before and is not to be told twice.
    #[inline]
    pub(super) fn tell(&mut self, telling: &Telling, emit: Emit<'_>) {
        if telling.only_changes {
            if !self.is_news(telling.depth) {
                return;
            }
            self.note_told(telling.depth);
        }
        emit(self.event(telling));
    }

    /// Whether state, cause, epoch or levels differ from those that were told last. The sequence and
    /// the time stamps do not count.
    #[inline]
    fn is_news(&mut self, depth: usize) -> bool {
        let Some(told) = &self.told else {
            return true;
        };
        let sync = &self.sync;
        if (told.state, told.cause, told.epoch) != (sync.state(), sync.cause(), sync.epoch()) {
            return true;
        }
        let is_close = std::mem::replace(&mut self.reached, usize::MAX) < depth;
        is_close && told.state == BookState::Live && !sync.shows(&told.depth, depth)
    }

    fn note_told(&mut self, depth: usize) {
        let told = self.told.get_or_insert_default();
        (told.state, told.cause) = (self.sync.state(), self.sync.cause());
        told.epoch = self.sync.epoch();
        if told.state == BookState::Live {
            told.depth = self.sync.depth(depth);
        }
        self.reached = usize::MAX;
    }

    #[inline]
    fn event(&self, telling: &Telling) -> BookEvent {
        let state = self.sync.state();
        BookEvent {
            venue: telling.venue,
            symbol: self.symbol,
            native_symbol: self.native_symbol,
            epoch: self.sync.epoch(),
            seq: self.sync.seq(),
            state,
            cause: self.sync.cause(),
            ts_venue: self.ts_venue,
            ts_recv: self.ts_recv,
            depth: match (state, &self.told) {
                (BookState::Live, Some(told)) => told.depth,
                (BookState::Live, None) => self.sync.depth(telling.depth),
                _ => Depth::default(),
            },
        }
    }

    pub(super) const fn changed_at(&mut self, now: Nanos) {
        (self.since, self.touched, self.doubted) = (now, now, None);
    }

    /// What decides when something is to be done about it: its state, and whether it is doubted.
    #[inline]
    pub(super) const fn urgency(&self) -> (BookState, bool) {
        (self.sync.state(), self.doubted.is_some())
    }

    /// A message was under way for so long, and this book's own had to wait behind it.
    pub(super) fn excuse(&mut self, since: Nanos, now: Nanos) {
        if self.sync.state() != BookState::Live {
            for from in [&mut self.touched, &mut self.since] {
                *from = *from + (now - since.max(*from));
            }
        }
    }

    /// When something is to be done about this book's own silence.
    pub(super) fn deadline(&self, rules: &BookRules) -> Option<Nanos> {
        match self.sync.state() {
            BookState::Live => {
                let own = (!rules.heartbeats_count).then_some(rules.stale_after);
                let quiet = own.or(rules.renew_after).map(|after| self.touched + after);
                let doubt = self.doubted.map(|(at, _)| at + rules.stale_after);
                [quiet, doubt].into_iter().flatten().min()
            }
            BookState::Stale | BookState::Syncing | BookState::Gap => {
                Some(self.touched + rules.sync_within)
            }
            BookState::Crossed => Some(self.since + rules.stale_after),
            BookState::Closed => Some(self.touched + self.refused_wait(rules)),
            _ => None,
        }
    }

    /// The venue refuses the book. True when that is news.
    pub(super) fn refuse(&mut self, now: Nanos) -> bool {
        let is_news = self.sync.reset(BookState::Closed, Cause::Refused);
        if is_news {
            self.refusals = self.refusals.saturating_add(1);
            self.changed_at(now);
        }
        is_news
    }

    /// How long a refusal is left at that.
    fn refused_wait(&self, rules: &BookRules) -> Nanos {
        let doubled = 1_u64.checked_shl(self.refusals.saturating_sub(1));
        let first = rules.sync_within.min(FIRST_REFUSED);
        let wait = doubled.and_then(|times| first.0.checked_mul(times));
        Nanos(wait.unwrap_or(u64::MAX)).min(rules.refused_again)
    }

    /// Judges an update; true when the book must be asked for again, now.
    #[inline]
    pub(super) fn take(
        &mut self,
        update: &BookUpdate,
        now: Now,
        telling: &Telling,
        emit: Emit<'_>,
    ) -> bool {
        let before = self.sync.state();
        let image = (before, self.sync.epoch(), self.sync.seq());
        let outcome = self.sync.apply(update);
        self.reached = self.reached.min(self.sync.reached());
        if outcome == Outcome::Old && before == BookState::Live {
            self.doubted.get_or_insert((now.mono, Cause::SequenceGap));
        }
        if matches!(outcome, Outcome::Ignored | Outcome::Old) {
            return false;
        }
        let proved = (BookState::Live, self.sync.epoch(), self.sync.seq());
        // Of several changes in one message the later ones have its number too.
        let is_whole = update.kind == UpdateKind::Image;
        if is_whole && outcome == Outcome::Live && image == proved {
            // The same once more: a sign of life, and no news.
            (self.touched, self.doubted) = (now.mono, None);
            return false;
        }
        self.ts_venue = update.ts_venue;
        self.ts_recv = now.utc;
        self.doubted = None;
        if self.sync.state() != before {
            self.since = now.mono;
        }
        let renew = outcome == Outcome::Renew && self.asks.take(now.mono);
        // A book that goes on failing waits for its turn from when it was last asked for.
        if outcome == Outcome::Live || self.sync.state() != before || renew {
            self.touched = now.mono;
        }
        if outcome == Outcome::Live {
            (self.renewals, self.refusals) = (0, 0);
        }
        self.tell(telling, emit);
        renew
    }

    /// A message was not understood that may have been this book's. True when the book has been
    /// withdrawn, because what follows would not show that it is missing.
    pub(super) fn doubt(&mut self, depth: usize, now: Nanos) -> bool {
        if self.sync.state() != BookState::Live {
            return false;
        }
        if self.sync.shows_loss(depth) {
            self.doubted.get_or_insert((now, Cause::BadMessages));
            return false;
        }
        self.sync.reset(BookState::Gap, Cause::BadMessages);
        self.changed_at(now);
        true
    }

    /// Nothing was heard of the book in time: withdraw it and ask again; in the end on a new
    /// connection, unless others on this one are well.
    pub(super) fn overdue(&mut self, rules: &BookRules, now: Nanos, others: bool) -> Heard {
        let state = self.sync.state();
        match state {
            BookState::Live => match self.doubted {
                Some((at, cause)) if at + rules.stale_after <= now => {
                    self.sync.reset(BookState::Gap, cause);
                }
                _ => {
                    self.sync.silent();
                }
            },
            BookState::Crossed => {
                self.sync.reset(BookState::Gap, Cause::CrossedBook);
            }
            BookState::Closed => {
                // The venue may refuse it for ever: no reason to disturb the other books.
                self.sync.reset(BookState::Syncing, Cause::Subscribed);
                self.changed_at(now);
                return Heard::Renew(self.native_symbol);
            }
            _ => self.sync.begin_anew(),
        }
        self.changed_at(now);
        self.renewals += 1;
        let in_vain = state == BookState::Stale || self.renewals > RENEWALS;
        if in_vain && !others {
            self.renewals = 0;
            return Heard::Reconnect(Cause::Silent);
        }
        Heard::Renew(self.native_symbol)
    }
}
