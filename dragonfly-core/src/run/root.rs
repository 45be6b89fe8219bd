//! The root future of a thread: steps its stages until they rest, then waits.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Poll, Waker},
};

use super::{
    bell::Bell,
    options::Wait,
    running::{Shared, StageFault},
};
use crate::{
    clock::{Clock, Nanos},
    feed::panic_text,
    flow::{Node, StageStats},
    stage::{Cx, Stage, StageError, Work},
};

/// How many busy rounds in a row before a thread without a runtime looks at the stop flag again.
const ROUNDS: u32 = 64;

/// So many busy rounds in a row are a backlog.
const BACKLOG: u32 = 16;

/// How many rounds the stages have in a backlog before the other tasks of their thread have their
/// turn: handing over to a runtime costs a call of the system, a sixth of all that a message takes.
const TURN: u32 = 8;

/// The stages of one thread, made.
pub(crate) struct Root {
    slots: Vec<Slot>,
    faults: Vec<StageFault>,
}

struct Slot {
    stats: StageStats,
    stage: Option<Box<dyn Stage>>,
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.running()).finish()
    }
}

impl Root {
    /// Makes the stages, on the thread that will step them.
    pub(crate) fn new(nodes: Vec<Node>, clock: Clock) -> Self {
        let make = |node: Node| Slot {
            stats: node.stats,
            stage: Some((node.make)(&clock)),
        };
        Self {
            slots: nodes.into_iter().map(make).collect(),
            faults: Vec::new(),
        }
    }

    /// Steps every stage once, in wiring order, and says what came of it: `Busy` if anything moved,
    /// `Done` if every stage is.
    pub(crate) fn round(&mut self, cx: &Cx<'_>) -> Work {
        let mut sum = Work::Done;
        for slot in &mut self.slots {
            let Some(stage) = &mut slot.stage else {
                continue;
            };
            let result = catch_unwind(AssertUnwindSafe(|| stage.work(cx)));
            let work = match result {
                Ok(Ok(work)) => work,
                Ok(Err(error)) => slot.fail(&mut self.faults, error.to_string()),
                Err(panic) => slot.fail(&mut self.faults, panic_text(&*panic)),
            };
            slot.stats.steps.add(1);
            let work = if work == Work::Done {
                // Its producers go with it: what reads them will see the end.
                slot.stage = None;
                Work::Busy
            } else {
                work
            };
            slot.stats.busy.add(u64::from(work == Work::Busy));
            sum = louder(sum, work);
        }
        sum
    }

    /// The first fault that was not reported yet.
    pub(crate) fn take_fault(&mut self) -> Option<StageError> {
        let fault = self.faults.pop()?;
        Some(StageError::Failed(fault.to_string()))
    }

    fn running(&self) -> impl Iterator<Item = &str> {
        self.slots
            .iter()
            .filter(|s| s.stage.is_some())
            .map(|s| s.stats.name.as_str())
    }
}

impl Slot {
    fn fail(&self, faults: &mut Vec<StageFault>, reason: String) -> Work {
        tracing::error!(stage = %self.stats.name, reason, "the stage has failed");
        faults.push(StageFault {
            stage: self.stats.name.clone(),
            reason,
        });
        Work::Done
    }
}

const fn louder(a: Work, b: Work) -> Work {
    match (a, b) {
        (Work::Busy, _) | (_, Work::Busy) => Work::Busy,
        (Work::Held, _) | (_, Work::Held) => Work::Held,
        (Work::Idle, _) | (_, Work::Idle) => Work::Idle,
        _ => Work::Done,
    }
}

/// How busy a thread has been of late.
struct Pace {
    busy_at: Nanos,
    /// Rounds in which something moved since the last one in which nothing did.
    in_a_row: u32,
}

/// What a thread needs to live.
pub(super) struct RootTask {
    pub(super) clock: Clock,
    pub(super) wait: Wait,
    /// Other tasks run on this thread: let them after each busy round.
    pub(super) yields: bool,
    pub(super) bell: Bell,
    pub(super) neighbours: Vec<Bell>,
    pub(super) shared: Arc<Shared>,
    pub(super) thread: usize,
}

impl RootTask {
    /// Steps `crew` until every stage is done.
    pub(super) async fn life(self, crew: Vec<Node>) {
        let mut root = Root::new(crew, self.clock.clone());
        let mut pace = Pace {
            busy_at: self.clock.mono(),
            in_a_row: 0,
        };
        poll_fn(|cx| self.poll(&mut root, &mut pace, cx.waker())).await;
    }

