//! From a view to the bytes on the wire, without the generated types in between.
//!
//! A view is encoded once and the bytes are shared by all its subscribers, so the result is a whole
//! gRPC frame: a zero byte (not compressed), the length, the message. Fields are written in the
//! order of their numbers and default values left out, as every protobuf library does.

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "places are those of what was just written; no byte of it is a client's"
)]

mod decimal;
mod market_data;
mod protobuf;
mod summary;

use bytes::{BufMut, Bytes, BytesMut};
use dragonfly_core::{
    clock::UtcNanos,
    market::{AggregatedBook, ConsolidatedBook, Legs, Symbol},
};

use crate::proto::v1::StreamKind;

/// Which message a view becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schema {
    /// `orderbook.Summary`.
    Summary,
    /// `dragonfly.v1.Book` or `dragonfly.v1.Liquidity`.
    V1,
}

/// What one encoding differs in from another of the same view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) schema: Schema,
    /// Levels a side.
    pub(crate) depth: usize,
}

/// A view that can be written in the wire schemas.
pub(crate) trait Encode {
    /// Appends the message.
    fn encode(&self, form: Form, ts_emit: UtcNanos, out: &mut BytesMut);
}

impl Encode for ConsolidatedBook {
    fn encode(&self, form: Form, ts_emit: UtcNanos, out: &mut BytesMut) {
        match form.schema {
            Schema::Summary => summary::write(self, form.depth, out),
            Schema::V1 => market_data::write_book(self, form.depth, ts_emit, out),
        }
    }
}

impl Encode for AggregatedBook {
    fn encode(&self, form: Form, ts_emit: UtcNanos, out: &mut BytesMut) {
        market_data::write_liquidity(self, form.depth, ts_emit, out);
    }
}

/// The bytes in front of every gRPC message.
const PREFIX: usize = 5;
/// How much room is taken from the allocator at once.
const CHUNK: usize = 64 * 1024;
/// More than the largest message: two sides of 20 levels and 24 legs.
const LARGEST: usize = 16 * 1024;

/// Makes frames in memory that is reused once nobody reads it any more.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    buffer: BytesMut,
}

impl Encoder {
    /// The frame of `view`.
    pub(crate) fn frame<V: Encode>(&mut self, view: &V, form: Form, ts_emit: UtcNanos) -> Bytes {
        if self.buffer.capacity() < LARGEST {
            self.buffer.reserve(CHUNK);
        }
        self.buffer.put_bytes(0, PREFIX);
        view.encode(form, ts_emit, &mut self.buffer);
        put_length(&mut self.buffer);
        self.buffer.split().freeze()
    }
}

/// The frame of a `dragonfly.v1.ListStreamsResponse`, to which `each` adds the streams.
pub(crate) fn list_frame(each: impl FnOnce(&mut StreamList<'_>)) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_bytes(0, PREFIX);
    each(&mut StreamList(&mut frame));
    put_length(&mut frame);
    frame.freeze()
}

/// The streams of a list, one after another.
pub(crate) struct StreamList<'a>(&'a mut BytesMut);

impl StreamList<'_> {
    /// Adds one stream.
    pub(crate) fn add(&mut self, symbol: Symbol, kind: StreamKind, seq: u64, legs: &Legs) {
        protobuf::put_message(self.0, 1, |out| {
            market_data::write_info(symbol, kind, seq, legs, out);
        });
    }
}

/// A copy of `frame` that says how many updates were skipped before it.
///
/// A field may be appended to an encoded message because protobuf defines the concatenation of two
/// messages as their merge; both messages of the schema use the same number.
pub(crate) fn with_skipped(frame: &Bytes, skipped: u64) -> Bytes {
    let mut longer = BytesMut::with_capacity(frame.len() + 11);
    longer.put_slice(frame);
    protobuf::put_uint(&mut longer, market_data::SKIPPED, skipped);
    put_length(&mut longer);
    longer.freeze()
}

fn put_length(frame: &mut BytesMut) {
    let length = u32::try_from(frame.len() - PREFIX).unwrap_or(u32::MAX);
    frame[1..PREFIX].copy_from_slice(&length.to_be_bytes());
}
