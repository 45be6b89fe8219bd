//! Wakers that tell a connection which of its parts has been woken.
//!
//! The parts of a connection wake each other all the time: a call that hands over a frame wakes
//! HTTP/2, which is about to be polled anyway, and HTTP/2 tells the call that there is room. Through
//! the task's own waker each of these would cost another turn of the scheduler with a look at
//! everything. Here a wake-up during a turn is noted for its part and no more.
//!
//! Wake-ups may come from other threads. The waker says what it wants and then looks whether a turn
//! is running; the turn says that it ends and then looks what is wanted. With sequentially consistent
//! order one of the two sees the other.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Wake, Waker},
};

use super::streams::lock;

/// The turns of a connection's task.
#[derive(Debug, Default)]
struct Turn {
    is_running: AtomicBool,
    task: Mutex<Option<Waker>>,
}

#[derive(Debug)]
struct Bell {
    is_rung: AtomicBool,
    turn: Arc<Turn>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Whoever rang first wakes the task, or the running turn sees it.
        if self.is_rung.swap(true, SeqCst) || self.turn.is_running.load(SeqCst) {
            return;
        }
        let task = lock(&self.turn.task).clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// One part: its waker, and whether it has been called.
#[derive(Debug)]
pub(super) struct Part {
    bell: Arc<Bell>,
    waker: Waker,
}

impl Part {
    /// A part that wants to be polled first of all.
    fn new(turn: &Arc<Turn>) -> Self {
        let bell = Arc::new(Bell {
            is_rung: AtomicBool::new(true),
            turn: turn.clone(),
        });
        Self {
            waker: bell.clone().into(),
            bell,
        }
    }

    /// Whether it is to be polled; it will be.
    pub(super) fn take(&self) -> bool {
        self.bell.is_rung.swap(false, SeqCst)
    }

    /// It is to be polled.
    pub(super) fn ring(&self) {
        self.bell.is_rung.store(true, SeqCst);
    }

    fn is_rung(&self) -> bool {
        self.bell.is_rung.load(SeqCst)
    }

    /// What it is polled with.
    pub(super) fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }
}

/// The parts of a connection.
#[derive(Debug)]
pub(super) struct Parts {
    turn: Arc<Turn>,
    /// The calls on the connection.
    pub(super) calls: Part,
    /// HTTP/2 and the socket.
    pub(super) http: Part,
    /// What the server has to say to it.
    pub(super) signals: Part,
}

impl Parts {
    pub(super) fn new() -> Self {
        let turn = Arc::default();
        Self {
            calls: Part::new(&turn),
            http: Part::new(&turn),
            signals: Part::new(&turn),
            turn,
        }
    }

    /// A turn of the task begins.
    pub(super) fn begin(&self, task: &Waker) {
        self.turn.is_running.store(true, SeqCst);
        let mut stored = lock(&self.turn.task);
        if !stored.as_ref().is_some_and(|s| s.will_wake(task)) {
            *stored = Some(task.clone());
        }
    }

    /// Whether a part is to be polled.
    pub(super) fn is_any_rung(&self) -> bool {
        self.calls.is_rung() || self.http.is_rung() || self.signals.is_rung()
    }

    /// Ends the turn; false, and it goes on, if a part is to be polled.
    pub(super) fn end(&self) -> bool {
        self.turn.is_running.store(false, SeqCst);
        let is_over = !self.is_any_rung();
        if !is_over {
            self.turn.is_running.store(true, SeqCst);
        }
        is_over
    }

    /// Ends the turn although a part is to be polled: it will be in the task's next one.
    pub(super) fn put_off(&self, task: &Waker) {
        self.turn.is_running.store(false, SeqCst);
        task.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    /// Parts that have been polled for the first time, in a turn that runs.
    fn running() -> (Parts, Arc<Count>, Waker) {
        let (parts, count) = (Parts::new(), Arc::<Count>::default());
        let task = Waker::from(count.clone());
        parts.begin(&task);
        assert!(parts.calls.take() && parts.http.take() && parts.signals.take());
        (parts, count, task)
    }

    #[test]
    fn a_wake_up_during_a_turn_is_noted_for_its_part_and_wakes_nobody() {
        let (parts, count, _) = running();
        parts.http.context().waker().wake_by_ref();
        assert!(!parts.end(), "the turn goes on");
        assert!(parts.http.take() && !parts.calls.take() && !parts.signals.take());
        assert!(parts.end());
        assert_eq!(count.0.load(SeqCst), 0);
    }

    #[test]
    fn a_wake_up_after_a_turn_wakes_the_task_once() {
        let (parts, count, task) = running();
        assert!(parts.end());
        parts.calls.context().waker().wake_by_ref();
        parts.calls.context().waker().wake_by_ref();
        assert_eq!(count.0.load(SeqCst), 1);
        parts.begin(&task);
        assert!(parts.calls.take() && !parts.calls.take() && !parts.http.take());
    }

    #[test]
    fn what_is_put_off_has_its_task_woken() {
        let (parts, count, task) = running();
        parts.calls.ring();
        parts.put_off(&task);
        assert_eq!(count.0.load(SeqCst), 1);
        parts.begin(&task);
        assert!(parts.calls.take());
    }

    #[test]
    fn no_wake_up_from_another_thread_is_lost() {
        let (parts, count, task) = running();
        assert!(parts.end());
        let waker = parts.calls.context().waker().clone();
        for round in 0..200 {
            let before = count.0.load(SeqCst);
            parts.begin(&task);
            let is_seen = std::thread::scope(|scope| {
                scope.spawn(|| waker.wake_by_ref());
                !parts.end()
            });
            let is_woken = count.0.load(SeqCst) > before;
            assert!(is_seen || is_woken, "round {round}");
            assert!(parts.calls.take(), "round {round}");
            assert!(parts.end());
        }
    }
}
