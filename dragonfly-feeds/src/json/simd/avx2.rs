//! The same for x86-64 with AVX2, BMI and LZCNT: every such processor since 2013 (Intel) and 2017
//! (AMD).
//!
//! Two numbers are turned into integers at once, one in each half of a 256-bit register. A number is
//! loaded so that it ends where its half ends, so no load goes beyond the number; what stands before
//! it is blanked. The point is taken out by a shuffle whose pattern depends on where it is, then
//! digits become pairs, fours, eights and the number (after W. Muła and D. Lemire, "Parsing series
//! of integers with SIMD", 2023).

use std::arch::x86_64::*;

use dragonfly_core::market::{Level, Price, Qty};

use super::Decimals;

/// How many bytes a number and its point may have; so many are loaded of each.
const WIDEST: usize = 16;

/// How many bytes from the beginning of a level on are looked at: its window of 64, and the two that
/// follow a bracket at the window's end.
const AHEAD: usize = 66;

/// Whether this processor has what the functions here need.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
}

/// As [`super::pairs`]; only where [`is_available`].
#[inline]
pub(super) fn pairs(
    message: &[u8],
    at: usize,
    levels: &mut Vec<Level>,
    wanted: usize,
    decimals: &mut Decimals,
) -> usize {
    // SAFETY: the caller has asked whether the processor has the features.
    unsafe { all_pairs(message, at, levels, wanted, decimals) }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn all_pairs(
    message: &[u8],
    at: usize,
    levels: &mut Vec<Level>,
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
        written: [1; 2],
    };
    while levels.len() < wanted && run.begin + AHEAD <= message.len() {
        let before = levels.len();
        run.pairs(message, levels, wanted);
        if levels.len() == before {
            break;
        }
    }
    // Near the end of the message there is less than a window left.
    let tail = message.get(run.begin - WIDEST..).unwrap_or_default();
    if run.begin < message.len() && tail.len() < WIDEST + AHEAD && levels.len() < wanted {
        let mut padded = [0; WIDEST + 2 * AHEAD];
        padded[..tail.len()].copy_from_slice(tail);
        let moved = run.begin - WIDEST;
        (run.begin, run.end) = (WIDEST, run.end - moved);
        run.pairs(&padded, levels, wanted);
        run.end += moved;
    }
    let most = |written: u64| u8::try_from(written.ilog2()).unwrap_or(0);
    decimals.price = decimals.price.max(most(run.written[0]));
    decimals.qty = decimals.qty.max(most(run.written[1]));
    run.end
}

/// A run of levels: where the next one begins, where the last one ends, and a bit for each number of
/// decimals that prices and quantities were written with.
struct Run {
    begin: usize,
    end: usize,
    written: [u64; 2],
}

impl Run {
    /// Reads levels until one looks otherwise, `levels` holds `wanted` or a good many more than it
    /// did, or less than [`AHEAD`] is left of `text`. At least [`WIDEST`] bytes stand before the run.
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
    #[inline]
    fn pairs(&mut self, text: &[u8], levels: &mut Vec<Level>, wanted: usize) {
        let room = wanted.saturating_sub(levels.len()).min(64);
        levels.reserve(room);
        let (mut begin, mut end) = (self.begin, self.end);
        if begin < WIDEST || text.get(begin) != Some(&b'[') {
            return;
        }
        let spare = &mut levels.spare_capacity_mut()[..room];
        let (mut count, mut written) = (0, self.written);
        for place in spare {
            if begin + AHEAD > text.len() {
                break;
            }
            // SAFETY: at least `WIDEST` bytes of the text are before `begin`, and `AHEAD` behind.
            let Some((level, decimals, len)) = (unsafe { pair(text.as_ptr().add(begin)) }) else {
                break;
            };
            place.write(level);
            count += 1;
            written = [written[0] | decimals[0], written[1] | decimals[1]];
            end = begin + len;
            begin = end + 1;
            // SAFETY: a level is no longer than its window of 64 bytes, and `AHEAD` is two more.
            if unsafe { text.as_ptr().add(end).cast::<[u8; 2]>().read() } != *b",[" {
                break;
            }
        }
        (self.begin, self.end, self.written) = (begin, end, written);
        let count = levels.len() + count;
        // SAFETY: so many levels have been written.
        unsafe { levels.set_len(count) };
    }
}

