//! A venue beside the healthy one, sound or at fault, read by the code that reads real ones.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use dragonfly_core::{
    clock::{Clock, Nanos, Now},
    edge::Edge,
    feed::{BookListener, Feed, FeedError, Heard, Link, Listener, Subscriber, Verdict},
    market::{BookEvent, Instrument},
    queue::Producer,
    stage::{Cx, Host, Source, Stage, StageError, Work},
};
use dragonfly_feeds::{
    BookChanges,
    venue::{self, Subscription},
};
use tokio::time::{Interval, MissedTickBehavior, interval};

const VENUE: &str = "kraken";
const SOUND: &[u8] = br#"{"channel":"heartbeat"}"#;
const GARBAGE: [&[u8]; 4] = [
    b"",
    b"<html>502 Bad Gateway</html>",
    br#"{"channel":"book","type":"update","data":[{"symbol":"#,
    br#"{"channel":"book","type":"update","data":[{"bids":[{"price":1e999,"qty":-1}]}]}"#,
];

/// The mean of the first wait before a connection is made anew.
const BACK_OFF: Nanos = Nanos::from_millis(125);

/// What the venue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Neighbour {
    /// Beats 2,000 times a second.
    Sound,
    /// The same, and every other message cannot be understood.
    Garbage,
    /// Its adapter panics at the first message of each connection.
    Panics,
}

impl Source for Neighbour {
    type Event = BookEvent;

    fn attach(
        self: Box<Self>,
        output: Box<dyn Producer<Item = BookEvent>>,
        clock: Clock,
    ) -> Box<dyn Stage> {
        let mut ticks = interval(Duration::from_secs(1) / 2_000);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut stage = Venue {
            edge: Edge::new(output),
            ticks: Box::pin(ticks),
            feed: feed(*self == Self::Panics),
            neighbour: *self,
            sent: 0,
            away_until: Nanos(0),
            clock,
        };
        let (now, edge) = (stage.now(), &mut stage.edge);
        stage.feed.on_start(now, &mut |event| edge.emit(event));
        stage.feed.on_open(now, &mut |event| edge.emit(event));
        Box::new(stage)
    }

    fn host(&self) -> Host {
        dragonfly_clients::host()
    }

    fn name(&self) -> String {
        format!("{self:?}")
    }
}

fn feed(panics: bool) -> Feed<Box<dyn Subscriber>, Adapter> {
    let spec = venue::find(VENUE).unwrap();
    let instrument: Instrument = "ETH-BTC".parse().unwrap();
    let native = (spec.native)(&instrument).unwrap();
    let wanted = Subscription::new([native], 10);
    let (decoder, rules) = ((spec.decoder)(&wanted), (spec.rules)());
    let symbols = [(instrument.symbol(), native)];
    let books = BookListener::new(VENUE.parse().unwrap(), decoder, rules, 10, symbols);
    let listener = Adapter {
        books: books.only_changes(),
        panics,
    };
    Feed::new(VENUE, (spec.subscriber)(&wanted), listener, (spec.policy)())
}

/// The venue's listener, which panics if it is to.
struct Adapter {
    books: BookChanges,
    panics: bool,
}

impl Listener for Adapter {
    type Event = BookEvent;

    fn on_message(
        &mut self,
        message: &mut [u8],
        now: Now,
        emit: &mut dyn FnMut(BookEvent),
    ) -> Result<Heard, FeedError> {
        assert!(!self.panics, "a fault of the adapter");
        self.books.on_message(message, now, emit)
    }

    fn on_link(&mut self, link: Link, now: Now, emit: &mut dyn FnMut(BookEvent)) {
        self.books.on_link(link, now, emit);
    }
}

struct Venue {
    edge: Edge<Box<dyn Producer<Item = BookEvent>>>,
    ticks: Pin<Box<Interval>>,
    feed: Feed<Box<dyn Subscriber>, Adapter>,
    neighbour: Neighbour,
    sent: usize,
    away_until: Nanos,
    clock: Clock,
}

impl Venue {
    fn now(&self) -> Now {
        Now {
            mono: self.clock.mono(),
            utc: self.clock.utc(),
        }
    }

    /// One message; a connection that is given up is made anew as soon as a back-off allows at the most.
    fn hear(&mut self) {
        self.sent += 1;
        if self.clock.mono() < self.away_until {
            return;
        }
        let text = match self.neighbour {
            Neighbour::Garbage if self.sent.is_multiple_of(2) => {
                GARBAGE[self.sent / 2 % GARBAGE.len()]
            }
            _ => SOUND,
        };
        let (now, edge) = (self.now(), &mut self.edge);
        let emit = &mut |event| edge.emit(event);
        let verdict = self.feed.on_message(&mut text.to_vec(), now, emit);
        if let Ok(Verdict::Close(cause)) = verdict {
            self.feed.on_down(cause, now, emit);
            self.feed.on_open(now, emit);
            self.away_until = now.mono + BACK_OFF;
        }
        while self.feed.request(now.mono).is_some() {}
    }
}

impl Stage for Venue {
    fn work(&mut self, cx: &Cx<'_>) -> Result<Work, StageError> {
        let moved = self.edge.flush();
        if cx.stop {
            return Ok(Work::Done);
        }
        match self.ticks.poll_tick(&mut Context::from_waker(cx.waker)) {
            Poll::Ready(_) => {
                self.hear();
                self.edge.flush();
                Ok(Work::Busy)
            }
            Poll::Pending => Ok(if moved { Work::Busy } else { Work::Idle }),
        }
    }
}
