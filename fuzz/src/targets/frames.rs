//! Frames in pieces, in whole, and by another implementation.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read, Write},
};

use dragonfly_clients::ws::Deframer;
use dragonfly_core::client::{ClientError, Received};
use tungstenite::{
    Message,
    protocol::{Role, WebSocket, WebSocketConfig},
};

const LIMIT: usize = 1_000;

/// What comes out of a connection: by its digest, for half of an input's bytes may each be a frame.
#[derive(Debug, PartialEq, Eq)]
struct Seen(u64);

impl Seen {
    const PONG: Self = Self(0);

    fn message(bytes: &[u8]) -> Self {
        Self::of("message", bytes)
    }

    fn ping(payload: &[u8]) -> Self {
        Self::of("ping", payload)
    }

    fn of(kind: &str, bytes: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        (kind, bytes).hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// Reads all but the first byte of `input` as what a server sent, in pieces as long as the first
/// byte says.
///
/// What comes of the pieces is what comes of the whole, and what tungstenite reads.
pub(super) fn frames(input: &[u8]) {
    let Some((piece, bytes)) = input.split_first() else {
        return;
    };
    let (seen, error) = read(bytes, usize::from(*piece).max(1), 1);
    let whole = read(bytes, usize::MAX, usize::MAX);
    assert_eq!((&seen, &error), (&whole.0, &whole.1));
    let (expected, is_closed) = by_tungstenite(bytes);
    let says = |what| matches!(&error, Some(ClientError::Protocol(text)) if text.contains(what));
    if says("a control message of more than") || says("empty fragments") {
        // A short control message whose length is written in the long form is refused here, and so
        // are fragments without a byte and without an end.
        assert!(expected.starts_with(&seen));
        return;
    }
    assert_eq!(seen, expected);
    let closed = matches!(error, Some(ClientError::Closed { .. }));
    // Codes that nobody may send are refused here and passed on there.
    assert!(closed == is_closed || says("close message"), "{error:?}");
}

fn read(bytes: &[u8], piece: usize, large: usize) -> (Vec<Seen>, Option<ClientError>) {
    let mut frames = Deframer::new(LIMIT);
    let (mut seen, mut part) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        frames.push(piece);
        loop {
            match frames.next_or_part(large) {
                Ok(None) => break,
                Ok(Some(Received::Message(message))) => {
                    assert!(message.starts_with(&part));
                    part.clear();
                    seen.push(Seen::message(message));
                }
                Ok(Some(Received::Part(so_far))) => {
                    assert!(so_far.starts_with(&part) && so_far.len() > part.len());
                    part = so_far.to_vec();
                }
                Ok(Some(Received::Ping(payload))) => seen.push(Seen::ping(payload)),
                Ok(Some(_)) => seen.push(Seen::PONG),
                Err(error) => return (seen, Some(error)),
            }
        }
    }
    (seen, None)
}

/// Bytes as a socket that ends, and takes whatever is written.
struct Socket<'a>(&'a [u8]);

impl Read for Socket<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn by_tungstenite(bytes: &[u8]) -> (Vec<Seen>, bool) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(LIMIT))
        .max_frame_size(Some(LIMIT));
    let mut socket = WebSocket::from_raw_socket(Socket(bytes), Role::Client, Some(config));
    let mut seen = Vec::new();
    loop {
        seen.push(match socket.read() {
            Ok(Message::Text(text)) => Seen::message(text.as_bytes()),
            Ok(Message::Binary(bytes)) => Seen::message(&bytes),
            Ok(Message::Ping(payload)) => Seen::ping(&payload),
            Ok(Message::Pong(_)) => Seen::PONG,
            Ok(_) => return (seen, true),
            Err(_) => return (seen, false),
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::{execute, find};

    #[test]
    fn an_input_of_nothing_but_empty_frames_is_held_within_the_bound() {
        let target = find("frames").unwrap();
        for frame in [[0x8a, 0], [0x89, 0], [0x81, 0]] {
            let input = [&[1], &*frame.repeat((32 << 10) - 1)].concat();
            execute(target, &input).unwrap();
        }
    }
}
