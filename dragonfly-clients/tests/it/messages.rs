//! What comes through an open connection.

use std::io::Write;

use dragonfly_clients::ws;
use dragonfly_core::client::{
    Client as _, ClientError, Control, Reader as _, Received, Writer as _,
};
use tungstenite::{Message, protocol::frame::coding::CloseCode};

use super::server::{
    Authority, Scratch, Seen, Server, block_on, for_localhost, read_all, read_request, secured,
    until_end, welcome,
};

const LIMIT: usize = 1 << 20;

/// An unmasked frame; `first` is its first byte: the FIN bit and the opcode.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(length as u8),
        length @ 126..=0xffff => {
            bytes.push(126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}

/// What a client with the limit sees when a server sends `bytes` behind its welcome, the first
/// `early` of them with it and the rest in pieces of `piece`.
pub(super) fn sent(bytes: Vec<u8>, early: usize, piece: usize) -> (Vec<Seen>, ClientError) {
    let server = Server::start(move |mut stream| {
        let mut first = welcome(&read_request(&mut stream).key);
        first.extend(&bytes[..early]);
        // The client may leave before it has been sent everything.
        let mut sent = stream.write_all(&first);
        for piece in bytes[early..].chunks(piece) {
            sent = sent.and_then(|()| stream.write_all(piece));
        }
        drop(sent);
    });
    let mut client = ws::Client::builder(server.url())
        .max_message(LIMIT)
        .build()
        .unwrap();
    let seen = block_on(async {
        let (mut reader, _writer) = client.connect().await.unwrap();
        read_all(&mut reader).await
    });
    server.join();
    seen
}

fn error_of(bytes: &[u8]) -> ClientError {
    let (seen, error) = sent(bytes.to_vec(), 0, usize::MAX);
    assert_eq!(seen, []);
    error
}

fn message(payload: &[u8]) -> Seen {
    Seen::Message(payload.to_vec())
}

/// Some of everything, and what a client sees of it.
fn mixture() -> (Vec<u8>, Vec<Seen>) {
    let long = "ä".repeat(100);
    let bytes = [
        frame(0x81, b"text"),
        frame(0x82, b"\xff\x00"),
        frame(0x89, b"ping"),
        frame(0x01, b"one \xc3"),
        frame(0x8a, b"pong"),
        frame(0x00, b""),
        frame(0x89, b""),
        frame(0x80, b"\xa4 two"),
        frame(0x81, long.as_bytes()),
        frame(0x81, b""),
        frame(0x88, b"\x03\xe9going away"),
    ]
    .concat();
    let seen = vec![
        message(b"text"),
        message(b"\xff\x00"),
        Seen::Ping(b"ping".to_vec()),
        Seen::Pong,
        Seen::Ping(Vec::new()),
        message("one ä two".as_bytes()),
        message(long.as_bytes()),
        message(b""),
    ];
    (bytes, seen)
}

#[test]
fn any_cut_of_the_bytes_gives_the_same_messages() {
    let (bytes, expected) = mixture();
    let end = ClientError::Closed {
        code: 1001,
        reason: "going away".into(),
    };
    assert_eq!(sent(bytes.clone(), 0, 1), (expected.clone(), end.clone()));
    for early in 0..=bytes.len() {
        assert_eq!(
            sent(bytes.clone(), early, 64),
            (expected.clone(), end.clone()),
            "{early}"
        );
    }
}

#[test]
fn messages_of_all_sizes_come_through_tls_both_ways() {
    let sizes = [
        0, 1, 125, 126, 127, 4096, 65535, 65536, 65537, 300_000, LIMIT,
    ];
    let authority = Authority::new();
    let config = authority.server(&for_localhost());
    let server = Server::start(move |stream| {
        let mut socket = tungstenite::accept(secured(config, stream)).unwrap();
        for size in sizes {
            let Message::Text(text) = socket.read().unwrap() else {
                panic!("not text")
            };
            assert_eq!(text.as_str(), "x".repeat(size));
            socket.send(Message::Binary(vec![7; size].into())).unwrap();
        }
        until_end(socket.get_mut());
    });
    let trusted = Scratch::holding("ca.pem", &authority.pem);
    let mut client = ws::Client::builder(server.tls_url())
        .tls_ca_file(&trusted.0)
        .max_message(LIMIT)
        .build()
        .unwrap();
    block_on(async {
        let (mut reader, mut writer) = client.connect().await.unwrap();
        for size in sizes {
            writer.send("x".repeat(size).as_bytes()).await.unwrap();
            let received = reader.read().await.unwrap();
            assert!(matches!(received, Received::Message(bytes) if bytes == vec![7; size]));
        }
    });
    server.join();
}

#[test]
fn pings_are_handed_out_and_answered_by_the_caller_alone() {
    let server = Server::start(|stream| {
        let mut socket = tungstenite::accept(stream).unwrap();
        socket.send(Message::Ping("hello".into())).unwrap();
        // A pong sent by itself would come before this text.
        assert_eq!(socket.read().unwrap(), Message::Text("first".into()));
        assert_eq!(socket.read().unwrap(), Message::Pong("hello".into()));
        assert_eq!(socket.read().unwrap(), Message::Ping("".into()));
        socket.flush().unwrap();
        let Message::Close(Some(close)) = socket.read().unwrap() else {
            panic!("no close")
        };
        assert_eq!(close.code, CloseCode::Normal);
    });
    let mut client = ws::Client::builder(server.url()).build().unwrap();
    block_on(async {
        let (mut reader, mut writer) = client.connect().await.unwrap();
        let Received::Ping(payload) = reader.read().await.unwrap() else {
            panic!("no ping")
        };
        let payload = payload.to_vec();
        writer.send(b"first").await.unwrap();
        writer.control(Control::Pong(&payload)).await.unwrap();
        writer.control(Control::Ping).await.unwrap();
        assert!(matches!(reader.read().await.unwrap(), Received::Pong));
        writer.control(Control::Close).await.unwrap();
        assert!(matches!(
            writer.send(b"late").await,
            Err(ClientError::Io(_))
        ));
    });
    server.join();
}

#[test]
fn every_frame_is_masked_with_a_key_of_its_own() {
    let server = Server::start(|mut stream| {
        let answer = welcome(&read_request(&mut stream).key);
        stream.write_all(&answer).unwrap();
        let mut keys = std::collections::HashSet::new();
        for _ in 0..8 {
            let mut bytes = [0; 10];
            std::io::Read::read_exact(&mut stream, &mut bytes).unwrap();
            assert_eq!(bytes[..2], [0x81, 0x80 | 4]);
            let text: Vec<u8> = (0..4).map(|at| bytes[6 + at] ^ bytes[2 + at]).collect();
            assert_eq!(text, b"text");
            keys.insert(bytes[2..6].to_vec());
        }
        assert!(keys.len() > 6, "keys repeat: {keys:?}");
    });
    let mut client = ws::Client::builder(server.url()).build().unwrap();
    block_on(async {
        let (_reader, mut writer) = client.connect().await.unwrap();
        for _ in 0..8 {
            writer.send(b"text").await.unwrap();
        }
    });
    server.join();
}

#[test]
fn a_message_is_lent_to_be_changed_in_a_buffer_that_is_used_again() {
    const COUNT: usize = 5_000;
    let bytes: Vec<u8> = (0..COUNT)
        .flat_map(|_| frame(0x81, &[b'x'; 1000]))
        .collect();
    let server = Server::start(move |mut stream| {
        let answer = welcome(&read_request(&mut stream).key);
        stream.write_all(&[answer, bytes].concat()).unwrap();
    });
    let mut client = ws::Client::builder(server.url()).build().unwrap();
    let mut places = std::collections::BTreeSet::new();
    block_on(async {
        let (mut reader, _writer) = client.connect().await.unwrap();
        for count in 0..COUNT {
            let Received::Message(bytes) = reader.read().await.unwrap() else {
                panic!("not text")
            };
            assert_eq!(bytes, [b'x'; 1000]);
            bytes.fill(b'-');
            // The buffer moves while it grows to what the server sends at once.
            if count > COUNT / 10 {
                places.insert(bytes.as_ptr().addr());
            }
        }
    });
    server.join();
    let span = places.last().unwrap() - places.first().unwrap();
    assert!(
        span < 64 * 1024,
        "5 MB of messages were spread over {span} bytes"
    );
}

#[test]
fn a_message_over_the_limit_is_refused_whole_or_in_fragments() {
    let too_large = ClientError::TooLarge { limit: LIMIT };
    assert_eq!(error_of(&frame(0x81, &vec![b'x'; LIMIT + 1])), too_large);
    let half = vec![b'x'; LIMIT / 2];
    let fragments = [frame(0x01, &half), frame(0x00, &half), frame(0x80, b"x")].concat();
    assert_eq!(error_of(&fragments), too_large);
    let (seen, _) = sent(
        [frame(0x01, &half), frame(0x80, &half)].concat(),
        0,
        usize::MAX,
    );
    assert_eq!(seen, [message(&vec![b'x'; LIMIT])]);
}

#[test]
fn an_announced_length_reserves_no_memory() {
    for length in [1_u64 << 40, u64::MAX, 1 << 63] {
        let header = [&[0x82, 127], &length.to_be_bytes()[..]].concat();
        assert_eq!(error_of(&header), ClientError::TooLarge { limit: LIMIT });
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmPeak:"))
        .unwrap_or("0 kB");
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 1 << 29, "{peak} kB of address space were used");
}

#[test]
fn what_breaks_the_protocol_is_refused_and_named() {
    for (bytes, what) in [
        (frame(0xc1, b"x"), "reserved bit"),
        (frame(0xa1, b"x"), "reserved bit"),
        (frame(0x91, b"x"), "reserved bit"),
        (frame(0x83, b"x"), "unknown opcode"),
        (frame(0x8b, b"x"), "unknown opcode"),
        (vec![0x82, 0x81, 1, 2, 3, 4, b'x'], "masked"),
        (vec![0x89, 0x80, 0, 0, 0, 0], "masked"),
        (frame(0x89, &[b'x'; 126]), "more than 125 bytes"),
        (frame(0x8a, &[b'x'; 126]), "more than 125 bytes"),
        (frame(0x88, &[3; 126]), "more than 125 bytes"),
        (frame(0x09, b"x"), "fragmented control"),
        (frame(0x80, b"x"), "continuation of no message"),
        (
            [frame(0x01, b"a"), frame(0x81, b"b")].concat(),
            "inside a fragmented one",
        ),
        (frame(0x81, b"\xff"), "not UTF-8"),
        (
            [frame(0x01, b"\xff"), frame(0x80, b"")].concat(),
            "not UTF-8",
        ),
        (frame(0x88, b"\x03"), "close message of one byte"),
        (frame(0x88, b"\x03\xed"), "code 1005"),
    ] {
        let error = error_of(&bytes);
        let ClientError::Protocol(text) = &error else {
            panic!("{what}: {error:?}")
        };
        assert!(text.contains(what), "{what}: {text}");
    }
}

#[test]
fn every_end_of_a_connection_is_told_apart() {
    let closed = |code, reason: &str| ClientError::Closed {
        code,
        reason: reason.into(),
    };
    assert_eq!(error_of(&frame(0x88, b"\x03\xe8")), closed(1000, ""));
    assert_eq!(
        error_of(&frame(0x88, b"\x03\xf4restart")),
        closed(1012, "restart")
    );
    assert_eq!(
        error_of(&frame(0x88, b"\x0f\xa1busy")),
        closed(4001, "busy")
    );
    assert_eq!(error_of(&frame(0x88, b"")), closed(1006, "(no code)"));
    let no_close = closed(1006, "(the connection ended without a close message)");
    assert_eq!(error_of(b""), no_close);
    assert_eq!(error_of(&frame(0x81, b"cut")[..4]), no_close);
}

#[test]
fn bytes_behind_the_answer_and_an_end_without_goodbye_are_seen_through_tls_too() {
    let authority = Authority::new();
    let config = authority.server(&for_localhost());
    let server = Server::start(move |stream| {
        let mut stream = secured(config, stream);
        let mut bytes = welcome(&read_request(&mut stream).key);
        bytes.extend(frame(0x81, b"early"));
        stream.write_all(&bytes).unwrap();
        // Neither a close message nor the end of the TLS session is sent.
    });
    let trusted = Scratch::holding("ca.pem", &authority.pem);
    let builder = ws::Client::builder(server.tls_url()).tls_ca_file(&trusted.0);
    let (seen, error) = block_on(async {
        let (mut reader, _writer) = builder.build().unwrap().connect().await.unwrap();
        read_all(&mut reader).await
    });
    server.join();
    assert_eq!(seen, [message(b"early")]);
    assert!(
        matches!(error, ClientError::Closed { code: 1006, .. }),
        "{error:?}"
    );
}

#[test]
fn what_cannot_be_sent_is_refused_before_it_is() {
    let server = Server::start(|stream| {
        let mut socket = tungstenite::accept(stream).unwrap();
        assert_eq!(socket.read().unwrap(), Message::Text("good".into()));
    });
    let mut client = ws::Client::builder(server.url()).build().unwrap();
    block_on(async {
        let (_reader, mut writer) = client.connect().await.unwrap();
        assert!(matches!(
            writer.send(b"\xff").await,
            Err(ClientError::Protocol(_))
        ));
        let pong = writer.control(Control::Pong(&[0; 126])).await;
        assert!(matches!(pong, Err(ClientError::Protocol(_))));
        writer.send(b"good").await.unwrap();
    });
    server.join();
}
