//! The header of a frame, and every rule a server's frames have to keep.

use dragonfly_core::client::ClientError;

/// The largest payload of a ping, pong or close message, in bytes.
pub(super) const MAX_CONTROL: usize = 125;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) opcode: Opcode,
    /// Whether it is the last frame of its message.
    pub(super) is_last: bool,
    /// The header's own length, in bytes.
    pub(super) length: usize,
    /// The payload's length, in bytes.
    pub(super) payload: usize,
}

impl Header {
    /// Reads the header at the beginning of `bytes`; `None` while it is not all there.
    ///
    /// # Errors
    /// As soon as the bytes break a rule: [`ClientError::Protocol`], or [`ClientError::TooLarge`]
    /// for a payload of more than `limit` bytes.
    #[inline]
    pub(super) fn parse(bytes: &[u8], limit: usize) -> Result<Option<Self>, ClientError> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        // Text and binary messages in one frame and of up to 64 KiB are nearly all there is.
        let (opcode, is_last) = match first {
            0x81 => (Opcode::Text, true),
            0x82 => (Opcode::Binary, true),
            other => opcode_of(*other)?,
        };
        let (length, payload) = match second {
            short @ 0..=125 => (2, usize::from(*short)),
            // Whatever follows: a control message has no long length, not even a small one.
            126 | 127 if opcode.is_control() => {
                return Err(protocol("a control message of more than 125 bytes"));
            }
            126 => match rest.first_chunk() {
                Some(length) => (4, usize::from(u16::from_be_bytes(*length))),
                None => return Ok(None),
            },
            127 => match rest.first_chunk() {
                // A length that does not fit is above every limit.
                Some(length) => {
                    let length = u64::from_be_bytes(*length);
                    (10, usize::try_from(length).unwrap_or(usize::MAX))
                }
                None => return Ok(None),
            },
            _ => return Err(protocol("a masked frame from the server")),
        };
        if payload > limit {
            return Err(ClientError::TooLarge { limit });
        }
        Ok(Some(Self {
            opcode,
            is_last,
            length,
            payload,
        }))
    }
}

impl Opcode {
    const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The first byte of a header, read and checked.
fn opcode_of(first: u8) -> Result<(Opcode, bool), ClientError> {
    if first & 0x70 != 0 {
        return Err(protocol(
            "a frame with a reserved bit, though no extension was agreed on",
        ));
    }
    let is_last = first & 0x80 != 0;
    let opcode = match first & 0x0f {
        0x0 => Opcode::Continuation,
        0x1 => Opcode::Text,
        0x2 => Opcode::Binary,
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        0xa => Opcode::Pong,
        _ => return Err(protocol("a frame with an unknown opcode")),
    };
    if opcode.is_control() && !is_last {
        return Err(protocol("a fragmented control message"));
    }
    Ok((opcode, is_last))
}

/// The peer broke the protocol.
pub(super) fn protocol(what: &str) -> ClientError {
    ClientError::Protocol(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_read_in_each_of_its_three_forms() {
        for (bytes, length, payload) in [
            (&[0x82, 0][..], 2, 0),
            (&[0x82, 125], 2, 125),
            (&[0x82, 126, 0, 126], 4, 126),
            (&[0x82, 126, 0xff, 0xff], 4, 65_535),
            (&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0], 10, 65_536),
        ] {
            let header = Header::parse(bytes, 1 << 20).unwrap().unwrap();
            assert_eq!((header.length, header.payload), (length, payload));
            for end in 0..bytes.len() {
                assert_eq!(Header::parse(&bytes[..end], 1 << 20), Ok(None));
            }
        }
    }

    #[test]
    fn the_limit_is_the_last_length_that_passes() {
        let header = |payload: u8| Header::parse(&[0x82, 126, 0, payload], 200);
        assert_eq!(header(200).unwrap().unwrap().payload, 200);
        assert_eq!(header(201), Err(ClientError::TooLarge { limit: 200 }));
    }

    #[test]
    fn what_breaks_a_rule_is_refused_at_the_byte_that_does() {
        for bytes in [
            &[0xc1, 0][..],
            &[0x83, 0],
            &[0x09, 0],
            &[0x81, 0x80],
            &[0x89, 126],
            &[0x89, 126, 0, 101],
            &[0x88, 127, 0, 0, 0, 0, 0, 0, 0, 2],
        ] {
            let refused = Header::parse(bytes, 1 << 20);
            assert!(
                matches!(refused, Err(ClientError::Protocol(_))),
                "{bytes:?}"
            );
        }
    }
}
