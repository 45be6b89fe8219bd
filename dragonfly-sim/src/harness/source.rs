//! A feed of the product over a simulated line: what its asynchronous driver does, without I/O.

use dragonfly_core::{
    clock::{Clock, Nanos, Now},
    edge::Edge,
    feed::{Backlog, Backoff, Budget, Feed, Listener, Request, Subscriber, Verdict},
    market::{BookEvent, Cause},
    queue::Producer,
    run::PARK,
    stage::{Cx, Host, Source, Stage, StageError, Work},
};

use super::{
    Plant,
    line::{Act, Incoming, Refusal, Shared},
};

/// The listener of a feed, whatever is wrapped around it.
pub(super) type Ears = Box<dyn Listener<Event = BookEvent>>;

/// A feed and its end of a line.
pub(super) struct Socket {
    pub(super) feed: Feed<Box<dyn Subscriber>, Ears>,
    pub(super) backoff: Backoff,
    pub(super) line: Shared,
    /// How many messages it takes before the rest of the flow has its turn.
    pub(super) batch: usize,
    pub(super) plant: Option<Plant>,
}

impl Source for Socket {
    type Event = BookEvent;

    fn attach(
        self: Box<Self>,
        output: Box<dyn Producer<Item = BookEvent>>,
        clock: Clock,
    ) -> Box<dyn Stage> {
        let Self {
            feed,
            backoff,
            line,
            batch,
            plant,
        } = *self;
        Box::new(SocketStage {
            connects: feed.policy().connects,
            feed,
            backoff,
            line,
            batch,
            plant,
            edge: Edge::new(output),
            clock,
            state: State::New,
            backlog: Backlog::default(),
            address: None,
        })
    }

    fn host(&self) -> Host {
        PARK
    }

    fn name(&self) -> String {
        self.feed.name().to_owned()
    }
}

enum State {
    New,
    /// Until then.
    Waiting(Nanos),
    Connecting,
    Open,
}

struct SocketStage {
    feed: Feed<Box<dyn Subscriber>, Ears>,
    backoff: Backoff,
    connects: Budget,
    line: Shared,
    batch: usize,
    plant: Option<Plant>,
    edge: Edge<Box<dyn Producer<Item = BookEvent>>>,
    clock: Clock,
    state: State,
    backlog: Backlog,
    /// What the venue's name was last found to stand for.
    address: Option<u32>,
}

impl Stage for SocketStage {
    fn work(&mut self, _cx: &Cx<'_>) -> Result<Work, StageError> {
        let now = self.clock.now();
        let mut moved = self.edge.flush();
        moved |= self.step(now);
        self.line.get().due = match self.state {
            State::New => Some(0),
            State::Waiting(at) => Some(at.0),
            State::Connecting => None,
            State::Open => self.feed.deadline().map(|at| at.0),
        };
        Ok(match (moved, self.edge.is_empty()) {
            (true, _) => Work::Busy,
            (_, true) => Work::Idle,
            _ => Work::Held,
        })
    }
}

impl SocketStage {
    fn step(&mut self, now: Now) -> bool {
        match self.state {
            State::New => {
                let edge = &mut self.edge;
                self.feed.on_start(now, &mut |event| edge.emit(event));
                self.state = State::Waiting(now.mono);
                true
            }
            State::Waiting(at) if at > now.mono => false,
            State::Waiting(_) if self.connects.take(now.mono) => {
                let mut line = self.line.get();
                if !self.plant.is_some_and(Plant::keeps_address) || self.address.is_none() {
                    self.address = Some(line.address);
                }
                line.acts.push(Act::Connect(self.address.unwrap_or(0)));
                self.state = State::Connecting;
                true
            }
            State::Waiting(_) => {
                self.state = State::Waiting(self.connects.next_at(now.mono));
                true
            }
            State::Connecting => self.answered(now),
            State::Open => self.converse(now),
        }
    }

