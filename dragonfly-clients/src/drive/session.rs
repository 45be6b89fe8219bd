//! One connection of a feed: reads, writes and waits until it ends.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use dragonfly_core::{
    client::{ClientError, Control, Reader, Received, Writer},
    clock::Now,
    edge::Conflate,
    feed::{Backlog, Feed, Listener, Request, Subscriber, Verdict},
    market::Cause,
};

use super::{Desk, Timer};

/// How long one message may take to be written before the connection counts as lost.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// Why a session ended.
pub(super) enum Ended {
    Stopped,
    Verdict(Cause),
    Lost(ClientError),
}

/// What takes the events of a feed.
type Emit<'a, E> = &'a mut dyn FnMut(E);

/// One connection.
pub(super) struct Session<'a, S, L: Listener> {
    desk: &'a Desk<S, L>,
    timer: RefCell<Timer>,
    backlog: Cell<Backlog>,
}

/// What ended a wait for the next message.
enum Woken<'r> {
    Read(Result<Received<'r>, ClientError>),
    Due(Verdict),
    Stopped,
}

impl<'a, S: Subscriber, L: Listener> Session<'a, S, L>
where
    L::Event: Conflate,
{
    pub(super) fn new(desk: &'a Desk<S, L>) -> Self {
        let timer = RefCell::new(Timer::new());
        Self {
            desk,
            timer,
            backlog: Cell::default(),
        }
    }

    /// Reads, writes and waits until the connection ends or has to.
    pub(super) async fn run(&self, reader: &mut impl Reader, writer: &mut impl Writer) -> Ended {
        let large = self.desk.feed.borrow_mut().early();
        loop {
            if let Err(error) = self.send(writer).await {
                return Ended::Lost(error);
            }
            // The read is not cancel-safe: it stays where it is while deadlines come and go.
            let mut read = pin!(reader.read_early(large));
            let received = loop {
                match self.wait(read.as_mut()).await {
                    Woken::Stopped => return Ended::Stopped,
                    Woken::Read(received) => break received,
                    Woken::Due(Verdict::Close(cause)) => return Ended::Verdict(cause),
                    Woken::Due(_) => {
                        if let Err(error) = self.send(writer).await {
                            return Ended::Lost(error);
                        }
                        // A deadline that does not move must not keep the thread.
                        yield_once().await;
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
            // Out of its share of this turn, the socket says that it is empty whatever waits in it,
            // and the timer that its time has not come.
            if tokio::task::coop::has_budget_remaining() {
                self.backlog.take();
            } else if let Some(verdict) = self.overdue(self.desk.clock.now()) {
                return Poll::Ready(Woken::Due(verdict));
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
        let verdict = match received? {
            Received::Message(message) => {
                // What could not be understood has been counted and named.
                let hear = |feed: &mut Feed<S, L>, emit: Emit<'_, L::Event>| {
                    let heard = feed.on_message(message, now, emit);
                    heard.unwrap_or(Verdict::Continue)
                };
                self.heed(now, hear)
            }
            Received::Part(so_far) => self.heed(now, |feed, emit| feed.on_part(so_far, now, emit)),
            Received::Ping(payload) => {
                let verdict = self.heed_life(now);
                if verdict == Verdict::Continue {
                    limited(writer.control(Control::Pong(payload))).await?;
                }
                verdict
            }
            _ => self.heed_life(now),
        };
        if verdict == Verdict::Continue {
            // Let the rest of the flow take this message before the next one is read.
            yield_once().await;
        }
        Ok(verdict)
    }

    fn heed_life(&self, now: Now) -> Verdict {
        self.heed(now, |feed, _| {
            feed.on_alive(now);
            Verdict::Continue
        })
    }

    /// Shows the feed something, and what is due by then.
    fn heed(
        &self,
        now: Now,
        show: impl FnOnce(&mut Feed<S, L>, Emit<'_, L::Event>) -> Verdict,
    ) -> Verdict {
        // While there is always a next message to read, nobody looks at the timer.
        match self.desk.with(show) {
            Verdict::Continue => self.overdue(now).unwrap_or(Verdict::Continue),
            verdict => verdict,
        }
    }

    /// Does what is due although more may wait to be read, once that has lasted.
    fn overdue(&self, now: Now) -> Option<Verdict> {
        let mut backlog = self.backlog.get();
        let judges = backlog.has_read(now.mono);
        self.backlog.set(backlog);
        let is_due = judges && self.desk.deadline().is_some_and(|due| due <= now.mono);
        is_due.then(|| self.desk.with(|feed, emit| feed.on_deadline(now, emit)))
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
