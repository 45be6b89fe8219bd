//! What happens to a message on its way: lost, doubled, out of place, or not what it was.

use super::Kind;
use crate::{exchange::Frame, random::Random};

/// Texts that are no number.
const NO_NUMBERS: [&str; 10] = [
    "NaN", "Infinity", "abc", "", "1.2.3", "0x10", "1,5", "--1", "1e", ".",
];

/// Numbers that no price could be.
const NEGATIVE: [&str; 3] = ["-1", "-0.00000001", "-1E5"];
const ZERO: [&str; 4] = ["0", "0.0", "0.00000000", "0E5"];
const ENDLESS: [&str; 4] = [
    "1e400",
    "1234567890123456789012345678901234567890",
    "0.0000000000000000000000001",
    "1e-400",
];

/// Times of another century, of the future, of another unit, or none.
const ISO_TIMES: [&str; 7] = [
    "1969-12-31T23:59:59Z",
    "9999-99-99T99:99:99Z",
    "2999-01-01T00:00:00Z",
    "soon",
    "",
    "0001-01-01T00:00:00Z",
    "1767225600",
];
const COUNTED_TIMES: [&str; 7] = [
    "0",
    "1",
    "1767225600",
    "1767225600000000000",
    "18446744073709551615",
    "99999999999999999999",
    "-5",
];

/// Values of another type than a number has.
const NO_TYPES: [&str; 5] = ["null", "true", "[]", "{}", "[[]]"];

/// Whole messages that are none.
const NO_MESSAGES: [&[u8]; 7] = [
    b" ",
    b"{",
    b"{\"topic\":",
    b"\xff\xfe\x00{",
    b"nul",
    b"{\"a\":1}}",
    b"\"",
];

const HTML: &[u8] = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";

/// What becomes of a message.
#[derive(Debug, Default)]
pub(crate) struct Deal {
    /// What is sent now.
    pub(crate) now: Vec<Frame>,
    /// What is kept back until the next message.
    pub(crate) later: Option<Frame>,
}

/// Lets a fault happen to a message; `None` where it cannot.
pub(crate) fn deal(
    kind: Kind,
    frame: &Frame,
    past: &[Frame],
    price_mark: &str,
    random: &mut Random,
) -> Option<Deal> {
    let now = match kind {
        Kind::Gap => Vec::new(),
        Kind::Duplicate => vec![frame.clone(), frame.clone()],
        Kind::Old => {
            let old = past.get(random.index(past.len()))?;
            vec![frame.clone(), old.clone()]
        }
        Kind::Reordered => {
            return Some(Deal {
                now: Vec::new(),
                later: Some(frame.clone()),
            });
        }
        Kind::Checksum => vec![bare(checksum(&frame.text)?)],
        Kind::Malformed | Kind::NegativePrice | Kind::ZeroPrice | Kind::EndlessPrice => {
            let other = random.pick(numbers(kind), "NaN");
            let is_other = |_: &str, quote: &str| Some(format!("{quote}{other}{quote}"));
            vec![bare(respell(&frame.text, price_mark, is_other)?)]
        }
        Kind::WrongType => {
            let other = random.pick(&NO_TYPES, "null");
            let is_other = |_: &str, _: &str| Some(other.to_owned());
            vec![bare(respell(&frame.text, price_mark, is_other)?)]
        }
        Kind::Respelled => {
            let way = random.below(4);
            let is_same =
                |price: &str, quote: &str| Some(format!("{quote}{}{quote}", spelled(price, way)?));
            vec![Frame {
                text: respell(&frame.text, price_mark, is_same)?,
                ..frame.clone()
            }]
        }
        Kind::DuplicateKey => vec![bare(duplicate_key(&frame.text, price_mark)?)],
        Kind::Truncated => {
            let end = random.index(frame.text.len());
            vec![bare(frame.text.get(..end)?.to_vec())]
        }
        Kind::Encoding => vec![bare(utf16(&frame.text))],
        Kind::Gzip => vec![bare(compressed(&frame.text))],
        Kind::Garbage => vec![bare(garbage(random)), frame.clone()],
        Kind::Empty => vec![bare(Vec::new()), frame.clone()],
        Kind::Html => vec![bare(HTML.to_vec()), frame.clone()],
        Kind::Nested => vec![bare(nested(random)), frame.clone()],
        Kind::ZeroSize => vec![Frame {
            text: zero_size(&frame.text, price_mark)?,
            ..frame.clone()
        }],
        Kind::Timestamps => vec![Frame {
            text: timestamps(&frame.text, random)?,
            ..frame.clone()
        }],
        _ => return None,
    };
    Some(Deal { now, later: None })
}

