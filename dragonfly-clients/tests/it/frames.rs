//! Frames without a socket: the cases of the Autobahn test suite that a client which only reads can
//! show, by their numbers, and a comparison with tungstenite over arbitrary bytes.

use std::io::{self, Read, Write};

use dragonfly_clients::ws::Deframer;
use dragonfly_core::client::{ClientError, Received};
use proptest::prelude::*;
use tungstenite::{
    Message,
    protocol::{Role, WebSocket, WebSocketConfig},
};

use super::{messages::frame, server::Seen};

const LIMIT: usize = 16 << 20;

/// What comes of `bytes` when they arrive in pieces of `piece`, and the error that ended it, if any.
///
/// What is shown of a message of `large` bytes or more must be its beginning, and grow.
pub(super) fn read(
    bytes: &[u8],
    piece: usize,
    large: usize,
    limit: usize,
) -> (Vec<Seen>, Option<ClientError>) {
    let mut frames = Deframer::new(limit);
    let (mut seen, mut part) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        frames.push(piece);
        loop {
            match frames.next_or_part(large) {
                Ok(None) => break,
                Ok(Some(Received::Message(message))) => {
                    assert!(message.starts_with(&part), "a part was not of its message");
                    part.clear();
                    seen.push(Seen::Message(message.to_vec()));
                }
                Ok(Some(Received::Part(so_far))) => {
                    assert!(so_far.len() > part.len(), "a part that says nothing new");
                    part.extend_from_slice(&so_far[part.len()..]);
                }
                Ok(Some(Received::Ping(payload))) => seen.push(Seen::Ping(payload.to_vec())),
                Ok(Some(Received::Pong)) => seen.push(Seen::Pong),
                Ok(Some(other)) => panic!("unknown: {other:?}"),
                Err(error) => return (seen, Some(error)),
            }
        }
    }
    (seen, None)
}

/// The same in whole, byte by byte, and with parts shown.
fn sent(bytes: &[u8]) -> (Vec<Seen>, Option<ClientError>) {
    let whole = read(bytes, usize::MAX, usize::MAX, LIMIT);
    if bytes.len() < 100_000 {
        assert_eq!(read(bytes, 1, usize::MAX, LIMIT), whole);
        assert_eq!(read(bytes, 1, 1, LIMIT), whole);
    }
    assert_eq!(read(bytes, 997, 1, LIMIT), whole);
    whole
}

fn message(payload: &[u8]) -> Seen {
    Seen::Message(payload.to_vec())
}

/// What was seen before the connection was failed for a reason that has `what` in it.
fn failed(bytes: &[u8], what: &str) -> Vec<Seen> {
    let (seen, error) = sent(bytes);
    let Some(ClientError::Protocol(text)) = &error else {
        panic!("{what}: {error:?}")
    };
    assert!(text.contains(what), "{what}: {text}");
    seen
}

#[test]
fn case_1_and_9_messages_of_every_size() {
    for size in [
        0,
        125,
        126,
        127,
        128,
        65_535,
        65_536,
        1 << 18,
        1 << 20,
        LIMIT,
    ] {
        for first in [0x81, 0x82] {
            let payload = vec![b'*'; size];
            assert_eq!(
                sent(&frame(first, &payload)),
                (vec![message(&payload)], None)
            );
        }
    }
}

#[test]
fn case_2_pings_and_pongs() {
    for payload in [
        &b""[..],
        b"Hello, world!",
        b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff",
        &[0xfe; 125],
    ] {
        let seen = sent(&frame(0x89, payload)).0;
        assert_eq!(seen, [Seen::Ping(payload.to_vec())]);
        assert_eq!(sent(&frame(0x8a, payload)).0, [Seen::Pong]);
    }
    assert_eq!(
        failed(&frame(0x89, &[0xfe; 126]), "more than 125 bytes"),
        []
    );
    let ten: Vec<u8> = (0..10).flat_map(|n| frame(0x89, &[n])).collect();
    assert_eq!(sent(&ten).0.len(), 10);
}

#[test]
fn a_control_message_with_a_long_length_is_refused_however_it_is_cut() {
    // Its length could have been written in one byte, and has to be.
    for first in [0x88, 0x89, 0x8a] {
        let ping = [&[first, 126, 0, 101][..], &[b'x'; 101]].concat();
        assert_eq!(failed(&ping, "more than 125 bytes"), []);
        let ping = [&[first, 127, 0, 0, 0, 0, 0, 0, 0, 2][..], b"xy"].concat();
        assert_eq!(failed(&ping, "more than 125 bytes"), []);
    }
}

