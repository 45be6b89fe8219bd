//! How to run a flow: as values.

use std::num::NonZero;

use super::machine::check_cores;
use crate::{
    clock::Nanos,
    flow::{Node, StageKind, WiringError},
};

/// Which stages share a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Threads {
    /// [`One`](Self::One) below four cores, else [`Shared`](Self::Shared), spinning.
    #[default]
    Auto,
    /// All stages on one thread, run to completion: the least work for a message, and the least
    /// latency where a thread that sleeps is slow to wake.
    One,
    /// Sources and aggregators on one thread, services on another, so that many clients do not
    /// delay a feed.
    Shared,
    /// A thread for each stage; worth it only with a core for each, and spinning.
    Dedicated,
}

/// What a thread does when there is nothing to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wait {
    /// As suits the threads: spins where [`Threads::Auto`] chose several, else sleeps.
    #[default]
    Auto,
    /// Sleeps until woken.
    Park,
    /// Never sleeps: a core each, for the shortest reaction.
    Spin,
    /// Spins for a while after the last piece of work, then sleeps.
    Adaptive(Nanos),
}

/// How to run a flow.
#[derive(Clone, Debug)]
#[must_use]
pub struct RunOptions {
    threads: Threads,
    pub(super) wait: Wait,
    pin: Vec<usize>,
    pub(super) join_limit: Nanos,
}

impl Default for RunOptions {
    fn default() -> Self {
        Threads::Auto.into()
    }
}

impl From<Threads> for RunOptions {
    fn from(threads: Threads) -> Self {
        let join_limit = Nanos::from_secs(10);
        Self {
            threads,
            wait: Wait::Auto,
            pin: Vec::new(),
            join_limit,
        }
    }
}

impl RunOptions {
    /// What a thread does when there is nothing to do; [`Wait::Auto`] by default.
    pub const fn wait(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }

    /// Ties thread `i` to the core `cores[i]`, in turn where there are fewer cores than threads.
    /// Threads are not tied by default. A core that is not there is an error of the launch.
    pub fn pin(mut self, cores: impl Into<Vec<usize>>) -> Self {
        self.pin = cores.into();
        self
    }

    /// How long the stages have to finish once the flow is told to stop; 10 s by default.
    pub const fn join_limit(mut self, limit: Nanos) -> Self {
        self.join_limit = limit;
        self
    }

    /// What the machine cannot give.
    pub(super) fn check(&self) -> Result<(), WiringError> {
        Ok(check_cores(&self.pin)?)
    }

    /// Replaces what is automatic by what it comes to on this machine.
    pub(super) fn resolve(mut self) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let mut wait = Wait::Park;
        if self.threads == Threads::Auto {
            self.threads = if cores < 4 {
                Threads::One
            } else {
                Threads::Shared
            };
            wait = if cores < 4 { Wait::Park } else { Wait::Spin };
        }
        if self.wait == Wait::Auto {
            self.wait = wait;
        }
        self
    }

    pub(super) fn core_of(&self, thread: usize) -> Option<usize> {
        self.pin.get(thread.checked_rem(self.pin.len())?).copied()
    }

    /// Divides the stages among threads; wiring order is kept within each.
    pub(super) fn crews(&self, nodes: Vec<Node>) -> Vec<Vec<Node>> {
        match self.threads {
            Threads::Dedicated => nodes.into_iter().map(|node| vec![node]).collect(),
            Threads::Shared => {
                let service = |node: &Node| node.kind == StageKind::Service;
                let (services, others): (Vec<_>, Vec<_>) = nodes.into_iter().partition(service);
                [others, services]
                    .into_iter()
                    .filter(|crew| !crew.is_empty())
                    .collect()
            }
            _ => vec![nodes],
        }
    }
}
