//! A source that publishes at a steady rate, without a venue.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use dragonfly_benches::books;
use dragonfly_core::{
    clock::Clock,
    market::BookEvent,
    queue::Producer,
    stage::{Cx, Host, Source, Stage, StageError, Work},
};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Emits a book of ten levels a side `rate` times a second.
pub(crate) struct Ticker {
    pub(crate) rate: u32,
}

impl Source for Ticker {
    type Event = BookEvent;

    fn attach(
        self: Box<Self>,
        output: Box<dyn Producer<Item = BookEvent>>,
        clock: Clock,
    ) -> Box<dyn Stage> {
        let mut ticks = interval(Duration::from_secs(1) / self.rate);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        Box::new(Ticking {
            output,
            clock,
            ticks: Box::pin(ticks),
            seq: 0,
        })
    }

    fn host(&self) -> Host {
        dragonfly_clients::host()
    }

    fn name(&self) -> String {
        "ticker".into()
    }
}

struct Ticking {
    output: Box<dyn Producer<Item = BookEvent>>,
    clock: Clock,
    ticks: Pin<Box<Interval>>,
    seq: u64,
}

impl Stage for Ticking {
    fn work(&mut self, cx: &Cx<'_>) -> Result<Work, StageError> {
        if cx.stop {
            return Ok(Work::Done);
        }
        match self.ticks.poll_tick(&mut Context::from_waker(cx.waker)) {
            Poll::Pending => Ok(Work::Idle),
            Poll::Ready(_) => {
                self.seq += 1;
                let mut event = books::venue_event(0, 10, self.seq);
                event.ts_recv = self.clock.utc();
                match self.output.push(event) {
                    Ok(()) => Ok(Work::Busy),
                    Err(_) => Err(StageError::Failed("the queue is full".into())),
                }
            }
        }
    }
}
