//! Large messages on their way: what a reader shows of them, and what a driven feed makes of it.

use std::{future::poll_fn, io::Write, net::TcpStream, sync::mpsc, task::Poll};

use dragonfly_clients::{Drive, capture, ws};
use dragonfly_core::{
    client::{Client as _, Reader as _, Received},
    clock::Clock,
    feed::{
        Ack, Ask, Backoff, BookListener, Decoded, Decoder, EarlyDecoder, Feed, FeedError,
        FeedPolicy, Subscriber,
    },
    market::{BookEvent, BookRules, BookState, BookUpdate, Cause, Level, SequenceRule, Symbol},
    queue::{self, Consumer as _, Queue},
    stage::{Cx, Source as _, Work},
};

use super::{
    messages::frame,
    server::{
        Authority, Scratch, Server, block_on, for_localhost, read_request, secured, until_end,
        welcome,
    },
};

/// A server that sends what it is given, one piece each time it is told to.
fn in_steps(pieces: Vec<Vec<u8>>) -> (Server, mpsc::Sender<()>) {
    let (next, told) = mpsc::channel();
    let server = Server::start(move |mut stream: TcpStream| {
        let answer = welcome(&read_request(&mut stream).key);
        stream.write_all(&answer).unwrap();
        for piece in pieces {
            told.recv().unwrap();
            stream.write_all(&piece).unwrap();
        }
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        until_end(&mut stream);
    });
    (server, next)
}

