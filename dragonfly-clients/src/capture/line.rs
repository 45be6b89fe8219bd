//! One line of a capture, without any file.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use dragonfly_core::clock::UtcNanos;
use serde::{Deserialize, Serialize};

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(clippy::exhaustive_enums, reason = "a wire has two ends")]
pub enum Direction {
    /// Received.
    In,
    /// Sent.
    Out,
}

/// One recorded message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it was received or sent, if that is known.
    pub ts: Option<UtcNanos>,
    /// Which way it went.
    pub direction: Direction,
    /// The address of its connection; empty when it was not recorded.
    pub url: String,
    /// Its text; of a compressed message the decompressed text.
    pub msg: String,
    /// The exact bytes of a frame that was no text.
    pub raw: Option<Vec<u8>>,
}

impl Record {
    /// A text that was received, at a time and from an address that are not known.
    pub fn received(msg: impl Into<String>) -> Self {
        Self {
            ts: None,
            direction: Direction::In,
            url: String::new(),
            msg: msg.into(),
            raw: None,
        }
    }

    /// The exact bytes that went over the wire, to be decoded as a live message would be.
    pub fn into_frame(self) -> Vec<u8> {
        self.raw.unwrap_or_else(|| self.msg.into_bytes())
    }
}

/// A line as it is read; unknown keys are passed over.
#[derive(Deserialize)]
struct Read {
    ts: Option<u64>,
    dir: Direction,
    url: Option<String>,
    msg: String,
    raw_b64: Option<String>,
}

/// A line as it is written.
#[derive(Serialize)]
struct Written<'a> {
    ts: Option<u64>,
    dir: Direction,
    url: &'a str,
    msg: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    enc: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_b64: Option<String>,
}

/// Reads a line without its line break; the error says what is wrong with it.
pub(super) fn decode(line: &[u8]) -> Result<Record, String> {
    let line: Read = serde_json::from_slice(line).map_err(|error| named(&error))?;
    let raw = match line.raw_b64 {
        Some(text) => Some(
            STANDARD
                .decode(text)
                .map_err(|error| format!("raw_b64: {error}"))?,
        ),
        None => None,
    };
    Ok(Record {
        ts: line.ts.map(UtcNanos),
        direction: line.dir,
        url: line.url.unwrap_or_default(),
        msg: line.msg,
        raw,
    })
}

/// The error with its place in the line; which line that is, the reader of the file knows.
fn named(error: &serde_json::Error) -> String {
    error
        .to_string()
        .replace(" at line 1 column ", " at column ")
}

/// Appends a line with its line break.
pub(super) fn encode(
    into: &mut Vec<u8>,
    ts: Option<UtcNanos>,
    direction: Direction,
    url: &str,
    frame: &[u8],
) -> Result<(), String> {
    let (ts, dir) = (ts.map(|ts| ts.0), direction);
    let written = match std::str::from_utf8(frame) {
        Ok(msg) => serde_json::to_writer(
            &mut *into,
            &Written {
                ts,
                dir,
                url,
                msg,
                enc: None,
                raw_b64: None,
            },
        ),
        Err(_) => {
            let raw_b64 = Some(STANDARD.encode(frame));
            // Left empty, for its text is not known here: that is the decoder's business.
            let line = Written {
                ts,
                dir,
                url,
                msg: "",
                enc: Some("binary"),
                raw_b64,
            };
            serde_json::to_writer(&mut *into, &line)
        }
    };
    written.map_err(|error| error.to_string())?;
    into.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_documented_line_is_written_and_read() {
        let mut line = Vec::new();
        encode(
            &mut line,
            Some(UtcNanos(5)),
            Direction::Out,
            "wss://a/",
            b"{\"x\":1}",
        )
        .unwrap();
        let text = r#"{"ts":5,"dir":"out","url":"wss://a/","msg":"{\"x\":1}"}"#;
        assert_eq!(String::from_utf8(line).unwrap(), format!("{text}\n"));
    }

    #[test]
    fn optional_keys_are_tolerated_and_a_compressed_frame_keeps_its_bytes() {
        let line = br#"{"ts":null,"dir":"in","url":null,"msg":"text","enc":"gzip","raw_b64":"H4s=","case":"a","expect":[{"b":1}]}"#;
        let record = decode(line).unwrap();
        assert_eq!(
            (record.ts, record.url.as_str(), record.msg.as_str()),
            (None, "", "text")
        );
        assert_eq!(record.into_frame(), [0x1f, 0x8b]);
    }

    #[test]
    fn a_broken_line_says_what_is_wrong() {
        for (line, what) in [
            (&b"{"[..], "EOF"),
            (b"[]", "invalid length"),
            (
                br#"{"ts":1,"dir":"in"}"#,
                "missing field `msg` at column 19",
            ),
            (br#"{"ts":1,"dir":"up","msg":""}"#, "`up`"),
            (br#"{"ts":-1,"dir":"in","msg":""}"#, "-1"),
            (br#"{"ts":1.5,"dir":"in","msg":""}"#, "1.5"),
            (br#"{"ts":1,"dir":"in","msg":"","raw_b64":"?"}"#, "raw_b64"),
            (b"{\"ts\":1,\"dir\":\"in\",\"msg\":\"\xff\"}", "unicode"),
        ] {
            let error = decode(line).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            ts in proptest::option::of(any::<u64>()),
            out in any::<bool>(),
            url in any::<String>(),
            text in any::<String>(),
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let direction = if out { Direction::Out } else { Direction::In };
            for frame in [text.as_bytes(), &bytes] {
                let mut line = Vec::new();
                encode(&mut line, ts.map(UtcNanos), direction, &url, frame).unwrap();
                prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
                let record = decode(&line).unwrap();
                prop_assert_eq!((record.ts, record.direction), (ts.map(UtcNanos), direction));
                prop_assert_eq!(&record.url, &url);
                prop_assert_eq!(record.into_frame(), frame);
            }
        }

        #[test]
        fn no_line_makes_it_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            decode(&line).ok();
        }
    }
}
