//! Checksums over the best levels of a book: the venue declares which text, this applies it.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "bounded by the digits that a number has room for; tried by properties and fuzz targets"
)]

use super::{Book, Level};

/// How levels become the text that is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChecksumText {
    /// Asks from the best, then bids from the best; price then quantity of each, written with the
    /// instrument's decimals, without the point and without leading zeros, nothing between them.
    AsksThenBidsDigits,
}

/// A CRC-32 (ISO-HDLC, as in zlib) over the best levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChecksumRule {
    /// How many levels a side take part; fewer where the book has fewer.
    pub levels: usize,
    /// How they become text.
    pub text: ChecksumText,
}

impl ChecksumRule {
    /// The checksum of `book`, whose prices and quantities the venue writes with the given numbers
    /// of decimals.
    pub fn of(&self, book: &Book, price_decimals: u8, qty_decimals: u8) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        let mut digits = |units: i128, decimals: u8| {
            let mut buffer = [0_u8; 40];
            let text = write_digits(&mut buffer, units, decimals);
            crc.update(text);
        };
        let mut level = |level: &Level| {
            digits(level.price.units(), price_decimals);
            digits(level.qty.units(), qty_decimals);
        };
        match self.text {
            ChecksumText::AsksThenBidsDigits => {
                book.asks().take(self.levels).for_each(&mut level);
                book.bids().take(self.levels).for_each(&mut level);
            }
        }
        crc.finalize()
    }
}

/// The digits of `units` (a count of 1e-18) at `decimals` decimals, without point and leading zeros.
fn write_digits(buffer: &mut [u8; 40], units: i128, decimals: u8) -> &[u8] {
    let drop = 10_u128.pow(18 - u32::from(decimals.min(18)));
    let mut rest = units.unsigned_abs() / drop;
    let mut at = buffer.len();
    while rest > 0 && at > 0 {
        at -= 1;
        // A remainder by ten fits a byte.
        buffer[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    &buffer[at..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Price, Qty};

    /// Kraken's published example, and a book of small prices with leading zeros.
    #[test]
    fn known_books_have_their_known_checksums() {
        let guide = (
            "45285.2 0.00100000|45286.4 1.54571953|45286.6 1.54571109|45289.6 1.54560911|\
             45290.2 0.15890660|45291.8 1.54553491|45294.7 0.04454749|45296.1 0.35380000|\
             45297.5 0.09945542|45299.5 0.18772827",
            "45283.5 0.10000000|45283.4 1.54582015|45282.1 0.10000000|45281.0 0.10000000|\
             45280.3 1.54592586|45279.0 0.07990000|45277.6 0.03310103|45277.5 0.30000000|\
             45277.3 1.54602737|45276.6 0.15445238",
            (1, 8, 3_310_070_434),
        );
        let small = (
            "0.000027810 1224.43757069|0.000027820 1830.96140916|0.000027830 388.38706826|\
             0.000027840 18292.94783360|0.000027860 65.10000000|0.000027870 732.36854110|\
             0.000027880 41.04853696|0.000027890 16.88277773|0.000027920 15.13367622|\
             0.000027960 19.97979676",
            "0.000027720 957.43382822|0.000027710 594.14190000|0.000027700 662.84352938|\
             0.000027690 2134.83972356|0.000027680 48.10000000|0.000027650 1236.57576092|\
             0.000027640 626.00000000|0.000027630 58.10945196|0.000027610 15586.16447553|\
             0.000027590 4913.19949866",
            (9, 8, 1_040_737_195),
        );
        let rule = ChecksumRule {
            levels: 10,
            text: ChecksumText::AsksThenBidsDigits,
        };
        for (asks, bids, (price, qty, expected)) in [guide, small] {
            let mut book = Book::default();
            for (side, text) in [(false, asks), (true, bids)] {
                for level in text.split('|').map(|l| l.split_once(' ').unwrap()) {
                    let price = Price::parse(level.0.trim().as_bytes()).unwrap();
                    let level = Level::new(price, Qty::parse(level.1.as_bytes()).unwrap());
                    if side {
                        book.apply_bid(level)
                    } else {
                        book.apply_ask(level)
                    }
                }
            }
            assert_eq!(rule.of(&book, price, qty), expected);
        }
    }
}
