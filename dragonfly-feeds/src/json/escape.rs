//! Escapes: resolved in place where a message has any, written where a request needs one.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "positions go forward within the message, and counts are of what is in it; tried by a fuzz target for each decoder"
)]

use memchr::memchr;

/// Resolves the escapes of all strings of `message` in place and fills what becomes free at the end
/// with spaces, so that what follows can compare plain bytes.
///
/// Escaped quotes, backslashes and control characters stay as they are, since they would end the
/// string or be no JSON; so does an escape that is none.
pub fn unescape(message: &mut [u8]) {
    let Some(first) = memchr(b'\\', message) else {
        return;
    };
    let (mut from, mut to) = (first, first);
    while from < message.len() {
        let (text, taken) = resolve(&message[from..]);
        let text = text.as_bytes();
        // What an escape stands for is never longer than the escape.
        message[to..to + text.len()].copy_from_slice(text);
        from += taken;
        to += text.len();
        while let Some(&byte) = message.get(from).filter(|b| **b != b'\\') {
            message[to] = byte;
            (from, to) = (from + 1, to + 1);
        }
    }
    message[to..].fill(b' ');
}

/// What the escape at the head of `text` becomes, and how many bytes of `text` that replaces.
fn resolve(text: &[u8]) -> (Resolved, usize) {
    let kept = |len: usize| {
        (
            Resolved::bytes(&text[..len.min(text.len())]),
            len.min(text.len()),
        )
    };
    match text.get(1) {
        Some(b'/') => (Resolved::bytes(b"/"), 2),
        Some(b'u') => match code_point(text) {
            Some((c, len)) if c >= ' ' && c != '"' && c != '\\' => (Resolved::char(c), len),
            _ => kept(2),
        },
        _ => kept(2),
    }
}

/// The character of `\uXXXX`, or of two of them that form a surrogate pair, and their length.
fn code_point(text: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let escape = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        let hex = |n: Option<u32>, b: &u8| Some(n? << 4 | char::from(*b).to_digit(16)?);
        escape.iter().fold(Some(0), hex)
    };
    let first = unit(0)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, 6));
    }
    let second = unit(6).filter(|low| (0xdc00..0xe000).contains(low))?;
    let high = first.checked_sub(0xd800).filter(|high| *high < 0x400)?;
    let c = char::from_u32(0x1_0000 + (high << 10 | (second - 0xdc00)))?;
    Some((c, 12))
}

struct Resolved {
    bytes: [u8; 4],
    len: usize,
}

impl Resolved {
    fn bytes(text: &[u8]) -> Self {
        let mut bytes = [0; 4];
        bytes[..text.len()].copy_from_slice(text);
        Self {
            bytes,
            len: text.len(),
        }
    }

    fn char(c: char) -> Self {
        let mut bytes = [0; 4];
        let len = c.encode_utf8(&mut bytes).len();
        Self { bytes, len }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// `text` as a JSON string, with its quotes.
pub fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        unescape(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_an_escape_stands_for_takes_its_place() {
        for (text, plain) in [
            (r#"{"a":"b"}"#, r#"{"a":"b"}"#),
            (r#"{"\u0064ata":"BTC\/USD"}"#, r#"{"data":"BTC/USD"}      "#),
            (r#""\ud83d\ude00\u00e4""#, "\"\u{1f600}\u{e4}\"            "),
            (
                r#""\"\\\n\u0022\u005c\u000a""#,
                r#""\"\\\n\u0022\u005c\u000a""#,
            ),
            (r#""\ud83d""#, r#""\ud83d""#),
            (r#""\ude00\ud83d""#, r#""\ude00\ud83d""#),
            (r#""\u12"#, r#""\u12"#),
            (r#""\"#, r#""\"#),
            (r#""\uzzzz""#, r#""\uzzzz""#),
        ] {
            assert_eq!(unescaped(text), plain, "{text}");
        }
    }

    #[test]
    fn no_bytes_panic() {
        for text in [
            &b"\\\xff"[..],
            b"\\u\xff\xff\xff\xff",
            b"\xff\\",
            b"\\ud800\\u",
        ] {
            unescape(&mut text.to_vec());
        }
    }

    #[test]
    fn a_quoted_text_cannot_leave_its_string() {
        assert_eq!(quoted("BTC/USD"), r#""BTC/USD""#);
        assert_eq!(quoted("a\"]}\\\n"), r#""a\"]}\\\u000a""#);
    }
}