    fn poll(&self, root: &mut Root, pace: &mut Pace, waker: &Waker) -> Poll<()> {
        self.bell.disarm();
        let mut is_armed = false;
        let mut rounds = 0;
        loop {
            let now = self.clock.mono();
            let work = root.round(&Cx {
                now,
                waker,
                stop: self.shared.is_stopping(),
            });
            if !root.faults.is_empty() {
                self.shared.report(&mut root.faults);
            }
            if work == Work::Busy || work == Work::Done {
                self.ring();
                self.shared.note(self.thread, root.running());
            }
            match work {
                Work::Done => return Poll::Ready(()),
                Work::Busy => {
                    pace.busy_at = now;
                    pace.in_a_row = pace.in_a_row.saturating_add(1);
                    if std::mem::take(&mut is_armed) {
                        self.bell.disarm();
                    }
                    rounds += 1;
                    if rounds >= self.most_rounds(pace) {
                        waker.wake_by_ref();
                        return Poll::Pending;
                    }
                }
                _ if self.spins(now, pace.busy_at) => {
                    pace.in_a_row = 0;
                    waker.wake_by_ref();
                    return Poll::Pending;
                }
                // Whoever rings before this is seen by one more round, whoever rings after wakes.
                _ if !is_armed => {
                    pace.in_a_row = 0;
                    self.bell.arm(waker);
                    is_armed = true;
                }
                _ => return Poll::Pending,
            }
        }
    }

    /// How many busy rounds there may be before the thread does something else.
    const fn most_rounds(&self, pace: &Pace) -> u32 {
        match self.yields {
            false => ROUNDS,
            true if pace.in_a_row >= BACKLOG => TURN,
            true => 1,
        }
    }

    /// Wakes the neighbours that sleep; one fence covers them all.
    fn ring(&self) {
        if let Some((first, others)) = self.neighbours.split_first() {
            first.ring();
            others.iter().for_each(Bell::ring_after_fence);
        }
    }

    fn spins(&self, now: Nanos, busy_at: Nanos) -> bool {
        match self.wait {
            Wait::Spin => true,
            Wait::Adaptive(limit) => now - busy_at < limit,
            Wait::Auto | Wait::Park => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        task::Wake,
    };

    use super::*;
    use crate::{
        clock::UtcNanos,
        queue::{self, Producer},
        run::{Bells, PARK},
        stage::{Host, Source},
    };

    /// Has something to do once, then rests.
    struct Once(bool);

    impl Source for Once {
        type Event = u32;

        fn attach(self: Box<Self>, _: Box<dyn Producer<Item = u32>>, _: Clock) -> Box<dyn Stage> {
            self
        }

        fn host(&self) -> Host {
            PARK
        }

        fn name(&self) -> String {
            "once".into()
        }
    }

    impl Stage for Once {
        fn work(&mut self, _: &Cx<'_>) -> Result<Work, StageError> {
            Ok(if std::mem::take(&mut self.0) {
                Work::Busy
            } else {
                Work::Idle
            })
        }
    }

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether a thread is awake at each of these times, in us; it had work at the first.
    fn is_awake(wait: Wait, at_us: &[u64]) -> Vec<bool> {
        let mut flow = crate::flow::Flow::new();
        let _unread = flow.listen(Once(true)).via(queue::spsc(1)).into_consumer();
        let nodes = flow.into_parts().unwrap().nodes;
        let (clock, hand) = Clock::manual(UtcNanos(0));
        let crews = [nodes];
        let shared = Arc::new(Shared::new(Arc::<Bells>::default(), &crews));
        let [nodes] = crews;
        let mut root = Root::new(nodes, clock.clone());
        let task = RootTask {
            clock: clock.clone(),
            wait,
            yields: true,
            bell: Bell::new(),
            neighbours: Vec::new(),
            shared,
            thread: 0,
        };
        let count = Arc::<Count>::default();
        let mut pace = Pace {
            busy_at: clock.mono(),
            in_a_row: 0,
        };
        let waker = Waker::from(count.clone());
        let mut awake = |us: &u64| {
            hand.advance(Nanos(us * 1_000).since(clock.mono()));
            let before = count.0.load(Ordering::Relaxed);
            assert!(task.poll(&mut root, &mut pace, &waker).is_pending());
            count.0.load(Ordering::Relaxed) > before
        };
        at_us.iter().map(&mut awake).collect()
    }

    #[test]
    fn an_adaptive_thread_sleeps_when_its_time_without_work_is_over() {
        let wait = Wait::Adaptive(Nanos(50_000));
        let awake = is_awake(wait, &[10, 11, 59, 60, 61]);
        // It had work at 10 us and so stays awake until 60 us.
        assert_eq!(awake, [true, true, true, false, false]);
    }

    #[test]
    fn a_spinning_thread_never_sleeps_and_a_parking_one_at_once() {
        assert_eq!(is_awake(Wait::Spin, &[1, 2, 60_000_000]), [true; 3]);
        assert_eq!(is_awake(Wait::Park, &[1, 2, 3]), [true, false, false]);
    }
}
