//! Exact numbers as text and as doubles, faster than through the formatter.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "places are those of what was just written; no byte of it is a client's"
)]

use dragonfly_core::market::{Price, Qty};

const ONE: u128 = 1_000_000_000_000_000_000;
/// Every integer up to here is a double.
const EXACT: u128 = 1 << 53;

/// A number as its digits.
struct Digits {
    negative: bool,
    whole: u128,
    /// The fraction without trailing zeros.
    fraction: u64,
    /// How many decimals `fraction` has.
    decimals: u32,
}

impl Digits {
    fn of(units: i128) -> Self {
        let magnitude = units.unsigned_abs();
        let (whole, rest) = match u64::try_from(magnitude) {
            // A 64-bit division is many times faster, and most numbers are this small.
            Ok(small) => (u128::from(small / ONE as u64), small % ONE as u64),
            Err(_) => (magnitude / ONE, (magnitude % ONE) as u64),
        };
        let (fraction, decimals) = strip_zeros(rest);
        Self {
            negative: units < 0,
            whole,
            fraction,
            decimals,
        }
    }
}

/// A fraction of 18 decimals without its trailing zeros, and how many decimals are left.
fn strip_zeros(mut fraction: u64) -> (u64, u32) {
    if fraction == 0 {
        return (0, 0);
    }
    let mut decimals = 18;
    for (power, zeros) in [(100_000_000, 8), (10_000, 4), (100, 2), (10, 1)] {
        while fraction.is_multiple_of(power) {
            fraction /= power;
            decimals -= zeros;
        }
    }
    (fraction, decimals)
}

/// The text of a number: at most 39 digits, a sign and a point.
pub(super) struct Text {
    bytes: [u8; 48],
    start: usize,
}

impl Text {
    pub(super) fn of(units: i128) -> Self {
        let digits = Digits::of(units);
        let mut text = Self {
            bytes: [0; 48],
            start: 48,
        };
        let mut fraction = digits.fraction;
        for _ in 0..digits.decimals {
            text.digit((fraction % 10) as u8);
            fraction /= 10;
        }
        if digits.decimals > 0 {
            text.put(b'.');
        }
        text.whole(digits.whole);
        if digits.negative {
            text.put(b'-');
        }
        text
    }

    fn whole(&mut self, mut whole: u128) {
        while u64::try_from(whole).is_err() {
            self.digit((whole % 10) as u8);
            whole /= 10;
        }
        let mut whole = whole as u64;
        loop {
            self.digit((whole % 10) as u8);
            whole /= 10;
            if whole == 0 {
                return;
            }
        }
    }

    const fn digit(&mut self, digit: u8) {
        self.put(b'0' + digit);
    }

    const fn put(&mut self, byte: u8) {
        self.start -= 1;
        self.bytes[self.start] = byte;
    }

    pub(super) fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[self.start..]).unwrap_or("")
    }
}

/// The double nearest to a price.
pub(super) fn price_to_f64(price: Price) -> f64 {
    to_f64(price.units()).unwrap_or_else(|| price.to_f64_lossy())
}

/// The double nearest to a quantity.
pub(super) fn qty_to_f64(qty: Qty) -> f64 {
    to_f64(qty.units()).unwrap_or_else(|| qty.to_f64_lossy())
}

/// The nearest double, where all digits together fit a double: then one division rounds once.
fn to_f64(units: i128) -> Option<f64> {
    let digits = Digits::of(units);
    let scale = 10_u64.pow(digits.decimals);
    let mantissa = digits
        .whole
        .checked_mul(u128::from(scale))?
        .checked_add(u128::from(digits.fraction))
        .filter(|m| *m <= EXACT)?;
    // A power of ten up to 10^22 is a double too.
    let value = mantissa as u64 as f64 / scale as f64;
    Some(if digits.negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_text_is_the_formatters(units in any::<i128>(), shift in 0_u32..127) {
            let units = units >> shift;
            let text = Text::of(units);
            prop_assert_eq!(text.as_str(), Price::from_units(units).to_string());
        }

        #[test]
        fn a_written_price_becomes_the_double_its_text_is(
            mantissa in 0_u64..(1 << 53),
            decimals in 0_u32..=12,
            negative in any::<bool>(),
        ) {
            let units = i128::from(mantissa) * 10_i128.pow(18 - decimals);
            let price = Price::from_units(if negative { -units } else { units });
            prop_assert_eq!(price_to_f64(price), price.to_string().parse::<f64>().unwrap());
        }
    }

    #[test]
    fn round_numbers_and_the_ends_of_the_range_are_written_in_full() {
        for units in [
            0,
            1,
            -1,
            ONE as i128,
            10 * ONE as i128,
            i128::MAX,
            i128::MIN + 1,
        ] {
            assert_eq!(Text::of(units).as_str(), Qty::from_units(units).to_string());
        }
    }
}
