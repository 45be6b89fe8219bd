//! A consolidated view, and what of it the generated types hold.

#![allow(dead_code, reason = "each bench uses a part of it")]

use dragonfly_aggregators::Bbo;
use dragonfly_benches::books;
use dragonfly_core::{
    market::{BookState, Cause, ConsolidatedBook, Price, VenueLevel},
    stage::Aggregator,
};
use dragonfly_grpc::proto::{orderbook, v1};

/// What two venues of ten levels a side come to.
pub(crate) fn two_venues() -> ConsolidatedBook {
    let mut bbo = Bbo::top(10);
    bbo.apply(&books::venue_event(0, 10, 1));
    bbo.apply(&books::venue_event(1, 10, 1));
    bbo.publish().unwrap()
}

/// The view in the generated types of the original schema.
pub(crate) fn summary(view: &ConsolidatedBook) -> orderbook::Summary {
    let level = |l: &VenueLevel| orderbook::Level {
        exchange: view.legs.id(l.leg.into()).unwrap().venue.to_string(),
        price: l.price.to_f64_lossy(),
        amount: l.qty.to_f64_lossy(),
    };
    let spread = match (view.bids.first(), view.asks.first()) {
        (Some(bid), Some(ask)) => {
            Price::from_units(ask.price.units() - bid.price.units()).to_f64_lossy()
        }
        _ => 0.0,
    };
    orderbook::Summary {
        spread,
        bids: view.bids.iter().map(level).collect(),
        asks: view.asks.iter().map(level).collect(),
    }
}

/// The view in the generated types of the schema with provenance.
pub(crate) fn book(view: &ConsolidatedBook) -> v1::Book {
    let level = |l: &VenueLevel| v1::Level {
        price: l.price.to_string(),
        qty: l.qty.to_string(),
        leg: l.leg.into(),
    };
    let legs = view.legs.iter().map(|(id, status)| {
        assert_eq!(
            (status.state, status.cause),
            (BookState::Live, Cause::Image)
        );
        v1::Leg {
            venue: id.venue.to_string(),
            symbol: id.symbol.to_string(),
            native_symbol: id.native_symbol.to_string(),
            state: v1::LegState::Live.into(),
            cause: v1::LegCause::Image.into(),
            epoch: status.epoch,
            seq: status.seq,
            ts_venue_ns: status.ts_venue.unwrap_or_default().0,
            ts_recv_ns: status.ts_recv.0,
        }
    });
    v1::Book {
        symbol: view.symbol.to_string(),
        seq: view.seq,
        bids: view.bids.iter().map(level).collect(),
        asks: view.asks.iter().map(level).collect(),
        legs: legs.collect(),
        live_legs: 2,
        crossed: view.is_crossed(),
        locked: view.is_locked(),
        ts_recv_ns: view.ts_recv.0,
        ts_emit_ns: 1,
        skipped: 0,
    }
}
