//! The schema with provenance: `dragonfly.v1`.

use bytes::BytesMut;
use dragonfly_core::{
    clock::UtcNanos,
    market::{AggregatedBook, BookState, Cause, ConsolidatedBook, LegId, LegStatus, Legs, Symbol},
};

use super::{
    decimal::Text,
    protobuf::{put_bool, put_fixed64, put_message, put_str, put_uint},
};
use crate::proto::v1;

/// The number of `skipped`, in both messages.
pub(super) const SKIPPED: u32 = 15;

/// Writes a `Book`.
pub(super) fn write_book(
    view: &ConsolidatedBook,
    depth: usize,
    ts_emit: UtcNanos,
    out: &mut BytesMut,
) {
    put_str(out, 1, &view.symbol);
    put_uint(out, 2, view.seq);
    for (field, side) in [(3, &view.bids), (4, &view.asks)] {
        for level in side.iter().take(depth) {
            put_message(out, field, |out| {
                write_level(level.price.units(), level.qty.units(), out);
                put_uint(out, 3, u64::from(level.leg));
            });
        }
    }
    write_legs(&view.legs, out);
    write_flags(view.is_crossed(), view.is_locked(), out);
    write_times(view.ts_recv, ts_emit, out);
}

/// Writes a `Liquidity`.
pub(super) fn write_liquidity(
    view: &AggregatedBook,
    depth: usize,
    ts_emit: UtcNanos,
    out: &mut BytesMut,
) {
    put_str(out, 1, &view.symbol);
    put_uint(out, 2, view.seq);
    for (field, side) in [(3, &view.bids), (4, &view.asks)] {
        for level in side.iter().take(depth) {
            put_message(out, field, |out| {
                write_level(level.price.units(), level.qty.units(), out);
            });
        }
    }
    write_legs(&view.legs, out);
    write_flags(view.is_crossed(), view.is_locked(), out);
    write_times(view.ts_recv, ts_emit, out);
}

fn write_level(price: i128, qty: i128, out: &mut BytesMut) {
    put_str(out, 1, Text::of(price).as_str());
    put_str(out, 2, Text::of(qty).as_str());
}

fn write_legs(legs: &Legs, out: &mut BytesMut) {
    for (id, status) in legs.iter() {
        put_message(out, 5, |out| write_leg(id, status, out));
    }
    put_uint(out, 6, legs.live() as u64);
}

fn write_flags(crossed: bool, locked: bool, out: &mut BytesMut) {
    put_bool(out, 7, crossed);
    put_bool(out, 8, locked);
}

fn write_times(ts_recv: UtcNanos, ts_emit: UtcNanos, out: &mut BytesMut) {
    put_fixed64(out, 9, ts_recv.0);
    put_fixed64(out, 10, ts_emit.0);
}

/// Writes a `StreamInfo`.
pub(crate) fn write_info(
    symbol: Symbol,
    kind: v1::StreamKind,
    seq: u64,
    legs: &Legs,
    out: &mut BytesMut,
) {
    put_str(out, 1, &symbol);
    put_uint(out, 2, u64::from((kind as i32).unsigned_abs()));
    put_uint(out, 3, seq);
    put_uint(out, 4, legs.live() as u64);
    for (id, status) in legs.iter() {
        put_message(out, 5, |out| write_leg(id, status, out));
    }
}

fn write_leg(id: &LegId, status: &LegStatus, out: &mut BytesMut) {
    let number = |value: i32| u64::from(value.unsigned_abs());
    put_str(out, 1, &id.venue);
    put_str(out, 2, &id.symbol);
    put_str(out, 3, &id.native_symbol);
    put_uint(out, 4, number(state(status.state) as i32));
    put_uint(out, 5, number(cause(status.cause) as i32));
    put_uint(out, 6, u64::from(status.epoch));
    put_uint(out, 7, status.seq);
    put_fixed64(out, 8, status.ts_venue.unwrap_or_default().0);
    put_fixed64(out, 9, status.ts_recv.0);
}

/// The wire's name of a state.
const fn state(state: BookState) -> v1::LegState {
    match state {
        BookState::Empty => v1::LegState::Empty,
        BookState::Syncing => v1::LegState::Syncing,
        BookState::Live => v1::LegState::Live,
        BookState::Stale => v1::LegState::Stale,
        BookState::Gap => v1::LegState::Gap,
        BookState::Crossed => v1::LegState::Crossed,
        BookState::Closed => v1::LegState::Closed,
        BookState::Down => v1::LegState::Down,
        _ => v1::LegState::Unspecified,
    }
}

/// The wire's name of a cause.
const fn cause(cause: Cause) -> v1::LegCause {
    match cause {
        Cause::Started => v1::LegCause::Started,
        Cause::Subscribed => v1::LegCause::Subscribed,
        Cause::Image => v1::LegCause::Image,
        Cause::SequenceGap => v1::LegCause::SequenceGap,
        Cause::ChecksumMismatch => v1::LegCause::ChecksumMismatch,
        Cause::Silent => v1::LegCause::Silent,
        Cause::CrossedBook => v1::LegCause::CrossedBook,
        Cause::Disconnected => v1::LegCause::Disconnected,
        Cause::Refused => v1::LegCause::Refused,
        Cause::BadMessages => v1::LegCause::BadMessages,
        Cause::BufferOverflow => v1::LegCause::BufferOverflow,
        Cause::Panicked => v1::LegCause::Panicked,
        Cause::Stopped => v1::LegCause::Stopped,
        _ => v1::LegCause::Unspecified,
    }
}
