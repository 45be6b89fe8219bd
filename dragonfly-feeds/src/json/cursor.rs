//! The cursor: objects, arrays, strings, numbers, and skipping.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "positions go forward within the message, and counts are of what is in it; tried by a fuzz target for each decoder"
)]

use memchr::memchr2;

use super::{Fault, Parse};

/// How deep a value that is skipped may be nested.
pub const MAX_NESTING: u32 = 64;

/// A place in a message. Copy it to come back.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    pub(super) message: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    /// At the beginning of `message`.
    pub const fn new(message: &'a [u8]) -> Self {
        Self { message, at: 0 }
    }

    /// How many bytes are before this place.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// A fault at this place.
    #[cold]
    pub const fn fault(&self, what: &'static str) -> Fault {
        Fault::shape(what, self.at)
    }

    /// The next byte that is no white space; stays before it.
    ///
    /// # Errors
    /// When the message has ended.
    #[inline]
    pub fn peek(&mut self) -> Parse<u8> {
        loop {
            match self.message.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(&byte) => return Ok(byte),
                None => return Err(self.fault("the message ends too early")),
            }
        }
    }

    /// Whether the next value is an array.
    #[inline]
    pub fn is_array(&mut self) -> bool {
        self.peek() == Ok(b'[')
    }

    /// Whether the next value is an object.
    #[inline]
    pub fn is_object(&mut self) -> bool {
        self.peek() == Ok(b'{')
    }

    #[inline]
    pub(super) fn expect(&mut self, byte: u8, what: &'static str) -> Parse<()> {
        if self.peek()? != byte {
            return Err(self.fault(what));
        }
        self.at += 1;
        Ok(())
    }

    /// Passes `byte` if it is next.
    #[inline]
    pub(super) fn passes(&mut self, byte: u8) -> Parse<bool> {
        let is_next = self.peek()? == byte;
        self.at += usize::from(is_next);
        Ok(is_next)
    }

    /// Passes a comma, or the end of the container; true at the comma.
    #[inline]
    pub(super) fn continues(&mut self, end: u8) -> Parse<bool> {
        let byte = self.peek()?;
        if byte != b',' && byte != end {
            return Err(self.fault("neither a comma nor the end"));
        }
        self.at += 1;
        Ok(byte == b',')
    }

    /// Walks an object: `each` gets every key and must pass its value, with [`skip`](Self::skip) if
    /// it is of no interest.
    ///
    /// # Errors
    /// When this is no object, or what `each` returns.
    #[inline]
    pub fn object(&mut self, mut each: impl FnMut(&'a [u8], &mut Self) -> Parse<()>) -> Parse<()> {
        self.expect(b'{', "not an object")?;
        if self.passes(b'}')? {
            return Ok(());
        }
        loop {
            let key = self.string()?;
            self.expect(b':', "no colon after a key")?;
            each(key, self)?;
            if !self.continues(b'}')? {
                return Ok(());
            }
        }
    }

    /// Refuses a key that `has_come` already: for small objects that are many, where
    /// [`fields`](Self::fields) would take longer than what it guards.
    ///
    /// # Errors
    /// When it has come.
    #[inline]
    pub fn once(&self, has_come: bool) -> Parse<()> {
        if has_come {
            return Err(self.fault("a key comes twice"));
        }
        Ok(())
    }

    /// Walks an object as [`object`](Self::object) does, and refuses it when one of its keys comes
    /// twice: which of the two values would be meant, nobody can know. Beyond the first 16 keys of an
    /// object it is not looked for.
    ///
    /// # Errors
    /// When this is no object, when a key comes twice, or what `each` returns.
    #[inline]
    pub fn fields(&mut self, mut each: impl FnMut(&'a [u8], &mut Self) -> Parse<()>) -> Parse<()> {
        let (mut seen, mut count) = ([b"".as_slice(); 16], 0);
        self.object(|key, c| {
            c.once(seen.iter().take(count).any(|known| *known == key))?;
            if let Some(free) = seen.get_mut(count) {
                *free = key;
                count += 1;
            }
            each(key, c)
        })
    }

    /// Walks an array: `each` must pass every element.
    ///
    /// # Errors
    /// When this is no array, or what `each` returns.
    #[inline]
    pub fn array(&mut self, mut each: impl FnMut(&mut Self) -> Parse<()>) -> Parse<()> {
        self.expect(b'[', "not an array")?;
        if self.passes(b']')? {
            return Ok(());
        }
        loop {
            each(self)?;
            if !self.continues(b']')? {
                return Ok(());
            }
        }
    }

    /// The text of a string, as it stands between the quotes.
    ///
    /// # Errors
    /// When this is no string, or one without end.
    #[inline]
    pub fn string(&mut self) -> Parse<&'a [u8]> {
        self.expect(b'"', "not a string")?;
        let start = self.at;
        loop {
            match self.message.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return Err(Fault::shape("a string without end", start)),
            }
        }
        let text = &self.message[start..self.at];
        self.at += 1;
        Ok(text)
    }

    /// The text of a string or the characters of a number, `true`, `false` or `null`.
    ///
    /// # Errors
    /// When this is an object or an array, or nothing at all.
    #[inline]
    pub fn text(&mut self) -> Parse<&'a [u8]> {
        if self.peek()? == b'"' {
            return self.string();
        }
        let start = self.at;
        let rest = &self.message[start..];
        let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.');
        let len = rest.iter().take_while(|b| is_part(b)).count();
        // A number at the very end has been cut off, for it stands in an object or an array.
        if len == 0 || len == rest.len() {
            return Err(self.fault("neither a string nor a number"));
        }
        self.at += len;
        Ok(&rest[..len])
    }

    /// The text of a string or a number; `None`, passed all the same, where the value is neither.
    ///
    /// # Errors
    /// When the value has no end.
    #[inline]
    pub fn text_if_any(&mut self) -> Parse<Option<&'a [u8]>> {
        if matches!(self.peek()?, b'{' | b'[') {
            return self.skip().map(|()| None);
        }
        self.text().map(Some)
    }

    /// A whole number below 2^64, as a number or as a string.
    ///
    /// # Errors
    /// When it is anything else.
    #[inline]
    pub fn count(&mut self) -> Parse<u64> {
        self.peek()?;
        let start = self.at;
        let text = self.text()?;
        whole_number(text).ok_or_else(|| Fault::shape("not a whole number", start))
    }

    /// Passes any value.
    ///
    /// # Errors
    /// When it has no end, or is nested deeper than [`MAX_NESTING`].
    #[inline]
    pub fn skip(&mut self) -> Parse<()> {
        match self.peek()? {
            b'{' | b'[' => self.skip_container(),
            _ => self.text().map(|_| ()),
        }
    }

    fn skip_container(&mut self) -> Parse<()> {
        let start = self.at;
        // One bit for each open bracket: whether it is a brace.
        let (mut braces, mut open) = (0_u64, 0_u32);
        loop {
            let byte = match self.message.get(self.at) {
                Some(byte) => *byte,
                None => return Err(Fault::shape("a value without end", start)),
            };
            self.at += 1;
            match byte {
                b'"' => self.skip_string()?,
                b'{' | b'[' if open == MAX_NESTING => return Err(self.fault("nested too deep")),
                b'{' | b'[' => {
                    braces = braces << 1 | u64::from(byte == b'{');
                    open += 1;
                }
                b'}' | b']' => {
                    if (braces & 1 == 1) != (byte == b'}') {
                        return Err(self.fault("a bracket closed by another"));
                    }
                    braces >>= 1;
                    open -= 1;
                    if open == 0 {
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
    }

    /// Passes the rest of a string behind its first quote.
    #[inline]
    fn skip_string(&mut self) -> Parse<()> {
        let start = self.at;
        loop {
            let rest = self.message.get(self.at..).unwrap_or_default();
            let Some(found) = memchr2(b'"', b'\\', rest) else {
                return Err(Fault::shape("a string without end", start));
            };
            self.at += found + 1;
            if rest[found] == b'"' {
                return Ok(());
            }
            self.at += 1;
        }
    }

    /// Asserts that nothing but white space follows.
    ///
    /// # Errors
    /// When something does.
    #[inline]
    pub fn end(&mut self) -> Parse<()> {
        match self.peek() {
            Ok(_) => Err(self.fault("something follows the message")),
            Err(_) => Ok(()),
        }
    }
}

/// The whole number below 2^64 that `text` consists of.
#[inline]
pub fn whole_number(text: &[u8]) -> Option<u64> {
    let digit = |n: Option<u64>, b: &u8| {
        let digit = b.wrapping_sub(b'0');
        let ten = n?.checked_mul(10).filter(|_| digit <= 9)?;
        ten.checked_add(u64::from(digit))
    };
    text.iter().fold((!text.is_empty()).then_some(0), digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(message: &str, wanted: &str) -> Parse<Option<String>> {
        let mut value = None;
        let mut cursor = Cursor::new(message.as_bytes());
        cursor.object(|key, c| {
            if key != wanted.as_bytes() {
                return c.skip();
            }
            value = c
                .text_if_any()?
                .map(|t| String::from_utf8(t.into()).unwrap());
            Ok(())
        })?;
        cursor.end()?;
        Ok(value)
    }

    #[test]
    fn a_key_is_found_by_name_wherever_it_stands() {
        for message in [
            r#"{"a":1,"b":"x"}"#,
            r#"{"b":"x","a":1}"#,
            "\r\n{ \"c\" : { \"b\" : [ \"y\", {\"b\":\"}]\"} ] } ,\t\"b\"\n:\"x\"\n}\n ",
            r#"{"\"b\"":"y","c":"\\","d":"\"b\":","b":"x"}"#,
            r#"{"e":[],"f":{},"g":[[],[{}]],"h":null,"i":-1.5e+3,"b":"x"}"#,
        ] {
            assert_eq!(value_of(message, "b"), Ok(Some("x".into())), "{message}");
        }
    }

    #[test]
    fn a_field_that_comes_twice_is_a_fault() {
        let walk = |message: &str| Cursor::new(message.as_bytes()).fields(|_, c| c.skip());
        assert!(walk(r#"{"a":1,"b":2,"A":3,"":4}"#).is_ok());
        assert!(walk(r#"{"a":{"b":1},"b":1}"#).is_ok());
        for twice in [
            r#"{"a":1,"a":1}"#,
            r#"{"b":1,"a":1,"b":2}"#,
            r#"{"":1,"":2}"#,
        ] {
            assert!(walk(twice).is_err(), "{twice}");
        }
    }

    #[test]
    fn every_truncation_is_a_fault() {
        let message = r#"{"a":{"x":[1,"2\"",{"y":null}]},"b":"x","c":12}"#;
        assert_eq!(value_of(message, "b"), Ok(Some("x".into())));
        for end in 0..message.len() {
            assert!(value_of(&message[..end], "b").is_err(), "{end}");
        }
    }

    #[test]
    fn what_is_no_json_is_a_fault() {
        for message in [
            "",
            "[]",
            "nonsense",
            r#"{"b"}"#,
            r#"{"b":}"#,
            r#"{"b":"x",}"#,
            r#"{"b":"x"}}"#,
            r#"{"b":"x"} {"#,
            r#"{"a":[1},"b":"x"}"#,
            r#"{"a":{"x":1],"b":"x"}"#,
            r#"{b:"x"}"#,
            r#"{"b":"x" "c":1}"#,
        ] {
            assert!(value_of(message, "b").is_err(), "{message}");
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |n: usize| format!(r#"{{"a":{}{},"b":"x"}}"#, "[".repeat(n), "]".repeat(n));
        assert!(value_of(&nested(64), "b").is_ok());
        assert!(value_of(&nested(65), "b").is_err());
        assert!(value_of(&nested(100_000), "b").is_err());
    }

    #[test]
    fn counts_are_whole_and_fit() {
        let count = |text: &str| Cursor::new(text.as_bytes()).count();
        assert_eq!(count("18446744073709551615 "), Ok(u64::MAX));
        assert_eq!(count(r#""1789457617906487""#), Ok(1_789_457_617_906_487));
        for text in [
            "18446744073709551616 ",
            "-1 ",
            "1.0 ",
            "1e3 ",
            r#""""#,
            "null ",
            "{}",
        ] {
            assert!(count(text).is_err(), "{text}");
        }
    }
}
