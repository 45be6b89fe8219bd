//! Writes captures.

use std::{
    fmt,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use dragonfly_core::clock::UtcNanos;

use super::{CaptureError, Direction, line, read::is_compressed};

/// How hard zstd tries: fast enough for a live feed, about a tenth of the text.
const LEVEL: i32 = 3;

/// Writes a capture, line by line.
///
/// Lines are buffered: [`finish`](Self::finish) writes the rest and reports what went wrong;
/// dropping the writer does the same, but can only log it.
pub struct Writer {
    name: String,
    sink: Option<Sink>,
    buffer: Vec<u8>,
}

type Output = BufWriter<Box<dyn Write + Send>>;

enum Sink {
    Plain(Output),
    Zstd(zstd::Encoder<'static, Output>),
}

impl Writer {
    /// Makes a capture file, `.jsonl` or `.jsonl.zst`. It never overwrites a file.
    ///
    /// # Errors
    /// [`CaptureError::Open`] names the file: it exists, cannot be made, or has another extension.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, CaptureError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let wrong = |reason: String| CaptureError::Open {
            name: name.clone(),
            reason,
        };
        let compressed = is_compressed(path).map_err(wrong)?;
        let file = File::create_new(path).map_err(|error| wrong(error.to_string()))?;
        let output = BufWriter::new(Box::new(file) as Box<dyn Write + Send>);
        let sink = if compressed {
            let encoder = zstd::Encoder::new(output, LEVEL);
            Sink::Zstd(encoder.map_err(|error| wrong(error.to_string()))?)
        } else {
            Sink::Plain(output)
        };
        Ok(Self {
            name,
            sink: Some(sink),
            buffer: Vec::new(),
        })
    }

    /// Writes uncompressed lines to any output; `name` names it in errors.
    pub fn new(name: impl Into<String>, output: impl Write + Send + 'static) -> Self {
        let output = BufWriter::new(Box::new(output) as Box<dyn Write + Send>);
        Self {
            name: name.into(),
            sink: Some(Sink::Plain(output)),
            buffer: Vec::new(),
        }
    }

    /// Writes one message; bytes that are no text are kept exactly, in base64.
    ///
    /// # Errors
    /// [`CaptureError::Write`], with the reason (a full disk, say).
    pub fn write(
        &mut self,
        ts: Option<UtcNanos>,
        direction: Direction,
        url: &str,
        frame: &[u8],
    ) -> Result<(), CaptureError> {
        self.buffer.clear();
        line::encode(&mut self.buffer, ts, direction, url, frame)
            .map_err(|reason| self.failed(reason))?;
        let written = match &mut self.sink {
            Some(Sink::Plain(output)) => output.write_all(&self.buffer),
            Some(Sink::Zstd(encoder)) => encoder.write_all(&self.buffer),
            None => Ok(()),
        };
        written.map_err(|error| self.failed(error.to_string()))
    }

    /// Hands what is buffered to the system, so that a crash of this process loses nothing of it.
    ///
    /// Each call costs a compressed file some of its density.
    ///
    /// # Errors
    /// [`CaptureError::Write`], with the reason.
    pub fn flush(&mut self) -> Result<(), CaptureError> {
        let flushed = match &mut self.sink {
            Some(Sink::Plain(output)) => output.flush(),
            Some(Sink::Zstd(encoder)) => encoder.flush(),
            None => Ok(()),
        };
        flushed.map_err(|error| self.failed(error.to_string()))
    }

    /// Writes the rest and ends the file.
    ///
    /// # Errors
    /// [`CaptureError::Write`], with the reason.
    pub fn finish(mut self) -> Result<(), CaptureError> {
        self.end().map_err(|error| self.failed(error.to_string()))
    }

    fn end(&mut self) -> io::Result<()> {
        match self.sink.take() {
            Some(Sink::Plain(mut output)) => output.flush(),
            Some(Sink::Zstd(encoder)) => encoder.finish()?.flush(),
            None => Ok(()),
        }
    }

    fn failed(&self, reason: String) -> CaptureError {
        CaptureError::Write {
            name: self.name.clone(),
            reason,
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::error!(capture = self.name, %error, "the end of a capture is lost");
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
