//! The committed corpus: one file a target, one input a line, in printable characters.

use std::{fs, io, path::Path};

use crate::Target;

/// One input of a corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Why it is kept, where that is known: the name of what it once broke.
    pub name: Option<String>,
    /// The input.
    pub bytes: Vec<u8>,
}

/// The corpus of `target`, from `corpus/NAME.txt` of this package.
///
/// A line is an input as [`escape`] writes it. A line that begins with `# ` is the name of the next
/// one; an input whose first byte is `#` is written `\x23`.
///
/// # Errors
/// When the file cannot be read, or a line of it is no such text; the message names both.
pub fn read(target: &Target) -> io::Result<Vec<Entry>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let path = folder.join(target.name).with_extension("txt");
    let wrong = |what: String| io::Error::other(format!("{}: {what}", path.display()));
    let text = fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    let (mut entries, mut name) = (Vec::new(), None);
    for (number, line) in text.lines().enumerate() {
        if let Some(comment) = line.strip_prefix("# ") {
            name = Some(comment.to_owned());
            continue;
        }
        let bytes = unescape(line)
            .ok_or_else(|| wrong(format!("line {} is not as `escape` writes it", number + 1)))?;
        let name = name.take();
        entries.push(Entry { name, bytes });
    }
    Ok(entries)
}

/// `bytes` in printable ASCII without a line break: others as `\xNN`, a backslash as two.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'#' if at == 0 => text.push_str("\\x23"),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

/// What [`escape`] made `text` of; `None` when it did not.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (kind, tail) = rest.split_first()?;
        rest = tail;
        match kind {
            b'\\' => bytes.push(b'\\'),
            b'x' => {
                let (hex, tail) = rest.split_at_checked(2)?;
                bytes.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
                rest = tail;
            }
            _ => return None,
        }
    }
    Some(bytes)
}
