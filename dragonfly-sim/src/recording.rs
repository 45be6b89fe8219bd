//! Recordings: what a venue really sent, one JSON object a line, read once and shared.
//!
//! The file format is that of [`dragonfly_clients::capture`].

use std::{
    collections::HashSet,
    fmt,
    io::{BufRead, BufReader},
    path::Path,
    sync::Arc,
};

use dragonfly_clients::capture::{self, Direction};
use dragonfly_core::clock::UtcNanos;

use crate::SimError;

const DEMO_BYBIT: &[u8] = include_bytes!("../recordings/bybit_20260809_spot_btcusdt.jsonl.zst");
const DEMO_COINBASE: &[u8] = include_bytes!("../recordings/coinbase_20260809_btcusd.jsonl.zst");

/// One line of a recording.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Line {
    /// When the recording client received or sent the text; the line before's time where unknown.
    pub at: UtcNanos,
    /// Whether the venue sent it; false for what the recording client sent.
    pub inbound: bool,
    /// The connection it came over, or the request it answers (`https://...`).
    pub url: Arc<str>,
    /// The exact text.
    pub text: Arc<str>,
}

/// A recording held in memory. Clones share the text.
#[derive(Clone)]
pub struct Recording {
    name: String,
    lines: Arc<[Line]>,
}

impl Recording {
    /// Reads a recording from a file, `.jsonl` or `.jsonl.zst`.
    ///
    /// # Errors
    /// When the file cannot be read, or a line is not of the recorded form; the error names the
    /// file and the line.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SimError> {
        let path = path.as_ref();
        Self::collect(path.display().to_string(), capture::open(path)?)
    }

    /// Reads a recording from uncompressed lines; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Recording::open`].
    pub fn read(name: impl Into<String>, lines: impl BufRead) -> Result<Self, SimError> {
        let name = name.into();
        Self::collect(name.clone(), capture::Reader::new(name, lines))
    }

    fn collect(name: String, records: capture::Reader<impl BufRead>) -> Result<Self, SimError> {
        let mut lines: Vec<Line> = Vec::new();
        let mut urls: HashSet<Arc<str>> = HashSet::new();
        for record in records {
            let record = record?;
            let before = lines.last().map(|line| line.at);
            lines.push(Line {
                at: record.ts.or(before).unwrap_or_default(),
                inbound: record.direction == Direction::In,
                url: shared(&mut urls, &record.url),
                text: record.msg.into(),
            });
        }
        Ok(Self {
            name,
            lines: lines.into(),
        })
    }

    fn demo(name: &str, compressed: &'static [u8]) -> Result<Self, SimError> {
        let lines = zstd::Decoder::with_buffer(compressed)
            .map_err(|error| SimError::Demo(error.to_string()))?;
        Self::read(name, BufReader::new(lines))
    }

    /// Bybit spot `BTCUSDT`, `orderbook.200`, 42 s of 2026-08-09 21:27 UTC.
    ///
    /// # Errors
    /// Never in practice: the recording is part of the program.
    pub fn demo_bybit() -> Result<Self, SimError> {
        Self::demo("demo recording of Bybit", DEMO_BYBIT)
    }

    /// Coinbase Advanced `BTC-USD`, `level2` and heartbeats, 25 s of 2026-08-09 21:05 UTC.
    ///
    /// # Errors
    /// Never in practice: the recording is part of the program.
    pub fn demo_coinbase() -> Result<Self, SimError> {
        Self::demo("demo recording of Coinbase", DEMO_COINBASE)
    }

    /// What the recording is called in messages: its path, or the name it was read under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All lines in recorded order.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// What the venue sent over its WebSocket, in recorded order.
    pub fn received(&self) -> impl Iterator<Item = &Line> {
        self.lines
            .iter()
            .filter(|line| line.inbound && line.url.starts_with("ws"))
    }

    /// This recording followed by `other`, as for a day continued in a second file.
    #[must_use]
    pub fn followed_by(&self, other: &Self) -> Self {
        Self {
            name: format!("{}, {}", self.name, other.name),
            lines: self
                .lines
                .iter()
                .chain(other.lines.iter())
                .cloned()
                .collect(),
        }
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("name", &self.name)
            .field("lines", &self.lines.len())
            .finish()
    }
}

/// The one shared copy of a URL, which thousands of lines repeat.
fn shared(urls: &mut HashSet<Arc<str>>, url: &str) -> Arc<str> {
    if let Some(known) = urls.get(url) {
        return Arc::clone(known);
    }
    let fresh: Arc<str> = url.into();
    urls.insert(Arc::clone(&fresh));
    fresh
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_recordings_are_complete() {
        let bybit = Recording::demo_bybit().unwrap();
        assert_eq!(bybit.received().count(), 300);
        let coinbase = Recording::demo_coinbase().unwrap();
        assert_eq!(coinbase.received().count(), 425);
    }

    #[test]
    fn a_broken_line_is_named() {
        let text = "{\"ts\":1,\"dir\":\"in\",\"url\":\"wss://a\",\"msg\":\"x\"}\n\n{\"ts\":2}\n";
        let error = Recording::read("some file", text.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("some file") && error.contains("line 3"),
            "{error}"
        );
    }

    #[test]
    fn a_line_without_a_time_takes_that_of_the_line_before() {
        let text = "{\"ts\":7,\"dir\":\"in\",\"url\":\"wss://a\",\"msg\":\"x\"}\n\
                    {\"ts\":null,\"dir\":\"out\",\"url\":\"wss://a\",\"msg\":\"y\"}\n";
        let recording = Recording::read("two lines", text.as_bytes()).unwrap();
        assert_eq!(recording.lines()[1].at, UtcNanos(7));
        assert_eq!(recording.received().count(), 1);
    }
}