/// A message of which nobody can learn anything.
fn bare(text: Vec<u8>) -> Frame {
    Frame {
        text,
        ..Frame::default()
    }
}

const fn numbers(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::NegativePrice => &NEGATIVE,
        Kind::ZeroPrice => &ZERO,
        Kind::EndlessPrice => &ENDLESS,
        _ => &NO_NUMBERS,
    }
}

fn garbage(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 => vec![b'x'; 200_000],
        _ => random.pick(&NO_MESSAGES, b"").to_vec(),
    }
}

fn nested(random: &mut Random) -> Vec<u8> {
    match random.below(3) {
        0 => b"[".repeat(100_000),
        1 => b"{\"a\":".repeat(10_000),
        _ => [b"[".repeat(65), b"]".repeat(65)].concat(),
    }
}

/// The message in UTF-16, with its mark.
fn utf16(text: &[u8]) -> Vec<u8> {
    let units = text.iter().flat_map(|byte| [*byte, 0]);
    [0xff, 0xfe].into_iter().chain(units).collect()
}

/// The message as gzip would begin it, stored and not packed.
fn compressed(text: &[u8]) -> Vec<u8> {
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1];
    let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let lengths = [len.to_le_bytes(), (!len).to_le_bytes()].concat();
    [&head[..], &lengths, text].concat()
}

/// Another digit in the checksum.
fn checksum(text: &[u8]) -> Option<Vec<u8>> {
    let mark = b"\"checksum\":";
    let at = find(text, mark)? + mark.len();
    let mut text = text.to_vec();
    let digit = text.get_mut(at)?;
    *digit = if *digit == b'1' { b'2' } else { b'1' };
    Some(text)
}

/// Replaces the first price, and the quotes around it where it has them, by what `other` makes of it
/// and of the quotes.
fn respell(
    text: &[u8],
    price_mark: &str,
    other: impl FnOnce(&str, &str) -> Option<String>,
) -> Option<Vec<u8>> {
    let start = find(text, price_mark.as_bytes())? + price_mark.len();
    let price = number(text, start)?;
    let quote = if price_mark.ends_with('"') { "\"" } else { "" };
    let (from, to) = (start - quote.len(), start + price.len() + quote.len());
    let other = other(price, quote)?;
    let (head, tail) = (text.get(..from)?, text.get(to..)?);
    Some([head, other.as_bytes(), tail].concat())
}

/// The same number in another spelling.
fn spelled(number: &str, way: u64) -> Option<String> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return None;
    }
    Some(match way {
        0 => format!("{digits}e-{}", fraction.len()),
        1 => format!("{digits}0E-{}", fraction.len() + 1),
        2 if fraction.is_empty() => format!("{whole}.0"),
        2 => format!("{number}0"),
        _ => format!("{digits}.0e-{}", fraction.len()),
    })
}

/// Says the first price, or the first list of levels, twice: first as something else.
fn duplicate_key(text: &[u8], price_mark: &str) -> Option<Vec<u8>> {
    let mark = find(text, price_mark.as_bytes())?;
    let (at, first) = match price_mark {
        "[[\"" => {
            let before = text.get(..mark)?;
            let key = before.strip_suffix(b"\":")?;
            let start = key.iter().rposition(|byte| *byte == b'"')?;
            (start, [before.get(start..)?, b"[]," as &[u8]].concat())
        }
        mark_of_key => {
            let quote = if mark_of_key.ends_with('"') { "\"" } else { "" };
            (mark, format!("{mark_of_key}1{quote},").into_bytes())
        }
    };
    let (head, tail) = (text.get(..at)?, text.get(at..)?);
    Some([head, &first, tail].concat())
}

