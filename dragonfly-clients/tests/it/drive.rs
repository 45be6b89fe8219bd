//! The driver of a feed over a scripted connection, on clocks moved by hand.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    sync::{Arc, Mutex},
    task::{Poll, Waker},
    time::Duration,
};

use dragonfly_clients::{Drive, Gate};
use dragonfly_core::{
    client::{Client, ClientError, Control, Reader, Received, Writer},
    clock::{Clock, ManualClock, Nanos, UtcNanos},
    feed::{
        Ack, Ask, Backoff, BookListener, Decoded, Decoder, Feed, FeedError, FeedPolicy, Subscriber,
    },
    market::{BookEvent, BookRules, BookState, BookUpdate, Cause, Level, Symbol, Venue},
    queue::{self, Consumer, Queue},
    stage::{Cx, Source, Stage, Work},
};

/// What the venue is about to do, and what it has been told.
#[derive(Default)]
pub(super) struct Script {
    pub(super) connects: VecDeque<Result<(), ClientError>>,
    /// When each attempt to connect was made, by the manual clock.
    pub(super) attempts: Vec<Nanos>,
    pub(super) incoming: VecDeque<Result<Incoming, ClientError>>,
    pub(super) sent: Vec<String>,
    /// Whether the peer has stopped reading.
    pub(super) is_stuck: bool,
}

pub(super) enum Incoming {
    Text(&'static str),
    Ping(&'static [u8]),
    Pong,
    /// The beginning of a large message, where the driver wants to see that one grows.
    Part(&'static str),
}

#[derive(Clone)]
struct Scripted(Arc<Mutex<Script>>, Clock);

impl Client for Scripted {
    type Reader = ScriptedReader;
    type Writer = ScriptedWriter;

    fn connect(
        &mut self,
    ) -> impl Future<Output = Result<(ScriptedReader, ScriptedWriter), ClientError>> {
        let Self(script, clock) = self.clone();
        let mut state = script.lock().unwrap();
        state.attempts.push(clock.mono());
        let outcome = state.connects.pop_front();
        drop(state);
        async move {
            match outcome {
                Some(Ok(())) => Ok((
                    ScriptedReader(script.clone(), Vec::new()),
                    ScriptedWriter(script),
                )),
                Some(Err(error)) => Err(error),
                None => std::future::pending().await,
            }
        }
    }

    fn endpoint(&self) -> &str {
        "wss://scripted/"
    }
}

struct ScriptedReader(Arc<Mutex<Script>>, Vec<u8>);

impl Reader for ScriptedReader {
    async fn read(&mut self) -> Result<Received<'_>, ClientError> {
        self.read_early(usize::MAX).await
    }

    async fn read_early(&mut self, large: usize) -> Result<Received<'_>, ClientError> {
        let Self(script, buffer) = self;
        let next = poll_fn(|_| match script.lock().unwrap().incoming.pop_front() {
            Some(next) => Poll::Ready(next),
            None => Poll::Pending,
        });
        match next.await? {
            Incoming::Text(text) => {
                *buffer = text.as_bytes().to_vec();
                Ok(Received::Message(buffer))
            }
            Incoming::Ping(payload) => Ok(Received::Ping(payload)),
            Incoming::Pong => Ok(Received::Pong),
            Incoming::Part(so_far) if large < 1 << 20 => Ok(Received::Part(so_far.as_bytes())),
            Incoming::Part(_) => std::future::pending().await,
        }
    }
}

struct ScriptedWriter(Arc<Mutex<Script>>);

impl Writer for ScriptedWriter {
    async fn send(&mut self, text: &[u8]) -> Result<(), ClientError> {
        self.0
            .lock()
            .unwrap()
            .sent
            .push(String::from_utf8(text.to_vec()).unwrap());
        Ok(())
    }

