//! How the bytes of a message are put on the wire, rightly and wrongly.

use fastwebsockets::OpCode;

use crate::{fault::Kind, frames::frame_head};

/// How many frames a message is taken apart into at most.
const MOST_FRAMES: usize = 400;
/// The pause between two parts of what drips, in ns.
const DRIP: u64 = 100_000_000;
/// A frame of which nobody will read the end: 100 MB.
const HUGE: u64 = 100_000_000;
/// What a message of many frames has in each, in bytes.
const LARGE: usize = 1 << 20;
/// How many of them it has.
const LARGE_FRAMES: usize = 40;

/// Bytes to write, and how long to wait after them in ns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    pub(super) pause: u64,
}

/// Whether a client must give the connection up over it.
pub(super) const fn is_fatal(kind: Kind) -> bool {
    use Kind::{Compressed, HugeHeader, Masked, NotUtf8, TooLarge};
    matches!(kind, Compressed | HugeHeader | Masked | NotUtf8 | TooLarge)
}

/// One frame as it should be.
pub(super) fn frame(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let (head, len) = frame_head(opcode, payload.len());
    [head.get(..len).unwrap_or(&head), payload].concat()
}

/// A message. What is no text, such as one that is compressed or in another encoding, is sent as
/// binary: a client would close the connection over a text that is not UTF-8 and never look at it,
/// which is a [fault of its own](Kind::NotUtf8).
pub(super) fn message(payload: &[u8]) -> Vec<u8> {
    let is_text = str::from_utf8(payload).is_ok();
    let opcode = if is_text {
        OpCode::Text
    } else {
        OpCode::Binary
    };
    frame(opcode, payload)
}

/// A message as the fault wants it sent; `lasting` is in ns.
pub(super) fn spoil(
    kind: Kind,
    text: &[u8],
    lasting: u64,
) -> Box<dyn Iterator<Item = Chunk> + Send> {
    let once = |bytes| -> Box<dyn Iterator<Item = Chunk> + Send> {
        Box::new(std::iter::once(Chunk { bytes, pause: 0 }))
    };
    match kind {
        Kind::BinaryFrame => once(frame(OpCode::Binary, text)),
        Kind::Fragments => once(fragments(text)),
        Kind::Drip => Box::new(drip(&frame(OpCode::Text, text), lasting).into_iter()),
        Kind::Compressed => once(flagged(frame(OpCode::Text, text), 0, 0x40)),
        Kind::NotUtf8 => once(frame(OpCode::Text, &[text, b"\xff\xc0"].concat())),
        Kind::Masked => once(masked(text)),
        Kind::HugeHeader => {
            let head = [&[0x81, 127][..], &HUGE.to_be_bytes(), text].concat();
            once(head)
        }
        Kind::TooLarge => Box::new((0..LARGE_FRAMES).map(|at| {
            let opcode = if at == 0 {
                OpCode::Text
            } else {
                OpCode::Continuation
            };
            let bytes = frame(opcode, &[b'x'; LARGE]);
            let bytes = if at + 1 == LARGE_FRAMES {
                bytes
            } else {
                unfinished(bytes)
            };
            Chunk { bytes, pause: 0 }
        })),
        _ => once(frame(OpCode::Text, text)),
    }
}

/// The frame with bits of one byte of its head turned over.
fn flagged(mut frame: Vec<u8>, at: usize, bits: u8) -> Vec<u8> {
    if let Some(byte) = frame.get_mut(at) {
        *byte ^= bits;
    }
    frame
}

fn unfinished(frame: Vec<u8>) -> Vec<u8> {
    flagged(frame, 0, 0x80)
}