/// Removes a level at a price of one tick, which nobody has, before whatever else is changed.
fn zero_size(text: &[u8], price_mark: &str) -> Option<Vec<u8>> {
    let at = find(text, price_mark.as_bytes())?;
    let price = number(text, at + price_mark.len())?;
    // With the decimals that the instrument has: they count in a checksum.
    let decimals = price
        .split_once('.')
        .map_or(0, |(_, decimals)| decimals.len());
    let tick = match decimals {
        0 => "1".to_owned(),
        decimals => format!("0.{:0>decimals$}", 1),
    };
    let (before, level) = match price_mark {
        "[[\"" => (at + 1, format!(r#"["{tick}","0"],"#)),
        "\"price\":" => (at - 1, format!(r#"{{"price":{tick},"qty":0}},"#)),
        _ => {
            let list = b"\"updates\":[";
            let at = find(text, list)? + list.len();
            let time = "1970-01-01T00:00:00Z";
            let level = format!(
                r#"{{"side":"bid","event_time":"{time}","price_level":"{tick}","new_quantity":"0"}},"#
            );
            (at, level)
        }
    };
    let (head, tail) = (text.get(..before)?, text.get(before..)?);
    Some([head, level.as_bytes(), tail].concat())
}

/// The number that begins there.
fn number(text: &[u8], at: usize) -> Option<&str> {
    let rest = text.get(at..)?;
    let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let len = rest.iter().take_while(|byte| is_part(byte)).count();
    str::from_utf8(rest.get(..len)?).ok()
}

/// Replaces the first time stamp by one of another century, or by none.
fn timestamps(text: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let marks = ["\"timestamp\":\"", "\"ts\":"];
    let found = marks
        .iter()
        .find_map(|mark| Some((find(text, mark.as_bytes())? + mark.len(), *mark)));
    let (start, mark) = found?;
    let end = start
        + text
            .get(start..)?
            .iter()
            .position(|b| matches!(b, b'"' | b','))?;
    let is_iso = text.get(start..end)?.contains(&b'-');
    let other = match (mark.ends_with('"'), is_iso) {
        (true, true) => random.pick(&ISO_TIMES, ""),
        _ => random.pick(&COUNTED_TIMES, "0"),
    };
    let (head, tail) = (text.get(..start)?, text.get(end..)?);
    Some([head, other.as_bytes(), tail].concat())
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KRAKEN: &str = r#"{"channel":"book","type":"update","data":[{"symbol":"A/B","bids":[{"price":10.5,"qty":1}],"asks":[],"checksum":123,"timestamp":"2026-01-01T00:00:00Z"}]}"#;

    fn dealt(kind: Kind, text: &str, mark: &str) -> Option<String> {
        let frame = bare(text.as_bytes().to_vec());
        let deal = deal(kind, &frame, &[], mark, &mut Random::new(1))?;
        let [frame] = &deal.now[..] else { return None };
        Some(String::from_utf8(frame.text.clone()).unwrap())
    }

    #[test]
    fn messages_are_changed_where_it_hurts_and_nowhere_else() {
        let sum = dealt(Kind::Checksum, KRAKEN, "\"price\":").unwrap();
        assert_eq!(sum, KRAKEN.replace("123", "223"));
        let zero = dealt(Kind::ZeroSize, KRAKEN, "\"price\":").unwrap();
        assert!(
            serde_json::from_str::<serde_json::Value>(&zero).is_ok(),
            "{zero}"
        );
        assert!(zero.contains(r#""bids":[{"price":0.1,"qty":0},{"price":10.5"#));
        let time = dealt(Kind::Timestamps, KRAKEN, "\"price\":").unwrap();
        assert!(!time.contains("2026-01-01"), "{time}");
        for kind in [
            Kind::Malformed,
            Kind::WrongType,
            Kind::NegativePrice,
            Kind::ZeroPrice,
            Kind::EndlessPrice,
        ] {
            let number = dealt(kind, KRAKEN, "\"price\":").unwrap();
            assert!(number.ends_with(
                r#","qty":1}],"asks":[],"checksum":123,"timestamp":"2026-01-01T00:00:00Z"}]}"#
            ));
            assert!(!number.contains("10.5"), "{number}");
        }
        let pairs = r#"{"b":[["10.5","1"]]}"#;
        for way in 0..4 {
            let spelled = spelled("10.5", way).unwrap();
            assert_eq!(spelled.parse::<f64>(), Ok(10.5), "{spelled}");
            assert_ne!(spelled, "10.5");
        }
        let twice = dealt(Kind::DuplicateKey, KRAKEN, "\"price\":").unwrap();
        assert!(twice.contains(r#"[{"price":1,"price":10.5,"#), "{twice}");
        let twice = dealt(Kind::DuplicateKey, pairs, "[[\"").unwrap();
        assert_eq!(twice, r#"{"b":[],"b":[["10.5","1"]]}"#);
        let zero = dealt(Kind::ZeroSize, pairs, "[[\"").unwrap();
        assert_eq!(zero, r#"{"b":[["0.1","0"],["10.5","1"]]}"#);
    }

    #[test]
    fn what_cannot_happen_to_a_message_does_not() {
        assert_eq!(dealt(Kind::Checksum, r#"{"a":1}"#, "[[\""), None);
        assert_eq!(dealt(Kind::Malformed, r#"{"b":[],"a":[]}"#, "[[\""), None);
        assert_eq!(
            dealt(Kind::Old, KRAKEN, "\"price\":"),
            None,
            "there is no past"
        );
    }
}
