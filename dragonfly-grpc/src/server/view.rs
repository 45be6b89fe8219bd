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

    /// What is shown of a stream that has ended: no levels, every leg down.
    fn withdrawn(&self) -> Self;
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

            fn withdrawn(&self) -> Self {
                Self {
                    symbol: self.symbol,
                    seq: self.seq.saturating_add(1),
                    bids: Ladder::default(),
                    asks: Ladder::default(),
                    legs: stopped(&self.legs),
                    ts_recv: self.ts_recv,
                }
            }
        }
    };
}
view!(ConsolidatedBook, StreamKind::Book);
view!(AggregatedBook, StreamKind::Liquidity);

fn stopped(legs: &Legs) -> Legs {
    let mut stopped = legs.clone();
    for (id, status) in legs.iter() {
        stopped.note(&BookEvent {
            venue: id.venue,
            symbol: id.symbol,
            native_symbol: id.native_symbol,
            epoch: status.epoch,
            seq: status.seq,
            state: BookState::Down,
            cause: Cause::Stopped,
            ts_venue: status.ts_venue,
            ts_recv: status.ts_recv,
            ..BookEvent::default()
        });
    }
    stopped
}
