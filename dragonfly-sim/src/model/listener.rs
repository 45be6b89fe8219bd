//! What a listener makes of one connection: which books it tells of, what it asks for, and when
//! silence calls for something.

mod kept;
mod waiting;

use kept::Kept;

use super::{
    book::{Book, Cause, Fate, OLD_IN_A_ROW, State},
    kind::{Kind, Tally},
    setup::{Numbers, Rules},
    wire::{Shape, Update},
};

/// How often in a row a book is asked for in vain before the connection is made anew, and how often
/// at once.
const ASKS: u32 = 3;

/// An event: a book as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) venue: usize,
    pub(super) book: usize,
    pub(super) state: State,
    pub(super) cause: Cause,
    pub(super) epoch: u32,
    pub(super) seq: u64,
    pub(super) bids: Vec<(i128, i128)>,
    pub(super) asks: Vec<(i128, i128)>,
    /// The venue's time stamp, and when it came.
    pub(super) stamps: (Option<u64>, u64),
}

/// What a message or a deadline asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Data,
    Control,
    Renew(usize),
    Reconnect(Cause),
    /// It could not be understood.
    Bad,
}

/// What is known of a message while its updates are taken.
#[derive(Debug, Default)]
struct Said {
    /// A message before it is missing.
    is_lost: bool,
    /// Its number, once it is known to be the next.
    number: Option<u64>,
}

/// One connection of a venue.
#[derive(Clone, Debug)]
pub(super) struct Listener {
    venue: usize,
    pub(super) rules: Rules,
    books: Vec<Kept>,
    heard: Option<u64>,
    /// Since when a message is under way, and when it last grew.
    growing: Option<(u64, u64)>,
    /// The connection's count: the last number, how many old ones came in a row, the last of them.
    count: (Option<u64>, u32, Option<u64>),
    bad_in_a_row: u32,
    /// What it has told since somebody took it.
    pub(super) events: Vec<Told>,
}

impl Listener {
    pub(super) fn new(venue: usize, rules: Rules) -> Self {
        let mut listener = Self {
            venue,
            books: vec![Kept::new(); rules.books],
            rules,
            heard: None,
            growing: None,
            count: (None, 0, None),
            bad_in_a_row: 0,
            events: Vec::new(),
        };
        for at in 0..listener.books.len() {
            listener.tell(at);
        }
        listener
    }

    /// A book.
    pub(super) fn book(&self, at: usize) -> Option<&Book> {
        self.books.get(at).map(|kept| &kept.book)
    }

    pub(super) fn books(&self) -> impl Iterator<Item = &Book> {
        self.books.iter().map(|kept| &kept.book)
    }

    /// Tells of a book as it is, unless only news is wanted and it is none.
    fn tell(&mut self, at: usize) {
        let kept = &mut self.books[at];
        let book = &kept.book;
        let levels = |side: &[(i128, i128)]| match book.state {
            State::Live => side.iter().take(self.rules.depth).copied().collect(),
            _ => Vec::new(),
        };
        let now = Told {
            venue: self.venue,
            book: at,
            state: book.state,
            cause: book.cause,
            epoch: book.epoch,
            seq: book.seq,
            bids: levels(&book.bids.levels),
            asks: levels(&book.asks.levels),
            stamps: kept.stamps,
        };
        let is_same = kept.told.as_ref().is_some_and(|told| {
            let same =
                |a: &Told, b: &Told| (a.state, a.cause, a.epoch) == (b.state, b.cause, b.epoch);
            same(told, &now) && told.bids == now.bids && told.asks == now.asks
        });
        if self.rules.only_changes && is_same {
            return;
        }
        kept.told = Some(now.clone());
        self.events.push(now);
    }

    /// A new state has begun.
    fn begin(&mut self, at: usize, now: u64) {
        let kept = &mut self.books[at];
        (kept.since, kept.touched, kept.doubted) = (now, now, None);
    }

    /// Forgets a book and tells of it if that is news.
    fn forget(&mut self, at: usize, state: State, cause: Cause, now: u64) {
        if self.books[at].book.forget(state, cause) {
            self.begin(at, now);
            self.tell(at);
        }
    }

    fn forget_all(&mut self, state: State, cause: Cause, now: u64) {
        for at in 0..self.books.len() {
            if self.books[at].book.state != State::Closed || state == State::Syncing {
                self.forget(at, state, cause, now);
            }
            self.books[at].touched = now;
        }
    }

    /// The connection is up.
    pub(super) fn up(&mut self, now: u64, tally: &mut Tally) {
        tally.note(Kind::LinkUp);
        self.count = (None, 0, None);
        (self.heard, self.growing) = (Some(now), None);
        self.bad_in_a_row = 0;
        self.forget_all(State::Syncing, Cause::Subscribed, now);
    }

    /// The connection is gone.
    pub(super) fn down(&mut self, cause: Cause, now: u64, tally: &mut Tally) {
        tally.note(Kind::LinkDown);
        self.count = (None, 0, None);
        (self.heard, self.growing) = (None, None);
        self.forget_all(State::Down, cause, now);
    }

