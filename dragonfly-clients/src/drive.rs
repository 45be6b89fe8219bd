//! The asynchronous driver of a feed: connects, reads, writes, waits, and connects again, for ever.
//!
//! All decisions are the [`Feed`]'s; this moves bytes and time. It is a [`Source`], so that a feed
//! over any [`Client`] can be wired into a flow.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use dragonfly_core::{
    client::{Client, ClientError, Control, Reader, Received, Writer},
    clock::{Clock, Nanos},
    edge::{Conflate, Edge},
    feed::{Backoff, Budget, Feed, Listener, Request, Subscriber, Verdict},
    market::Cause,
    queue::Producer,
    stage::{Cx, Host, Source, Stage, StageError, Work},
};
use tokio::time::{Instant, Sleep};

/// How long one message may take to be written before the connection counts as lost.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// A feed over a client: layers 1 to 3 of one connection, ready to be listened to.
#[derive(Debug)]
pub struct Drive<C, S, L> {
    client: C,
    feed: Feed<S, L>,
    backoff: Backoff,
}

impl<C, S, L> Drive<C, S, L>
where
    C: Client + Send + 'static,
    S: Subscriber + 'static,
    L: Listener + 'static,
{
    /// Runs `feed` over the connections `client` makes.
    pub const fn new(client: C, feed: Feed<S, L>, backoff: Backoff) -> Self {
        Self {
            client,
            feed,
            backoff,
        }
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
        } = *self;
        let connects = feed.policy().connects;
        let shared = Rc::new(Desk {
            feed: RefCell::new(feed),
            edge: RefCell::new(Edge::new(output)),
            clock,
            is_stopping: Cell::new(false),
            moved: Cell::new(false),
        });
        let desk = shared.clone();
        let trip = Trip {
            desk,
            client,
            backoff,
            connects,
            last_error: None,
        };
        Box::new(DriveStage {
            life: Some(Box::pin(trip.life())),
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
                    // What the feed showed is no longer true, and nobody else would say so.
                    shared.down(Cause::Panicked);
                    std::panic::resume_unwind(panic);
                }
            }
        }
        moved |= shared.moved.take();
        let edge = shared.edge.borrow();
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
    connects: Budget,
    /// What was last said about failing to connect, so that it is said once.
    last_error: Option<String>,
}

/// Why a session ended.
enum Ended {
    Stopped,
    Verdict(Cause),
    Lost(ClientError),
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
                    Ended::Stopped => break,
                    ended => self.after_session(&ended),
                },
                Some(Err(error)) => self.after_failure(&error),
            };
            if self.pause(wait).await.is_none() {
                break;
            }
        }
        self.desk.down(Cause::Stopped);
    }

    /// Connects once the venue's budget allows it; `None` when the flow is stopping.
    async fn connect(&mut self) -> Option<Result<(C::Reader, C::Writer), ClientError>> {
        loop {
            let now = self.desk.clock.mono();
            if self.connects.take(now) {
                break;
            }
            let wait = self.connects.next_at(now) - now;
            self.pause(wait).await?;
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
            ClientError::RetryAfter { seconds, .. } => wait + Nanos::from_secs(*seconds),
            _ => wait,
        }
    }

    fn after_session(&mut self, ended: &Ended) -> Nanos {
        if self.desk.feed.borrow().has_data() {
            self.backoff.reset();
        }
        let (cause, error) = match ended {
            Ended::Lost(error) => (Cause::Disconnected, error.to_string()),
            Ended::Verdict(cause) => (*cause, cause.to_string()),
            Ended::Stopped => (Cause::Stopped, String::new()),
        };
        let name = self.desk.feed.borrow().name().to_owned();
        tracing::warn!(
            feed = name,
            reason = error,
            "connection ended; connecting again"
        );
        self.desk.down(cause);
        self.backoff.next_wait()
    }

    async fn session(&mut self, mut reader: C::Reader, mut writer: C::Writer) -> Ended {
        let (name, endpoint) = (
            self.desk.feed.borrow().name().to_owned(),
            self.client.endpoint(),
        );
        tracing::info!(feed = name, endpoint, "connected");
        self.last_error = None;
        let now = self.desk.clock.now();
        self.desk.with(|feed, emit| feed.on_open(now, emit));
        let session = Session {
            desk: &self.desk,
            timer: RefCell::new(Timer::new()),
        };
        let ended = session.run(&mut reader, &mut writer).await;
        if matches!(ended, Ended::Stopped | Ended::Verdict(_)) {
            // Politeness only: the connection is dropped whatever comes of it.
            let goodbye = writer.control(Control::Close);
            let _outcome = tokio::time::timeout(Duration::from_millis(100), goodbye).await;
        }
        ended
    }
}

