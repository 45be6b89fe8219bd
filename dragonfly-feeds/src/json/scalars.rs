//! A few values of a small message by their names.

use super::{Cursor, Parse};

/// The strings and numbers at `paths` of an object, each a key or `key.key`, in any order; `None`
/// for what is missing or is no string and no number.
///
/// For answers to requests and the like; a decoder walks its message itself.
///
/// # Errors
/// When the message is no JSON object.
pub fn scalars<'a, const N: usize>(
    message: &'a [u8],
    paths: [&str; N],
) -> Parse<[Option<&'a [u8]>; N]> {
    let mut found = [None; N];
    let mut cursor = Cursor::new(message);
    cursor.object(|key, c| {
        if c.is_object() {
            let outer = |path: &str| path.as_bytes().strip_prefix(key)?.first().copied();
            if !paths.iter().any(|path| outer(path) == Some(b'.')) {
                return c.skip();
            }
            return c.object(|inner, c| {
                let parts = |path: &str| path.split_once('.').map(|(a, b)| (a.len(), b.len()));
                let is_path = |path: &str| {
                    parts(path) == Some((key.len(), inner.len()))
                        && path.as_bytes().starts_with(key)
                        && path.as_bytes().ends_with(inner)
                };
                note(&mut found, paths.iter().position(|path| is_path(path)), c)
            });
        }
        let at = paths.iter().position(|path| path.as_bytes() == key);
        note(&mut found, at, c)
    })?;
    cursor.end()?;
    Ok(found)
}

fn note<'a>(found: &mut [Option<&'a [u8]>], at: Option<usize>, c: &mut Cursor<'a>) -> Parse<()> {
    match at.and_then(|at| found.get_mut(at)) {
        Some(place) => *place = c.text_if_any()?,
        None => c.skip()?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_path() {
        let message = br#"{"x":[1],"data":{"y":{"message":0},"message":"no"},"id":7,"message":1}"#;
        let [id, text, missing, array] =
            scalars(message, ["id", "data.message", "data.id", "x"]).unwrap();
        assert_eq!(id, Some(&b"7"[..]));
        assert_eq!(text, Some(&b"no"[..]));
        assert_eq!((missing, array), (None, None));
        assert!(scalars(b"[1]", ["id"]).is_err());
        assert!(scalars(&message[..40], ["id"]).is_err());
    }
}
