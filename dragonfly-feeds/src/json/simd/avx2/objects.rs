//! Levels written as objects of a known shape.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "positions are those of matches within blocks that are there; held to the plain twin by tests and a fuzz target"
)]

use std::arch::x86_64::*;

use dragonfly_core::market::{Level, Price, Qty};

use super::{WIDEST, bits32, bits64, chunk, load32, mask, note, numbers};
use crate::json::{
    Decimals,
    simd::{LevelShape, Piece},
};

/// How many bytes there may be before the price: the head, a string that is skipped, and what is behind
/// that.
const BEFORE: usize = 32 + 31 + 32;

/// How many bytes are looked at from the beginning of a level on: those before the price, the 64 in
/// which the quantity must end, and four that may follow it.
const AHEAD: usize = BEFORE + 64 + 4;

/// A level with what is looked at before and behind its beginning.
type Window = [u8; WIDEST + AHEAD];

/// As [`super::super::objects`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
pub(super) fn all_objects<const N: usize>(
    message: &[u8],
    at: usize,
    shape: &LevelShape<N>,
    into: [&mut Vec<Level>; N],
    decimals: &mut Decimals,
) -> usize {
    // What is loaded of a number may begin before its level.
    if at < WIDEST {
        return at;
    }
    let (mut begin, mut end, mut written) = (at, at, 0);
    let mut padded = [0; WIDEST + 2 * AHEAD];
    let (mut text, mut moved) = (message, 0);
    let mut skipped = 0;
    loop {
        if begin + AHEAD > text.len() {
            if moved > 0 || begin >= text.len() {
                break;
            }
            // Near the end of the message there is less than the most a level may take.
            moved = begin - WIDEST;
            let tail = &message[moved..];
            padded[..tail.len()].copy_from_slice(tail);
            text = &padded;
            (begin, end) = (WIDEST, end - moved);
        }
        let Some(window) = text[begin - WIDEST..].first_chunk() else {
            break;
        };
        let Some((side, level, decimals, len)) = object(window, shape, &mut skipped) else {
            break;
        };
        into[side].push(level);
        written |= decimals;
        end = begin + len;
        if text.get(end) != Some(&b',') {
            break;
        }
        begin = end + 1;
    }
    note(written, decimals);
    end + moved
}

/// The level in a window: which head it has, what it says, the decimals written and how long it is;
/// `None` where something else stands there. `skipped` is how long the skipped string was the last
/// time, and is likely to be again: the processor need not wait for what it is.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
#[inline]
fn object<const N: usize>(
    window: &Window,
    shape: &LevelShape<N>,
    skipped: &mut usize,
) -> Option<(usize, Level, u64, usize)> {
    let mut side = 0;
    while !is_at(&window[WIDEST..], &shape.heads[side]) {
        side += 1;
        if side == N {
            return None;
        }
    }
    let mut at = shape.heads[side].len;
    if let Some(behind) = &shape.behind {
        let string = window.get(WIDEST + at..)?.first_chunk::<32>()?;
        let ends = bits32(string, b'"') | bits32(string, b'\\');
        if ends & ((2 << *skipped) - 1) != 1 << *skipped {
            // At most 31; what ends the string is compared below.
            *skipped = ends.trailing_zeros() as usize & 31;
        }
        at += *skipped;
        if ends == 0 || !is_at(window.get(WIDEST + at..)?.first_chunk::<32>()?, behind) {
            return None;
        }
        at += behind.len;
    }
    if at > BEFORE {
        return None;
    }
    let (level, written, len) = two_numbers(window, at, shape)?;
    Some((side, level, written, at + len))
}

/// The level whose price begins at byte `at` of it, at most [`BEFORE`], the decimals written and the
/// length from there to the end of the level.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
#[inline]
fn two_numbers<const N: usize>(
    window: &Window,
    at: usize,
    shape: &LevelShape<N>,
) -> Option<(Level, u64, usize)> {
    let (between, tail) = (&shape.between, &shape.tail);
    // From a price's length before the price on.
    let window = window[at..].first_chunk::<{ WIDEST + 64 + 4 }>()?;
    let text = &window[WIDEST..];
    let price = bits64(text, between.bytes[0]).trailing_zeros() as usize;
    let qty_at = price + between.len;
    if price > WIDEST || qty_at > 48 {
        return None;
    }
    let qty = (bits64(text, tail.bytes[0]) >> qty_at).trailing_zeros() as usize;
    let end = qty_at + qty;
    if qty > WIDEST || end > 64 {
        return None;
    }
    let rest = u32::from_le_bytes(*text[end..].first_chunk()?);
    let wanted = u32::from_le_bytes(*tail.bytes.first_chunk()?);
    if !is_at(&text[price..], between) || (rest ^ wanted) << (32 - 8 * tail.len) != 0 {
        return None;
    }
    let ([price, qty], written) =
        numbers((chunk(window, price), price), (chunk(window, end), qty))?;
    let level = Level::new(Price::from_units(price), Qty::from_units(qty));
    Some((level, written, end + tail.len))
}

/// Whether `text`, of at least 32 bytes, begins with `piece`.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
#[inline]
fn is_at(text: &[u8], piece: &Piece) -> bool {
    let same = mask(_mm256_cmpeq_epi8(load32(text), load32(&piece.bytes)));
    same.trailing_ones() as usize >= piece.len
}