#[test]
fn case_3_and_4_reserved_bits_and_opcodes() {
    let text = frame(0x81, b"Hello, world!");
    let after_text = |bytes: Vec<u8>, what| {
        let bytes = [text.clone(), bytes, frame(0x89, b"")].concat();
        assert_eq!(failed(&bytes, what), [message(b"Hello, world!")]);
    };
    for reserved in 1..8 {
        for opcode in [0x1, 0x2, 0x8, 0x9] {
            after_text(frame(0x80 | reserved << 4 | opcode, b"x"), "reserved bit");
        }
    }
    for opcode in (3..8).chain(0xb..=0xf) {
        after_text(frame(0x80 | opcode, b""), "unknown opcode");
        after_text(frame(0x80 | opcode, b"Hello"), "unknown opcode");
    }
}

#[test]
fn case_5_fragments() {
    let (first, last) = (frame(0x01, b"fragment1"), frame(0x80, b"fragment2"));
    let (more, ping) = (frame(0x00, b"fragment3"), frame(0x89, b"ping"));
    let whole = message(b"fragment1fragment2");
    let pinged = Seen::Ping(b"ping".to_vec());
    assert_eq!(failed(&frame(0x09, b"x"), "fragmented control"), []);
    assert_eq!(failed(&frame(0x0a, b"x"), "fragmented control"), []);
    let seen = sent(&[&first[..], &last].concat()).0;
    assert_eq!(seen, std::slice::from_ref(&whole));
    let seen = sent(&[&first[..], &ping, &last].concat()).0;
    assert_eq!(seen, [pinged.clone(), whole.clone()]);
    let nothing_to_continue = "continuation of no message";
    for bytes in [&last, &more] {
        let bytes = [&bytes[..], &frame(0x81, b"Hello")].concat();
        assert_eq!(failed(&bytes, nothing_to_continue), []);
    }
    let bytes = [&first[..], &last, &more, &frame(0x81, b"Hello")].concat();
    assert_eq!(
        failed(&bytes, nothing_to_continue),
        std::slice::from_ref(&whole)
    );
    let both_text = [&first[..], &frame(0x81, b"fragment2")].concat();
    assert_eq!(failed(&both_text, "inside a fragmented one"), []);
    let long = [&first[..], &more, &ping, &more, &ping, &last].concat();
    let text = b"fragment1fragment3fragment3fragment2";
    assert_eq!(sent(&long).0, [pinged.clone(), pinged, message(text)]);
}

#[test]
fn empty_fragments_are_no_way_to_keep_a_reader_busy() {
    let message_of = |empty: usize| {
        let middle = frame(0x00, b"").repeat(empty);
        [frame(0x01, b"a"), middle, frame(0x80, b"b")].concat()
    };
    let twice = message_of(1_000).repeat(2);
    assert_eq!(sent(&twice).0, [message(b"ab"), message(b"ab")]);
    assert_eq!(failed(&message_of(1_001), "1000 empty fragments"), []);
}

#[test]
fn case_6_utf8() {
    assert_eq!(sent(&frame(0x81, b"")).0, [message(b"")]);
    let empty = [frame(0x01, b""), frame(0x00, b""), frame(0x80, b"")].concat();
    assert_eq!(sent(&empty).0, [message(b"")]);
    let good = [
        "κόσμε",
        "\u{0}",
        "\u{80}",
        "\u{7ff}",
        "\u{800}",
        "\u{d7ff}",
        "\u{e000}",
        "\u{fffd}",
        "\u{ffff}",
        "\u{10000}",
        "\u{10ffff}",
        "\u{fffe}",
        "Hello-µ@ßöäüàá-UTF-8!!",
    ];
    for text in good {
        let bytes = text.as_bytes();
        assert_eq!(
            sent(&frame(0x81, bytes)),
            (vec![message(bytes)], None),
            "{text}"
        );
        for cut in 0..=bytes.len() {
            let cut = [frame(0x01, &bytes[..cut]), frame(0x80, &bytes[cut..])].concat();
            assert_eq!(sent(&cut), (vec![message(bytes)], None), "{text}");
        }
    }
    let bad: [&[u8]; 16] = [
        b"\xf8\x88\x80\x80\x80",
        b"\xfc\x84\x80\x80\x80\x80",
        b"\xf7\xbf\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\x80",
        b"\xbf",
        b"\x80\xbf\x80",
        b"\xc0\x20",
        b"\xe0\x20",
        b"\xf0\x20",
        b"\xfe",
        b"\xff",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    ];
    for bytes in bad {
        assert_eq!(failed(&frame(0x81, bytes), "not UTF-8"), []);
        assert_eq!(
            sent(&frame(0x82, bytes)).0,
            [message(bytes)],
            "binary is not looked at"
        );
        for cut in 0..=bytes.len() {
            let cut = [frame(0x01, &bytes[..cut]), frame(0x80, &bytes[cut..])].concat();
            assert_eq!(failed(&cut, "not UTF-8"), []);
        }
    }
    // A character that the last byte of the message leaves open.
    assert_eq!(
        failed(
            &frame(0x81, "κόσμ".as_bytes().split_last().unwrap().1),
            "not UTF-8"
        ),
        []
    );
}

