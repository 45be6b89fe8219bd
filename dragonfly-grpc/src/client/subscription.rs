//! A subscription: a state machine that connects, reads, and connects again.

use std::{
    error::Error,
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use dragonfly_core::feed::Backoff;
use futures_util::Stream as AsyncStream;
use tokio::time::{Sleep, sleep};
use tonic::{Code, Status, Streaming};

use super::{
    Client, Request,
    newest::poll_newest,
    receive_window,
    view::{Opening, Stream, View, ViewError},
};
use crate::Policy;

/// Why there is no connection.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Disconnect {
    /// The server cannot be reached.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// The server refused the subscription; asking again helps only if the server changes.
    #[error("the server refused the subscription: {0}")]
    Refused(String),
    /// The server ended the stream in order, as it does when it stops.
    #[error("the server ended the stream")]
    Ended,
    /// The connection was lost.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The server sent what cannot be right.
    #[error("{0}")]
    Malformed(#[from] ViewError),
}

/// What a subscription yields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The server took the subscription; its current view follows.
    Connected,
    /// No view is current any more; attempts go on for ever. It comes once for each loss, and once
    /// more when a server is found again that refuses the subscription.
    Disconnected(Disconnect),
    /// A view; see [`Subscription::next`] for how new it is.
    View(View),
}

/// A stream of [`Event`]s that never ends; dropping it closes the connection.
///
/// It also is a `futures` stream. Reading is cancel-safe: [`next`](Self::next) may be dropped and
/// called again without losing anything.
pub struct Subscription<M> {
    client: Client,
    request: Request,
    backoff: Backoff,
    state: State<M>,
    /// The loss has been reported and nothing has been received since.
    down: bool,
    /// So has a refusal.
    refused: bool,
}

enum State<M> {
    Waiting(Pin<Box<Sleep>>),
    Opening(Opening<M>),
    Reading(Box<Streaming<M>>),
}

impl<M> fmt::Debug for Subscription<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Waiting(_) => "waiting",
            State::Opening(_) => "opening",
            State::Reading(_) => "reading",
        };
        write!(f, "Subscription({:?}, {state})", self.client)
    }
}

impl<M: Stream> Subscription<M> {
    pub(super) fn new(client: Client, request: Request) -> Self {
        Self {
            backoff: client.waits(),
            state: State::Opening(M::open(client.channel(request.policy), &request)),
            client,
            request,
            down: false,
            refused: false,
        }
    }

    /// Waits for the next event.
    ///
    /// With [`Policy::Conflate`] and [`Policy::AtMost`] a view is the newest that has arrived, however
    /// slowly this is called: those before it are passed over and counted in [`View::skipped`]. A loss
    /// is said as soon as it is known; what arrived before it is not shown any more, not even the last
    /// word of a server that stops.
    ///
    /// With [`Policy::EveryUpdate`] each view is handed over in its turn, and a loss after them: a
    /// reader slower than the updates reads old views. Choose one of the others to act on prices.
    ///
    /// A reader that took nothing until the server could not send any more (256 KiB) gets up to two
    /// old views first: the last that arrived, and the one that was on its way. The newest follows.
    /// The connection is read by a task of the runtime, so that what blocks the runtime's threads keeps
    /// views and losses from arriving. [`View::ts_emit`] says how old a view is.
    pub async fn next(&mut self) -> Event {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            let lost = match &mut self.state {
                State::Waiting(wait) => {
                    ready!(wait.as_mut().poll(cx));
                    let channel = self.client.channel(self.request.policy);
                    self.state = State::Opening(M::open(channel, &self.request));
                    continue;
                }
                State::Opening(opening) => match ready!(opening.as_mut().poll(cx)) {
                    Ok(messages) => {
                        self.state = State::Reading(Box::new(messages));
                        (self.down, self.refused) = (false, false);
                        return Poll::Ready(Event::Connected);
                    }
                    Err(status) => refusal(&status),
                },
                State::Reading(messages) => {
                    let most = most_at_once(self.request.policy);
                    match ready!(poll_newest(messages.as_mut(), cx, most)) {
                        Some(Ok(taken)) => match taken.message.into_view() {
                            Ok(view) => {
                                // Data, not a handshake, says that the server is well.
                                self.backoff.reset();
                                let skipped = taken.skipped;
                                return Poll::Ready(Event::View(View { skipped, ..view }));
                            }
                            Err(error) => error.into(),
                        },
                        Some(Err(status)) => Disconnect::Lost(reason(&status)),
                        None => Disconnect::Ended,
                    }
                }
            };
            let wait = self.backoff.next_wait().as_duration();
            self.state = State::Waiting(Box::pin(sleep(wait)));
            let refused = matches!(lost, Disconnect::Refused(_));
            let is_new = !self.down || (refused && !self.refused);
            self.down = true;
            self.refused |= refused;
            if is_new {
                return Poll::Ready(Event::Disconnected(lost));
            }
        }
    }
}

impl<M: Stream> AsyncStream for Subscription<M> {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_event(cx).map(Some)
    }
}

/// How much is passed over at once for a newer view, in bytes: more than can have arrived when it
/// begins, so that whatever is handed over is newer than that.
const fn most_at_once(policy: Policy) -> usize {
    match policy {
        Policy::EveryUpdate => 0,
        Policy::Conflate | Policy::AtMost(_) => 2 * receive_window(policy) as usize,
    }
}

/// Why a call could not be opened.
fn refusal(status: &Status) -> Disconnect {
    match status.code() {
        Code::Unavailable | Code::Unknown | Code::Cancelled | Code::DeadlineExceeded => {
            Disconnect::Unreachable(reason(status))
        }
        _ => Disconnect::Refused(reason(status)),
    }
}

/// What the system said where it said something, otherwise what the server said.
fn reason(status: &Status) -> String {
    let mut innermost = status.source();
    while let Some(source) = innermost.and_then(Error::source) {
        innermost = Some(source);
    }
    match innermost {
        Some(error) => error.to_string(),
        None if status.message().is_empty() => status.code().to_string(),
        None => status.message().to_owned(),
    }
}
