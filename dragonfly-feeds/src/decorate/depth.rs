//! Only the best levels.

use dragonfly_core::{
    clock::{Nanos, Now},
    feed::{FeedError, Heard, Link, Listener},
    market::{BookEvent, Symbol},
};

/// Cuts every event to the best levels.
#[derive(Debug)]
pub struct Depth<L> {
    inner: L,
    levels: usize,
}

impl<L> Depth<L> {
    /// Decorates `inner`: at most `levels` levels a side.
    pub const fn new(inner: L, levels: usize) -> Self {
        Self { inner, levels }
    }

    /// The listener inside.
    pub const fn inner(&self) -> &L {
        &self.inner
    }
}

fn cut(mut event: BookEvent, levels: usize) -> BookEvent {
    event.depth.bids.truncate(levels);
    event.depth.asks.truncate(levels);
    event
}

impl<L: Listener<Event = BookEvent>> Listener for Depth<L> {
    type Event = BookEvent;

    fn on_message(
        &mut self,
        message: &mut [u8],
        now: Now,
        emit: &mut dyn FnMut(BookEvent),
    ) -> Result<Heard, FeedError> {
        let levels = self.levels;
        let emit = &mut |event| emit(cut(event, levels));
        self.inner.on_message(message, now, emit)
    }

    fn early(&mut self) -> Option<usize> {
        self.inner.early()
    }

    fn on_part(&mut self, so_far: &[u8], now: Now, emit: &mut dyn FnMut(BookEvent)) {
        let levels = self.levels;
        let emit = &mut |event| emit(cut(event, levels));
        self.inner.on_part(so_far, now, emit);
    }

    fn on_link(&mut self, link: Link, now: Now, emit: &mut dyn FnMut(BookEvent)) {
        let levels = self.levels;
        let emit = &mut |event| emit(cut(event, levels));
        self.inner.on_link(link, now, emit);
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
        let levels = self.levels;
        let emit = &mut |event| emit(cut(event, levels));
        self.inner.on_deadline(now, emit)
    }
}
