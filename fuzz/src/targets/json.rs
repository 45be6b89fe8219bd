//! JSON of any shape.

use dragonfly_feeds::json::{Cursor, MAX_NESTING, Parse, rfc3339, scalars, simd, unescape};

/// Walks the whole of `input`, as it is and with its escapes resolved: every value `serde_json` takes
/// is taken here, and wide registers change nothing.
pub(super) fn json(input: &[u8]) {
    let mut plain = input.to_vec();
    unescape(&mut plain);
    assert_eq!(plain.len(), input.len());
    for text in [input, &plain] {
        let walked = walk_all(text);
        assert_eq!(walked, simd::plainly(|| walk_all(text)));
        let skipped = skip_all(text);
        let is_container =
            text.trim_ascii().starts_with(b"[") || text.trim_ascii().starts_with(b"{");
        if is_container && let Some(depth) = depth_if_json(text) {
            assert_eq!(skipped.is_ok(), depth <= MAX_NESTING, "{skipped:?}");
            assert!(depth > MAX_NESTING || walked.is_ok(), "{walked:?}");
        }
    }
    // What is asked for is looked at, so that asking for more can only refuse more.
    let some = scalars(input, ["a", "b.c", "data.message"]);
    assert!(some.is_err() || scalars(input, ["d"]).is_ok());
    rfc3339(input);
}

fn skip_all(text: &[u8]) -> Parse<()> {
    let mut cursor = Cursor::new(text);
    cursor.skip()?;
    cursor.end()
}

/// Passes every value by its own kind, as deep as values may be nested.
fn walk_all(text: &[u8]) -> Parse<usize> {
    let (mut cursor, mut values) = (Cursor::new(text), 0);
    walk(&mut cursor, 1, &mut values)?;
    cursor.end()?;
    Ok(values)
}

fn walk(cursor: &mut Cursor<'_>, depth: u32, values: &mut usize) -> Parse<()> {
    *values += 1;
    if depth > MAX_NESTING {
        return cursor.skip();
    }
    if cursor.is_object() {
        cursor.object(|_, cursor| walk(cursor, depth + 1, values))
    } else if cursor.is_array() {
        cursor.array(|cursor| walk(cursor, depth + 1, values))
    } else {
        cursor.text().map(|_| ())
    }
}

/// How deep the text is nested, if it is JSON for `serde_json`, which gives up at 128.
fn depth_if_json(text: &[u8]) -> Option<u32> {
    serde_json::from_slice::<serde::de::IgnoredAny>(text).ok()?;
    let (mut depth, mut deepest, mut is_text, mut is_escaped) = (0_u32, 0, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'[' | b'{' if !is_text => depth += 1,
            b']' | b'}' if !is_text => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    Some(deepest)
}
