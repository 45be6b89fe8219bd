//! What happens to a message on its way: lost, doubled, out of place, or not what it was.

use super::Kind;
use crate::{exchange::Frame, random::Random};

/// Texts that are no number a price could be.
const NO_NUMBERS: [&str; 12] = [
    "NaN",
    "Infinity",
    "abc",
    "",
    "1.2.3",
    "0x10",
    "1,5",
    "--1",
    "1e",
    "1e400",
    "1234567890123456789012345678901234567890",
    "0.0000000000000000000000001",
];

/// Values of another type than a number has.
const NO_TYPES: [&str; 5] = ["null", "true", "[]", "{}", "[[]]"];

/// Whole messages that are none.
const NO_MESSAGES: [&[u8]; 9] = [
    b"",
    b" ",
    b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
    b"{",
    b"{\"topic\":",
    b"\xff\xfe\x00{",
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    b"nul",
    b"{\"a\":1}}",
];

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
        Kind::Malformed => vec![bare(malformed(&frame.text, price_mark, random)?)],
        Kind::Truncated => {
            let end = random.index(frame.text.len());
            vec![bare(frame.text.get(..end)?.to_vec())]
        }
        Kind::Garbage => vec![bare(garbage(random)), frame.clone()],
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

fn garbage(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 => b"[".repeat(100_000),
        1 => b"{\"a\":".repeat(10_000),
        2 => vec![b'x'; 200_000],
        _ => random.pick(&NO_MESSAGES, b"").to_vec(),
    }
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

/// Replaces the first price. A price in quotes keeps them, unless it is the type that is wrong.
fn malformed(text: &[u8], price_mark: &str, random: &mut Random) -> Option<Vec<u8>> {
    let start = find(text, price_mark.as_bytes())? + price_mark.len();
    let len = number(text, start)?.len();
    let is_quoted = price_mark.ends_with('"');
    let (from, to) = (
        start - usize::from(is_quoted),
        start + len + usize::from(is_quoted),
    );
    let other = if random.chance(1, 3) {
        random.pick(&NO_TYPES, "null").to_owned()
    } else if is_quoted {
        format!("\"{}\"", random.pick(&NO_NUMBERS, "NaN"))
    } else {
        random.pick(&NO_NUMBERS, "NaN").to_owned()
    };
    let (head, tail) = (text.get(..from)?, text.get(to..)?);
    Some([head, other.as_bytes(), tail].concat())
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
    let other = if mark.ends_with('"') {
        random.pick(
            &[
                "1969-12-31T23:59:59Z",
                "9999-99-99T99:99:99Z",
                "soon",
                "",
                "0001-01-01T00:00:00Z",
            ],
            "",
        )
    } else {
        random.pick(&["0", "1", "18446744073709551615", "-5"], "0")
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
        for seed in 0..50 {
            let number = malformed(KRAKEN.as_bytes(), "\"price\":", &mut Random::new(seed));
            let number = String::from_utf8(number.unwrap()).unwrap();
            assert!(number.ends_with(
                r#","qty":1}],"asks":[],"checksum":123,"timestamp":"2026-01-01T00:00:00Z"}]}"#
            ));
            assert!(!number.contains("10.5"), "{number}");
        }
        let pairs = r#"{"b":[["10.5","1"]]}"#;
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
