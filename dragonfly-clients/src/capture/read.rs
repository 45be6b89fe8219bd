//! Reads captures line by line, within bounds.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use super::{CaptureError, Record, line};

/// The longest line that is read, in bytes.
const MAX_LINE: usize = 64 << 20;

/// How many times as long as it may be a line is looked for the end of.
const ENDLESS: usize = 16;

/// The largest zstd window that is accepted, as a power of two: 128 MiB.
const MAX_WINDOW_LOG: u32 = 27;

/// Opens a capture file, `.jsonl` or `.jsonl.zst`.
///
/// # Errors
/// [`CaptureError::Open`] names the file and what is wrong with it: it cannot be read, is a
/// directory, or has another extension.
pub fn open(path: impl AsRef<Path>) -> Result<Reader<Box<dyn BufRead + Send>>, CaptureError> {
    let path = path.as_ref();
    let name = path.display().to_string();
    let wrong = |reason: String| CaptureError::Open {
        name: name.clone(),
        reason,
    };
    let compressed = is_compressed(path).map_err(wrong)?;
    let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    if file.metadata().is_ok_and(|data| data.is_dir()) {
        return Err(wrong("is a directory, name a file in it".into()));
    }
    let file = BufReader::new(file);
    if compressed {
        return Reader::compressed(name, file);
    }
    Ok(Reader::new(name, Box::new(file)))
}

/// What the extension says; the error says which extensions there are.
pub(super) fn is_compressed(path: &Path) -> Result<bool, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.ends_with(".zst") {
        Ok(true)
    } else if name.ends_with(".jsonl") {
        Ok(false)
    } else {
        Err("is neither .jsonl nor .jsonl.zst".into())
    }
}

fn decompress<R: BufRead>(input: R) -> io::Result<zstd::Decoder<'static, R>> {
    let mut decoder = zstd::Decoder::with_buffer(input)?;
    decoder.window_log_max(MAX_WINDOW_LOG)?;
    Ok(decoder)
}

/// Reads the records of a capture, as an iterator.
///
/// A broken line is an error that names it, and the next record can be read; after
/// [`CaptureError::Read`] there is nothing more. Empty lines are passed over.
pub struct Reader<R> {
    name: String,
    input: R,
    line: u64,
    max_line: usize,
    /// How many bytes of empty lines came since the last other line.
    empty: usize,
    buffer: Vec<u8>,
    ended: bool,
}

/// How far a line was read.
enum Line {
    Whole,
    TooLong,
    /// There is no further line.
    None,
}

impl Reader<Box<dyn BufRead + Send>> {
    /// Reads from any source of lines compressed with zstd; `name` names it in errors.
    ///
    /// However much the input becomes, what is held of it is one line, and the window it was
    /// compressed with, of at most 128 MiB.
    ///
    /// # Errors
    /// [`CaptureError::Open`] when there is no memory for decompressing.
    pub fn compressed(
        name: impl Into<String>,
        input: impl BufRead + Send + 'static,
    ) -> Result<Self, CaptureError> {
        let name = name.into();
        match decompress(input) {
            Ok(lines) => Ok(Self::new(name, Box::new(BufReader::new(lines)))),
            Err(error) => {
                let reason = error.to_string();
                Err(CaptureError::Open { name, reason })
            }
        }
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads from any source of uncompressed lines; `name` names it in errors.
    pub fn new(name: impl Into<String>, input: R) -> Self {
        Self {
            name: name.into(),
            input,
            line: 0,
            max_line: MAX_LINE,
            empty: 0,
            buffer: Vec::new(),
            ended: false,
        }
    }

    /// Passes over lines of more than `bytes`, each an error, and holds no more; 64 MiB by default.
    /// A line 16 times as long ends the reading, and so do empty lines of more than `bytes` in a row.
    #[must_use]
    pub const fn max_line(mut self, bytes: usize) -> Self {
        self.max_line = bytes;
        self
    }

    /// What it is called in errors: the file it reads.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The line that was read last, counting from one.
    pub const fn line(&self) -> u64 {
        self.line
    }

    /// Reads one line into the buffer, without its line break.
    fn fill(&mut self) -> io::Result<Line> {
        self.buffer.clear();
        let (mut seen, mut too_long, mut length) = (false, false, 0_usize);
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = memchr::memchr(b'\n', chunk);
            let part = &chunk[..end.unwrap_or(chunk.len())];
            too_long |= part.len() > self.max_line - self.buffer.len();
            if !too_long {
                self.buffer.extend_from_slice(part);
            }
            length = length.saturating_add(part.len());
            if length > self.max_line.saturating_mul(ENDLESS) {
                // A few bytes can be compressed zeros for hours.
                return Err(io::Error::other("a line without end"));
            }
            let at_end = chunk.is_empty();
            seen |= !at_end;
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() || at_end {
                return Ok(match (seen, too_long) {
                    (false, _) => Line::None,
                    (true, false) => Line::Whole,
                    (true, true) => Line::TooLong,
                });
            }
        }
    }