/// One connection.
struct Session<'a, S, L: Listener> {
    desk: &'a Desk<S, L>,
    timer: RefCell<Timer>,
}

/// What ended a wait for the next message.
enum Woken<'r> {
    Read(Result<Received<'r>, ClientError>),
    Due(Verdict),
    Stopped,
}

impl<S: Subscriber, L: Listener> Session<'_, S, L>
where
    L::Event: Conflate,
{
    async fn run(&self, reader: &mut impl Reader, writer: &mut impl Writer) -> Ended {
        loop {
            if let Err(error) = self.send(writer).await {
                return Ended::Lost(error);
            }
            // The read is not cancel-safe: it stays where it is while deadlines come and go.
            let mut read = pin!(reader.read());
            let received = loop {
                match self.wait(read.as_mut()).await {
                    Woken::Stopped => return Ended::Stopped,
                    Woken::Read(received) => break received,
                    Woken::Due(Verdict::Close(cause)) => return Ended::Verdict(cause),
                    Woken::Due(_) => {
                        if let Err(error) = self.send(writer).await {
                            return Ended::Lost(error);
                        }
                    }
                }
            };
            match self.take(received, writer).await {
                Ok(Verdict::Close(cause)) => return Ended::Verdict(cause),
                Ok(_) => {}
                Err(error) => return Ended::Lost(error),
            }
        }
    }

    async fn wait<'r, F>(&self, mut read: Pin<&mut F>) -> Woken<'r>
    where
        F: Future<Output = Result<Received<'r>, ClientError>>,
    {
        poll_fn(|cx| {
            if self.desk.is_stopping.get() {
                return Poll::Ready(Woken::Stopped);
            }
            if let Poll::Ready(received) = read.as_mut().poll(cx) {
                return Poll::Ready(Woken::Read(received));
            }
            self.timer.borrow_mut().poll(cx, self.desk).map(Woken::Due)
        })
        .await
    }

    async fn take(
        &self,
        received: Result<Received<'_>, ClientError>,
        writer: &mut impl Writer,
    ) -> Result<Verdict, ClientError> {
        let now = self.desk.clock.now();
        match received? {
            Received::Message(message) => {
                let verdict = self
                    .desk
                    .with(|feed, emit| feed.on_message(message, now, emit));
                // Let the rest of the flow take this message before the next one is read.
                yield_once().await;
                // What could not be understood has been counted and named.
                Ok(verdict.unwrap_or(Verdict::Continue))
            }
            Received::Ping(payload) => {
                self.desk.with(|feed, _| feed.on_alive(now));
                limited(writer.control(Control::Pong(payload))).await?;
                Ok(Verdict::Continue)
            }
            _ => {
                self.desk.with(|feed, _| feed.on_alive(now));
                Ok(Verdict::Continue)
            }
        }
    }

    /// Sends what the feed asks for, as far as its budget allows.
    async fn send(&self, writer: &mut impl Writer) -> Result<(), ClientError> {
        let mut text = Vec::new();
        loop {
            let is_ping = match self.desk.feed.borrow_mut().request(self.desk.clock.mono()) {
                None => return Ok(()),
                Some(Request::Text(request)) => {
                    text.clear();
                    text.extend_from_slice(request);
                    false
                }
                Some(_) => true,
            };
            self.desk.moved.set(true);
            if is_ping {
                limited(writer.control(Control::Ping)).await?;
            } else {
                limited(writer.send(&text)).await?;
            }
        }
    }
}

async fn limited(write: impl Future<Output = Result<(), ClientError>>) -> Result<(), ClientError> {
    let late = |_| Err(ClientError::Io("the peer takes nothing more".into()));
    tokio::time::timeout(WRITE_LIMIT, write)
        .await
        .unwrap_or_else(late)
}

/// Returns to the runner once. It comes back by itself: the stage has moved.
async fn yield_once() {
    let mut is_back = false;
    poll_fn(|_| {
        if std::mem::replace(&mut is_back, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
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
