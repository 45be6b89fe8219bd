//! The original schema: `orderbook.Summary`.

use bytes::BytesMut;
use dragonfly_core::market::{ConsolidatedBook, Legs, Price, VenueLevel};

use super::{
    decimal::{price_to_f64, qty_to_f64},
    protobuf::{put_double, put_message, put_str},
};

/// Writes the view. Its ladders already have the order the schema asks for.
pub(super) fn write(view: &ConsolidatedBook, depth: usize, out: &mut BytesMut) {
    put_double(out, 1, price_to_f64(spread(view)));
    for (field, side) in [(2, &view.bids), (3, &view.asks)] {
        for level in side.iter().take(depth) {
            put_message(out, field, |out| write_level(level, &view.legs, out));
        }
    }
}

fn write_level(level: &VenueLevel, legs: &Legs, out: &mut BytesMut) {
    let venue = legs.id(usize::from(level.leg)).map(|id| id.venue);
    put_str(out, 1, &venue.unwrap_or_default());
    put_double(out, 2, price_to_f64(level.price));
    put_double(out, 3, qty_to_f64(level.qty));
}

/// Best ask less best bid, zero when a side is empty.
fn spread(view: &ConsolidatedBook) -> Price {
    match (view.bids.first(), view.asks.first()) {
        (Some(bid), Some(ask)) => {
            Price::from_units(ask.price.units().saturating_sub(bid.price.units()))
        }
        _ => Price::ZERO,
    }
}