#[test]
fn a_large_message_is_shown_before_the_rest_of_it_is_even_sent() {
    let payload = "0123456789".repeat(1_000);
    let bytes = frame(0x81, payload.as_bytes());
    let (server, next) = in_steps(vec![bytes[..3_004].to_vec(), bytes[3_004..].to_vec()]);
    let mut client = ws::Client::builder(server.url()).build().unwrap();
    block_on(async {
        let (mut reader, writer) = client.connect().await.unwrap();
        next.send(()).unwrap();
        let mut shown = 0;
        while shown < 3_000 {
            let Received::Part(so_far) = reader.read_early(10_000).await.unwrap() else {
                panic!("not a part")
            };
            assert!(so_far.len() > shown && payload.as_bytes().starts_with(so_far));
            shown = so_far.len();
        }
        next.send(()).unwrap();
        loop {
            match reader.read_early(10_000).await.unwrap() {
                Received::Part(so_far) => assert!(so_far.len() > shown),
                Received::Message(message) => {
                    assert_eq!(message, payload.as_bytes());
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        drop((reader, writer));
    });
    server.join();
}

#[test]
fn records_of_tls_are_parts_and_a_recording_has_the_message_once() {
    let authority = Authority::new();
    let config = authority.server(&for_localhost());
    let server = Server::start(move |stream| {
        let mut stream = secured(config, stream);
        let answer = welcome(&read_request(&mut stream).key);
        stream.write_all(&answer).unwrap();
        for piece in frame(0x82, &[7; 100_000]).chunks(1_400) {
            stream.write_all(piece).unwrap();
        }
        stream.write_all(&frame(0x81, b"small")).unwrap();
        until_end(&mut stream);
    });
    let trusted = Scratch::holding("ca.pem", &authority.pem);
    let file = Scratch::new("recorded.jsonl");
    let client = ws::Client::builder(server.tls_url()).tls_ca_file(&trusted.0);
    let writer = capture::Writer::create(&file.0).unwrap();
    let recording = capture::Recording::new(writer, Clock::monotonic());
    let mut client = capture::Recorder::new(client.build().unwrap(), recording.clone());
    let (mut parts, mut lengths) = (0, Vec::new());
    block_on(async {
        let (mut reader, _writer) = client.connect().await.unwrap();
        while lengths.len() < 2 {
            match reader.read_early(1_000).await.unwrap() {
                Received::Part(_) => parts += 1,
                Received::Message(message) => lengths.push(message.len()),
                other => panic!("{other:?}"),
            }
        }
    });
    server.join();
    recording.finish().unwrap();
    assert_eq!(lengths, [100_000, 5]);
    assert!(parts >= 1, "a read takes less than the message has");
    let records = capture::open(&file.0).unwrap().map(Result::unwrap);
    assert_eq!(records.count(), 2);
}

/// A venue whose messages are a number, a bid and an ask, and then something up to a full stop.
struct Prose;

fn image(text: &[u8], update: &mut BookUpdate) -> Option<()> {
    let text = str::from_utf8(text).ok()?;
    let mut words = text.split(' ');
    let [number, bid, ask] = [words.next()?, words.next()?, words.next()?];
    words.next()?;
    let level = |price: &str| Some(Level::new(price.parse().ok()?, "1".parse().ok()?));
    update.last = number.parse().ok()?;
    update.bids.push(level(bid)?);
    update.asks.push(level(ask)?);
    Some(())
}

type Apply<'a> = &'a mut dyn FnMut(&mut BookUpdate);

impl Decoder for Prose {
    fn decode(
        &mut self,
        message: &mut [u8],
        update: &mut BookUpdate,
        apply: Apply<'_>,
    ) -> Result<Decoded, FeedError> {
        let whole = message.strip_suffix(b".");
        whole
            .and_then(|text| image(text, update))
            .ok_or_else(|| FeedError::malformed("no full stop", message, 0))?;
        apply(update);
        Ok(Decoded::Book)
    }

    fn early(&mut self) -> Option<&mut dyn EarlyDecoder> {
        Some(self)
    }
}

impl EarlyDecoder for Prose {
    fn least(&self) -> usize {
        100
    }
    fn begin(&mut self) {}
    fn part(&mut self, so_far: &[u8], update: &mut BookUpdate, apply: Apply<'_>) {
        if image(so_far, update).is_some() {
            apply(update);
        }
    }
    fn finish(
        &mut self,
        _: &mut [u8],
        _: &mut BookUpdate,
        _: Apply<'_>,
    ) -> Option<Result<Decoded, FeedError>> {
        None
    }
}

impl Subscriber for Prose {
    fn subscribe(&mut self, _: Ask, _: &mut dyn FnMut(&[u8])) {}
    fn acknowledge(&mut self, _: &[u8]) -> Ack {
        Ack::Waiting
    }
}

/// What a driven feed emits, each time it has been sent one of `pieces` more, until the `ends`.
fn emitted(pieces: Vec<Vec<u8>>, ends: &[(BookState, u64)]) -> Vec<(BookState, u64, Cause)> {
    let (server, next) = in_steps(pieces);
    let client = ws::Client::builder(server.url()).build().unwrap();
    let rules = BookRules {
        sequence: SequenceRule::Increasing,
        ..BookRules::default()
    };
    let symbol = Symbol::new("X-Y").unwrap();
    let listener = BookListener::new(
        "prose".parse().unwrap(),
        Prose,
        rules,
        5,
        [(symbol, symbol)],
    );
    let feed = Feed::new("prose X-Y", Prose, listener, FeedPolicy::default());
    let (producer, mut events) = Queue::<BookEvent>::open(queue::spsc(64));
    let drive = Box::new(Drive::new(client, feed, Backoff::new(1)));
    let clock = Clock::monotonic();
    let mut seen = Vec::new();
    block_on(async {
        let mut stage = drive.attach(Box::new(producer), clock.clone());
        for end in ends {
            poll_fn(|cx| {
                let now = clock.mono();
                let cx = Cx {
                    now,
                    waker: cx.waker(),
                    stop: false,
                };
                // The runner would step a stage again that has moved.
                while stage.work(&cx).unwrap() == Work::Busy {}
                let new = events.ready().unwrap();
                seen.extend(
                    new.iter()
                        .map(|event| (event.state, event.seq, event.cause)),
                );
                let count = new.len();
                events.release(count);
                let is_it = |(state, seq, _): &(BookState, u64, Cause)| (*state, *seq) == *end;
                if seen.iter().any(is_it) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            // Once everything has been sent, nobody listens.
            let _is_over = next.send(());
        }
    });
    server.join();
    seen
}

fn text(number: u64, end: &str) -> Vec<u8> {
    frame(
        0x81,
        format!("{number} 1 2 {}{end}", "x".repeat(200)).as_bytes(),
    )
}

#[test]
fn a_feed_shows_a_book_whose_message_is_not_whole_and_withdraws_it_with_the_connection() {
    use BookState::{Down, Empty, Live, Syncing};
    let (first, second) = (text(7, "."), text(8, "."));
    let (begin, end) = first.split_at(50);
    let pieces = vec![begin.to_vec(), [end, &second[..60]].concat()];
    let seen = emitted(pieces, &[(Syncing, 0), (Live, 7), (Live, 8), (Down, 8)]);
    let states: Vec<_> = seen.iter().map(|(state, seq, _)| (*state, *seq)).collect();
    let expected = [(Empty, 0), (Syncing, 0), (Live, 7), (Live, 8), (Down, 8)];
    assert_eq!(states, expected);
}

#[test]
fn a_message_that_ends_otherwise_than_it_began_is_withdrawn_at_once() {
    use BookState::{Gap, Live, Syncing};
    let (bad, good) = (text(7, "!"), text(8, "."));
    let (begin, end) = bad.split_at(50);
    let pieces = vec![begin.to_vec(), end.to_vec(), good];
    let seen = emitted(pieces, &[(Syncing, 0), (Live, 7), (Gap, 7), (Live, 8)]);
    assert_eq!(seen[3], (Gap, 7, Cause::BadMessages));
}
