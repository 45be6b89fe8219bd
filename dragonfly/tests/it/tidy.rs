//! The invariants of the architecture and the style, as tests over the source tree.
//!
//! Each rule is shown breaches, which it must find, before it judges the tree; so none of them can
//! hold by looking at nothing.

mod contents;
mod image;
mod layers;
mod tree;

use tree::{File, Tree};

/// Fails unless the rule finds each of the breaches, `(path, text)`, and nothing in the tree.
fn holds(rule: &str, find: impl Fn(&Tree) -> Vec<String>, breaches: &[(&str, &str)]) {
    for (path, text) in breaches {
        let found = find(&Tree(vec![File::new(path, text)]));
        let is_named = found.iter().any(|place| place.starts_with(path));
        assert!(is_named, "the rule would not see {path}: {text:?}");
    }
    let found = find(Tree::own());
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

/// The rule that no line of any file is bad.
fn lines(is_bad: impl Fn(&File, usize, Line<'_>) -> bool) -> impl Fn(&Tree) -> Vec<String> {
    move |tree| {
        let mut found = Vec::new();
        for file in &tree.0 {
            let texts = file.text.lines().zip(file.code.lines());
            let texts = texts.zip(file.bare.lines()).enumerate();
            for (number, ((text, code), bare)) in texts {
                if is_bad(file, number, Line { text, code, bare }) {
                    found.push(file.place(number));
                }
            }
        }
        found
    }
}

/// The rule that no file is bad; the message says the line, counted from 0, or the first.
fn files(is_bad: impl Fn(&File) -> bool) -> impl Fn(&Tree) -> Vec<String> {
    move |tree| {
        let bad = tree.0.iter().filter(|file| is_bad(file));
        bad.map(|file| file.place(0)).collect()
    }
}

/// A line as it stands, without comments, and without comments and quotes.
#[derive(Clone, Copy)]
struct Line<'a> {
    text: &'a str,
    code: &'a str,
    bare: &'a str,
}

/// Whether `line` has `word` in it as a word of its own, in any case.
fn has_word(line: &str, word: &str) -> bool {
    let line = line.to_lowercase();
    line.match_indices(word).any(|(at, _)| {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}
