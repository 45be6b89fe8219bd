//! The deadlines of a feed on the runtime's clock.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use dragonfly_core::{
    clock::Nanos,
    edge::Conflate,
    feed::{Listener, Subscriber, Verdict},
};
use tokio::time::{Instant, Sleep};

use super::Desk;

/// One lazy timer: it is moved only when it fires, or when a deadline comes before it.
pub(super) struct Timer {
    sleep: Pin<Box<Sleep>>,
    at: Option<Nanos>,
}

impl Timer {
    pub(super) fn new() -> Self {
        Self {
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            at: None,
        }
    }

    /// Ready with the feed's verdict when a deadline has come.
    pub(super) fn poll<S: Subscriber, L: Listener>(
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