    /// The venue refuses a book, or whatever is not live.
    pub(super) fn refused(&mut self, book: Option<usize>, now: u64, tally: &mut Tally) {
        for at in 0..self.books.len() {
            let is_meant = match book {
                Some(book) => book == at,
                None => self.books[at].book.state != State::Live,
            };
            if is_meant {
                tally.note(if book.is_some() {
                    Kind::Refused
                } else {
                    Kind::RefusedAll
                });
                let is_closed = self.books[at].book.state == State::Closed;
                self.books[at].refusals += u32::from(!is_closed);
                self.forget(at, State::Closed, Cause::Refused, now);
            }
        }
    }

    /// A sign of life.
    pub(super) const fn alive(&mut self, now: u64) {
        if self.heard.is_some() && self.growing.is_none() {
            self.heard = Some(now);
        }
    }

    /// A message that is no market data.
    pub(super) fn heartbeat(&mut self, count: Option<u64>, now: u64, tally: &mut Tally) -> Answer {
        self.whole(now);
        if self.rules.numbers == Numbers::Connection
            && self.skips(count, &mut Said::default(), tally).1
        {
            return self.lost(now);
        }
        Answer::Control
    }

    /// A message with updates, or with nothing that can be understood: each book that fails in it is
    /// asked for at once, unless the connection is given up.
    pub(super) fn message(
        &mut self,
        updates: &[Update],
        is_broken: bool,
        now: u64,
        tally: &mut Tally,
    ) -> Vec<Answer> {
        let is_late = self.is_late(now);
        self.whole(now);
        let (mut failed, mut has_stranger, mut said) = (Vec::new(), false, Said::default());
        for update in updates {
            if self.rules.numbers == Numbers::Connection
                && self.skips(update.count, &mut said, tally).0
            {
                continue;
            }
            if update.book >= self.books.len() {
                tally.note(Kind::UnknownSymbol);
                has_stranger = true;
            } else if is_late && update.shape == Shape::Image {
                tally.note(Kind::LateImage);
            } else if self.take(update, now, tally) && !failed.contains(&update.book) {
                failed.push(update.book);
            }
        }
        if said.is_lost {
            return vec![self.lost(now)];
        }
        let mut answers = Vec::new();
        if is_broken {
            let answer = self.bad(now, tally);
            answers.push(answer);
            if answer != Answer::Bad {
                return answers;
            }
        } else if has_stranger {
            answers.push(Answer::Bad);
        } else {
            self.bad_in_a_row = 0;
        }
        // One that has come whole in the meantime need not be asked for.
        failed.retain(|book| self.books[*book].book.state == State::Gap);
        if failed.len() > 1 || !answers.is_empty() && !failed.is_empty() {
            tally.note(Kind::FailedTogether);
        }
        answers.extend(failed.into_iter().map(Answer::Renew));
        if answers.is_empty() {
            answers.push(Answer::Data);
        }
        answers
    }

    /// Whether a message of this number is not to be applied, and whether one before it is missing.
    fn skips(&mut self, count: Option<u64>, said: &mut Said, tally: &mut Tally) -> (bool, bool) {
        let Some(number) = count else {
            return (said.is_lost, said.is_lost);
        };
        let (last, old, late) = &mut self.count;
        match *last {
            Some(known) if number > known + 1 => {
                tally.note(Kind::CountGap);
                said.is_lost = true;
                (true, true)
            }
            Some(_) if said.number == Some(number) => (said.is_lost, said.is_lost),
            Some(known) if number <= known && late.is_some_and(|late| late < number) => {
                tally.note(Kind::CountRestart);
                said.is_lost = true;
                (true, true)
            }
            Some(known) if number <= known => {
                tally.note(Kind::CountBack);
                *old += 1;
                *late = Some(number);
                said.is_lost |= *old >= OLD_IN_A_ROW;
                (true, said.is_lost)
            }
            _ => {
                self.count = (Some(number), 0, None);
                said.number = Some(number);
                (said.is_lost, said.is_lost)
            }
        }
    }

    fn lost(&mut self, now: u64) -> Answer {
        for at in 0..self.books.len() {
            if self.books[at].book.state != State::Closed {
                self.books[at].book.counts.gaps += 1;
                self.forget(at, State::Gap, Cause::SequenceGap, now);
            }
        }
        Answer::Reconnect(Cause::SequenceGap)
    }

    fn bad(&mut self, now: u64, tally: &mut Tally) -> Answer {
        tally.note(Kind::BadMessage);
        for at in 0..self.books.len() {
            if self.books[at].book.state != State::Live {
                continue;
            }
            if self.books[at].book.would_show_loss(&self.rules) {
                let doubt = (now, Cause::BadMessages);
                self.books[at].doubted.get_or_insert(doubt);
            } else {
                self.forget(at, State::Gap, Cause::BadMessages, now);
            }
        }
        self.bad_in_a_row += 1;
        if self.bad_in_a_row < self.rules.bad_messages {
            return Answer::Bad;
        }
        tally.note(Kind::BadInARow);
        self.bad_in_a_row = 0;
        self.forget_all(State::Gap, Cause::BadMessages, now);
        Answer::Reconnect(Cause::BadMessages)
    }