/// The level `["price","qty"]` at `text`, the decimals written and how long it is; `None` where
/// something else stands there.
///
/// # Safety
/// [`WIDEST`] bytes before `text` and [`AHEAD`] from there on can be read.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
#[inline]
unsafe fn pair(text: *const u8) -> Option<(Level, [u64; 2], usize)> {
    // SAFETY: the window is within what can be read.
    let (low, high) = unsafe { (load32(text), load32(text.add(32))) };
    let quotes = bits(low, high, b'"');
    let brackets = bits(low, high, b']');
    // `["1.5","2"]`: the quotes are at 1, `last`, `last + 2` and `close - 1`.
    let last = (quotes & quotes.wrapping_sub(1)).trailing_zeros();
    let close = brackets.trailing_zeros();
    let expected = 0b10 | 0b101_u64.wrapping_shl(last) | 1_u64.wrapping_shl(close.wrapping_sub(1));
    let upto = brackets ^ brackets.wrapping_sub(1);
    if quotes & upto != expected {
        return None;
    }
    // A comma is between the numbers, and neither is longer than what is loaded of it.
    let (last, close) = (last as usize, close as usize);
    let (price, qty) = (last.wrapping_sub(2), close.wrapping_sub(last + 4));
    if price > WIDEST || qty > WIDEST {
        return None;
    }
    // SAFETY: both numbers end within the window, for their quotes were found there.
    let (comma, numbers) = unsafe {
        let comma = *text.add(last + 1);
        let numbers = numbers(text.add(last), price, text.add(close - 1), qty);
        (comma, numbers)
    };
    let ([price, qty], written) = numbers?;
    if comma != b',' || price == 0 {
        return None;
    }
    let level = Level::new(Price::from_units(price), Qty::from_units(qty));
    Some((level, written, close + 1))
}

/// A bit for each byte of the two that is `byte`.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
#[inline]
fn bits(low: __m256i, high: __m256i, byte: u8) -> u64 {
    let byte = _mm256_set1_epi8(byte.cast_signed());
    let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, byte));
    let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, byte));
    u64::from(low.cast_unsigned()) | u64::from(high.cast_unsigned()) << 32
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
/// where they end and by their length, at most [`WIDEST`]; `None` where one of them is not `digits` or
/// `digits.digits`.
///
/// # Safety
/// [`WIDEST`] bytes before either end can be read.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
#[inline]
unsafe fn numbers(
    end1: *const u8,
    len1: usize,
    end2: *const u8,
    len2: usize,
) -> Option<([i128; 2], [u64; 2])> {
    // SAFETY: the bytes before the ends can be read.
    let texts = unsafe { halves(load16(end1.sub(WIDEST)), load16(end2.sub(WIDEST))) };
    let points = _mm256_cmpeq_epi8(texts, _mm256_set1_epi8(b'.'.cast_signed()));
    let points = _mm256_movemask_epi8(points).cast_unsigned();
    // The bit below those of a number stands for no point.
    let behind1 = (points << 16 | 0x8000).leading_zeros() as usize;
    let behind2 = (points | 0x8000).leading_zeros() as usize;
    let form1 = &FORMS[len1][behind1];
    let form2 = &FORMS[len2][behind2];
    // SAFETY: a shuffle is 16 bytes.
    let shuffle = unsafe {
        halves(
            load16(form1.shuffle.as_ptr()),
            load16(form2.shuffle.as_ptr()),
        )
    };
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
    // 16 digits times 10^18 is below 2^127.
    let units1 = u128::from(first) * u128::from(form1.scale);
    let units2 = u128::from(second) * u128::from(form2.scale);
    let units = [units1.cast_signed(), units2.cast_signed()];
    Some((units, [form1.written, form2.written]))
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
#[inline]
fn halves(low: __m128i, high: __m128i) -> __m256i {
    _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high)
}

/// # Safety
/// 16 bytes from `at` on can be read.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
#[inline]
unsafe fn load16(at: *const u8) -> __m128i {
    // SAFETY: the bytes can be read, and the load needs no alignment.
    unsafe { _mm_loadu_si128(at.cast()) }
}

/// # Safety
/// 32 bytes from `at` on can be read.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
#[inline]
unsafe fn load32(at: *const u8) -> __m256i {
    // SAFETY: the bytes can be read, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(at.cast()) }
}
