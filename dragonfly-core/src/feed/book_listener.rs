//! Layer 3 for books: a decoder held to its venue's rules.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "sums of times saturate, and counts of messages do not reach 2^64"
)]

mod early;
mod judge;
mod tracked;

use std::collections::{HashMap, VecDeque};

use early::Early;
use judge::{Count, Judge};
use tracked::Telling;
pub use tracked::TrackedBook;

use super::{Decoded, Decoder, FeedError, Heard, Link, Listener};
use crate::{
    clock::{Nanos, Now},
    market::{
        BookEvent, BookRules, BookState, BookUpdate, Cause, MAX_DEPTH, NameHash, SequenceRule,
        Symbol, SyncStats, UpdateKind, Venue,
    },
};

/// What has happened to a book since the feed began.
pub type BookStats = SyncStats;

/// Turns the messages of one venue's connection into [`BookEvent`]s.
///
/// The decoder says what a message contains; this holds it to the venue's [`BookRules`]: sequence,
/// checksum, crossed books, silence, and what to ask for again.
#[derive(Debug)]
pub struct BookListener<D> {
    telling: Telling,
    decoder: D,
    rules: BookRules,
    books: Vec<TrackedBook>,
    index: HashMap<Symbol, usize, NameHash>,
    discover: Option<fn(&str) -> Symbol>,
    update: BookUpdate,
    early: Early,
    count: Count,
    /// Books to be asked for again, now.
    wanted: VecDeque<Symbol>,
    /// When anything at all last arrived on the connection; `None` while it is down.
    heard: Option<Nanos>,
    bad_in_a_row: u32,
    deadline: Option<Nanos>,
}

impl<D: Decoder> BookListener<D> {
    /// Listens to the books of `symbols` (unified and native) at `venue` and emits their best
    /// `depth` levels, at most [`MAX_DEPTH`].
    pub fn new(
        venue: Venue,
        decoder: D,
        rules: BookRules,
        depth: usize,
        symbols: impl IntoIterator<Item = (Symbol, Symbol)>,
    ) -> Self {
        let depth = depth.clamp(1, MAX_DEPTH);
        let mut listener = Self {
            telling: Telling {
                venue,
                depth,
                only_changes: false,
            },
            decoder,
            rules,
            books: Vec::new(),
            index: HashMap::default(),
            discover: None,
            update: BookUpdate {
                wanted: depth,
                ..BookUpdate::default()
            },
            early: Early::default(),
            count: Count::default(),
            wanted: VecDeque::new(),
            heard: None,
            bad_in_a_row: 0,
            deadline: None,
        };
        for (symbol, native) in symbols {
            listener.track(symbol, native);
        }
        listener
    }

    /// Also follows books that were not named beforehand; `unify` gives the unified symbol of a
    /// native one. For recordings; on a live connection an unexpected symbol is an error.
    #[must_use]
    pub fn discover(mut self, unify: fn(&str) -> Symbol) -> Self {
        self.discover = Some(unify);
        self
    }

    /// Emits an event only when the book's state, its cause, its epoch or the best levels differ from
    /// those of its last event, whose sequence and time stamps then hold for them.
    ///
    /// The same as a decorator that compares events, but found out before there is an event: an
    /// update that changes nothing near the top costs next to nothing.
    #[must_use]
    pub const fn only_changes(mut self) -> Self {
        self.telling.only_changes = true;
        self
    }

    /// The books, in the order in which they were named or found.
    pub fn books(&self) -> &[TrackedBook] {
        &self.books
    }

    fn track(&mut self, symbol: Symbol, native_symbol: Symbol) {
        if self.index.contains_key(&native_symbol) {
            // The venue sends the book once, and a second one would wait for it for ever.
            return;
        }
        self.index.insert(native_symbol, self.books.len());
        self.books
            .push(TrackedBook::new(symbol, native_symbol, self.rules));
    }

    /// Withdraws every book that is not closed.
    fn withdraw(&mut self, state: BookState, cause: Cause, now: Now, emit: Emit<'_>) {
        for book in &mut self.books {
            let closed = book.sync.state() == BookState::Closed && state != BookState::Syncing;
            if !closed && book.sync.reset(state, cause) {
                book.changed_at(now.mono);
                book.tell(&self.telling, emit);
            }
            book.touched = now.mono;
        }
    }

    fn reschedule(&mut self) {
        let rules = &self.rules;
        let is_whole = self.early.under_way.is_none();
        let is_live = |book: &&TrackedBook| book.sync.state() == BookState::Live;
        let mut books = self.books.iter().filter(|book| is_whole || is_live(book));
        let own = books.clone().filter_map(|book| book.deadline(rules)).min();
        // Withdrawn is what is live; while a message grows the connection may stay.
        let heard = self.heard.filter(|_| books.any(|book| is_live(&book)));
        let silence = heard
            .or_else(|| self.last_sign())
            .map(|at| at + rules.stale_after);
        let due = own.into_iter().chain(silence).min();
        self.deadline = self.heard.and(due);
    }

