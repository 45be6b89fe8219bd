//! Exact prices and quantities: 128-bit fixed point with 18 decimals.
//!
//! A value is self-describing, so that prices of different venues compare without a scale on the
//! side. Every multiple of 1e-18 up to 1.7e20 in magnitude is represented exactly. Text is taken up
//! to 1e18, so that a hundred numbers can be summed; text that needs more, or more than 18 decimals,
//! is an error, never a rounded number.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "bounded by the digits that a number has room for; tried by properties and fuzz targets"
)]

mod parse;

use std::{fmt, str::FromStr};

use parse::{parse, parse_prefix};

/// Decimals kept by [`Price`] and [`Qty`].
const SCALE: u32 = 18;
const ONE: i128 = 10_i128.pow(SCALE);

/// The largest magnitude that is read from text, in units: far above any price or quantity, and so
/// far below the range that sums over all venues fit.
const MAX_TEXT: i128 = 10_i128.pow(18 + SCALE);

/// Why a text is no number of the kind asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NumberError {
    /// The text is not a decimal number.
    #[error("not a decimal number")]
    Malformed,
    /// The number has a non-zero digit beyond the eighteenth decimal.
    #[error("more than 18 decimals")]
    TooPrecise,
    /// The number is larger than 1e18.
    #[error("larger than 1e18")]
    TooLarge,
    /// The number is negative where it must not be.
    #[error("negative")]
    Negative,
    /// The number is zero where it must not be.
    #[error("zero")]
    Zero,
}

fn write(f: &mut fmt::Formatter<'_>, units: i128) -> fmt::Result {
    let magnitude = units.unsigned_abs();
    let (whole, mut fraction) = (
        magnitude / ONE.unsigned_abs(),
        magnitude % ONE.unsigned_abs(),
    );
    let mut width = SCALE as usize;
    if let Some(decimals) = f.precision() {
        for _ in decimals..width {
            fraction /= 10;
        }
        width = decimals.min(width);
    } else {
        while width > 0 && fraction % 10 == 0 {
            fraction /= 10;
            width -= 1;
        }
    }
    let mut text = Text {
        bytes: [0; 48],
        len: 0,
    };
    if width == 0 {
        fmt::Write::write_fmt(&mut text, format_args!("{whole}"))?;
    } else {
        fmt::Write::write_fmt(&mut text, format_args!("{whole}.{fraction:0width$}"))?;
    }
    f.pad_integral(units >= 0, "", text.as_str())
}

/// Room for the longest number, so that printing does not allocate.
struct Text {
    bytes: [u8; 48],
    len: usize,
}

impl Text {
    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.len]).unwrap_or("")
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let end = self.len + s.len();
        self.bytes
            .get_mut(self.len..end)
            .ok_or(fmt::Error)?
            .copy_from_slice(s.as_bytes());
        self.len = end;
        Ok(())
    }
}

