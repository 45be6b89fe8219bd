//! No more often than every so much time.

#![allow(clippy::arithmetic_side_effects, reason = "sums of times saturate")]

use dragonfly_core::{
    clock::{Nanos, Now},
    feed::{FeedError, Heard, Link, Listener},
    market::{BookEvent, BookState, Cause, Symbol},
};

use super::per_book::PerBook;

/// Lets at most one event per interval and book pass, and the newest of those held back as soon as
/// the interval is over.
///
/// A change of the book's state or of its cause passes at once and takes the place of what was held
/// back, which is older. Time is the one passed in with messages and deadlines.
#[derive(Debug)]
pub struct Throttle<L> {
    inner: L,
    gate: Gate,
}

impl<L> Throttle<L> {
    /// Decorates `inner`: at most one event of a book every `interval`.
    pub fn new(inner: L, interval: Nanos) -> Self {
        let gate = Gate {
            interval,
            books: PerBook::default(),
            due: None,
        };
        Self { inner, gate }
    }

    /// The listener inside.
    pub const fn inner(&self) -> &L {
        &self.inner
    }
}

#[derive(Debug)]
struct Gate {
    interval: Nanos,
    books: PerBook<Book>,
    /// When the first of those held back may pass, or earlier.
    due: Option<Nanos>,
}

#[derive(Debug)]
struct Book {
    state: (BookState, Cause),
    open_at: Nanos,
    held: Option<BookEvent>,
}

impl Gate {
    /// The event, if it may pass now; otherwise it is held back.
    fn pass(&mut self, event: BookEvent, now: Nanos) -> Option<BookEvent> {
        let open_at = now + self.interval;
        let state = (event.state, event.cause);
        let book = self.books.of(&event, || Book {
            state,
            // The first event finds it open.
            open_at: now,
            held: None,
        });
        if book.state == state && now < book.open_at {
            self.due = Some(self.due.map_or(book.open_at, |due| due.min(book.open_at)));
            book.held = Some(event);
            return None;
        }
        (book.state, book.open_at, book.held) = (state, open_at, None);
        Some(event)
    }

    fn release(&mut self, now: Nanos, emit: &mut dyn FnMut(BookEvent)) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        self.due = None;
        for book in self.books.values_mut() {
            if book.open_at > now {
                let waits = book.held.is_some().then_some(book.open_at);
                self.due = [self.due, waits].into_iter().flatten().min();
            } else if let Some(event) = book.held.take() {
                book.open_at = now + self.interval;
                emit(event);
            }
        }
    }
}

impl<L: Listener<Event = BookEvent>> Listener for Throttle<L> {
    type Event = BookEvent;

    fn on_message(
        &mut self,
        message: &mut [u8],
        now: Now,
        emit: &mut dyn FnMut(BookEvent),
    ) -> Result<Heard, FeedError> {
        let Self { inner, gate } = self;
        inner.on_message(message, now, &mut |event| {
            gate.pass(event, now.mono).into_iter().for_each(&mut *emit);
        })
    }

    fn early(&mut self) -> Option<usize> {
        self.inner.early()
    }

    fn on_part(&mut self, so_far: &[u8], now: Now, emit: &mut dyn FnMut(BookEvent)) {
        let Self { inner, gate } = self;
        inner.on_part(so_far, now, &mut |event| {
            gate.pass(event, now.mono).into_iter().for_each(&mut *emit);
        });
    }

    fn on_link(&mut self, link: Link, now: Now, emit: &mut dyn FnMut(BookEvent)) {
        let Self { inner, gate } = self;
        inner.on_link(link, now, &mut |event| {
            gate.pass(event, now.mono).into_iter().for_each(&mut *emit);
        });
    }

    fn on_alive(&mut self, now: Now) {
        self.inner.on_alive(now);
    }

    fn wants(&self, native_symbol: Symbol) -> bool {
        self.inner.wants(native_symbol)
    }

    fn deadline(&self) -> Option<Nanos> {
        let deadlines = [self.gate.due, self.inner.deadline()];
        deadlines.into_iter().flatten().min()
    }

    fn on_deadline(&mut self, now: Now, emit: &mut dyn FnMut(BookEvent)) -> Option<Heard> {
        // What is held back is older than anything that happens now.
        self.gate.release(now.mono, emit);
        let Self { inner, gate } = self;
        inner.on_deadline(now, &mut |event| {
            gate.pass(event, now.mono).into_iter().for_each(&mut *emit);
        })
    }
}
