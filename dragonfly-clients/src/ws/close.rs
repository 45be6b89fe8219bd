//! What a close message says, and the other ends of a connection.

use std::str;

use dragonfly_core::client::ClientError;

use super::header::protocol;

/// The code reported when the peer gave none.
const NO_CODE: u16 = 1006;

/// What a close message says, or what is wrong with it.
pub(super) fn closed(payload: &[u8]) -> ClientError {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return match payload {
            [] => ClientError::Closed {
                code: NO_CODE,
                reason: "(no code)".into(),
            },
            _ => protocol("a close message of one byte"),
        };
    };
    let code = u16::from_be_bytes(*code);
    let Ok(reason) = str::from_utf8(reason) else {
        return protocol("a close message whose reason is not UTF-8");
    };
    match code {
        1000..=1003 | 1007..=1014 | 3000..=4999 => ClientError::Closed {
            code,
            reason: reason.into(),
        },
        _ => ClientError::Protocol(format!("a close message with the code {code}")),
    }
}

/// The connection ended without a close message.
pub(super) fn ended() -> ClientError {
    ClientError::Closed {
        code: NO_CODE,
        reason: "(the connection ended without a close message)".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_message_is_checked() {
        let says = |payload: &[u8]| closed(payload).to_string();
        assert_eq!(says(b"\x03\xe8bye"), "closed by the peer: code 1000 bye");
        assert_eq!(says(b"\x0f\xa0"), "closed by the peer: code 4000 ");
        assert_eq!(says(b""), "closed by the peer: code 1006 (no code)");
        for bad in [
            &b"\x03"[..],
            b"\x00\x00",
            b"\x03\xed",
            b"\x03\xee",
            b"\x03\xf7",
            b"\x13\x88",
            b"\x03\xe8\xff",
        ] {
            assert!(matches!(closed(bad), ClientError::Protocol(_)), "{bad:?}");
        }
    }
}
