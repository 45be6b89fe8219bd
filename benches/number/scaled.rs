//! The other representation of numbers: a 64-bit count of a unit that the instrument fixes.
//!
//! It exists to be measured against `Price` and `Qty`. Both parties must know the scale, text beyond
//! it cannot be taken, and the range at eight decimals ends at 9.2e10; in exchange a level takes 16
//! bytes instead of 32. The parser is the same eight-digits-at-a-time one as that of `Price`, so that
//! what differs is the representation.

/// Powers of ten that an `i64` holds.
const POW10: [u64; 19] = {
    let mut table = [1; 19];
    let mut i = 1;
    while i < 19 {
        table[i] = table[i - 1] * 10;
        i += 1;
    }
    table
};

/// The number at the head of `text` as a count of 10^-`scale`, and where it ends; `None` where it
/// does not fit or is written in an unusual way.
#[inline]
pub(crate) fn parse_prefix(text: &[u8], scale: usize) -> Option<(i64, usize)> {
    let (mut mantissa, mut end) = digits(text, 0);
    if end == 8 && text.get(8).is_some_and(u8::is_ascii_digit) {
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
        if decimals == 0 || whole + decimals > 18 {
            return None;
        }
        mantissa = mantissa * POW10[count] + fraction;
        if count == 8 && text.get(whole + 9).is_some_and(u8::is_ascii_digit) {
            let (more, count) = digits(text, whole + 9);
            decimals += count;
            if whole + decimals > 18 {
                return None;
            }
            mantissa = mantissa * POW10[count] + more;
        }
        end = whole + 1 + decimals;
    }
    let weight = POW10[scale.checked_sub(decimals)?.min(18)];
    let units = i64::try_from(mantissa.checked_mul(weight)?).ok()?;
    Some((units, end))
}

/// As in `Price`'s parser: the value of up to eight digits, and how many they are.
#[inline]
fn digits(text: &[u8], at: usize) -> (u64, usize) {
    let values = eight_bytes(text, at) ^ 0x3030_3030_3030_3030;
    let others = (values | values.wrapping_add(0x0606_0606_0606_0606)) & 0xf0f0_f0f0_f0f0_f0f0;
    let count = (others.trailing_zeros() / 8) as usize;
    if count == 0 {
        return (0, 0);
    }
    let v = values << (64 - 8 * count);
    let v = v.wrapping_mul(10 * 0x100 + 1) >> 8;
    let v = (v & 0x00ff_00ff_00ff_00ff).wrapping_mul(100 * 0x1_0000 + 1) >> 16;
    let v = (v & 0x0000_ffff_0000_ffff).wrapping_mul(10_000 * 0x1_0000_0000 + 1) >> 32;
    (v, count)
}

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
