//! One side of a book as decimal text.

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeSeq};

/// Prices and quantities as text, best first. In JSON: `[["65140.4","0.6"],...]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels(String);

impl Levels {
    /// Appends a level. Neither text may contain a space.
    pub fn push(&mut self, price: &str, qty: &str) {
        self.push_with(|text| {
            text.push_str(price);
            text.push(' ');
            text.push_str(qty);
        });
    }

    /// Appends a level that `write` writes as price, space, quantity.
    pub(crate) fn push_with(&mut self, write: impl FnOnce(&mut String)) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        write(&mut self.0);
    }

    /// The levels, price and quantity.
    pub fn iter(&self) -> Pairs<'_> {
        Pairs(&self.0)
    }

    /// The best level.
    pub fn first(&self) -> Option<(&str, &str)> {
        self.iter().next()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The levels of a side one after the other: price and quantity.
#[derive(Clone, Debug)]
pub struct Pairs<'a>(&'a str);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        let mut word = || {
            let space = self.0.bytes().position(|byte| byte == b' ');
            let (word, rest) = match space {
                Some(at) => (&self.0[..at], &self.0[at + 1..]),
                None => (self.0, ""),
            };
            self.0 = rest;
            (!word.is_empty()).then_some(word)
        };
        Some((word()?, word()?))
    }
}

impl Serialize for Levels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for level in self.iter() {
            list.serialize_element(&level)?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Levels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = Vec::<(String, String)>::deserialize(deserializer)?;
        let mut levels = Self::default();
        for (price, qty) in pairs {
            let is_word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
            if !is_word(&price) || !is_word(&qty) {
                let what = format!("a level of {price:?} and {qty:?}");
                return Err(serde::de::Error::custom(what));
            }
            levels.push(&price, &qty);
        }
        Ok(levels)
    }
}