#[test]
fn case_7_closing() {
    let close = |payload: &[u8]| sent(&frame(0x88, payload)).1.unwrap();
    let closed = |code, reason: &str| ClientError::Closed {
        code,
        reason: reason.into(),
    };
    let behind = [
        frame(0x81, b"a"),
        frame(0x88, b"\x03\xe8"),
        frame(0x81, b"late"),
        frame(0x89, b""),
    ];
    assert_eq!(
        sent(&behind.concat()),
        (vec![message(b"a")], Some(closed(1000, "")))
    );
    let inside = [
        frame(0x01, b"a"),
        frame(0x88, b"\x03\xe8"),
        frame(0x80, b"b"),
    ];
    assert_eq!(sent(&inside.concat()), (vec![], Some(closed(1000, ""))));
    assert_eq!(close(b""), closed(1006, "(no code)"));
    assert!(matches!(close(b"a"), ClientError::Protocol(_)));
    assert!(matches!(
        close(b"\x03\xe8\xce\xba\xed\xa0\x80"),
        ClientError::Protocol(_)
    ));
    let longest = [&b"\x03\xe8"[..], &[b'*'; 123]].concat();
    assert_eq!(close(&longest), closed(1000, &"*".repeat(123)));
    let too_long = [&longest[..], b"*"].concat();
    assert!(matches!(close(&too_long), ClientError::Protocol(_)));
    for code in [
        1000_u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
    ] {
        assert_eq!(close(&code.to_be_bytes()), closed(code, ""));
    }
    for code in [
        0_u16, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535,
    ] {
        assert!(
            matches!(close(&code.to_be_bytes()), ClientError::Protocol(_)),
            "{code}"
        );
    }
}

#[test]
fn case_9_many_fragments_of_one_message() {
    let payload = vec![b'*'; 1 << 20];
    for size in [64, 256, 1024, 4096, 16_384, 65_536, 1 << 18] {
        let mut bytes = frame(0x01, b"");
        payload
            .chunks(size)
            .for_each(|piece| bytes.extend(frame(0x00, piece)));
        bytes.extend(frame(0x80, b""));
        assert_eq!(
            read(&bytes, 4_096, 1, LIMIT),
            (vec![message(&payload)], None)
        );
    }
    // 9.9.1: a message without end is ended by the limit.
    let endless = [frame(0x01, b"")]
        .into_iter()
        .chain((0..300).map(|_| frame(0x00, &[b'*'; 4096])));
    let (seen, error) = read(
        &endless.collect::<Vec<_>>().concat(),
        4_096,
        usize::MAX,
        1 << 20,
    );
    assert_eq!(
        (seen, error),
        (vec![], Some(ClientError::TooLarge { limit: 1 << 20 }))
    );
}

#[test]
fn a_large_message_is_shown_as_it_comes_and_small_ones_never() {
    let mut frames = Deframer::new(1 << 20);
    let bytes = [frame(0x81, &[b'a'; 99]), frame(0x81, &[b'b'; 300])].concat();
    let mut parts = Vec::new();
    for byte in bytes {
        frames.push(&[byte]);
        if let Some(Received::Part(so_far)) = frames.next_or_part(100).unwrap() {
            parts.push(so_far.len());
        }
    }
    assert_eq!(parts, (1..300).collect::<Vec<_>>());
}

