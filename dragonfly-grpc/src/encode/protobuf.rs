//! The little of the protobuf wire format that the two schemas need.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "places are those of what was just written; no byte of it is a client's"
)]

use bytes::{BufMut, BytesMut};

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH_DELIMITED: u32 = 2;

fn put_varint(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(low_byte(value) | 0x80);
        value >>= 7;
    }
    out.put_u8(low_byte(value));
}

#[allow(clippy::cast_possible_truncation, reason = "the low bits are wanted")]
const fn low_byte(value: u64) -> u8 {
    (value & 0x7f) as u8
}

fn put_tag(out: &mut BytesMut, field: u32, wire_type: u32) {
    put_varint(out, u64::from(field << 3 | wire_type));
}

/// An unsigned number or an enum, left out when zero.
pub(super) fn put_uint(out: &mut BytesMut, field: u32, value: u64) {
    if value != 0 {
        put_tag(out, field, VARINT);
        put_varint(out, value);
    }
}

/// A flag, left out when false.
pub(super) fn put_bool(out: &mut BytesMut, field: u32, value: bool) {
    put_uint(out, field, u64::from(value));
}

/// A `fixed64`, left out when zero.
pub(super) fn put_fixed64(out: &mut BytesMut, field: u32, value: u64) {
    if value != 0 {
        put_tag(out, field, FIXED64);
        out.put_u64_le(value);
    }
}

/// A `double`, left out when it is positive zero.
pub(super) fn put_double(out: &mut BytesMut, field: u32, value: f64) {
    put_fixed64(out, field, value.to_bits());
}

/// A text, left out when empty.
pub(super) fn put_str(out: &mut BytesMut, field: u32, text: &str) {
    if !text.is_empty() {
        put_tag(out, field, LENGTH_DELIMITED);
        put_varint(out, text.len() as u64);
        out.put_slice(text.as_bytes());
    }
}

/// A message within the message, written by `content`.
pub(super) fn put_message(out: &mut BytesMut, field: u32, content: impl FnOnce(&mut BytesMut)) {
    put_tag(out, field, LENGTH_DELIMITED);
    // Nearly every length fits one byte; the content moves up when it does not.
    let start = out.len() + 1;
    out.put_u8(0);
    content(out);
    let mut length = out.len() - start;
    if length < 0x80 {
        out[start - 1] = low_byte(length as u64);
        return;
    }
    let end = out.len();
    let extra = (length.ilog2() / 7) as usize;
    out.put_bytes(0, extra);
    out.copy_within(start..end, start + extra);
    for byte in &mut out[start - 1..start + extra] {
        *byte = low_byte(length as u64) | 0x80;
        length >>= 7;
    }
    out[start + extra - 1] &= 0x7f;
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    /// What a reader that knows nothing of this encoder makes of it.
    #[derive(Clone, PartialEq, prost::Message)]
    struct Outer {
        #[prost(message, repeated, tag = "3")]
        inner: Vec<Inner>,
        #[prost(uint64, tag = "4")]
        count: u64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Inner {
        #[prost(string, tag = "1")]
        text: String,
    }

    #[test]
    fn messages_of_every_length_are_those_of_another_encoder() {
        for length in [
            0, 1, 124, 125, 126, 127, 128, 129, 16_380, 16_381, 16_382, 16_384, 40_000,
        ] {
            let text = "x".repeat(length);
            let outer = Outer {
                inner: vec![Inner { text: text.clone() }, Inner::default()],
                count: length as u64 * 1_000_003,
            };
            let mut out = BytesMut::new();
            put_message(&mut out, 3, |out| put_str(out, 1, &text));
            put_message(&mut out, 3, |_| {});
            put_uint(&mut out, 4, outer.count);
            assert_eq!(out, outer.encode_to_vec(), "length {length}");
        }
    }
}