/// Frames of a few bytes each, and a ping after every third.
fn fragments(text: &[u8]) -> Vec<u8> {
    let size = text.len().div_ceil(MOST_FRAMES).max(3);
    let count = text.len().div_ceil(size).max(1);
    let mut bytes = Vec::with_capacity(text.len() * 2);
    for at in 0..count {
        let part = text.chunks(size).nth(at).unwrap_or_default();
        let opcode = if at == 0 {
            OpCode::Text
        } else {
            OpCode::Continuation
        };
        let part = frame(opcode, part);
        bytes.extend(if at + 1 == count {
            part
        } else {
            unfinished(part)
        });
        if at % 3 == 2 && at + 1 < count {
            bytes.extend(frame(OpCode::Ping, b"between"));
        }
    }
    bytes
}

fn drip(bytes: &[u8], lasting: u64) -> Vec<Chunk> {
    let parts = usize::try_from(lasting / DRIP).unwrap_or(1).max(1);
    let size = bytes.len().div_ceil(parts).max(1);
    let chunk = |part: &[u8]| Chunk {
        bytes: part.to_vec(),
        pause: DRIP,
    };
    bytes.chunks(size).map(chunk).collect()
}

fn masked(text: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let (head, len) = frame_head(OpCode::Text, text.len());
    let head = flagged(head.get(..len).unwrap_or(&head).to_vec(), 1, 0x80);
    let payload = text
        .iter()
        .zip(KEY.iter().cycle())
        .map(|(byte, key)| byte ^ key);
    head.into_iter().chain(KEY).chain(payload).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(kind: Kind, text: &[u8]) -> Vec<u8> {
        let chunks = spoil(kind, text, 700_000_000);
        chunks.flat_map(|chunk| chunk.bytes).collect()
    }

    /// The first byte and the payload of each frame of less than 126 bytes.
    fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut frames = Vec::new();
        while let [first, len, rest @ ..] = bytes {
            assert!(*len < 126);
            let (payload, rest) = rest.split_at(usize::from(*len));
            frames.push((*first, payload.to_vec()));
            bytes = rest;
        }
        frames
    }

    #[test]
    fn fragments_are_the_whole_message_with_pings_between() {
        for len in [1, 3, 4, 100, 5_000] {
            let text: Vec<u8> = (0..len).map(|at| b'a' + (at % 26) as u8).collect();
            let frames = frames(&bytes(Kind::Fragments, &text));
            let (pings, parts): (Vec<_>, Vec<_>) =
                frames.into_iter().partition(|frame| frame.0 == 0x89);
            let heads: Vec<u8> = parts.iter().map(|part| part.0).collect();
            match heads.as_slice() {
                [only] => assert_eq!(*only, 0x81),
                [first, between @ .., last] => {
                    assert_eq!((*first, *last), (0x01, 0x80));
                    assert!(between.iter().all(|head| *head == 0));
                    assert_eq!(pings.len(), (parts.len() - 1) / 3);
                }
                [] => panic!("no frame"),
            }
            assert_eq!(
                parts
                    .into_iter()
                    .flat_map(|part| part.1)
                    .collect::<Vec<_>>(),
                text
            );
            assert!(heads.len() <= MOST_FRAMES);
        }
    }

    #[test]
    fn what_drips_is_a_message_in_many_parts_that_takes_its_time() {
        let text = [b'x'; 1_000];
        let chunks: Vec<Chunk> = spoil(Kind::Drip, &text, 700_000_000).collect();
        assert_eq!(chunks.len(), 7);
        assert_eq!(
            chunks.iter().map(|chunk| chunk.pause).sum::<u64>(),
            700_000_000
        );
        assert_eq!(bytes(Kind::Drip, &text), frame(OpCode::Text, &text));
    }

    #[test]
    fn a_masked_frame_says_so_and_can_be_unmasked() {
        let bytes = bytes(Kind::Masked, b"hello");
        assert_eq!(bytes[..2], [0x81, 0x85]);
        let payload = bytes[6..].iter().zip(bytes[2..6].iter().cycle());
        let payload: Vec<u8> = payload.map(|(byte, key)| byte ^ key).collect();
        assert_eq!(payload, b"hello");
    }
}