    /// There is nothing more to read.
    fn broke_off(&mut self, reason: String) -> CaptureError {
        self.ended = true;
        CaptureError::Read {
            name: self.name.clone(),
            line: self.line,
            reason,
        }
    }

    fn broken(&self, reason: String) -> CaptureError {
        CaptureError::Line {
            name: self.name.clone(),
            line: self.line,
            reason,
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Record, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let filled = self.fill();
            self.line += u64::from(matches!(filled, Ok(Line::Whole | Line::TooLong)));
            match filled {
                Ok(Line::Whole) if self.buffer.trim_ascii().is_empty() => {
                    self.empty = self.empty.saturating_add(self.buffer.len() + 1);
                    if self.empty > self.max_line {
                        // Like a line without end: a few bytes can become line breaks for hours.
                        return Some(Err(self.broke_off("empty lines without end".into())));
                    }
                }
                Ok(Line::Whole) => {
                    self.empty = 0;
                    return Some(line::decode(&self.buffer).map_err(|what| self.broken(what)));
                }
                Ok(Line::TooLong) => {
                    self.empty = 0;
                    return Some(Err(
                        self.broken(format!("longer than {} bytes", self.max_line))
                    ));
                }
                Ok(Line::None) => self.ended = true,
                Err(error) => return Some(Err(self.broke_off(error.to_string()))),
            }
        }
        None
    }
}

impl<R> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("name", &self.name)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// Every message or error text, in order.
    fn texts(input: impl BufRead, max_line: usize) -> Vec<String> {
        let mut reader = Reader::new("x.jsonl", input);
        reader.max_line = max_line;
        reader
            .map(|record| record.map_or_else(|error| error.to_string(), |record| record.msg))
            .collect()
    }

    #[test]
    fn a_broken_line_is_named_and_the_next_one_is_read() {
        let text = "{\"ts\":1,\"dir\":\"in\",\"msg\":\"a\"}\n\nnonsense\r\n{\"ts\":1,\"dir\":\"in\",\"msg\":\"b\"}";
        let texts = texts(text.as_bytes(), MAX_LINE);
        assert_eq!((texts.len(), &*texts[0], &*texts[2]), (3, "a", "b"));
        assert!(
            texts[1].starts_with("capture x.jsonl, line 3: "),
            "{}",
            texts[1]
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_in_small_reads_too() {
        let good = "{\"ts\":1,\"dir\":\"in\",\"msg\":\"a\"}";
        let text = format!("{}\n{good}\n", "x".repeat(good.len() + 1));
        for size in [1, 7, 4096] {
            let texts = texts(BufReader::with_capacity(size, text.as_bytes()), good.len());
            let long = format!("capture x.jsonl, line 1: longer than {} bytes", good.len());
            assert_eq!(texts, [long, "a".into()]);
        }
    }

    #[test]
    fn a_line_without_end_ends_the_reading() {
        let line = zstd::encode_all(io::repeat(0).take(64 << 20), 1).unwrap();
        assert!(line.len() < 1 << 16);
        let lines = b"x\n".iter().copied().cycle().take(2 * 3);
        let text = zstd::encode_all(&lines.collect::<Vec<_>>()[..], 1).unwrap();
        let input = io::Cursor::new([text, line].concat());
        let reader = Reader::compressed("x.jsonl.zst", input).unwrap();
        let all: Vec<_> = reader.max_line(1 << 10).collect();
        let broken = |e: &Result<Record, _>| matches!(e, Err(CaptureError::Line { .. }));
        assert!(all.len() == 4 && all[..3].iter().all(broken));
        let error = all[3].as_ref().unwrap_err().to_string();
        let ends = "reading broke off after line 3: a line without end";
        assert!(error.ends_with(ends), "{error}");
    }

    #[test]
    fn empty_lines_without_end_end_the_reading() {
        let good = "{\"ts\":1,\"dir\":\"in\",\"msg\":\"a\"}\n";
        let empty = " \n".repeat(good.len() / 2);
        let kept = [&*empty, good, &*empty, good].concat();
        assert_eq!(texts(kept.as_bytes(), good.len()), ["a", "a"]);
        let text = [good, &*empty, "\n", "\n", good].concat();
        let texts = texts(text.as_bytes(), good.len());
        assert_eq!((texts.len(), &*texts[0]), (2, "a"));
        let ends = "empty lines without end";
        assert!(texts[1].ends_with(ends), "{}", texts[1]);
    }

    #[test]
    fn nothing_is_read_from_nothing() {
        assert!(texts(&b""[..], MAX_LINE).is_empty());
        assert!(texts(&b"\n \n"[..], MAX_LINE).is_empty());
    }
}
