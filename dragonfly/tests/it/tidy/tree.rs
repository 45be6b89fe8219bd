//! The source tree as text: its files, and what of a Rust file is code.

use std::{fs, path::Path, sync::OnceLock};

/// Folders that hold no source.
const SKIPPED: [&str; 7] = [
    "target",
    "loom-target",
    "corpus",
    "artifacts",
    "coverage",
    "node_modules",
    "__pycache__",
];
/// Of what begins with a dot, only this is source.
const DOTTED: [&str; 4] = [".ci", ".dockerignore", ".gitignore", ".cargo"];

/// A text file.
#[derive(Debug)]
pub(super) struct File {
    /// From the root of the tree, with `/` between the parts.
    pub(super) path: String,
    pub(super) text: String,
    /// The text without comments.
    pub(super) code: String,
    /// The text without comments and without what stands in quotes.
    pub(super) bare: String,
    /// From which line on (counted from 0) it is tests.
    tests_from: usize,
}

impl File {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let is_rust = path.ends_with(".rs");
        let strip = |quotes| {
            if is_rust {
                strip(text, quotes)
            } else {
                text.to_owned()
            }
        };
        let (code, bare) = (strip(false), strip(true));
        let tests_from = if is_test(path) { 0 } else { tests_begin(&bare) };
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            bare,
            tests_from,
        }
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(super) fn is_in(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    /// Whether a line, counted from 0, belongs to a test.
    pub(super) const fn is_test_line(&self, line: usize) -> bool {
        line >= self.tests_from
    }

    /// The place and text of a line, for a message.
    pub(super) fn place(&self, line: usize) -> String {
        let text = self.text.lines().nth(line).unwrap_or_default().trim();
        format!("{}:{}: {text}", self.path, line + 1)
    }

    /// The lines of one section of a TOML file, with their numbers from 0.
    pub(super) fn section(&self, name: &str) -> impl Iterator<Item = (usize, &str)> {
        let mut is_inside = false;
        self.text.lines().enumerate().filter(move |(_, line)| {
            if line.starts_with('[') {
                is_inside = line.trim_matches(['[', ']']) == name;
                return false;
            }
            is_inside && !line.trim().is_empty() && !line.starts_with('#')
        })
    }
}

/// All text files.
#[derive(Debug)]
pub(super) struct Tree(pub(super) Vec<File>);

impl Tree {
    /// This project's own files.
    pub(super) fn own() -> &'static Self {
        static OWN: OnceLock<Tree> = OnceLock::new();
        OWN.get_or_init(|| {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
            let mut tree = Self(Vec::new());
            tree.read(root, "");
            assert!(tree.0.len() > 150, "{} files", tree.0.len());
            tree
        })
    }

    fn read(&mut self, folder: &Path, prefix: &str) {
        let entries = fs::read_dir(folder).unwrap();
        let mut entries: Vec<_> = entries.map(Result::unwrap).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().into_string().unwrap();
            let is_hidden = name.starts_with('.') && !DOTTED.contains(&&*name);
            if is_hidden || SKIPPED.contains(&&*name) {
                continue;
            }
            let path = format!("{prefix}{name}");
            if entry.file_type().unwrap().is_dir() {
                self.read(&entry.path(), &format!("{path}/"));
            } else if let Ok(text) = fs::read_to_string(entry.path()) {
                self.0.push(File::new(&path, &text));
            }
        }
    }

    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.0.iter().find(|file| file.path == path)
    }

    /// The text of a file, empty where there is none.
    pub(super) fn text(&self, path: &str) -> &str {
        self.file(path).map_or("", |file| &file.text)
    }
}

/// Whether the whole file is there for tests or measurements only.
fn is_test(path: &str) -> bool {
    let parts = path.split('/');
    parts.rev().skip(1).any(|part| part == "tests")
        || path.ends_with("/tests.rs")
        || path.ends_with("queue/models.rs")
        || path.starts_with("benches/")
        || path.starts_with("fuzz/")
}

/// The line at which the tests beside the code begin: by custom they are the rest of the file.
fn tests_begin(bare: &str) -> usize {
    let lines: Vec<&str> = bare.lines().map(str::trim).collect();
    let is_begin = |pair: &[&str]| {
        pair[0].starts_with("#[cfg(") && pair[0].contains("test") && pair[1].ends_with('{')
    };
    let begin = lines.windows(2).position(is_begin);
    begin.unwrap_or(usize::MAX)
}

/// Blanks comments, and with `quotes` what stands in quotes; every line keeps its number.
fn strip(text: &str, quotes: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let (len, is_blanked) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), true)
        } else if rest.starts_with("/*") {
            (rest.find("*/").map_or(rest.len(), |at| at + 2), true)
        } else if let Some(len) = quoted(rest, out.chars().next_back()) {
            (len, quotes)
        } else {
            (next.len_utf8(), false)
        };
        let (part, after) = rest.split_at(len);
        if is_blanked {
            out.extend(part.chars().map(|c| if c == '\n' { c } else { ' ' }));
        } else {
            out.push_str(part);
        }
        rest = after;
    }
    out
}

/// The length of the string or character literal that begins here.
fn quoted(rest: &str, before: Option<char>) -> Option<usize> {
    let is_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with('r') && !is_word {
        let hashes = rest[1..].bytes().take_while(|b| *b == b'#').count();
        let open = 1 + hashes;
        if rest[open..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let end = rest[open + 1..].find(&close)?;
            return Some(open + 1 + end + close.len());
        }
    }
    if rest.starts_with('"') {
        return ends(rest, b'"');
    }
    // A quote begins a character only where one ends it; else it is a lifetime.
    let mut chars = rest.strip_prefix('\'')?.chars();
    match (chars.next()?, chars.next()?) {
        ('\\', _) => ends(rest, b'\''),
        (one, '\'') => Some(2 + one.len_utf8()),
        _ => None,
    }
}

/// Where the literal that begins with `quote` ends, stepping over what is escaped.
fn ends(rest: &str, quote: u8) -> Option<usize> {
    let mut is_escaped = false;
    let end = rest.bytes().skip(1).position(|byte| {
        let is_end = byte == quote && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    Some(end? + 2)
}

#[test]
fn comments_and_quotes_are_told_from_code() {
    let text = "a /* b */ 'c' \"d//\\\"\" r#\"e\"f\"# 'g // h\nfor<'a> b\"i\" '\\'' j";
    let code = "a         'c' \"d//\\\"\" r#\"e\"f\"# 'g     \nfor<'a> b\"i\" '\\'' j";
    assert_eq!(strip(text, false), code);
    let bare = strip(text, true);
    let words: Vec<&str> = bare.split_whitespace().collect();
    assert_eq!(words, ["a", "'g", "for<'a>", "b", "j"]);
    assert_eq!(bare.lines().count(), 2);
}
