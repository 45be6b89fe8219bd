//! The asynchronous driver of a feed: connects, reads, writes, waits, and connects again, for ever.
//!
//! All decisions are the [`Feed`]'s; this moves bytes and time. It is a [`Source`], so that a feed
//! over any [`Client`] can be wired into a flow.

mod session;

use std::{
    any::Any,
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use dragonfly_core::{
    client::{Client, ClientError, Control, Writer},
    clock::{Clock, Nanos},
    edge::{Conflate, Edge},
    feed::{Backoff, Budget, Feed, Listener, Subscriber, Verdict},
    market::Cause,
    queue::Producer,
    stage::{Cx, Host, Source, Stage, StageError, Work},
};

use crate::Gate;
use session::{Ended, Session};
use tokio::time::{Instant, Sleep};

/// The longest wait a venue can ask for: one that answers nonsense is tried again all the same.
const LONGEST_WAIT: Nanos = Nanos::from_secs(3_600);

/// A feed over a client: layers 1 to 3 of one connection, ready to be listened to.
#[derive(Debug)]
pub struct Drive<C, S, L> {
    client: C,
    feed: Feed<S, L>,
    backoff: Backoff,
    gate: Gate,
}

impl<C, S, L> Drive<C, S, L>
where
    C: Client + Send + 'static,
    S: Subscriber + 'static,
    L: Listener + 'static,
{
    /// Runs `feed` over the connections `client` makes.
    pub fn new(client: C, feed: Feed<S, L>, backoff: Backoff) -> Self {
        Self {
            client,
            feed,
            backoff,
            gate: Gate::default(),
        }
    }

    /// Shares [`connects_in_all`](dragonfly_core::feed::FeedPolicy::connects_in_all), and what the venue
    /// asks to wait, with the other feeds that have this gate.
    #[must_use]
    pub fn gate(mut self, gate: Gate) -> Self {
        self.gate = gate;
        self
    }

    /// The feed.
    pub const fn feed(&self) -> &Feed<S, L> {
        &self.feed
    }
}

impl<C, S, L> Source for Drive<C, S, L>
where
    C: Client + Send + 'static,
    S: Subscriber + 'static,
    L: Listener + 'static,
    L::Event: Conflate + Send + 'static,
{
    type Event = L::Event;

    fn attach(
        self: Box<Self>,
        output: Box<dyn Producer<Item = Self::Event>>,
        clock: Clock,
    ) -> Box<dyn Stage> {
        let Self {
            client,
            feed,
            backoff,
            gate,
        } = *self;
        let (connects, connects_in_all) = (feed.policy().connects, feed.policy().connects_in_all);
        let stats = feed.stats();
        let edge = Edge::counting(output, stats.events.clone(), stats.conflated.clone());
        let shared = Rc::new(Desk {
            feed: RefCell::new(feed),
            edge: RefCell::new(edge),
            clock,
            is_stopping: Cell::new(false),
            moved: Cell::new(false),
        });
        let desk = shared.clone();
        let trip = Trip {
            desk,
            client,
            backoff,
            gate,
            connects,
            connects_in_all,
            last_error: None,
        };
        Box::new(DriveStage {
            life: Some(Box::pin(trip.life())),
            panic: None,
            shared,
        })
    }

    fn host(&self) -> Host {
        crate::host()
    }

    fn name(&self) -> String {
        self.feed.name().to_owned()
    }
}

/// What the stage and its future share, on one thread.
struct Desk<S, L: Listener> {
    feed: RefCell<Feed<S, L>>,
    edge: RefCell<Edge<Box<dyn Producer<Item = L::Event>>>>,
    clock: Clock,
    is_stopping: Cell<bool>,
    /// Whether the future did anything since the stage last looked.
    moved: Cell<bool>,
}

impl<S: Subscriber, L: Listener> Desk<S, L>
where
    L::Event: Conflate,
{
    /// Lends the feed and the way out.
    fn with<R>(&self, f: impl FnOnce(&mut Feed<S, L>, &mut dyn FnMut(L::Event)) -> R) -> R {
        self.moved.set(true);
        let mut edge = self.edge.borrow_mut();
        f(&mut self.feed.borrow_mut(), &mut |event| edge.emit(event))
    }

    fn down(&self, cause: Cause) {
        let now = self.clock.now();
        self.with(|feed, emit| feed.on_down(cause, now, emit));
    }

    fn deadline(&self) -> Option<Nanos> {
        self.feed.borrow().deadline()
    }
}

struct DriveStage<S, L: Listener> {
    life: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// What ended the life, until all that was emitted before has gone out.
    panic: Option<Box<dyn Any + Send>>,
    shared: Rc<Desk<S, L>>,
}

impl<S: Subscriber, L: Listener> Stage for DriveStage<S, L>
where
    L::Event: Conflate,
{
    fn work(&mut self, cx: &Cx<'_>) -> Result<Work, StageError> {
        let shared = &self.shared;
        shared.is_stopping.set(cx.stop);
        let mut moved = shared.edge.borrow_mut().flush();
        if let Some(life) = &mut self.life {
            let mut context = Context::from_waker(cx.waker);
            match catch_unwind(AssertUnwindSafe(|| life.as_mut().poll(&mut context))) {
                Ok(Poll::Pending) => {}
                Ok(Poll::Ready(())) => self.life = None,
                Err(panic) => {
                    self.life = None;
                    self.panic = Some(panic);
                    // What the feed showed is no longer true, and nobody else would say so.
                    let down = AssertUnwindSafe(|| shared.down(Cause::Panicked));
                    if catch_unwind(down).is_err() {
                        tracing::error!("the adapter panicked again while going down");
                    }
                }
            }
        }
        moved |= shared.moved.take();
        let edge = shared.edge.borrow();
        // In a full queue the word that the leg is down would be lost with the stage.
        if (edge.is_empty() || edge.is_closed())
            && let Some(panic) = self.panic.take()
        {
            std::panic::resume_unwind(panic);
        }
        Ok(match (edge.is_closed(), edge.is_empty(), &self.life) {
            (true, ..) | (_, true, None) => Work::Done,
            _ if moved => Work::Busy,
            (_, true, _) => Work::Idle,
            _ => Work::Held,
        })
    }
}

/// The life of a feed, from connection to connection.
struct Trip<C, S, L: Listener> {
    desk: Rc<Desk<S, L>>,
    client: C,
    backoff: Backoff,
    gate: Gate,
    connects: Budget,
    connects_in_all: Budget,
    /// What was last said about failing to connect, so that it is said once.
    last_error: Option<String>,
}

impl<C, S, L> Trip<C, S, L>
where
    C: Client,
    S: Subscriber,
    L: Listener,
    L::Event: Conflate,
{
    async fn life(mut self) {
        let now = self.desk.clock.now();
        self.desk.with(|feed, emit| feed.on_start(now, emit));
        loop {
            let wait = match self.connect().await {
                None => break,
                Some(Ok((reader, writer))) => match self.session(reader, writer).await {
                    None => break,
                    Some(wait) => wait,
                },
                Some(Err(error)) => self.after_failure(&error),
            };
            if self.pause(wait).await.is_none() {
                break;
            }
        }
        self.desk.down(Cause::Stopped);
    }

    /// Connects once both budgets allow it; `None` when the flow is stopping.
    async fn connect(&mut self) -> Option<Result<(C::Reader, C::Writer), ClientError>> {
        loop {
            let now = self.desk.clock.mono();
            let mut at = self.connects.next_at(now);
            if at <= now {
                match self.gate.admit(&self.connects_in_all, now) {
                    Ok(()) => {
                        self.connects.take(now);
                        break;
                    }
                    Err(next) => at = next,
                }
            }
            self.pause(at - now).await?;
        }
        let desk = self.desk.clone();
        let mut connect = pin!(self.client.connect());
        poll_fn(|cx| {
            if desk.is_stopping.get() {
                return Poll::Ready(None);
            }
            connect.as_mut().poll(cx).map(Some)
        })
        .await
    }

    /// Waits; `None` when the flow is stopping.
    async fn pause(&self, wait: Nanos) -> Option<()> {
        let mut sleep = pin!(tokio::time::sleep(wait.as_duration()));
        poll_fn(|cx| {
            if self.desk.is_stopping.get() {
                return Poll::Ready(None);
            }
            sleep.as_mut().poll(cx).map(Some)
        })
        .await
    }

    /// Reports a connection that could not be made, and says how long to wait.
    fn after_failure(&mut self, error: &ClientError) -> Nanos {
        self.desk.down(Cause::Disconnected);
        let text = error.to_string();
        if self.last_error.as_ref() != Some(&text) {
            let (endpoint, feed) = (self.client.endpoint(), self.desk.feed.borrow());
            tracing::warn!(feed = feed.name(), endpoint, error = %text, "cannot connect; retrying");
            self.last_error = Some(text);
        }
        let wait = self.backoff.next_wait();
        match error {
            ClientError::RetryAfter { seconds, .. } => {
                let asked = Nanos::from_secs(*seconds).min(LONGEST_WAIT);
                // The others of the venue then come through the gate one by one.
                self.gate.close(self.desk.clock.mono() + asked);
                wait + asked
            }
            _ => wait,
        }
    }

    /// Reports a connection that has ended, and says how long to wait.
    fn after_session(&mut self, ended: &Ended) -> Nanos {
        if self.desk.feed.borrow().has_data() {
            self.backoff.reset();
        }
        let (cause, error) = match ended {
            Ended::Lost(error) => (Cause::Disconnected, error.to_string()),
            Ended::Verdict(cause) => (*cause, cause.to_string()),
            Ended::Stopped => (Cause::Stopped, String::new()),
        };
        // Before the word of it: a log that blocks must not leave the book as if it were live.
        self.desk.down(cause);
        let name = self.desk.feed.borrow().name().to_owned();
        tracing::warn!(
            feed = name,
            reason = error,
            "connection ended; connecting again"
        );
        self.backoff.next_wait()
    }

    /// Runs a connection to its end, and says how long to wait; `None` when the flow is stopping.
    async fn session(&mut self, mut reader: C::Reader, mut writer: C::Writer) -> Option<Nanos> {
        let (name, endpoint) = (
            self.desk.feed.borrow().name().to_owned(),
            self.client.endpoint(),
        );
        tracing::info!(feed = name, endpoint, "connected");
        self.last_error = None;
        let now = self.desk.clock.now();
        self.desk.with(|feed, emit| feed.on_open(now, emit));
        let ended = Session::new(&self.desk).run(&mut reader, &mut writer).await;
        let wait = match ended {
            Ended::Stopped => None,
            _ => Some(self.after_session(&ended)),
        };
        if matches!(ended, Ended::Stopped | Ended::Verdict(_)) {
            // Politeness only: the connection is dropped whatever comes of it.
            let goodbye = writer.control(Control::Close);
            let _outcome = tokio::time::timeout(Duration::from_millis(100), goodbye).await;
        }
        wait
    }
}

/// One lazy timer: it is moved only when it fires, or when a deadline comes before it.
struct Timer {
    sleep: Pin<Box<Sleep>>,
    at: Option<Nanos>,
}

impl Timer {
    fn new() -> Self {
        Self {
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            at: None,
        }
    }

    /// Ready with the feed's verdict when a deadline has come.
    fn poll<S: Subscriber, L: Listener>(
        &mut self,
        cx: &mut Context<'_>,
        desk: &Desk<S, L>,
    ) -> Poll<Verdict>
    where
        L::Event: Conflate,
    {
        let Some(due) = desk.deadline() else {
            return Poll::Pending;
        };
        loop {
            if self.at.is_none_or(|at| due < at) {
                self.set(due, desk.clock.mono());
            }
            if self.sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.at = None;
            let now = desk.clock.now();
            if due <= now.mono {
                return Poll::Ready(desk.with(|feed, emit| feed.on_deadline(now, emit)));
            }
        }
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "the runtime's own clock, to arm its timer"
    )]
    fn set(&mut self, due: Nanos, now: Nanos) {
        self.sleep
            .as_mut()
            .reset(Instant::now() + (due - now).as_duration());
        self.at = Some(due);
    }
}
