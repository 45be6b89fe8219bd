//! The same for x86-64 with AVX2, BMI and LZCNT: every such processor since 2013 (Intel) and 2017
//! (AMD).
//!
//! Two numbers are turned into integers at once, one in each half of a 256-bit register. A number is
//! loaded so that it ends where its half ends, so no load goes beyond the number; what stands before
//! it is blanked. The point is taken out by a shuffle whose pattern depends on where it is, then
//! digits become pairs, fours, eights and the number (after W. Muła and D. Lemire, "Parsing series
//! of integers with SIMD", 2023).

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "positions are those of matches within blocks that are there; held to the plain twin by tests and a fuzz target"
)]

mod objects;

use std::arch::x86_64::*;

use dragonfly_core::market::{Level, Price, Qty};

use super::{Decimals, LevelShape};

/// How many bytes a number and its point may have; so many are loaded of each, up to its end.
const WIDEST: usize = 16;

/// How many bytes from the beginning of a level on are looked at: the 64 in which its quotes and its
/// bracket must be, and the two that may follow that bracket.
const AHEAD: usize = 66;

/// A level with what is looked at before and behind its beginning.
type Window = [u8; WIDEST + AHEAD];

/// Whether this processor has what the functions here need.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
}

/// As [`super::pairs`]; only where [`is_available`].
#[inline]
pub(super) fn pairs<const N: usize>(
    message: &[u8],
    at: usize,
    into: [&mut Vec<Level>; N],
    wanted: usize,
    decimals: &mut Decimals,
) -> usize {
    // SAFETY: the caller has asked whether the processor has the features.
    unsafe { all_pairs(message, at, into, wanted, decimals) }
}

