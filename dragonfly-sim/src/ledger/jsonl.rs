//! Records as lines of JSON.

use std::io::{BufRead, Write};

use serde::{Serialize, de::DeserializeOwned};

/// Why a file of records could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonlError {
    /// The file could not be read any further.
    #[error("{file}: cannot be read: {error}")]
    Read {
        /// The file.
        file: String,
        /// What went wrong.
        error: std::io::Error,
    },
    /// A line is no such record.
    #[error("{file}, line {line}: {error}")]
    Line {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        error: serde_json::Error,
    },
}

/// Writes one record as a line.
///
/// # Errors
/// Whatever the writer reports.
pub fn write<T: Serialize>(out: &mut impl Write, record: &T) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")
}

/// Reads records line by line, passing over empty lines; `file` is named in errors.
///
/// # Errors
/// [`JsonlError`] names the file and the line.
pub fn read<T: DeserializeOwned>(file: &str, input: impl BufRead) -> Result<Vec<T>, JsonlError> {
    let mut records = Vec::new();
    for (number, line) in input.lines().enumerate() {
        let line = line.map_err(|error| JsonlError::Read {
            file: file.to_owned(),
            error,
        })?;
        if line.trim().is_empty() {
            continue;
        }
        let record = serde_json::from_str(&line).map_err(|error| JsonlError::Line {
            file: file.to_owned(),
            line: number + 1,
            error,
        })?;
        records.push(record);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Entry, Levels, Record};

    #[test]
    fn what_is_written_is_read_and_a_bad_line_is_named() {
        let mut bids = Levels::default();
        bids.push("100.5", "1");
        bids.push("100.4", "0.00000002");
        let entry = Entry {
            at: 5,
            socket: 1,
            venue: "bybit".into(),
            symbol: "BTCUSDT".into(),
            stream: 3,
            seq: u64::MAX,
            is_whole: true,
            bids,
            asks: Levels::default(),
        };
        let records = [Record::Entry(entry), Record::Heard { at: 6, socket: 1 }];
        let mut file = Vec::new();
        for record in &records {
            write(&mut file, record).unwrap();
        }
        let text = String::from_utf8(file).unwrap();
        assert!(
            text.contains(r#""bids":[["100.5","1"],["100.4","0.00000002"]]"#),
            "{text}"
        );
        assert_eq!(read::<Record>("a", text.as_bytes()).unwrap(), records);

        let bad = format!("{text}\n{{\"record\":\"entry\"}}");
        let error = read::<Record>("led.jsonl", bad.as_bytes()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("led.jsonl, line 4: missing field"),
            "{error}"
        );
        let bad = text.replace("100.5", "100. 5");
        assert!(read::<Record>("a", bad.as_bytes()).is_err());
    }
}