    /// When there last was a sign that the connection works.
    fn last_sign(&self) -> Option<Nanos> {
        let grown = self.early.under_way.map(|message| message.grown);
        grown.or(self.heard)
    }

    /// Withdraws what was live: nothing has been heard for so long that it may be out of date.
    fn fall_silent(&mut self, now: Nanos, emit: Emit<'_>) {
        let books = self.books.iter_mut();
        for book in books.filter(|book| book.sync.state() == BookState::Live) {
            book.sync.silent();
            book.changed_at(now);
            book.tell(&self.telling, emit);
        }
    }

    fn on_bad_message(&mut self) -> bool {
        self.bad_in_a_row += 1;
        self.bad_in_a_row >= self.rules.bad_messages
    }
}

type Emit<'a> = &'a mut dyn FnMut(BookEvent);

impl<D: Decoder> Listener for BookListener<D> {
    type Event = BookEvent;

    fn on_message(
        &mut self,
        message: &mut [u8],
        now: Now,
        emit: Emit<'_>,
    ) -> Result<Heard, FeedError> {
        if self.heard.replace(now.mono).is_none() {
            self.reschedule();
        }
        let is_late = self.is_late(now.mono);
        let is_begun = self.end_parts(now.mono);
        let mut judge = Judge::new();
        // The decoder is lent apart from the books it feeds.
        let Self {
            telling,
            decoder,
            books,
            index,
            early,
            count,
            wanted,
            rules,
            discover,
            update,
            ..
        } = self;
        update.clear();
        let discover = *discover;
        let counted = rules.sequence == SequenceRule::Connection;
        let mut take = |update: &mut BookUpdate| {
            if counted && judge.out_of_order(count, update.connection_seq) {
                return;
            }
            if let Some(unify) = discover
                && find(books, index, &update.symbol).is_none()
            {
                index.insert(update.symbol, books.len());
                let symbol = unify(&update.symbol);
                books.push(TrackedBook::new(symbol, update.symbol, *rules));
            }
            match find(books, index, &update.symbol) {
                Some(book) => {
                    early.compare(book, update);
                    if is_late && update.kind == UpdateKind::Image {
                        // It was out of date before it was whole, and the next one is another.
                        return;
                    }
                    let before = book.urgency();
                    let renew = book.take(update, now, telling, emit);
                    if renew && !wanted.contains(&book.native_symbol) {
                        wanted.push_back(book.native_symbol);
                    }
                    if book.urgency() != before {
                        let due = book.deadline(rules).into_iter().chain(judge.due);
                        judge.due = due.min();
                    }
                }
                None => judge.error = Some(FeedError::UnknownSymbol(update.symbol.to_string())),
            }
        };
        let begun = if is_begun { decoder.early() } else { None };
        let decoder_ran = begun
            .and_then(|early| early.finish(message, update, &mut take))
            .unwrap_or_else(|| decoder.decode(message, update, &mut take));
        if let Ok(Decoded::Other {
            connection_seq: seq,
        }) = decoder_ran
        {
            if counted {
                judge.out_of_order(count, seq);
            }
            judge.heard = Heard::Control;
        }
        self.withdraw_unconfirmed(now, emit);
        self.conclude(decoder_ran, judge, now, emit)
    }

    fn early(&mut self) -> Option<usize> {
        self.decoder.early().map(|early| early.least())
    }

    fn on_part(&mut self, so_far: &[u8], now: Now, emit: Emit<'_>) {
        self.read_part(so_far, now, emit);
    }

    fn on_link(&mut self, link: Link, now: Now, emit: Emit<'_>) {
        if !matches!(link, Link::Refused(_)) {
            self.count = Count::default();
            self.early = Early::default();
            self.wanted.clear();
        }
        match link {
            Link::Started => {
                for book in &mut self.books {
                    book.changed_at(now.mono);
                    book.tell(&self.telling, emit);
                }
            }
            Link::Up => {
                self.heard = Some(now.mono);
                self.bad_in_a_row = 0;
                self.withdraw(BookState::Syncing, Cause::Subscribed, now, emit);
            }
            Link::Refused(symbol) => {
                for book in &mut self.books {
                    let meant = symbol.is_none_or(|s| s == book.native_symbol);
                    let live = book.sync.state() == BookState::Live;
                    let named = symbol.is_some();
                    if meant && (named || !live) && book.refuse(now.mono) {
                        book.tell(&self.telling, emit);
                    }
                }
            }
            Link::Down(cause) => {
                self.heard = None;
                self.withdraw(BookState::Down, cause, now, emit);
            }
        }
        self.reschedule();
    }

