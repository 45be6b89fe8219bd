//! Arrays of levels, the greater part of most messages.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "positions go forward within the message, and counts are of what is in it; tried by a fuzz target for each decoder"
)]

use dragonfly_core::market::{Level, NumberError, Price, Qty};
use memchr::{memchr2, memrchr};

use super::{
    Cursor, Fault, Parse,
    simd::{self, LevelShape},
};

/// The most decimals prices and quantities were written with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decimals {
    /// Of a price.
    pub price: u8,
    /// Of a quantity.
    pub qty: u8,
}

impl Decimals {
    /// The greater of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            price: self.price.max(other.price),
            qty: self.qty.max(other.qty),
        }
    }
}

macro_rules! number {
    ($name:ident, $slow:ident, $number:ty, $field:literal, $refused:expr, $doc:literal) => {
        #[doc = $doc]
        ///
        /// # Errors
        /// [`Fault::number`] when it cannot be taken.
        #[inline]
        pub fn $name(&mut self) -> Parse<($number, u8)> {
            let quoted = self.peek()? == b'"';
            let start = self.at + usize::from(quoted);
            let rest = self.message.get(start..).unwrap_or_default();
            if let Some((number, decimals, len)) = <$number>::parse_prefix(rest) {
                let ends = match rest.get(len) {
                    Some(b'"') => quoted,
                    Some(b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r') => !quoted,
                    _ => false,
                };
                if ends && $refused(number).is_none() {
                    self.at = start + len + usize::from(quoted);
                    return Ok((number, decimals));
                }
            }
            self.$slow()
        }

        /// Numbers written in unusual ways, and the faults.
        #[cold]
        fn $slow(&mut self) -> Parse<($number, u8)> {
            let start = self.at + usize::from(self.peek()? == b'"');
            let text = self.text()?;
            let fault = |error| Fault::number($field, start, text.len(), error);
            let (number, decimals) = <$number>::parse_with_decimals(text).map_err(fault)?;
            match $refused(number) {
                Some(error) => Err(fault(error)),
                None => Ok((number, decimals)),
            }
        }
    };
}

fn refused_price(price: Price) -> Option<NumberError> {
    match price.units() {
        1.. => None,
        0 => Some(NumberError::Zero),
        _ => Some(NumberError::Negative),
    }
}

fn refused_qty(qty: Qty) -> Option<NumberError> {
    (qty.units() < 0).then_some(NumberError::Negative)
}

impl Cursor<'_> {
    number!(
        price,
        slow_price,
        Price,
        "price",
        refused_price,
        "A price, as a string or a number, and its decimals; greater than zero."
    );
    number!(
        qty,
        slow_qty,
        Qty,
        "quantity",
        refused_qty,
        "A quantity, as a string or a number, and its decimals; zero or more."
    );

    /// Reads `[[price, qty, ...], ...]` into `levels`, in wire order and at most `wanted` of them;
    /// the rest is passed unparsed.
    ///
    /// # Errors
    /// When one of the wanted levels has another shape, or the array has no end.
    #[inline]
    pub fn pairs(&mut self, levels: &mut Vec<Level>, wanted: usize) -> Parse<Decimals> {
        levels.clear();
        let mut decimals = Decimals::default();
        self.expect(b'[', "no array of levels")?;
        if self.passes(b']')? {
            return Ok(decimals);
        }
        loop {
            if levels.len() == wanted {
                self.skip_pairs()?;
                return Ok(decimals);
            }
            let before = levels.len();
            self.at = simd::pairs(self.message, self.at, [&mut *levels], wanted, &mut decimals);
            if levels.len() == before {
                let (level, written) = self.pair()?;
                levels.push(level);
                decimals = decimals.max(written);
            }
            if !self.continues(b']')? {
                return Ok(decimals);
            }
        }
    }

    #[inline]
    fn pair(&mut self) -> Parse<(Level, Decimals)> {
        match self.plain_pair() {
            Some(pair) => Ok(pair),
            None => self.any_pair(),
        }
    }

    /// `["price","qty"]` with plain numbers and without white space, which is what venues send.
    #[inline]
    pub(super) fn plain_pair(&mut self) -> Option<(Level, Decimals)> {
        let rest = self.message.get(self.at..)?.strip_prefix(b"[\"")?;
        let (price, price_decimals, len) = Price::parse_prefix(rest)?;
        let rest = rest.get(len..)?.strip_prefix(b"\",\"")?;
        let (qty, qty_decimals, qty_len) = Qty::parse_prefix(rest)?;
        if price.is_zero() || !rest.get(qty_len..)?.starts_with(b"\"]") {
            return None;
        }
        self.at += len + qty_len + br#"["",""]"#.len();
        let decimals = Decimals {
            price: price_decimals,
            qty: qty_decimals,
        };
        Some((Level::new(price, qty), decimals))
    }

    /// The same in any other way of writing, and the faults.
    fn any_pair(&mut self) -> Parse<(Level, Decimals)> {
        self.expect(b'[', "a level is no array")?;
        let (price, price_decimals) = self.price()?;
        self.expect(b',', "a level without quantity")?;
        let (qty, qty_decimals) = self.qty()?;
        while self.continues(b']')? {
            self.skip()?;
        }
        let decimals = Decimals {
            price: price_decimals,
            qty: qty_decimals,
        };
        Ok((Level::new(price, qty), decimals))
    }

    /// Passes the rest of an array of arrays of strings and numbers.
    ///
    /// Within it there is neither a colon nor a brace, so one search finds the next key or the end of the
    /// object, and the array's end is the last bracket before that.
    fn skip_pairs(&mut self) -> Parse<()> {
        let rest = &self.message[self.at..];
        let end = memchr2(b':', b'}', rest).and_then(|next| memrchr(b']', &rest[..next]));
        let last = end.and_then(|end| {
            let inner = rest[..end].iter().rev();
            inner.copied().find(|b| !b.is_ascii_whitespace())
        });
        match (end, last) {
            (Some(end), Some(b']')) => {
                self.at += end + 1;
                Ok(())
            }
            _ => Err(self.fault("an array of levels without end")),
        }
    }

    /// Reads an array of objects, those of the given shape into the place of their head; `other` reads
    /// one that is written otherwise. Returns whether there was none such.
    #[inline]
    pub(crate) fn objects<const N: usize>(
        &mut self,
        shape: &LevelShape<N>,
        mut into: [&mut Vec<Level>; N],
        decimals: &mut Decimals,
        mut other: impl FnMut(&mut Self, &mut [&mut Vec<Level>; N], &mut Decimals) -> Parse<()>,
    ) -> Parse<bool> {
        self.expect(b'[', "not an array")?;
        if self.passes(b']')? {
            return Ok(true);
        }
        let mut is_all = true;
        loop {
            let places = into.each_mut().map(|levels| &mut **levels);
            let end = simd::objects(self.message, self.at, shape, places, decimals);
            if end == self.at {
                is_all = false;
                other(self, &mut into, decimals)?;
            } else {
                self.at = end;
            }
            if !self.continues(b']')? {
                return Ok(is_all);
            }
        }
    }

    /// Reads an object `{"price": .., "qty": ..}` whose keys have the given names, in any order.
    ///
    /// # Errors
    /// When one of the two is missing or cannot be taken.
    #[inline]
    pub fn level(&mut self, price_key: &[u8], qty_key: &[u8]) -> Parse<(Level, Decimals)> {
        let (mut price, mut qty) = (None, None);
        self.object(|key, c| {
            if key == price_key {
                c.once(price.is_some())?;
                price = Some(c.price()?);
            } else if key == qty_key {
                c.once(qty.is_some())?;
                qty = Some(c.qty()?);
            } else {
                c.skip()?;
            }
            Ok(())
        })?;
        let (Some((price, price_decimals)), Some((qty, qty_decimals))) = (price, qty) else {
            return Err(self.fault("a level without price or quantity"));
        };
        let decimals = Decimals {
            price: price_decimals,
            qty: qty_decimals,
        };
        Ok((Level::new(price, qty), decimals))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, wanted: usize) -> Parse<(Vec<(String, String)>, String)> {
        let (mut cursor, mut levels) = (Cursor::new(text.as_bytes()), Vec::new());
        cursor.pairs(&mut levels, wanted)?;
        let levels = levels
            .iter()
            .map(|l| (l.price.to_string(), l.qty.to_string()));
        Ok((levels.collect(), text[cursor.at..].to_owned()))
    }

    #[test]
    fn the_wanted_levels_are_read_and_the_rest_is_passed() {
        let text = r#"[["2.50","1"],["2.4",3,"id"],[ 2e0 , "0.10" ],["junk"]],"asks":[["9","9"]]}"#;
        let (levels, rest) = read(text, 3).unwrap();
        let expected = [("2.5", "1"), ("2.4", "3"), ("2", "0.1")];
        assert_eq!(levels, expected.map(|(p, q)| (p.to_owned(), q.to_owned())));
        assert_eq!(rest, r#","asks":[["9","9"]]}"#);
        let last = r#"[["2","1"],["1","1"] ] }}"#;
        assert_eq!(read(last, 1).unwrap().1, " }}");
        assert_eq!(read("[ ],", 3).unwrap().0, []);
    }

    #[test]
    fn what_is_no_level_is_a_fault_with_its_reason() {
        for (text, reason) in [
            (r#"[["0","1"]]"#, "price \"0\" is zero"),
            (r#"[["-1","1"]]"#, "price \"-1\" is negative"),
            (r#"[["1","-1"]]"#, "quantity \"-1\" is negative"),
            (r#"[["1,5","1"]]"#, "price \"1,5\" is not a decimal number"),
            (r#"[["NaN","1"]]"#, "price \"NaN\" is not a decimal number"),
            (
                r#"[["1"1,"1"]]"#,
                "a level without quantity near byte 5: \"1,\\\"1\\\"]]\"",
            ),
            (r#"[["1"]]"#, "a level without quantity near byte 5: \"]]\""),
            (
                r#"[["2","1"],["1","1"]}"#,
                "neither a comma nor the end near byte 20: \"}\"",
            ),
            (
                r#"[[["2","1"]]]"#,
                "neither a string nor a number near byte 2",
            ),
        ] {
            let error = read(text, 9)
                .unwrap_err()
                .into_error(text.as_bytes())
                .to_string();
            assert!(error.starts_with(reason), "{text}: {error}");
        }
        let cut = r#"[["3","1"],["2","1"],["1","1"]}"#;
        assert!(read(cut, 1).is_err(), "the array's own end is missing");
    }
}
