//! What the server needs to know of a view besides how to write it.

use dragonfly_core::market::{
    AggregatedBook, BookEvent, BookState, Cause, ConsolidatedBook, Ladder, Legs, Symbol,
};

use crate::{encode::Encode, proto::v1::StreamKind};

/// A view that is served.
pub(super) trait View: Encode + Clone + Send + 'static {
    /// What the streams of this view are called.
    const KIND: StreamKind;

    fn symbol(&self) -> Symbol;
    fn seq(&self) -> u64;
    fn legs(&self) -> &Legs;

    /// What is shown of a stream that has not published: no levels, no legs.
    fn empty(symbol: Symbol) -> Self;

    /// Gives it another number.
    fn renumber(&mut self, seq: u64);

    /// The one that follows, of these legs and without levels.
    fn without_levels(&self, legs: Legs) -> Self;

    /// What is shown of a stream that has ended: no levels, every leg down.
    fn withdrawn(&self) -> Self {
        let legs = with_legs(self.legs(), |_| true, BookState::Down, Cause::Stopped);
        self.without_levels(legs)
    }

    /// What is shown of a stream while nobody knows whether it goes on: no levels, no leg live.
    fn doubted(&self) -> Self {
        let is_live = |state| state == BookState::Live;
        let legs = with_legs(self.legs(), is_live, BookState::Stale, Cause::Silent);
        self.without_levels(legs)
    }
}

macro_rules! view {
    ($view:ident, $kind:expr) => {
        impl View for $view {
            const KIND: StreamKind = $kind;

            fn symbol(&self) -> Symbol {
                self.symbol
            }

            fn seq(&self) -> u64 {
                self.seq
            }

            fn legs(&self) -> &Legs {
                &self.legs
            }

            fn empty(symbol: Symbol) -> Self {
                Self {
                    symbol,
                    ..Self::default()
                }
            }

            fn renumber(&mut self, seq: u64) {
                self.seq = seq;
            }

            fn without_levels(&self, legs: Legs) -> Self {
                Self {
                    symbol: self.symbol,
                    seq: self.seq.saturating_add(1),
                    bids: Ladder::default(),
                    asks: Ladder::default(),
                    legs,
                    ts_recv: self.ts_recv,
                }
            }
        }
    };
}
view!(ConsolidatedBook, StreamKind::Book);
view!(AggregatedBook, StreamKind::Liquidity);

/// The legs, those in a state that `is_meant` in this state instead.
fn with_legs(
    legs: &Legs,
    is_meant: impl Fn(BookState) -> bool,
    state: BookState,
    cause: Cause,
) -> Legs {
    let mut changed = legs.clone();
    for (id, status) in legs.iter().filter(|(_, status)| is_meant(status.state)) {
        changed.note(&BookEvent {
            venue: id.venue,
            symbol: id.symbol,
            native_symbol: id.native_symbol,
            epoch: status.epoch,
            seq: status.seq,
            state,
            cause,
            ts_venue: status.ts_venue,
            ts_recv: status.ts_recv,
            ..BookEvent::default()
        });
    }
    changed
}
