//! Noticing a thread that no longer comes round: a stage that is starved, deadlocked or in a loop.

use std::{fmt, sync::Arc};

use super::running::Shared;
use crate::flow::StageStats;

/// A thread of a flow that does not come round any more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stall {
    /// The stage it is most likely in. What else runs on the thread may be the cause, too.
    pub stage: String,
    /// How many looks in a row have found the thread where it was.
    pub looks: u32,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the thread of stage `{}` has not moved for {} looks",
            self.stage, self.looks
        )
    }
}

/// Looks whether the threads of a running flow still step their stages; from
/// [`Running::watchdog`](super::Running::watchdog).
///
/// It counts looks and not time, so that a machine that was suspended is not taken for one that is
/// stuck. To be looked at from a thread that is not the flow's.
#[derive(Debug)]
pub struct Watchdog {
    shared: Arc<Shared>,
    threads: Vec<Watched>,
    patience: u32,
}

#[derive(Debug)]
struct Watched {
    stages: Vec<StageStats>,
    steps: u64,
    /// Looks since it was seen to move.
    looks: u32,
}

impl Watchdog {
    pub(super) fn new(shared: Arc<Shared>, patience: u32) -> Self {
        let watched = |stages: &Vec<StageStats>| Watched {
            stages: stages.clone(),
            steps: 0,
            looks: 0,
        };
        Self {
            threads: shared.stages().iter().map(watched).collect(),
            shared,
            patience: patience.max(1),
        }
    }

    /// The first thread that has not moved for as many looks as the watchdog has patience; and wakes
    /// those that sleep, so that the next look finds them elsewhere.
    ///
    /// Call it at a steady pace, such as once a second.
    pub fn look(&mut self) -> Option<Stall> {
        let ended = self.shared.ended_threads();
        let mut stall = None;
        for (thread, has_ended) in self.threads.iter_mut().zip(ended) {
            let steps = thread.stages.iter().map(|stage| stage.steps.get()).sum();
            let stands = !has_ended && steps == thread.steps;
            thread.steps = steps;
            thread.looks = if stands {
                thread.looks.saturating_add(1)
            } else {
                0
            };
            if thread.looks >= self.patience && stall.is_none() {
                stall = Some(thread.stall());
            }
        }
        self.shared.ring_all();
        stall
    }
}

impl Watched {
    /// A round steps each stage once, so those behind the one it stands in are a step behind; what
    /// is further behind has ended.
    fn stall(&self) -> Stall {
        let steps = |stage: &&StageStats| stage.steps.get();
        let most = self
            .stages
            .iter()
            .map(|stage| steps(&stage))
            .max()
            .unwrap_or_default();
        let runs = |stage: &&StageStats| steps(stage).saturating_add(1) >= most;
        let behind = |stage: &&StageStats| runs(stage) && steps(stage) < most;
        let first = self.stages.iter().find(behind);
        let stage = first.or_else(|| self.stages.iter().find(runs));
        Stall {
            stage: stage.map(|stage| stage.name.clone()).unwrap_or_default(),
            looks: self.looks,
        }
    }
}