#[test]
fn a_large_fragment_is_shown_as_it_comes_too() {
    let mut frames = Deframer::new(1 << 20);
    let bytes = [
        frame(0x01, b"ab"),
        frame(0x00, &[b'c'; 300]),
        frame(0x80, b"d"),
    ]
    .concat();
    let (mut parts, mut whole) = (Vec::new(), 0);
    for byte in bytes {
        frames.push(&[byte]);
        match frames.next_or_part(100).unwrap() {
            Some(Received::Part(so_far)) => parts.push(so_far.len()),
            Some(Received::Message(message)) => whole = message.len(),
            _ => {}
        }
    }
    assert_eq!(parts, (2..=302).collect::<Vec<_>>());
    assert_eq!(whole, 303);
}

#[test]
fn a_buffer_that_a_large_message_needed_is_given_back() {
    let mut frames = Deframer::new(1 << 20);
    frames.push(&frame(0x81, &vec![b'a'; 1 << 20]));
    assert!(frames.next().unwrap().is_some());
    assert!(frames.capacity() >= 1 << 20);
    for _ in 0..1_000 {
        frames.push(&frame(0x81, b"small"));
        assert!(frames.next().unwrap().is_some());
    }
    assert!(frames.capacity() <= 1 << 16);
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

/// What tungstenite sees, and whether the peer closed the connection.
fn by_tungstenite(bytes: &[u8], limit: usize) -> (Vec<Seen>, bool) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(limit))
        .max_frame_size(Some(limit));
    let mut socket = WebSocket::from_raw_socket(Socket(bytes), Role::Client, Some(config));
    let mut seen = Vec::new();
    loop {
        seen.push(match socket.read() {
            Ok(Message::Text(text)) => message(text.as_bytes()),
            Ok(Message::Binary(bytes)) => message(&bytes),
            Ok(Message::Ping(payload)) => Seen::Ping(payload.to_vec()),
            Ok(Message::Pong(_)) => Seen::Pong,
            Ok(Message::Close(_)) => return (seen, true),
            Ok(Message::Frame(_)) => panic!("a single frame"),
            Err(_) => return (seen, false),
        });
    }
}

fn agree(bytes: &[u8], piece: usize, large: usize) {
    let limit = 1_000;
    let (seen, error) = read(bytes, piece, large, limit);
    let whole = read(bytes, usize::MAX, usize::MAX, limit);
    assert_eq!((&seen, &error), (&whole.0, &whole.1));
    let (expected, is_closed) = by_tungstenite(bytes, limit);
    let says = |what| matches!(&error, Some(ClientError::Protocol(text)) if text.contains(what));
    if says("a control message of more than") {
        // A short control message whose length is written in the long form is refused here.
        assert!(expected.starts_with(&seen), "{bytes:?}");
        return;
    }
    assert_eq!(seen, expected, "{bytes:?}");
    let closed = matches!(error, Some(ClientError::Closed { .. }));
    // Codes that nobody may send are refused here and passed on there.
    assert!(
        closed == is_closed || says("close message"),
        "{error:?}: {bytes:?}"
    );
}

/// Frames as they may come, some of them wrong.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        6 => Just(0x81_u8), 3 => Just(0x82), 3 => Just(0x01), 2 => Just(0x02), 4 => Just(0x00),
        4 => Just(0x80), 2 => Just(0x89), 2 => Just(0x8a), 1 => Just(0x88), 1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        4 => "[a-z{}\",]{0,140}".prop_map(String::into_bytes),
        2 => "\\PC{0,40}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..10),
        1 => Just(vec![b'x'; 500]),
        1 => Just(b"\x03\xe8bye".to_vec()),
        1 => Just(b"\xc3".to_vec()),
        1 => Just(b"\xa4".to_vec()),
    ];
    let one = (first, payload).prop_map(|(first, payload)| frame(first, &payload));
    proptest::collection::vec(one, 0..12).prop_map(|all| all.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn frames_in_pieces_are_what_tungstenite_reads(bytes in frames(), piece in 1_usize..50, large in 1_usize..600) {
        agree(&bytes, piece, large);
    }

    #[test]
    fn broken_frames_are_what_tungstenite_reads(
        bytes in frames(),
        changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..4),
        piece in 1_usize..50,
    ) {
        let mut bytes = bytes;
        for (at, to) in changes {
            let length = bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(usize::from(at) % length) {
                *byte = to;
            }
        }
        agree(&bytes, piece, 1);
    }

    #[test]
    fn any_bytes_are_what_tungstenite_reads(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        agree(&bytes, 1, 1);
    }
}
