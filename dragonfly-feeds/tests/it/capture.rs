//! Recorded messages as data.

use std::path::Path;

use serde_json::Value;

/// One line of a capture.
pub(crate) struct Line {
    /// When it was received, in nanoseconds.
    pub(crate) ts: u64,
    pub(crate) url: String,
    pub(crate) msg: String,
}

/// The received lines of a capture, in order.
pub(crate) fn received(name: &str) -> Vec<Line> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let file = std::fs::File::open(folder.join(name).with_extension("jsonl.zst")).unwrap();
    let text = String::from_utf8(zstd::decode_all(file).unwrap()).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let received = lines.filter(|line| line["dir"] == "in");
    received
        .map(|line| Line {
            ts: line["ts"].as_u64().unwrap_or_default(),
            url: line["url"].as_str().unwrap().to_owned(),
            msg: line["msg"].as_str().unwrap().to_owned(),
        })
        .collect()
}

/// What the books of a capture must be at its end: native symbol, best bid and best ask as
/// `[price, quantity]`, and the numbers of levels.
pub(crate) fn final_books(name: &str) -> Vec<(String, Value)> {
    let text = include_str!("../captures/reference_final_books.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let books = all[format!("{name}.jsonl")].as_object().unwrap().clone();
    books.into_iter().collect()
}
