//! The stages a flow makes of aggregators and services.

use crate::{
    queue::{Consumer, Producer, PushError},
    stage::{Aggregator, Cx, Service, Stage, StageError, Work},
};

use super::streams::Deliver;

/// An aggregator between its input and its output.
pub(super) struct AggregateStage<C, A: Aggregator, P> {
    input: C,
    aggregator: A,
    output: P,
    held: Option<A::Output>,
}

impl<C, A: Aggregator, P> AggregateStage<C, A, P> {
    pub(super) const fn new(input: C, aggregator: A, output: P) -> Self {
        Self {
            input,
            aggregator,
            output,
            held: None,
        }
    }
}

enum Drained {
    /// The aggregator has nothing more to say.
    Empty,
    /// The output is full and one view waits.
    Full,
    /// Nobody reads the output any more.
    Closed,
}

/// Publishes all the aggregator has to say, the held view first, and counts what the output took:
/// its reader must be woken even when a view is left.
fn drain<A: Aggregator, P: Producer<Item = A::Output>>(
    aggregator: &mut A,
    output: &mut P,
    held: &mut Option<A::Output>,
    moved: &mut usize,
) -> Drained {
    while let Some(view) = held.take().or_else(|| aggregator.publish()) {
        match output.push(view) {
            Ok(()) => *moved += 1,
            Err(PushError::Full(view)) => {
                *held = Some(view);
                return Drained::Full;
            }
            Err(PushError::Closed(_)) => return Drained::Closed,
        }
    }
    Drained::Empty
}

impl<C, A, P> Stage for AggregateStage<C, A, P>
where
    A: Aggregator,
    C: Consumer<Item = A::Input>,
    P: Producer<Item = A::Output>,
{
    fn work(&mut self, _: &Cx<'_>) -> Result<Work, StageError> {
        let Self {
            input,
            aggregator,
            output,
            held,
        } = self;
        let mut moved = 0;
        match drain(aggregator, output, held, &mut moved) {
            Drained::Closed => return Ok(Work::Done),
            Drained::Full => return Ok(if moved > 0 { Work::Busy } else { Work::Held }),
            Drained::Empty => {}
        }
        // What was left is published by now: only then may the end of the input end the stage.
        let Ok(events) = input.ready() else {
            return Ok(Work::Done);
        };
        let mut taken = 0;
        let mut drained = Drained::Empty;
        for event in events {
            aggregator.apply(event);
            taken += 1;
            drained = drain(aggregator, output, held, &mut moved);
            if !matches!(drained, Drained::Empty) {
                break;
            }
        }
        input.release(taken);
        Ok(match drained {
            Drained::Closed => Work::Done,
            _ if taken + moved > 0 => Work::Busy,
            _ => Work::Idle,
        })
    }
}

/// A service and the streams it serves.
pub(super) struct ServeStage<S, D> {
    service: S,
    streams: D,
    closing: bool,
}

impl<S, D> ServeStage<S, D> {
    pub(super) const fn new(service: S, streams: D) -> Self {
        Self {
            service,
            streams,
            closing: false,
        }
    }
}

impl<S: Service, D: Deliver<S>> Stage for ServeStage<S, D> {
    fn work(&mut self, cx: &Cx<'_>) -> Result<Work, StageError> {
        let moved = self.streams.deliver(&mut self.service);
        if !self.closing && self.streams.is_closed() {
            self.closing = true;
            self.service.close();
        }
        let work = self.service.work(cx)?;
        // Whoever waits for the room that was made is woken only after `Busy`.
        Ok(match work {
            Work::Idle | Work::Held if moved => Work::Busy,
            work => work,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::{clock::Nanos, run::PARK, stage::Host};

    /// A service that always has something it cannot get rid of.
    struct Full;

    impl Service for Full {
        fn work(&mut self, _: &Cx<'_>) -> Result<Work, StageError> {
            Ok(Work::Held)
        }
        fn close(&mut self) {}
        fn host(&self) -> Host {
            PARK
        }
    }

    /// Frees a slot of its input once.
    struct Once(bool);

    impl Deliver<Full> for Once {
        fn deliver(&mut self, _: &mut Full) -> bool {
            std::mem::take(&mut self.0)
        }
        fn is_closed(&self) -> bool {
            false
        }
    }

    #[test]
    fn room_made_for_a_writer_is_announced_even_by_a_service_that_is_stuck() {
        let mut stage = ServeStage::new(Full, Once(true));
        let cx = Cx {
            now: Nanos(0),
            waker: Waker::noop(),
            stop: false,
        };
        assert_eq!(stage.work(&cx), Ok(Work::Busy));
        assert_eq!(stage.work(&cx), Ok(Work::Held));
    }
}
