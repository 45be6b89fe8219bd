//! A running flow: how to stop it, wait for it, and read its counters.

use std::{
    fmt,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use super::{Bells, Watchdog};
use crate::{
    clock::Nanos,
    flow::{Graph, Node, QueueStats, StageStats, WiringError},
};

/// A stage that failed or panicked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageFault {
    /// The stage's name.
    pub stage: String,
    /// What it said.
    pub reason: String,
}

impl fmt::Display for StageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stage `{}` failed: {}", self.stage, self.reason)
    }
}

/// Why a flow did not end well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// It could not begin.
    #[error(transparent)]
    Wiring(#[from] WiringError),
    /// Stages failed or panicked, and the others went on without them; or a [`Host`] could not run
    /// them, and the flow was stopped.
    ///
    /// [`Host`]: crate::stage::Host
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Faults(Vec<StageFault>),
    /// Stages did not stop in time after they were told to.
    #[error("still running {limit_ms} ms after the flow was told to stop: {}", stages.join(", "))]
    Stuck {
        /// Their names.
        stages: Vec<String>,
        /// The limit.
        limit_ms: u64,
    },
}

/// What the threads of a flow share.
#[derive(Debug)]
pub(super) struct Shared {
    stop: AtomicBool,
    bells: Arc<Bells>,
    /// For each thread, its stages' counters, in the order of a round.
    stages: Vec<Vec<StageStats>>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// For each thread, the stages that have not ended.
    running: Vec<Vec<String>>,
    ended: Vec<bool>,
    faults: Vec<StageFault>,
}

impl Shared {
    pub(super) fn new(bells: Arc<Bells>, crews: &[Vec<Node>]) -> Self {
        let names = |crew: &Vec<Node>| crew.iter().map(|node| node.name.clone()).collect();
        let state = State {
            running: crews.iter().map(names).collect(),
            ended: vec![false; crews.len()],
            faults: Vec::new(),
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        let stats = |crew: &Vec<Node>| crew.iter().map(|node| node.stats.clone()).collect();
        Self {
            stop: AtomicBool::new(false),
            bells,
            stages: crews.iter().map(stats).collect(),
            state,
            changed,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stages(&self) -> &[Vec<StageStats>] {
        &self.stages
    }

    pub(super) fn ended_threads(&self) -> Vec<bool> {
        self.lock().ended.clone()
    }

    pub(super) fn ring_all(&self) {
        self.bells.ring_all();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.bells.ring_all();
        // Taken so that a waiter is either before its check or in its wait.
        drop(self.lock());
        self.changed.notify_all();
    }

    /// Keeps the list of running stages, once stopping makes it of interest.
    pub(super) fn note<'a>(&self, thread: usize, running: impl Iterator<Item = &'a str>) {
        if self.is_stopping() {
            self.lock().running[thread] = running.map(str::to_owned).collect();
        }
    }

    pub(super) fn report(&self, faults: &mut Vec<StageFault>) {
        self.lock().faults.append(faults);
    }

    pub(super) fn fault(&self, stage: &str, reason: &str) {
        let fault = StageFault {
            stage: stage.into(),
            reason: reason.into(),
        };
        self.lock().faults.push(fault);
    }

    /// A host gave up before the stages of its thread had ended: most likely it had no file descriptor
    /// to begin with. What is left is not the flow that was wired, so it is stopped.
    pub(super) fn not_run(&self, thread: usize, host: &str) {
        for stage in &self.stages[thread] {
            let reason = format!("its thread's host, {host:?}, did not run it to its end");
            self.fault(&stage.name, &reason);
        }
        self.stop();
    }

    pub(super) fn ended(&self, thread: usize) {
        self.lock().ended[thread] = true;
        self.changed.notify_all();
    }

    pub(super) fn verdict(&self) -> Result<(), JoinError> {
        let faults = self.lock().faults.clone();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(JoinError::Faults(faults))
        }
    }
}

/// Stops a running flow from another thread.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<Shared>);

impl Stopper {
    /// Tells the sources to finish; the rest of the flow follows the data. Returns at once.
    pub fn stop(&self) {
        self.0.stop();
    }
}

/// A flow that runs on threads of its own.
///
/// Dropping it leaves the flow running.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    graph: Graph,
    join_limit: Nanos,
}

impl Running {
    pub(super) const fn new(
        shared: Arc<Shared>,
        threads: Vec<JoinHandle<()>>,
        graph: Graph,
        join_limit: Nanos,
    ) -> Self {
        Self {
            shared,
            threads,
            graph,
            join_limit,
        }
    }

    /// A handle to stop the flow from elsewhere.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.shared.clone())
    }

    /// Tells the sources to finish; the rest of the flow follows the data. Returns at once.
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// What notices a thread that stands still for `patience` looks in a row, at least one.
    pub fn watchdog(&self, patience: u32) -> Watchdog {
        Watchdog::new(self.shared.clone(), patience)
    }

    /// The counters of every stage, in wiring order.
    pub fn stages(&self) -> Vec<StageStats> {
        self.graph.stage_stats()
    }

    /// The counters of every queue, in wiring order.
    pub fn queues(&self) -> Vec<QueueStats> {
        self.graph.queue_stats()
    }

    /// Waits until every stage has ended. Once the flow has been told to stop, at most for the
    /// [join limit](super::RunOptions::join_limit).
    ///
    /// # Errors
    /// [`JoinError`] names the stages that failed, or did not stop.
    pub fn join(self) -> Result<(), JoinError> {
        let mut state = self.shared.lock();
        while state.ended.contains(&false) {
            if !self.shared.is_stopping() {
                state = self
                    .shared
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let limit = self.join_limit.as_duration();
            let waiting = |state: &mut State| state.ended.contains(&false);
            let (after, timeout) = self
                .shared
                .changed
                .wait_timeout_while(state, limit, waiting)
                .unwrap_or_else(PoisonError::into_inner);
            state = after;
            if timeout.timed_out() {
                let alive = state
                    .running
                    .iter()
                    .zip(&state.ended)
                    .filter(|(_, ended)| !**ended);
                let stages = alive
                    .flat_map(|(stages, _)| stages.iter().cloned())
                    .collect();
                let limit_ms = self.join_limit.0 / 1_000_000;
                return Err(JoinError::Stuck { stages, limit_ms });
            }
        }
        drop(state);
        for thread in self.threads {
            // Its panics are caught and reported inside.
            let _ended = thread.join();
        }
        self.shared.verdict()
    }
}
