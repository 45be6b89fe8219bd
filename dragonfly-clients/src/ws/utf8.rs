//! Whether text is UTF-8, also where it ends in the middle of a character.

use dragonfly_core::client::ClientError;

use super::header::protocol;

/// How many of the bytes are whole characters; the rest, at most three bytes, is one that is cut.
///
/// # Errors
/// When they are no beginning of any text.
#[inline]
pub(super) fn whole(bytes: &[u8]) -> Result<usize, ClientError> {
    // Market data is ASCII, for which looking at the high bits is enough, many bytes at a time.
    if bytes.is_ascii() {
        return Ok(bytes.len());
    }
    match str::from_utf8(bytes) {
        Ok(_) => Ok(bytes.len()),
        Err(error) if error.error_len().is_none() => Ok(error.valid_up_to()),
        Err(_) => Err(refused()),
    }
}

/// The error of a text that is not UTF-8.
#[cold]
pub(super) fn refused() -> ClientError {
    protocol("a text message that is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_anywhere_and_never_refused_for_it() {
        let text = "aä€𝄞z".as_bytes();
        let ends: Vec<_> = (0..=text.len())
            .map(|end| whole(&text[..end]).unwrap())
            .collect();
        assert_eq!(ends, [0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11]);
    }

    #[test]
    fn what_no_further_byte_can_mend_is_refused_at_once() {
        for bad in [
            &b"\xff"[..],
            b"\xc0",
            b"\xc3(",
            b"\xed\xa0",
            b"\xf4\x90",
            b"a\x80",
        ] {
            assert!(whole(bad).is_err(), "{bad:?}");
        }
    }
}