macro_rules! number {
    ($name:ident, $what:literal) => {
        #[doc = concat!("An exact ", $what, ": a multiple of 1e-18 of at most 1.7e20 in magnitude.")]
        ///
        /// It prints in plain notation without superfluous zeros; a precision (`{:.2}`) cuts, it
        /// does not round.
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i128);

        impl $name {
            #[doc = concat!("The ", $what, " zero.")]
            pub const ZERO: Self = Self(0);

            /// Parses decimal text as a venue writes it: an optional minus sign, digits, an
            /// optional fraction, an optional exponent.
            ///
            /// # Errors
            /// See [`NumberError`].
            #[inline]
            pub fn parse(text: &[u8]) -> Result<Self, NumberError> {
                parse(text).map(|parsed| Self(parsed.units))
            }

            /// Parses decimal text and also says with how many decimals it was written.
            ///
            /// # Errors
            /// See [`NumberError`].
            #[inline]
            pub fn parse_with_decimals(text: &[u8]) -> Result<(Self, u8), NumberError> {
                parse(text).map(|parsed| (Self(parsed.units), parsed.decimals))
            }

            /// Parses the plain number at the head of `text`: digits, an optional fraction, no
            /// sign and no exponent, at most 19 digits. Returns it with the number of its decimals
            /// and of its bytes, or `None` where the text begins in another way; whether what
            /// follows may follow is the caller's to judge.
            ///
            /// ```
            /// # use dragonfly_core::market::Price;
            /// let (price, decimals, len) = Price::parse_prefix(b"65140.40\",").unwrap();
            /// assert_eq!((price.to_string().as_str(), decimals, len), ("65140.4", 2, 8));
            /// ```
            #[inline]
            pub fn parse_prefix(text: &[u8]) -> Option<(Self, u8, usize)> {
                parse_prefix(text).map(|(parsed, end)| (Self(parsed.units), parsed.decimals, end))
            }

            /// From a count of 1e-18.
            pub const fn from_units(units: i128) -> Self {
                Self(units)
            }

            /// The count of 1e-18.
            pub const fn units(self) -> i128 {
                self.0
            }

            /// Whether it is zero.
            #[inline]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// The sum, or `None` where it is out of range.
            pub const fn checked_add(self, other: Self) -> Option<Self> {
                match self.0.checked_add(other.0) {
                    Some(units) => Some(Self(units)),
                    None => None,
                }
            }

            /// The nearest floating-point number, for display and for schemas that want a double.
            #[allow(clippy::cast_precision_loss, reason = "the loss is what the name says")]
            pub fn to_f64_lossy(self) -> f64 {
                // Two exactly representable parts where possible: one rounding, in the division.
                let magnitude = self.0.unsigned_abs();
                let mut units = magnitude;
                let mut scale = ONE.unsigned_abs();
                while scale > 1 && units % 10 == 0 {
                    units /= 10;
                    scale /= 10;
                }
                let value = units as f64 / scale as f64;
                if self.0 < 0 { -value } else { value }
            }
        }

        impl FromStr for $name {
            type Err = NumberError;
            fn from_str(text: &str) -> Result<Self, NumberError> {
                Self::parse(text.as_bytes())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(f, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}
number!(Price, "price");
number!(Qty, "quantity");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn price(text: &str) -> Result<String, NumberError> {
        Price::parse(text.as_bytes()).map(|p| p.to_string())
    }

    #[test]
    fn every_spelling_a_venue_uses_is_exact() {
        for (text, plain) in [
            ("65140.4", "65140.4"),
            ("0.00002921", "0.00002921"),
            ("0.00000000", "0"),
            ("61837.63000000", "61837.63"),
            ("1e-05", "0.00001"),
            ("1E5", "100000"),
            ("1.5e+3", "1500"),
            ("-12.5", "-12.5"),
            ("000123.4500", "123.45"),
            ("1000000000000000", "1000000000000000"),
            ("0.000000000001", "0.000000000001"),
            ("0.0000000000000000010000", "0.000000000000000001"),
            (
                "999999999999999999.999999999999999999",
                "999999999999999999.999999999999999999",
            ),
            ("1e18", "1000000000000000000"),
            ("1e-18", "0.000000000000000001"),
        ] {
            assert_eq!(price(text).as_deref(), Ok(plain), "{text}");
        }
    }

    #[test]
    fn a_number_that_does_not_fit_is_an_error_never_another_number() {
        for (text, error) in [
            ("", NumberError::Malformed),
            ("-", NumberError::Malformed),
            (".5", NumberError::Malformed),
            ("5.", NumberError::Malformed),
            ("1.2.3", NumberError::Malformed),
            ("NaN", NumberError::Malformed),
            ("0x10", NumberError::Malformed),
            (" 1", NumberError::Malformed),
            ("1e", NumberError::Malformed),
            ("+1", NumberError::Malformed),
            ("1e-19", NumberError::TooPrecise),
            ("0.1234567890123456789", NumberError::TooPrecise),
            ("1e21", NumberError::TooLarge),
            ("1000000000000000000.1", NumberError::TooLarge),
            ("1000000000000000001", NumberError::TooLarge),
            ("-2000000000000000000", NumberError::TooLarge),
            ("1e999999999999", NumberError::TooLarge),
            (
                "1234567890123456789012345678901234567890",
                NumberError::TooLarge,
            ),
        ] {
            assert_eq!(price(text), Err(error), "{text}");
        }
    }

    #[test]
    fn the_decimals_written_are_reported() {
        for (text, decimals) in [("1.2300", 4), ("5", 0), ("1e-05", 5), ("1.5e3", 0)] {
            let (_, got) = Qty::parse_with_decimals(text.as_bytes()).unwrap();
            assert_eq!(got, decimals, "{text}");
        }
    }

    #[test]
    fn the_lossy_double_is_the_one_the_text_would_give() {
        for text in [
            "0.1",
            "65140.4",
            "0.06824",
            "12345678.87654321",
            "1e-12",
            "-3.3",
        ] {
            let price = Price::parse(text.as_bytes()).unwrap();
            assert_eq!(price.to_f64_lossy(), text.parse::<f64>().unwrap(), "{text}");
        }
    }

    #[test]
    fn a_precision_cuts() {
        assert_eq!(format!("{:.2}", Price::parse(b"1.239").unwrap()), "1.23");
        assert_eq!(
            format!("{:>8.1}", Price::parse(b"-1.2").unwrap()),
            "    -1.2"
        );
    }

    /// What surrounds a number in a message must not leak into it, whatever bytes they are.
    #[test]
    fn a_prefix_ends_where_its_digits_end() {
        for text in [
            "1",
            "12345678",
            "123456789",
            "0.00000001",
            "65140.40",
            "1.5",
        ] {
            for next in [b'"', b',', b'e', b'.', b'/', b':', 0, 0x80, 0xff, b' '] {
                let message = [text.as_bytes(), &[next], b"99999999"].concat();
                if next == b'.' {
                    continue;
                }
                let (price, _, len) = Price::parse_prefix(&message).unwrap();
                assert_eq!(
                    (price, len),
                    (text.parse().unwrap(), text.len()),
                    "{text} {next}"
                );
            }
        }
        assert_eq!(Price::parse_prefix(b"-1"), None);
        assert_eq!(Price::parse_prefix(b"1.\""), None);
        assert_eq!(Price::parse_prefix(b""), None);
    }

    proptest! {
        #[test]
        fn text_survives_the_round_trip(whole in 0_u64..=99_999_999_999, fraction in "[0-9]{0,17}[1-9]") {
            let text = format!("{whole}.{fraction}");
            prop_assert_eq!(price(&text), Ok(text));
        }

        #[test]
        fn no_bytes_panic(text in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _outcome = Price::parse(&text);
        }

        #[test]
        fn order_is_numeric(a in -1_000_000_000_000_000_000_i64..=1_000_000_000_000_000_000, b in -99_i64..99) {
            let [pa, pb] = [a, b].map(|n| Price::parse(n.to_string().as_bytes()).unwrap());
            prop_assert_eq!(pa.cmp(&pb), a.cmp(&b));
        }
    }
}
