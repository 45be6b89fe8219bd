//! Decimal text to a count of 1e-18, eight digits at a time where the text is plain.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "bounded by the digits that a number has room for; tried by properties and fuzz targets"
)]

use super::{MAX_TEXT, NumberError};

const POW10: [u64; 19] = {
    let mut table = [1; 19];
    let mut i = 1;
    while i < 19 {
        table[i] = table[i - 1] * 10;
        i += 1;
    }
    table
};

/// A number of 18 decimals and how many of them were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) units: i128,
    pub(super) decimals: u8,
}

/// Parses `-?digits(.digits)?([eE][+-]?digits)?`.
#[inline]
pub(super) fn parse(text: &[u8]) -> Result<Parsed, NumberError> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if let Some((parsed, end)) = parse_prefix(digits)
        && end == digits.len()
    {
        let units = if negative {
            -parsed.units
        } else {
            parsed.units
        };
        return Ok(Parsed { units, ..parsed });
    }
    parse_long(negative, digits)
}

/// The common case, at the head of a longer text: at most 16 digits before and after the point, 19
/// together, no sign, no exponent. Also says where the digits end.
#[inline]
pub(super) fn parse_prefix(text: &[u8]) -> Option<(Parsed, usize)> {
    let (mut mantissa, mut end) = digits(text, 0);
    if end == 8 && is_digit(text.get(8)) {
        let (more, count) = digits(text, end);
        mantissa = mantissa * POW10[count] + more;
        end += count;
    }
    if end == 0 {
        return None;
    }
    let mut decimals = 0;
    if text.get(end) == Some(&b'.') {
        let whole = end;
        let (fraction, count) = digits(text, whole + 1);
        decimals = count;
        if decimals == 0 || whole + decimals > 19 {
            return None;
        }
        mantissa = mantissa * POW10[count] + fraction;
        if count == 8 && is_digit(text.get(whole + 9)) {
            let (more, count) = digits(text, whole + 9);
            decimals += count;
            if whole + decimals > 19 {
                return None;
            }
            mantissa = mantissa * POW10[count] + more;
        }
        end = whole + 1 + decimals;
    }
    // 19 digits times 10^18 is below 2^127.
    let units = u128::from(mantissa) * u128::from(POW10[18 - decimals]);
    if units > MAX_TEXT.unsigned_abs() {
        return None;
    }
    let parsed = Parsed {
        units: units.cast_signed(),
        #[allow(clippy::cast_possible_truncation, reason = "at most 16")]
        decimals: decimals as u8,
    };
    Some((parsed, end))
}

#[inline]
fn is_digit(byte: Option<&u8>) -> bool {
    byte.is_some_and(u8::is_ascii_digit)
}

/// The value of the digits that `text` has from `at` on, and how many they are; at most eight.
///
/// Eight bytes at a time in one register, after D. Lemire, "Quickly parsing eight digits" (2018).
#[inline]
fn digits(text: &[u8], at: usize) -> (u64, usize) {
    const NIBBLES: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    let values = eight_bytes(text, at) ^ 0x3030_3030_3030_3030;
    // A digit has become 0 to 9: its high nibble is empty, and stays so when six is added. A carry
    // out of a byte that is no digit reaches only bytes behind it.
    let others = (values | values.wrapping_add(0x0606_0606_0606_0606)) & NIBBLES;
    let count = (others.trailing_zeros() / 8) as usize;
    if count == 0 {
        return (0, 0);
    }
    // The digits move to the end, which fills the front with leading zeros; then digits become
    // pairs, pairs become fours, and fours become the number.
    let v = values << (64 - 8 * count);
    let v = v.wrapping_mul(10 * 0x100 + 1) >> 8;
    let v = (v & 0x00ff_00ff_00ff_00ff).wrapping_mul(100 * 0x1_0000 + 1) >> 16;
    let v = (v & 0x0000_ffff_0000_ffff).wrapping_mul(10_000 * 0x1_0000_0000 + 1) >> 32;
    (v, count)
}

/// Eight bytes of `text` from `at` on, the first of them lowest; zero where the text has ended.
#[inline]
fn eight_bytes(text: &[u8], at: usize) -> u64 {
    let rest = text.get(at..).unwrap_or_default();
    if let Some(chunk) = rest.first_chunk() {
        return u64::from_le_bytes(*chunk);
    }
    match text.last_chunk() {
        _ if rest.is_empty() => 0,
        Some(chunk) => u64::from_le_bytes(*chunk) >> (64 - 8 * rest.len()),
        None => rest
            .iter()
            .rev()
            .fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}

/// Everything else: exponents, superfluous zeros, and the errors.
#[cold]
fn parse_long(negative: bool, text: &[u8]) -> Result<Parsed, NumberError> {
    let end = text
        .iter()
        .position(|b| matches!(b, b'e' | b'E'))
        .unwrap_or(text.len());
    let (plain, exponent) = text.split_at(end);
    let exponent = if exponent.is_empty() {
        0
    } else {
        parse_exponent(&exponent[1..])?
    };
    let point = plain.iter().position(|&b| b == b'.').unwrap_or(plain.len());
    let (whole, fraction) = plain.split_at(point);
    let fraction = match fraction {
        [] => fraction,
        [_] => return Err(NumberError::Malformed),
        [_, digits @ ..] => digits,
    };
    if whole.is_empty() || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return Err(NumberError::Malformed);
    }
    let mut units = 0_i128;
    // The power of ten of the digit at hand, in units of 1e-18.
    let mut power = i64::try_from(whole.len()).unwrap_or(i64::MAX / 4) - 1 + exponent + 18;
    for digit in whole.iter().chain(fraction).map(|b| i128::from(b - b'0')) {
        if digit != 0 {
            units = add_digit(units, digit, power)?;
        }
        power -= 1;
    }
    let written = i64::try_from(fraction.len()).unwrap_or(i64::MAX / 4) - exponent;
    let decimals = u8::try_from(written.clamp(0, 18)).unwrap_or(18);
    Ok(Parsed {
        units: if negative { -units } else { units },
        decimals,
    })
}

fn add_digit(units: i128, digit: i128, power: i64) -> Result<i128, NumberError> {
    if power < 0 {
        return Err(NumberError::TooPrecise);
    }
    u32::try_from(power)
        .ok()
        .and_then(|power| 10_i128.checked_pow(power))
        .and_then(|weight| weight.checked_mul(digit))
        .and_then(|value| units.checked_add(value))
        .filter(|sum| *sum <= MAX_TEXT)
        .ok_or(NumberError::TooLarge)
}

fn parse_exponent(text: &[u8]) -> Result<i64, NumberError> {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        rest => (1, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NumberError::Malformed);
    }
    // Beyond four digits the value is out of range whatever it is.
    let value = digits
        .iter()
        .fold(0_i64, |v, b| (v * 10 + i64::from(b - b'0')).min(10_000));
    Ok(sign * value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The fast way and the general way agree wherever both apply.
        #[test]
        fn fast_and_general_agree(text in "[0-9]{1,17}(\\.[0-9]{1,17})?") {
            if let Some((parsed, end)) = parse_prefix(text.as_bytes()) && end == text.len() {
                prop_assert_eq!(Ok(parsed), parse_long(false, text.as_bytes()));
            }
        }
    }
}
