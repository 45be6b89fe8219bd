//! Recorded market data: one JSON object a line, as text (`.jsonl`) or compressed (`.jsonl.zst`).
//!
//! ```json
//! {"ts":1700000000000000000,"dir":"in","url":"wss://example.com/ws","msg":"{\"u\":1}"}
//! ```
//!
//! | key | meaning |
//! |---|---|
//! | `ts` | when the message was received or sent, ns since 1970 UTC, or null |
//! | `dir` | `in` for what was received, `out` for what was sent |
//! | `url` | the connection's address, or null; `http...` marks a REST answer |
//! | `msg` | the text of the message |
//! | `raw_b64` | where the frame was no text (compressed, say), its exact bytes in base64 |
//! | `enc` | what kind of frame that was: `gzip`, `deflate-raw`, `binary`, ... |
//!
//! Other keys are allowed and ignored. [`open`] reads a file, [`Writer`] writes one, and a
//! [`Recorder`] around any client writes down what passes through it. Pings, pongs and close
//! messages of the protocol are not part of a capture.
//!
//! ```
//! use dragonfly_clients::capture::{self, Direction};
//! use dragonfly_core::clock::UtcNanos;
//!
//! let path = std::env::temp_dir().join(format!("doc-{}.jsonl.zst", std::process::id()));
//! # let _ = std::fs::remove_file(&path);
//! let mut writer = capture::Writer::create(&path)?;
//! writer.write(Some(UtcNanos(7)), Direction::In, "wss://example.com/", b"{}")?;
//! writer.finish()?;
//!
//! for record in capture::open(&path)? {
//!     assert_eq!(record?.into_frame(), b"{}");
//! }
//! # std::fs::remove_file(&path).unwrap();
//! # Ok::<(), capture::CaptureError>(())
//! ```

mod line;
mod read;
mod recorder;
mod write;

pub use line::{Direction, Record};
pub use read::{Reader, open};
pub use recorder::{RecordedReader, RecordedWriter, Recorder, Recording};
pub use write::Writer;

/// Why a capture could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The file cannot be opened or made.
    #[error("capture {name}: {reason}")]
    Open {
        /// The file.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Reading broke off; there are no further records.
    #[error("capture {name}: reading broke off after line {line}: {reason}")]
    Read {
        /// The file.
        name: String,
        /// The last line that was read whole, counting from one.
        line: u64,
        /// What the system or the decompression reported.
        reason: String,
    },
    /// One line is broken; the next one can be read.
    #[error("capture {name}, line {line}: {reason}")]
    Line {
        /// The file.
        name: String,
        /// The line, counting from one.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Writing failed; what was written last may be missing.
    #[error("capture {name} cannot be written: {reason}")]
    Write {
        /// The file.
        name: String,
        /// What the system reported.
        reason: String,
    },
}
