//! The synchronous driver of a feed: recorded messages through the very code that live ones take.

use dragonfly_core::{
    clock::{Clock, Nanos, Now, UtcNanos},
    edge::{Conflate, Edge},
    feed::{Feed, FeedError, Listener, Subscriber, Verdict},
    market::Cause,
    queue::Producer,
    run::PARK,
    stage::{Cx, Host, Source, Stage, StageError, Work},
};

use crate::capture::{Direction, Record};

/// How many deadlines pass between two messages at the most, which is hours: a recording may have
/// been interrupted for years, and its time stamps may be nonsense.
const MAX_DEADLINES: u32 = 10_000;

/// Plays the received messages of a recording through a feed.
///
/// Time is the recording's: deadlines pass as they would have, and events carry the recorded
/// receive time. A message without a time stamp arrives at the time of the one before it. Whatever
/// the feed sends counts as answered, for no pong is part of a recording. When a message makes it
/// want a new connection it gets one at once and the recording goes on; when mere silence does, it
/// gets none, for a recording may well be silent.
#[derive(Debug)]
pub struct Replay<S, L> {
    feed: Feed<S, L>,
    first: Option<UtcNanos>,
    now: Now,
    is_open: bool,
}

impl<S: Subscriber, L: Listener> Replay<S, L> {
    /// A replay into `feed`, which has not begun.
    pub fn new(feed: Feed<S, L>) -> Self {
        Self {
            feed,
            first: None,
            now: Now::default(),
            is_open: false,
        }
    }

    /// The feed.
    pub const fn feed(&self) -> &Feed<S, L> {
        &self.feed
    }

    /// Plays one record; what the recording client sent is passed over.
    ///
    /// # Errors
    /// What the feed could not understand; the next record can be played all the same.
    pub fn play(
        &mut self,
        record: Record,
        emit: &mut dyn FnMut(L::Event),
    ) -> Result<Verdict, FeedError> {
        if record.direction != Direction::In {
            return Ok(Verdict::Continue);
        }
        self.advance(record.ts, emit);
        let mut message = record.into_frame();
        let verdict = self.feed.on_message(&mut message, self.now, emit);
        self.obey(
            verdict
                .as_ref()
                .map_or(Verdict::Continue, |verdict| *verdict),
            emit,
        );
        verdict
    }

    /// The recording is over: the feed goes down.
    pub fn finish(&mut self, emit: &mut dyn FnMut(L::Event)) {
        self.feed.on_down(Cause::Stopped, self.now, emit);
    }

    /// Moves the time to that of the next message and does what was due on the way.
    fn advance(&mut self, ts: Option<UtcNanos>, emit: &mut dyn FnMut(L::Event)) {
        let utc = ts.unwrap_or(self.now.utc);
        // Time begins with the first message that bears one.
        self.first = self.first.or(ts);
        let first = self.first.unwrap_or(utc);
        // Recorded clocks may step back; time passed does not.
        let mono = Nanos(utc.0.saturating_sub(first.0)).max(self.now.mono);
        if !std::mem::replace(&mut self.is_open, true) {
            self.now = Now { mono, utc };
            self.feed.on_start(self.now, emit);
            self.open(emit);
        }
        for _ in 0..MAX_DEADLINES {
            let Some(due) = self.feed.deadline().filter(|due| *due <= mono) else {
                break;
            };
            self.now.mono = due.max(self.now.mono);
            let _silence = self.feed.on_deadline(self.now, emit);
            self.answer();
            if self.feed.deadline() == Some(due) {
                break;
            }
        }
        self.now = Now { mono, utc };
    }

    fn open(&mut self, emit: &mut dyn FnMut(L::Event)) {
        self.feed.on_open(self.now, emit);
        self.answer();
    }

    fn answer(&mut self) {
        while self.feed.request(self.now.mono).is_some() {
            self.feed.on_alive(self.now);
        }
    }

    fn obey(&mut self, verdict: Verdict, emit: &mut dyn FnMut(L::Event)) {
        if let Verdict::Close(cause) = verdict {
            self.feed.on_down(cause, self.now, emit);
            self.open(emit);
        }
    }
}

/// A recording as a [`Source`]: one message a step, as fast as the flow takes them.
#[derive(Debug)]
pub struct ReplaySource<I, S, L> {
    records: I,
    replay: Replay<S, L>,
}

impl<I, S: Subscriber, L: Listener> ReplaySource<I, S, L> {
    /// Plays `records` into `feed`.
    pub fn new(records: I, feed: Feed<S, L>) -> Self {
        Self {
            records,
            replay: Replay::new(feed),
        }
    }
}

impl<I, S, L> Source for ReplaySource<I, S, L>
where
    I: Iterator<Item = Record> + Send + 'static,
    S: Subscriber + 'static,
    L: Listener + 'static,
    L::Event: Conflate + Send + 'static,
{
    type Event = L::Event;

    fn attach(
        self: Box<Self>,
        output: Box<dyn Producer<Item = Self::Event>>,
        _: Clock,
    ) -> Box<dyn Stage> {
        Box::new(ReplayStage {
            source: *self,
            edge: Edge::new(output),
            is_over: false,
        })
    }

    fn host(&self) -> Host {
        PARK
    }

    fn name(&self) -> String {
        format!("replay {}", self.replay.feed.name())
    }
}

struct ReplayStage<I, S, L: Listener> {
    source: ReplaySource<I, S, L>,
    edge: Edge<Box<dyn Producer<Item = L::Event>>>,
    is_over: bool,
}

impl<I, S, L> Stage for ReplayStage<I, S, L>
where
    I: Iterator<Item = Record>,
    S: Subscriber,
    L: Listener,
    L::Event: Conflate,
{
    fn work(&mut self, cx: &Cx<'_>) -> Result<Work, StageError> {
        let Self {
            source,
            edge,
            is_over,
        } = self;
        let moved = edge.flush();
        if edge.is_closed() || (*is_over && edge.is_empty()) {
            return Ok(Work::Done);
        }
        if !edge.is_empty() {
            // A recording can wait: nothing of it is conflated.
            return Ok(if moved { Work::Busy } else { Work::Held });
        }
        let record = if cx.stop { None } else { source.records.next() };
        match record {
            Some(record) => {
                // A message that is not understood has been counted and named by the feed.
                let _verdict = source.replay.play(record, &mut |event| edge.emit(event));
            }
            None => {
                source.replay.finish(&mut |event| edge.emit(event));
                *is_over = true;
            }
        }
        Ok(Work::Busy)
    }
}