    /// Takes an update; true when its book must be asked for again, now.
    fn take(&mut self, update: &Update, now: u64, tally: &mut Tally) -> bool {
        let kept = &mut self.books[update.book];
        let before = (kept.book.state, kept.book.epoch, kept.book.seq);
        let fate = kept.book.take(update, &self.rules, tally);
        let after = (kept.book.state, kept.book.epoch, kept.book.seq);
        if fate == Fate::Doubtful && before.0 == State::Live {
            kept.doubted.get_or_insert((now, Cause::SequenceGap));
        }
        if matches!(fate, Fate::Nothing | Fate::Doubtful) {
            return false;
        }
        kept.doubted = None;
        if fate == Fate::Shown && after == before && update.shape == Shape::Image {
            kept.touched = now;
            return false;
        }
        kept.stamps = (update.ts, now);
        if after.0 != before.0 {
            (kept.since, kept.touched) = (now, now);
        }
        if fate == Fate::Shown {
            (kept.in_vain, kept.refusals, kept.touched) = (0, 0, now);
            kept.note_size(&self.rules, tally);
        }
        let asks = fate == Fate::Renew && self.may_ask(update.book, now, tally);
        if asks {
            self.books[update.book].touched = now;
        }
        self.tell(update.book);
        asks
    }

    /// Whether a book may be asked for now: so many times at once, and once more every `sync_within`.
    fn may_ask(&mut self, at: usize, now: u64, tally: &mut Tally) -> bool {
        let kept = &mut self.books[at];
        let every = self.rules.sync_within;
        if kept.rested_at > now + u64::from(ASKS - 1) * every {
            tally.note(Kind::AskHeldBack);
            return false;
        }
        kept.rested_at = kept.rested_at.max(now) + every;
        true
    }

    /// When something is to be done about a book.
    fn book_due(&self, kept: &Kept) -> Option<u64> {
        let rules = &self.rules;
        match kept.book.state {
            State::Live => {
                let quiet = match rules.heartbeats_count {
                    false => Some(rules.stale_after),
                    true => rules.renew_after,
                };
                let doubt = kept.doubted.map(|(at, _)| at + rules.stale_after);
                quiet
                    .map(|after| kept.touched + after)
                    .into_iter()
                    .chain(doubt)
                    .min()
            }
            State::Crossed => Some(kept.since + rules.stale_after),
            State::Closed => {
                // Twice as long after each refusal, up to a limit.
                let times = 2_u64.saturating_pow(kept.refusals - 1);
                let first = rules.sync_within.min(10_000_000_000);
                let wait = first.saturating_mul(times);
                Some(kept.touched + wait.min(rules.refused_again))
            }
            State::Syncing | State::Gap | State::Stale => Some(kept.touched + rules.sync_within),
            State::Empty | State::Down => None,
        }
    }

    fn fall_silent(&mut self, at: usize) {
        let book = &mut self.books[at].book;
        (book.state, book.cause) = (State::Stale, Cause::Silent);
    }

    fn overdue(&mut self, at: usize, now: u64, tally: &mut Tally) -> Answer {
        let is_live = |other: usize| self.books[other].book.state == State::Live;
        let others_live = (0..self.books.len()).any(|other| other != at && is_live(other));
        let kept = &mut self.books[at];
        let state = kept.book.state;
        let old = now.checked_sub(self.rules.stale_after);
        let doubt = kept.doubted.filter(|doubt| Some(doubt.0) <= old);
        match (state, doubt) {
            (State::Live, Some((_, cause))) => {
                tally.note(Kind::DoubtOverdue);
                kept.book.forget(State::Gap, cause);
            }
            (State::Live, None) => {
                tally.note(Kind::StaleBook);
                self.fall_silent(at);
            }
            (State::Crossed, _) => {
                tally.note(Kind::CrossedOverdue);
                kept.book.forget(State::Gap, Cause::CrossedBook);
            }
            (State::Closed, _) => {
                tally.note(Kind::AskedAgain);
                kept.book.forget(State::Syncing, Cause::Subscribed);
                self.begin(at, now);
                return Answer::Renew(at);
            }
            _ => {
                tally.note(Kind::SyncOverdue);
                kept.book.trust();
            }
        }
        self.begin(at, now);
        let kept = &mut self.books[at];
        kept.in_vain += 1;
        if (state == State::Stale || kept.in_vain > ASKS) && !others_live {
            kept.in_vain = 0;
            return Answer::Reconnect(Cause::Silent);
        }
        Answer::Renew(at)
    }
}
