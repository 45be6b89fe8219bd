//! The cases of the Autobahn test suite that its source states one by one, 126 of them, each by its
//! number: what the suite's server sends, and what of it a client must see.
//!
//! What a client sends back is the feed's business, as is when; that pongs and close messages can be
//! sent is tested elsewhere. Compression (12 and 13) is never agreed on.

use dragonfly_core::client::ClientError;

use super::{
    frames::read,
    messages::{frame, sent},
    server::Seen,
};

/// How the connection ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// By the server's close message.
    Closed(u16),
    /// By the client, which finds the protocol broken.
    Broken,
    /// By the client, which takes no message that long.
    TooLarge,
}

use End::{Broken, Closed, TooLarge};

struct Case {
    number: String,
    bytes: Vec<u8>,
    /// How the suite cuts what it sends: in pieces of so many bytes.
    chop: usize,
    seen: Vec<Seen>,
    end: End,
}

const WHOLE: usize = usize::MAX;
const HELLO: &[u8] = b"Hello, world!";

fn text(payload: &[u8]) -> Vec<u8> {
    frame(0x81, payload)
}

fn message(payload: &[u8]) -> Seen {
    Seen::Message(payload.to_vec())
}

fn ping(payload: &[u8]) -> Seen {
    Seen::Ping(payload.to_vec())
}

fn case(number: &str, chop: usize, frames: &[Vec<u8>], seen: Vec<Seen>, end: End) -> Case {
    let mut bytes = frames.concat();
    if matches!(end, Closed(1000)) {
        bytes.extend(frame(0x88, b"\x03\xe8"));
    }
    let number = number.to_owned();
    Case {
        number,
        bytes,
        chop,
        seen,
        end,
    }
}

/// A message in frames of `size` bytes.
fn fragments(first: u8, payload: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let count = payload.len().div_ceil(size);
    for (at, piece) in payload.chunks(size).enumerate() {
        let opcode = if at == 0 { first } else { 0 };
        let last = if at + 1 == count { 0x80 } else { 0 };
        bytes.extend(frame(last | opcode, piece));
    }
    bytes
}

/// 1: messages of every form of length.
fn sizes() -> Vec<Case> {
    let mut cases = Vec::new();
    for (kind, first) in [(1, 0x81), (2, 0x82)] {
        let sizes = [0, 125, 126, 127, 128, 65_535, 65_536, 65_536];
        for (at, size) in sizes.into_iter().enumerate() {
            let payload = vec![b'*'; size];
            let chop = if at == 7 { 997 } else { WHOLE };
            let number = format!("1.{kind}.{}", at + 1);
            let frames = [frame(first, &payload)];
            cases.push(case(
                &number,
                chop,
                &frames,
                vec![message(&payload)],
                Closed(1000),
            ));
        }
    }
    cases
}

/// 2: pings and pongs.
fn pings() -> Vec<Case> {
    let binary = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff";
    let longest = [0xfe; 125];
    let one = |number, chop, payload: &[u8]| {
        let frames = [frame(0x89, payload)];
        case(number, chop, &frames, vec![ping(payload)], Closed(1000))
    };
    let pong = |number, payload| {
        let frames = [frame(0x8a, payload)];
        case(number, WHOLE, &frames, vec![Seen::Pong], Closed(1000))
    };
    let payload = |n: u8| format!("payload-{n}").into_bytes();
    let ten: Vec<_> = (0..10).map(|n| frame(0x89, &payload(n))).collect();
    let ten_seen: Vec<_> = (0..10).map(|n| ping(&payload(n))).collect();
    let both = [frame(0x8a, b"unsolicited"), frame(0x89, b"ping")];
    let both_seen = vec![Seen::Pong, ping(b"ping")];
    vec![
        one("2.1", WHOLE, b""),
        one("2.2", WHOLE, HELLO),
        one("2.3", WHOLE, binary),
        one("2.4", WHOLE, &longest),
        case("2.5", WHOLE, &[frame(0x89, &[0xfe; 126])], vec![], Broken),
        one("2.6", 1, &longest),
        pong("2.7", b""),
        pong("2.8", b"unsolicited pong payload"),
        case("2.9", WHOLE, &both, both_seen, Closed(1000)),
        case("2.10", WHOLE, &ten, ten_seen.clone(), Closed(1000)),
        case("2.11", 1, &ten, ten_seen, Closed(1000)),
    ]
}

