//! Only what changed.

use dragonfly_core::{
    clock::{Nanos, Now},
    feed::{FeedError, Heard, Link, Listener},
    market::{BookEvent, Symbol},
};

use super::per_book::PerBook;

/// Lets an event pass only when the book's state, its epoch or its levels differ from those of the
/// last event that passed.
///
/// It compares levels and not whole events, which differ by their time stamps and sequence numbers;
/// so behind it those are of the last change, not of the last message. Around a
/// [`BookListener`](dragonfly_core::feed::BookListener) there is a cheaper way:
/// [`only_changes`](dragonfly_core::feed::BookListener::only_changes).
#[derive(Debug)]
pub struct Changed<L> {
    inner: L,
    passed: PerBook<BookEvent>,
}

impl<L> Changed<L> {
    /// Decorates `inner`.
    pub fn new(inner: L) -> Self {
        let passed = PerBook::default();
        Self { inner, passed }
    }

    /// The listener inside.
    pub const fn inner(&self) -> &L {
        &self.inner
    }
}

/// Whether the event is news; if so, it is what the next one is compared with.
fn is_news(passed: &mut PerBook<BookEvent>, event: &BookEvent) -> bool {
    let known = passed.of(event, || BookEvent {
        // No event looks like this, so that the first one is news.
        epoch: u32::MAX,
        ..BookEvent::default()
    });
    let same = (known.state, known.cause, known.epoch) == (event.state, event.cause, event.epoch)
        && known.depth == event.depth;
    if !same {
        *known = *event;
    }
    !same
}

impl<L: Listener<Event = BookEvent>> Listener for Changed<L> {
    type Event = BookEvent;

    fn on_message(
        &mut self,
        message: &mut [u8],
        now: Now,
        emit: &mut dyn FnMut(BookEvent),
    ) -> Result<Heard, FeedError> {
        let Self { inner, passed } = self;
        inner.on_message(message, now, &mut |event| {
            if is_news(passed, &event) {
                emit(event);
            }
        })
    }

    fn early(&mut self) -> Option<usize> {
        self.inner.early()
    }

    fn on_part(&mut self, so_far: &[u8], now: Now, emit: &mut dyn FnMut(BookEvent)) {
        let Self { inner, passed } = self;
        inner.on_part(so_far, now, &mut |event| {
            if is_news(passed, &event) {
                emit(event);
            }
        });
    }

    fn on_link(&mut self, link: Link, now: Now, emit: &mut dyn FnMut(BookEvent)) {
        let Self { inner, passed } = self;
        inner.on_link(link, now, &mut |event| {
            if is_news(passed, &event) {
                emit(event);
            }
        });
    }

    fn on_alive(&mut self, now: Now) {
        self.inner.on_alive(now);
    }

    fn wants(&self, native_symbol: Symbol) -> bool {
        self.inner.wants(native_symbol)
    }

    fn deadline(&self) -> Option<Nanos> {
        self.inner.deadline()
    }

    fn on_deadline(&mut self, now: Now, emit: &mut dyn FnMut(BookEvent)) -> Option<Heard> {
        let Self { inner, passed } = self;
        inner.on_deadline(now, &mut |event| {
            if is_news(passed, &event) {
                emit(event);
            }
        })
    }
}