    async fn control(&mut self, control: Control<'_>) -> Result<(), ClientError> {
        self.0.lock().unwrap().sent.push(format!("{control:?}"));
        if self.0.lock().unwrap().is_stuck {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

/// A venue whose messages are a bid and an ask.
pub(super) struct Pair;

impl Subscriber for Pair {
    fn subscribe(&mut self, _: Ask, send: &mut dyn FnMut(&[u8])) {
        send(b"subscribe");
    }
    fn acknowledge(&mut self, _: &[u8]) -> Ack {
        Ack::Waiting
    }
}

impl Decoder for Pair {
    fn decode(
        &mut self,
        message: &mut [u8],
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    ) -> Result<Decoded, FeedError> {
        let text = std::str::from_utf8(message).unwrap();
        let Some((bid, ask)) = text.split_once(' ') else {
            assert_ne!(text, "boom", "a bug in the adapter");
            return Ok(Decoded::OTHER);
        };
        update
            .bids
            .push(Level::new(bid.parse().unwrap(), "1".parse().unwrap()));
        update
            .asks
            .push(Level::new(ask.parse().unwrap(), "1".parse().unwrap()));
        apply(update);
        Ok(Decoded::Book)
    }
}

pub(super) struct Bench {
    pub(super) script: Arc<Mutex<Script>>,
    pub(super) hand: ManualClock,
    clock: Clock,
    stage: Box<dyn Stage>,
    events: Box<dyn Consumer<Item = BookEvent>>,
    stop: bool,
}

impl Bench {
    pub(super) fn new(script: Script) -> Self {
        Self::with(script, Pair, 64)
    }

    /// With a subscriber of its own, and room for so many events.
    pub(super) fn with(
        script: Script,
        subscriber: impl Subscriber + 'static,
        slots: usize,
    ) -> Self {
        Self::behind(&Gate::default(), script, subscriber, slots)
    }

    /// The same with a gate that others have too.
    pub(super) fn behind(
        gate: &Gate,
        script: Script,
        subscriber: impl Subscriber + 'static,
        slots: usize,
    ) -> Self {
        let (clock, hand) = Clock::manual(UtcNanos(7));
        let script = Arc::new(Mutex::new(script));
        let symbol = Symbol::new("X-Y").unwrap();
        let listener = BookListener::new(
            Venue::new("pair").unwrap(),
            Pair,
            BookRules::default(),
            5,
            [(symbol, symbol)],
        );
        let feed = Feed::new("pair X-Y", subscriber, listener, FeedPolicy::default());
        let client = Scripted(script.clone(), clock.clone());
        let (producer, consumer) = queue::spsc(slots).open();
        let stage = Box::new(Drive::new(client, feed, Backoff::new(42)).gate(gate.clone()))
            .attach(Box::new(producer), clock.clone());
        Self {
            script,
            hand,
            clock,
            stage,
            events: Box::new(consumer),
            stop: false,
        }
    }

    pub(super) fn step(&mut self) -> Work {
        let cx = Cx {
            now: self.clock.mono(),
            waker: Waker::noop(),
            stop: self.stop,
        };
        self.stage.work(&cx).unwrap()
    }

    /// Steps until nothing moves.
    pub(super) fn settle(&mut self) {
        assert!(
            (0..1_000).any(|_| self.step() != Work::Busy),
            "the driver never rests"
        );
    }

    /// Lets time pass in small steps, and the driver act in each.
    pub(super) async fn pass(&mut self, time: Duration) {
        let step = Duration::from_millis(5);
        for _ in 0..time.as_millis().div_ceil(step.as_millis()) {
            self.hand.advance(step.into());
            tokio::time::advance(step).await;
            self.settle();
        }
    }

    pub(super) fn hear(&mut self, incoming: Incoming) {
        self.script.lock().unwrap().incoming.push_back(Ok(incoming));
        self.settle();
    }

    pub(super) fn states(&mut self) -> Vec<(BookState, Cause)> {
        let events = self.events.ready().unwrap();
        let states: Vec<_> = events.iter().map(|e| (e.state, e.cause)).collect();
        self.events.release(states.len());
        states
    }

    pub(super) fn sent(&self) -> Vec<String> {
        std::mem::take(&mut self.script.lock().unwrap().sent)
    }
}

pub(super) fn run(test: impl AsyncFnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(test());
}

fn refused() -> ClientError {
    ClientError::Connect {
        step: "TCP connect",
        reason: "connection refused".into(),
    }
}

pub(super) const SYNCING: (BookState, Cause) = (BookState::Syncing, Cause::Subscribed);
pub(super) const LIVE: (BookState, Cause) = (BookState::Live, Cause::Image);
pub(super) const DOWN: (BookState, Cause) = (BookState::Down, Cause::Disconnected);

#[test]
fn a_venue_out_of_reach_is_tried_for_ever_with_growing_jittered_waits() {
    run(async || {
        let connects = (0..10_000).map(|_| Err(refused())).collect();
        let mut bench = Bench::new(Script {
            connects,
            ..Script::default()
        });
        bench.settle();
        bench.pass(Duration::from_secs(1_200)).await;
        assert_eq!(bench.states(), [(BookState::Empty, Cause::Started), DOWN]);
        let attempts = bench.script.lock().unwrap().attempts.clone();
        let waits: Vec<Nanos> = attempts.windows(2).map(|w| w[1] - w[0]).collect();
        assert!(
            waits[0] <= Nanos::from_millis(260),
            "the first wait is {:?}",
            waits[0]
        );
        assert!(waits.iter().all(|w| *w < Nanos::from_millis(30_010)));
        assert!(
            (40..200).contains(&attempts.len()),
            "{} attempts in 20 minutes",
            attempts.len()
        );
    });
}

#[test]
fn a_lost_connection_withdraws_the_book_and_a_new_one_brings_it_back() {
    run(async || {
        let connects = [Ok(()), Ok(())].into();
        let mut bench = Bench::new(Script {
            connects,
            ..Script::default()
        });
        bench.settle();
        assert_eq!(bench.sent(), ["subscribe"]);
        bench.hear(Incoming::Text("1 2"));
        assert_eq!(
            bench.states(),
            [(BookState::Empty, Cause::Started), SYNCING, LIVE]
        );
        let lost = ClientError::Closed {
            code: 1006,
            reason: String::new(),
        };
        bench.script.lock().unwrap().incoming.push_back(Err(lost));
        bench.settle();
        assert_eq!(bench.states(), [DOWN]);
        bench.pass(Duration::from_millis(260)).await;
        bench.hear(Incoming::Text("1 2"));
        assert_eq!(bench.states(), [SYNCING, LIVE]);
    });
}

#[test]
fn a_venue_that_accepts_and_closes_is_not_hammered() {
    run(async || {
        let connects = (0..1_000).map(|_| Ok(())).collect();
        let closed = || {
            Err(ClientError::Closed {
                code: 1008,
                reason: "busy".into(),
            })
        };
        let incoming = (0..1_000).map(|_| closed()).collect();
        let mut bench = Bench::new(Script {
            connects,
            incoming,
            ..Script::default()
        });
        bench.settle();
        bench.pass(Duration::from_secs(600)).await;
        let attempts = bench.script.lock().unwrap().attempts.len();
        assert!(attempts < 100, "{attempts} connections in 10 minutes");
    });
}

#[test]
fn pings_are_answered_and_silence_is_probed_before_the_connection_is_given_up() {
    run(async || {
        let connects = [Ok(()), Ok(())].into();
        let mut bench = Bench::new(Script {
            connects,
            ..Script::default()
        });
        bench.settle();
        bench.hear(Incoming::Text("1 2"));
        bench.hear(Incoming::Ping(b"abc"));
        assert_eq!(bench.sent(), ["subscribe", "Pong([97, 98, 99])"]);
        bench.states();
        for _ in 0..5 {
            bench.pass(Duration::from_millis(2_010)).await;
            assert_eq!(bench.sent(), ["Ping"]);
            bench.hear(Incoming::Pong);
        }
        assert_eq!(
            bench.states(),
            [],
            "a quiet market is no alarm while pings are answered"
        );
        bench.pass(Duration::from_millis(4_990)).await;
        assert_eq!(bench.states(), []);
        bench.pass(Duration::from_millis(20)).await;
        let silent = |state| (state, Cause::Silent);
        assert_eq!(
            bench.states(),
            [silent(BookState::Stale), silent(BookState::Down)]
        );
        assert_eq!(bench.sent(), ["Ping", "Close"]);
    });
}

#[test]
fn each_message_reaches_the_flow_before_the_next_one_is_read() {
    run(async || {
        let incoming = ["1 2", "1 3", "1 4"]
            .map(|text| Ok(Incoming::Text(text)))
            .into();
        let connects = [Ok(())].into();
        let mut bench = Bench::new(Script {
            connects,
            incoming,
            ..Script::default()
        });
        let mut seen = Vec::new();
        for _ in 0..5 {
            bench.step();
            seen.push(bench.states().iter().filter(|s| **s == LIVE).count());
        }
        assert_eq!(seen, [1, 1, 1, 0, 0]);
    });
}

#[test]
fn a_panic_in_the_adapter_takes_the_leg_down_and_the_feed_goes_on() {
    run(async || {
        let connects = [Ok(()), Ok(())].into();
        let mut bench = Bench::new(Script {
            connects,
            ..Script::default()
        });
        bench.settle();
        bench.hear(Incoming::Text("1 2"));
        bench.states();
        bench.hear(Incoming::Text("boom"));
        assert_eq!(bench.states(), [(BookState::Down, Cause::Panicked)]);
        bench.pass(Duration::from_millis(260)).await;
        bench.hear(Incoming::Text("1 2"));
        assert_eq!(bench.states(), [SYNCING, LIVE]);
    });
}

#[test]
fn stopping_says_goodbye_and_withdraws_the_book_before_the_stream_ends() {
    run(async || {
        let connects = [Ok(())].into();
        let mut bench = Bench::new(Script {
            connects,
            ..Script::default()
        });
        bench.settle();
        bench.hear(Incoming::Text("1 2"));
        bench.states();
        bench.stop = true;
        assert_eq!(bench.step(), Work::Done);
        assert_eq!(bench.states(), [(BookState::Down, Cause::Stopped)]);
        assert_eq!(bench.sent(), ["subscribe", "Close"]);
        let mut waiting = Bench::new(Script::default());
        waiting.settle();
        waiting.stop = true;
        assert_eq!(
            waiting.step(),
            Work::Done,
            "an attempt to connect is given up"
        );
    });
}