/// 3 and 4: reserved bits and opcodes.
fn reserved() -> Vec<Case> {
    let alone = |number, frame: Vec<u8>| case(number, WHOLE, &[frame], vec![], Broken);
    let behind = |number, chop, second: Vec<u8>| {
        let frames = [text(HELLO), second, frame(0x89, b"")];
        case(number, chop, &frames, vec![message(HELLO)], Broken)
    };
    vec![
        alone("3.1", frame(0x91, HELLO)),
        behind("3.2", WHOLE, frame(0xa1, HELLO)),
        behind("3.3", 1, frame(0xb1, HELLO)),
        behind("3.4", 1, frame(0xc1, HELLO)),
        alone("3.5", frame(0xd2, b"\x00\xff")),
        alone("3.6", frame(0xe9, HELLO)),
        alone("3.7", frame(0xf8, b"")),
        alone("4.1.1", frame(0x83, b"")),
        alone("4.1.2", frame(0x84, b"reserved opcode payload")),
        behind("4.1.3", WHOLE, frame(0x85, b"")),
        behind("4.1.4", WHOLE, frame(0x86, HELLO)),
        behind("4.1.5", 1, frame(0x87, HELLO)),
        alone("4.2.1", frame(0x8b, b"")),
        alone("4.2.2", frame(0x8c, b"reserved opcode payload")),
        behind("4.2.3", WHOLE, frame(0x8d, b"")),
        behind("4.2.4", WHOLE, frame(0x8e, HELLO)),
        behind("4.2.5", 1, frame(0x8f, HELLO)),
    ]
}

/// 5.19 and 5.20: a message in five fragments, with pings between them.
fn pinged_between() -> ([Vec<u8>; 7], Vec<Seen>) {
    let long = [
        "fragment1",
        "fragment2",
        "fragment3",
        "fragment4",
        "fragment5",
    ];
    let [a, b, c, d, e] = long.map(str::as_bytes);
    let long = [
        frame(0x01, a),
        frame(0x00, b),
        frame(0x89, b"pongme 1!"),
        frame(0x00, c),
        frame(0x00, d),
        frame(0x89, b"pongme 2!"),
        frame(0x80, e),
    ];
    let seen = vec![
        ping(b"pongme 1!"),
        ping(b"pongme 2!"),
        message(&[a, b, c, d, e].concat()),
    ];
    (long, seen)
}

/// 5: fragments.
fn fragmented() -> Vec<Case> {
    let (first, last) = (frame(0x01, b"fragment1"), frame(0x80, b"fragment2"));
    let whole = message(b"fragment1fragment2");
    let two = [first.clone(), last.clone()];
    let three = [first.clone(), frame(0x89, b"ping payload"), last.clone()];
    let pinged = vec![ping(b"ping payload"), whole.clone()];
    let nothing = |last: u8| [frame(last, b"non-continuation payload"), text(HELLO)];
    let broken = |number, chop, frames: &[Vec<u8>]| case(number, chop, frames, vec![], Broken);
    let good =
        |number, chop, frames: &[Vec<u8>], seen| case(number, chop, frames, seen, Closed(1000));
    let late = [
        first.clone(),
        last.clone(),
        frame(0x00, b"fragment2"),
        text(HELLO),
        first.clone(),
        last,
    ];
    let twice = |last: u8| [frame(last, b"x"), first.clone(), frame(0x80, b"y")].concat();
    let (long, long_seen) = pinged_between();
    vec![
        broken(
            "5.1",
            WHOLE,
            &[frame(0x09, b"fragment1"), frame(0x80, b"fragment2")],
        ),
        broken(
            "5.2",
            WHOLE,
            &[frame(0x0a, b"fragment1"), frame(0x80, b"fragment2")],
        ),
        good("5.3", WHOLE, &two, vec![whole.clone()]),
        good("5.4", 11, &two, vec![whole.clone()]),
        good("5.5", 1, &two, vec![whole.clone()]),
        good("5.6", WHOLE, &three, pinged.clone()),
        good("5.7", 11, &three, pinged.clone()),
        good("5.8", 1, &three, pinged),
        broken("5.9", WHOLE, &nothing(0x80)),
        broken("5.10", 26, &nothing(0x80)),
        broken("5.11", 1, &nothing(0x80)),
        broken("5.12", WHOLE, &nothing(0x00)),
        broken("5.13", 26, &nothing(0x00)),
        broken("5.14", 1, &nothing(0x00)),
        case("5.15", WHOLE, &late, vec![whole], Broken),
        broken("5.16", WHOLE, &[twice(0x00), twice(0x00)]),
        broken("5.17", WHOLE, &[twice(0x80), twice(0x80)]),
        broken("5.18", WHOLE, &[first, frame(0x81, b"fragment2")]),
        good("5.19", WHOLE, &long, long_seen.clone()),
        good("5.20", 1, &long, long_seen),
    ]
}