/// As [`super::objects`]; only where [`is_available`].
#[inline]
pub(super) fn objects<const N: usize>(
    message: &[u8],
    at: usize,
    shape: &LevelShape<N>,
    into: [&mut Vec<Level>; N],
    decimals: &mut Decimals,
) -> usize {
    // SAFETY: the caller has asked whether the processor has the features.
    unsafe { objects::all_objects(message, at, shape, into, decimals) }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn all_pairs<const N: usize>(
    message: &[u8],
    at: usize,
    mut into: [&mut Vec<Level>; N],
    wanted: usize,
    decimals: &mut Decimals,
) -> usize {
    // What is loaded of a number may begin before its level.
    if at < WIDEST {
        return at;
    }
    let mut run = Run {
        begin: at,
        end: at,
        written: 0,
    };
    let mut padded = [0; WIDEST + 2 * AHEAD];
    let (mut text, mut moved) = (message, 0);
    loop {
        let before = into[0].len();
        run = run.pairs(text, &mut into, wanted);
        let is_stuck = into[0].len() == before;
        if into[0].len() >= wanted || run.begin >= text.len() {
            break;
        }
        if run.begin + AHEAD <= text.len() {
            if is_stuck {
                break;
            }
        } else if moved == 0 {
            // Near the end of the message there is less than a window left.
            moved = run.begin - WIDEST;
            let tail = &message[moved..];
            padded[..tail.len()].copy_from_slice(tail);
            text = &padded;
            (run.begin, run.end) = (WIDEST, run.end - moved);
        } else {
            break;
        }
    }
    note(run.written, decimals);
    run.end + moved
}

/// Adds to `decimals` those whose bits are in `written`: of prices below, of quantities above.
#[inline]
fn note(written: u64, decimals: &mut Decimals) {
    let most = |written: u64| u8::try_from((written | 1).ilog2()).unwrap_or(0);
    decimals.price = decimals.price.max(most(written & 0xffff_ffff));
    decimals.qty = decimals.qty.max(most(written >> 32));
}

/// A run of levels: where the next one begins, where the last one ends, and a bit for each number of
/// decimals that prices (below) and quantities (above) were written with.
#[derive(Clone, Copy)]
struct Run {
    begin: usize,
    end: usize,
    written: u64,
}

impl Run {
    /// Reads levels until one looks otherwise, there are `wanted` or a good many more than before, or
    /// less than [`AHEAD`] is left of `text`. All of `into` hold as many levels and get the same.
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
    #[inline]
    fn pairs<const N: usize>(
        self,
        text: &[u8],
        into: &mut [&mut Vec<Level>; N],
        wanted: usize,
    ) -> Self {
        let held = into[0].len();
        let room = wanted.saturating_sub(held).min(64);
        if text.get(self.begin) != Some(&b'[') {
            return self;
        }
        let mut places = [std::ptr::null_mut::<Level>(); N];
        for (levels, place) in into.iter_mut().zip(&mut places) {
            levels.reserve(room);
            *place = levels.spare_capacity_mut().as_mut_ptr().cast();
        }
        let Self {
            mut begin,
            mut end,
            mut written,
        } = self;
        let mut count = 0;
        while count < room
            && let Some(window) = text[begin - WIDEST..].first_chunk()
        {
            let Some((level, decimals, close)) = pair(window) else {
                break;
            };
            for place in places {
                // SAFETY: room has been made for `room` levels, and `count` is below.
                let place = unsafe { place.add(count) };
                // SAFETY: as above; it is aligned, and nothing else refers to what is spare.
                unsafe { place.write(level) };
            }
            count += 1;
            written |= decimals;
            end = begin + close + 1;
            if window[WIDEST + close + 1..][..2] != *b",[" {
                // Nothing that could be the next level.
                begin = text.len();
                break;
            }
            begin = end + 1;
        }
        for levels in into {
            // SAFETY: `count` levels have been written behind the `held` ones, in what was spare.
            unsafe { levels.set_len(held + count) };
        }
        Self {
            begin,
            end,
            written,
        }
    }
}

/// The level `["price","qty"]` in a window, the decimals written and where its bracket closes, counted
/// from its beginning and below 64; `None` where something else stands there.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
#[inline]
fn pair(window: &Window) -> Option<(Level, u64, usize)> {
    let quotes = bits64(&window[WIDEST..], b'"');
    let brackets = bits64(&window[WIDEST..], b']');
    // `["1.5","2"]`: the quotes are at 1, `last`, `last + 2` and `close - 1`.
    let last = (quotes & quotes.wrapping_sub(1)).trailing_zeros();
    let close = brackets.trailing_zeros();
    let expected = 0b10 | 0b101_u64.wrapping_shl(last) | 1_u64.wrapping_shl(close.wrapping_sub(1));
    let upto = brackets ^ brackets.wrapping_sub(1);
    if quotes & upto != expected {
        return None;
    }
    // Both are below 64, for they are in what was expected; saying so spares checks of the bounds.
    let (last, close) = (last as usize & 63, close as usize & 63);
    let before_close = close.wrapping_sub(1) & 63;
    let (price, qty) = (last.wrapping_sub(2), close.wrapping_sub(last + 4));
    let (units, written) = numbers(
        (chunk(window, last), price),
        (chunk(window, before_close), qty),
    )?;
    let [price, qty] = units;
    if window[WIDEST + last + 1] != b',' {
        return None;
    }
    let level = Level::new(Price::from_units(price), Qty::from_units(qty));
    Some((level, written, close))
}

/// The 16 bytes that end where the byte `at` from the beginning of a window's level is.
#[inline]
fn chunk<const N: usize>(window: &[u8; N], at: usize) -> &[u8; WIDEST] {
    window[at..].first_chunk().unwrap_or(&[0; WIDEST])
}

/// A bit for each of the first 64 bytes that is `byte`.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
#[inline]
fn bits64(bytes: &[u8], byte: u8) -> u64 {
    let Some(bytes) = bytes.first_chunk::<64>() else {
        return 0;
    };
    let (low, high) = bytes.split_at(32);
    bits32(low, byte) | bits32(high, byte) << 32
}

/// A bit for each of the first 32 bytes that is `byte`.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
#[inline]
fn bits32(bytes: &[u8], byte: u8) -> u64 {
    let byte = _mm256_set1_epi8(byte.cast_signed());
    mask(_mm256_cmpeq_epi8(load32(bytes), byte))
}

/// What is done with a number of one length that has its point in one place.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
struct Form {
    /// Which byte goes where, so that the point and what is before the number are gone.
    shuffle: [u8; 16],
    /// What makes 18 decimals of those that are written.
    scale: u64,
    /// The bit of as many decimals.
    written: u64,
}

/// The forms, by the length and by how many bytes the last point of the 16 has behind it; 16 where there
/// is none.
static FORMS: [[Form; 32]; WIDEST + 1] = {
    let plain = Form {
        shuffle: [0; 16],
        scale: 1_000_000_000_000_000_000,
        written: 1,
    };
    let mut forms = [[plain; 32]; WIDEST + 1];
    let mut len = 0;
    while len <= WIDEST {
        let mut behind = 0;
        while behind < 32 {
            forms[len][behind] = form(len, behind);
            behind += 1;
        }
        len += 1;
    }
    forms
};

const fn form(len: usize, behind: usize) -> Form {
    let has_point = behind < len;
    // Without a digit on each side of the point it stays where it is, where it is no digit; so does
    // the quote before a number without any.
    let is_number = len > 0 && (!has_point || behind > 0 && behind + 1 < len);
    let decimals = if has_point && is_number { behind } else { 0 };
    let digits = if has_point && is_number { len - 1 } else { len };
    let mut shuffle = [0x80; 16];
    let mut i = 0;
    while i < 16 {
        let is_before_point = decimals > 0 && i < 16 - decimals;
        if is_before_point && i + digits >= 16 {
            shuffle[i] = i as u8 - 1;
        } else if i + digits >= 16 || !is_number {
            shuffle[i] = i as u8;
        }
        i += 1;
    }
    Form {
        shuffle,
        scale: 10_u64.pow(18 - decimals as u32),
        written: 1 << decimals,
    }
}

/// The two numbers in units of 1e-18 and the bits of how many decimals they were written with, given
/// the 16 bytes that end with them and their lengths; `None` where one of them is not `digits` or
/// `digits.digits` of at most [`WIDEST`] bytes, or the first is zero. The byte before a number must be no digit.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
#[inline]
fn numbers(
    (text1, len1): (&[u8; WIDEST], usize),
    (text2, len2): (&[u8; WIDEST], usize),
) -> Option<([i128; 2], u64)> {
    let (Some(forms1), Some(forms2)) = (FORMS.get(len1), FORMS.get(len2)) else {
        return None;
    };
    let texts = halves(load16(text1), load16(text2));
    let points = _mm256_cmpeq_epi8(texts, _mm256_set1_epi8(b'.'.cast_signed()));
    let points = _mm256_movemask_epi8(points).cast_unsigned();
    // The bit below those of a number stands for no point.
    let behind1 = (points << 16 | 0x8000).leading_zeros() as usize;
    let behind2 = (points | 0x8000).leading_zeros() as usize;
    let (form1, form2) = (&forms1[behind1 & 31], &forms2[behind2 & 31]);
    let shuffle = halves(load16(&form1.shuffle), load16(&form2.shuffle));
    let values = _mm256_xor_si256(texts, _mm256_set1_epi8(b'0'.cast_signed()));
    let values = _mm256_shuffle_epi8(values, shuffle);
    let others = _mm256_subs_epu8(values, _mm256_set1_epi8(9));
    if _mm256_testz_si256(others, others) == 0 {
        return None;
    }
    let pairs = _mm256_maddubs_epi16(values, _mm256_set1_epi16(0x010a));
    let fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x0001_0064));
    let fours = _mm256_packus_epi32(fours, fours);
    let eights = _mm256_madd_epi16(fours, _mm256_set1_epi32(0x0001_2710));
    let upper = _mm256_mul_epu32(eights, _mm256_set1_epi64x(100_000_000));
    let whole = _mm256_add_epi64(upper, _mm256_srli_epi64::<32>(eights));
    let first = _mm_cvtsi128_si64(_mm256_castsi256_si128(whole)).cast_unsigned();
    let second = _mm_cvtsi128_si64(_mm256_extracti128_si256::<1>(whole)).cast_unsigned();
    if first == 0 {
        return None;
    }
    // 16 digits times 10^18 is below 2^127.
    let units1 = u128::from(first) * u128::from(form1.scale);
    let units2 = u128::from(second) * u128::from(form2.scale);
    let units = [units1.cast_signed(), units2.cast_signed()];
    Some((units, form1.written | form2.written << 32))
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
#[inline]
fn halves(low: __m128i, high: __m128i) -> __m256i {
    _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
#[inline]
fn load16(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the 16 bytes can be read, and the load needs no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// The first 32 of `bytes`.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
#[inline]
fn load32(bytes: &[u8]) -> __m256i {
    let bytes: &[u8] = &bytes[..32];
    // SAFETY: the 32 bytes can be read, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// Where the first colon, closing brace or backslash is; `None` also for a text below 32 bytes.
#[inline]
pub(super) fn colon_or_brace(text: &[u8]) -> Option<usize> {
    // SAFETY: the caller has asked whether the processor has the features.
    unsafe { first_special(text) }
}

/// By the lower half of a byte: the one byte with that half that is looked for, or one that has another
/// half.
const SPECIAL: [u8; 16] = {
    let mut table = [0xff; 16];
    table[0xf] = 0;
    table[(b':' & 0xf) as usize] = b':';
    table[(b'}' & 0xf) as usize] = b'}';
    table[(b'\\' & 0xf) as usize] = b'\\';
    table
};

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn first_special(text: &[u8]) -> Option<usize> {
    let table = halves(load16(&SPECIAL), load16(&SPECIAL));
    let (blocks, rest) = text.as_chunks::<128>();
    for (i, block) in blocks.iter().enumerate() {
        let a = special(table, &block[..32]);
        let b = special(table, &block[32..]);
        let c = special(table, &block[64..]);
        let d = special(table, &block[96..]);
        let any = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
        if _mm256_testz_si256(any, any) == 0 {
            let low = mask(a) | mask(b) << 32;
            let high = mask(c) | mask(d) << 32;
            let first = if low == 0 {
                64 + high.trailing_zeros()
            } else {
                low.trailing_zeros()
            };
            return Some(128 * i + first as usize);
        }
    }
    let mut at = text.len() - rest.len();
    while let Some(block) = text[at..].first_chunk::<32>() {
        let found = mask(special(table, block));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        at += 32;
    }
    // What precedes `at` has nothing special.
    let block = text.last_chunk::<32>()?;
    let found = mask(special(table, block));
    if found == 0 {
        return None;
    }
    Some(text.len() - 32 + found.trailing_zeros() as usize)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
#[inline]
fn special(table: __m256i, bytes: &[u8]) -> __m256i {
    let bytes = load32(bytes);
    _mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, bytes), bytes)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
#[inline]
fn mask(bytes: __m256i) -> u64 {
    u64::from(_mm256_movemask_epi8(bytes).cast_unsigned())
}