    fn answered(&mut self, now: Now) -> bool {
        let answer = self.line.get().answer.take();
        let edge = &mut self.edge;
        match answer {
            None => return false,
            Some(Ok(())) => {
                self.state = State::Open;
                self.feed.on_open(now, &mut |event| edge.emit(event));
                self.line.get().early = Some(self.feed.early());
                self.send(now);
            }
            Some(Err(refusal)) => {
                self.feed
                    .on_down(Cause::Disconnected, now, &mut |event| edge.emit(event));
                let more = match refusal {
                    Refusal::RetryAfter(_) if self.plant == Some(Plant::NoRetryAfter) => Nanos(0),
                    Refusal::RetryAfter(seconds) => Nanos::from_secs(seconds),
                    Refusal::Refused | Refusal::TimedOut => Nanos(0),
                };
                self.state = State::Waiting(now.mono + self.next_wait() + more);
            }
        }
        true
    }

    fn converse(&mut self, now: Now) -> bool {
        let (mut moved, mut has_read_all) = (false, false);
        for _ in 0..self.batch {
            let incoming = self.line.get().inbox.pop_front();
            let verdict = match incoming {
                None => {
                    self.backlog.drained();
                    has_read_all = true;
                    break;
                }
                Some(Incoming::Text(mut text)) => self.hear(&mut text, now),
                Some(Incoming::Part(so_far)) => self.hear_part(&so_far, now),
                Some(Incoming::Pong) => {
                    self.feed.on_alive(now);
                    self.heed(Verdict::Continue, now)
                }
                Some(Incoming::End) => Verdict::Close(Cause::Disconnected),
            };
            moved = true;
            if let Verdict::Close(cause) = verdict {
                self.close(cause, now);
                return true;
            }
        }
        if has_read_all && self.is_due(now) {
            moved = true;
            if let Verdict::Close(cause) = self.on_deadline(now) {
                self.close(cause, now);
                return true;
            }
        }
        self.send(now) || moved
    }

    fn is_due(&self, now: Now) -> bool {
        self.feed.deadline().is_some_and(|at| at <= now.mono)
    }

    fn hear(&mut self, text: &mut [u8], now: Now) -> Verdict {
        let edge = &mut self.edge;
        let drops = self.plant == Some(Plant::DropsNewest);
        let heard = self.feed.on_message(text, now, &mut |event| {
            if !drops || edge.is_empty() {
                edge.emit(event);
            }
        });
        // What could not be understood has been counted and named.
        self.heed(heard.unwrap_or(Verdict::Continue), now)
    }

    fn hear_part(&mut self, so_far: &[u8], now: Now) -> Verdict {
        let edge = &mut self.edge;
        let heard = self
            .feed
            .on_part(so_far, now, &mut |event| edge.emit(event));
        self.heed(heard, now)
    }

    /// While there is always a next message to read, nobody looks at the timer.
    fn heed(&mut self, heard: Verdict, now: Now) -> Verdict {
        let judges = self.backlog.has_read(now.mono);
        match heard {
            Verdict::Continue if judges && self.is_due(now) => self.on_deadline(now),
            verdict => verdict,
        }
    }

    fn on_deadline(&mut self, now: Now) -> Verdict {
        let edge = &mut self.edge;
        self.line.get().deadlines += 1;
        self.feed.on_deadline(now, &mut |event| edge.emit(event))
    }

    fn send(&mut self, now: Now) -> bool {
        let mut moved = false;
        while let Some(request) = self.feed.request(now.mono) {
            let act = match request {
                Request::Text(text) => Act::Send(String::from_utf8_lossy(text).into_owned()),
                _ => Act::Ping,
            };
            self.line.get().acts.push(act);
            moved = true;
        }
        moved
    }

    fn next_wait(&mut self) -> Nanos {
        let wait = self.backoff.next_wait();
        if self.plant == Some(Plant::NoJitter) {
            return Nanos::from_millis(250);
        }
        wait
    }

    fn close(&mut self, cause: Cause, now: Now) {
        if self.feed.has_data() {
            self.backoff.reset();
        }
        let edge = &mut self.edge;
        self.feed.on_down(cause, now, &mut |event| edge.emit(event));
        self.state = State::Waiting(now.mono + self.next_wait());
        let mut line = self.line.get();
        line.acts.push(Act::Drop);
        line.inbox.clear();
    }
}
