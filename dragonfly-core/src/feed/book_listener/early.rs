//! What a listener shows of a message that is not whole, and how it answers for it.

use super::{BookListener, Emit, TrackedBook, find};
use crate::{
    clock::{Nanos, Now},
    feed::Decoder,
    market::{BookState, BookSync, BookUpdate, Cause, Level, SequenceRule, Symbol, UpdateKind},
};

/// A message that is on its way, and what has been shown of it.
#[derive(Debug, Default)]
pub(super) struct Early {
    /// The message of which a part has come and the end has not.
    pub(super) under_way: Option<UnderWay>,
    shown: Option<Shown>,
}

/// When a part of a message first came, and when the last one did.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnderWay {
    since: Nanos,
    pub(super) grown: Nanos,
}

/// An image that went out before its message was whole.
#[derive(Debug)]
struct Shown {
    /// The native symbol of its book.
    symbol: Symbol,
    last: u64,
    /// Whether the whole message says the same.
    is_confirmed: bool,
}

impl Early {
    /// The whole message has an update of the book of which something has been shown.
    #[inline]
    pub(super) fn compare(&mut self, book: &TrackedBook, update: &BookUpdate) {
        if let Some(shown) = &mut self.shown
            && shown.symbol == book.native_symbol
        {
            shown.is_confirmed |= shown.last == update.last && book.sync.repeats(update);
        }
    }
}

impl<D: Decoder> BookListener<D> {
    /// Whether the message under way began so long ago that a whole book in it is out of date.
    pub(super) fn is_late(&self, now: Nanos) -> bool {
        let under_way = self.early.under_way;
        under_way.is_some_and(|message| message.since + self.rules.stale_after <= now)
    }

    /// A message is whole; true when parts of it came before. What could only come behind it has as
    /// much time left as before.
    pub(super) fn end_parts(&mut self, now: Nanos) -> bool {
        let Some(UnderWay { since, .. }) = self.early.under_way.take() else {
            return false;
        };
        for book in &mut self.books {
            book.excuse(since, now);
        }
        self.reschedule();
        true
    }

    /// Reads what has come of a message, and shows the image in it if nothing can speak against it
    /// but the rest of the message.
    pub(super) fn read_part(&mut self, so_far: &[u8], now: Now, emit: Emit<'_>) {
        let grown = now.mono;
        let before = self.early.under_way;
        let since = before.map_or(grown, |message| message.since);
        self.early.under_way = Some(UnderWay { since, grown });
        let is_silent = |heard| heard + self.rules.stale_after <= grown;
        let is_late = self.is_late(grown) || self.heard.is_none_or(is_silent);
        let was_shown = self.early.shown.is_some();
        let Self {
            telling,
            decoder,
            rules,
            books,
            index,
            early,
            update,
            ..
        } = self;
        update.clear();
        if let Some(decoder) = decoder.early() {
            if before.is_none() {
                decoder.begin();
            }
            decoder.part(so_far, update, &mut |update| {
                let Some(book) = find(books, index, &update.symbol) else {
                    return;
                };
                let numbered =
                    rules.sequence == SequenceRule::Increasing && rules.checksum.is_none();
                if !numbered || is_late || early.shown.is_some() || !is_sound(update, &book.sync) {
                    return;
                }
                let symbol = book.native_symbol;
                book.take(update, now, telling, emit);
                early.shown = Some(Shown {
                    symbol,
                    last: update.last,
                    is_confirmed: false,
                });
            });
        }
        if self.early.shown.is_some() != was_shown {
            self.reschedule();
        }
    }

    /// The message is whole, or was none: what has been shown of it and is not in it is withdrawn.
    pub(super) fn withdraw_unconfirmed(&mut self, now: Now, emit: Emit<'_>) {
        let Some(shown) = self.early.shown.take().filter(|shown| !shown.is_confirmed) else {
            return;
        };
        let telling = self.telling;
        let Some(book) = find(&mut self.books, &self.index, &shown.symbol) else {
            return;
        };
        // A newer image that the same message had proves itself.
        if book.sync.seq() == shown.last && book.sync.reset(BookState::Gap, Cause::BadMessages) {
            // Nor is its number one that the next image has to exceed.
            book.sync.begin_anew();
            book.changed_at(now.mono);
            book.tell(&telling, emit);
            tracing::warn!(venue = %telling.venue, symbol = %shown.symbol, "a message was not what its beginning showed");
        }
    }
}

/// Whether an image is new, complete and sorted: whatever is not is judged when it is whole.
fn is_sound(update: &BookUpdate, book: &BookSync) -> bool {
    let falls = |a: &Level, b: &Level| a.price > b.price;
    let rises = |a: &Level, b: &Level| a.price < b.price;
    let awaited = matches!(
        book.state(),
        BookState::Syncing | BookState::Live | BookState::Stale | BookState::Gap
    );
    let uncrossed = match (update.bids.first(), update.asks.first()) {
        (Some(bid), Some(ask)) => bid.price < ask.price,
        _ => false,
    };
    let present = |level: &Level| !level.qty.is_zero();
    awaited
        && uncrossed
        && update.kind == UpdateKind::Image
        && update.last > book.seq()
        && update.bids.iter().chain(&update.asks).all(present)
        && update.bids.is_sorted_by(falls)
        && update.asks.is_sorted_by(rises)
}