    fn on_alive(&mut self, now: Now) {
        // What comes between the fragments of a message proves nothing of what waits behind it.
        if self.heard.is_some() && self.early.under_way.is_none() {
            self.heard = Some(now.mono);
        }
    }

    fn wants(&self, native_symbol: Symbol) -> bool {
        let mut books = self.books.iter();
        let book = books.find(|book| book.native_symbol == native_symbol);
        book.is_some_and(|book| book.sync.state() != BookState::Live)
    }

    fn deadline(&self) -> Option<Nanos> {
        // What is wanted is overdue.
        let wanted = self.wanted.front().map(|_| Nanos(0));
        wanted.or(self.deadline)
    }

    fn on_deadline(&mut self, now: Now, emit: Emit<'_>) -> Option<Heard> {
        if let Some(wanted) = self.next_wanted() {
            return Some(wanted);
        }
        self.reschedule();
        if self.deadline.is_none_or(|due| due > now.mono) {
            return None;
        }
        let rules = self.rules;
        let silent = |at: Nanos| at + rules.stale_after <= now.mono;
        if self.heard.is_some_and(silent) {
            self.fall_silent(now.mono, emit);
            if self.last_sign().is_some_and(silent) {
                self.heard = None;
                self.reschedule();
                return Some(Heard::Reconnect(Cause::Silent));
            }
        }
        let is_whole = self.early.under_way.is_none();
        let due = |book: &&mut TrackedBook| book.deadline(&rules).is_some_and(|at| at <= now.mono);
        // What goes well on the same connection is not given up for one book that does not.
        let is_live = |book: &TrackedBook| book.sync.state() == BookState::Live;
        let live = self.books.iter().filter(|book| is_live(book)).count();
        // Nothing is asked for that can only come behind the message under way.
        let mut books = self.books.iter_mut();
        let book = books.find(|book| (is_whole || is_live(book)) && due(book));
        let Some(book) = book else {
            self.reschedule();
            return None;
        };
        let others = live - usize::from(book.sync.state() == BookState::Live);
        let heard = book.overdue(&rules, now.mono, others > 0);
        book.tell(&self.telling, emit);
        self.reschedule();
        Some(heard)
    }
}

#[inline]
fn find<'a>(
    books: &'a mut [TrackedBook],
    index: &HashMap<Symbol, usize, NameHash>,
    native: &Symbol,
) -> Option<&'a mut TrackedBook> {
    if let [only] = books {
        return (native.is_empty() || only.native_symbol == *native).then_some(only);
    }
    index.get(native).and_then(|at| books.get_mut(*at))
}

impl<D: Decoder> BookListener<D> {
    /// The next book to be asked for again. A message has one answer, but it may have failed several
    /// books, or one before it turned out to be bad: the deadline tells of the others at once.
    #[inline]
    fn next_wanted(&mut self) -> Option<Heard> {
        while let Some(symbol) = self.wanted.pop_front() {
            let book = find(&mut self.books, &self.index, &symbol);
            let is_failed = |book: &mut TrackedBook| book.sync.state() == BookState::Gap;
            if book.is_some_and(is_failed) {
                return Some(Heard::Renew(symbol));
            }
        }
        None
    }

    fn conclude(
        &mut self,
        decoded: Result<Decoded, FeedError>,
        judge: Judge,
        now: Now,
        emit: Emit<'_>,
    ) -> Result<Heard, FeedError> {
        // In its new state a book may be due before all that was due until now.
        if let (Some(until_now), Some(due)) = (self.deadline, judge.due) {
            self.deadline = Some(until_now.min(due));
        }
        if judge.lost {
            for book in self
                .books
                .iter_mut()
                .filter(|b| b.sync.state() != BookState::Closed)
            {
                if book.sync.lose() {
                    book.changed_at(now.mono);
                    book.tell(&self.telling, emit);
                }
            }
            self.reschedule();
            self.wanted.clear();
            return Ok(Heard::Reconnect(Cause::SequenceGap));
        }
        let error = match (decoded.err(), judge.error) {
            // A book nobody asked for is no sign of a broken stream.
            (None, Some(error)) => return Err(error),
            (error, _) => error,
        };
        let Some(error) = error else {
            if judge.heard == Heard::Control {
                return Ok(Heard::Control);
            }
            self.bad_in_a_row = 0;
            return Ok(self.next_wanted().unwrap_or(Heard::Data));
        };
        for book in &mut self.books {
            if book.doubt(self.telling.depth, now.mono) {
                book.tell(&self.telling, emit);
            }
        }
        self.reschedule();
        if self.on_bad_message() {
            self.bad_in_a_row = 0;
            self.wanted.clear();
            self.withdraw(BookState::Gap, Cause::BadMessages, now, emit);
            tracing::warn!(venue = %self.telling.venue, %error, "several messages in a row are bad");
            return Ok(Heard::Reconnect(Cause::BadMessages));
        }
        Err(error)
    }
}