/// 6 and 7: empty text, and closing.
fn closing() -> Vec<Case> {
    let good = |number, frames: &[Vec<u8>], seen| case(number, WHOLE, frames, seen, Closed(1000));
    let empty = frame(0x01, b"");
    let (nothing, end) = (frame(0x00, b""), frame(0x80, b""));
    let three = [empty.clone(), nothing, end.clone()];
    let middle = [empty, frame(0x00, b"middle frame payload"), end];
    let close = |payload: &[u8]| frame(0x88, payload);
    let normal = close(b"\x03\xe8");
    let ends = |number, payload: &[u8], end| case(number, WHOLE, &[close(payload)], vec![], end);
    let behind = |number, frames: &[Vec<u8>], seen| good(number, frames, seen);
    let reason = |length| [&b"\x03\xe8"[..], &vec![b'*'; length]].concat();
    let large = vec![b'B'; 256 << 10];
    vec![
        good("6.1.1", &[text(b"")], vec![message(b"")]),
        good("6.1.2", &three, vec![message(b"")]),
        good("6.1.3", &middle, vec![message(b"middle frame payload")]),
        good("7.1.1", &[text(HELLO)], vec![message(HELLO)]),
        behind("7.1.2", &[normal.clone(), normal.clone()], vec![]),
        behind("7.1.3", &[normal.clone(), frame(0x89, b"")], vec![]),
        behind("7.1.4", &[normal.clone(), text(HELLO)], vec![]),
        behind(
            "7.1.5",
            &[frame(0x01, b"a"), normal.clone(), frame(0x80, b"b")],
            vec![],
        ),
        behind(
            "7.1.6",
            &[text(&large), normal, frame(0x89, b"")],
            vec![message(&large)],
        ),
        ends("7.3.1", b"", Closed(1006)),
        ends("7.3.2", b"a", Broken),
        ends("7.3.3", b"\x03\xe8", Closed(1000)),
        ends("7.3.4", &reason(5), Closed(1000)),
        ends("7.3.5", &reason(123), Closed(1000)),
        ends("7.3.6", &reason(124), Broken),
        ends("7.5.1", b"\x03\xe8\xce\xba\xed\xa0\x80edited", Broken),
        // What happens is not defined by the standard; here nobody may send such codes.
        ends("7.13.1", &5000_u16.to_be_bytes(), Broken),
        ends("7.13.2", &65_535_u16.to_be_bytes(), Broken),
    ]
}

/// 9 and 10: long messages, in frames and pieces of every size.
fn long() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |number: String, chop, bytes: Vec<u8>, payload: &[u8]| {
        cases.push(case(
            &number,
            chop,
            &[bytes],
            vec![message(payload)],
            Closed(1000),
        ));
    };
    for (kind, opcode) in [(1, 1), (2, 2)] {
        for (at, size) in [64, 256, 1 << 10, 4 << 10, 8 << 10, 16 << 10]
            .into_iter()
            .enumerate()
        {
            let payload = vec![b'*'; size << 10];
            let number = format!("9.{kind}.{}", at + 1);
            add(number, 64 << 10, frame(0x80 | opcode, &payload), &payload);
        }
        let payload = vec![b'*'; 4 << 20];
        for at in 0..9 {
            let number = format!("9.{}.{}", kind + 2, at + 1);
            let bytes = fragments(opcode, &payload, 64 << (2 * at));
            add(number, 64 << 10, bytes, &payload);
        }
        let payload = vec![b'*'; 1 << 20];
        for at in 0..6 {
            let number = format!("9.{}.{}", kind + 4, at + 1);
            add(number, 64 << at, frame(0x80 | opcode, &payload), &payload);
        }
    }
    let payload = vec![b'*'; 65_536];
    add(
        "10.1.1".to_owned(),
        WHOLE,
        fragments(1, &payload, 1_300),
        &payload,
    );
    // Until somebody has enough: 20 MiB here.
    let endless = [frame(0x01, b""), frame(0x00, &[b'*'; 4_096]).repeat(5_120)];
    cases.push(case("9.9.1", 4_096, &endless, vec![], TooLarge));
    cases
}

const LIMIT: usize = 16 << 20;

fn ended(case: &Case, error: &ClientError) -> bool {
    match (case.end, error) {
        (Closed(expected), ClientError::Closed { code, .. }) => *code == expected,
        (Broken, ClientError::Protocol(_)) | (TooLarge, ClientError::TooLarge { .. }) => true,
        _ => false,
    }
}

#[test]
fn all_cases_are_here_once() {
    let groups = [
        sizes(),
        pings(),
        reserved(),
        fragmented(),
        closing(),
        long(),
    ];
    let mut numbers: Vec<String> = groups.into_iter().flatten().map(|c| c.number).collect();
    assert_eq!(numbers.len(), 126);
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 126);
}

#[test]
fn every_case_is_seen_as_the_suite_expects() {
    let groups = [
        sizes(),
        pings(),
        reserved(),
        fragmented(),
        closing(),
        long(),
    ];
    for case in groups.into_iter().flatten() {
        let chops = match case.bytes.len() {
            0..5_000 => vec![case.chop, 1, 2, 3, 7, WHOLE],
            _ => vec![case.chop],
        };
        for chop in chops {
            let (seen, error) = read(&case.bytes, chop, usize::MAX, LIMIT);
            assert!(seen == case.seen, "{} in pieces of {chop}", case.number);
            let error = error.unwrap();
            assert!(
                ended(&case, &error),
                "{}: {:?}: {error:?}",
                case.number,
                case.end
            );
        }
    }
}

#[test]
fn every_case_is_seen_so_over_a_connection() {
    let groups = [sizes(), pings(), reserved(), fragmented(), closing()];
    for case in groups.into_iter().flatten() {
        let piece = if case.bytes.len() < 5_000 {
            case.chop
        } else {
            WHOLE
        };
        let (seen, error) = sent(case.bytes.clone(), 0, piece);
        assert!(seen == case.seen, "{}", case.number);
        assert!(ended(&case, &error), "{}: {error:?}", case.number);
    }
}
