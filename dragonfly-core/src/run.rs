//! Running: who owns threads, idling, pinning and panics.
//!
//! A thread runs its stages to completion: one *root* future steps each of them in wiring order
//! until none has anything to do, then it sleeps, or spins, until it is woken. Threading is a value
//! ([`Threads`]), and so is idling ([`Wait`]); the wiring is the same for all.
//!
//! Threads that share a queue wake each other in both directions: a reader that made room wakes a
//! writer that holds an item just as a writer wakes its reader.

pub(crate) mod bell;
mod machine;
mod options;
mod root;
mod running;
mod watchdog;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
};

pub use machine::{LockError, NoSuchCore, check_cores, cores, lock_memory};
pub use options::{RunOptions, Threads, Wait};
pub(crate) use root::Root;
pub use running::{JoinError, Running, StageFault, Stopper};
pub use watchdog::{Stall, Watchdog};

use self::{bell::Bell, root::RootTask, running::Shared};
use crate::{
    flow::{Flow, Node, WiringError},
    stage::{Host, RootFuture},
};

/// A host without a runtime: the thread parks until it is woken.
pub const PARK: Host = Host {
    name: "park",
    run: park,
};

fn park(mut root: RootFuture<'_>) {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    while root.as_mut().poll(&mut cx) == Poll::Pending {
        std::thread::park();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// The wake-up bells of a flow's threads; empty until it is launched.
#[derive(Debug, Default)]
pub(crate) struct Bells(OnceLock<Vec<Bell>>);

impl Bells {
    /// Wakes every thread that sleeps.
    pub(crate) fn ring_all(&self) {
        self.0
            .get()
            .into_iter()
            .flatten()
            .for_each(|bell| bell.ring());
    }
}

impl Flow {
    /// Runs the flow on threads of its own.
    ///
    /// # Errors
    /// [`WiringError`] before any stage has begun.
    pub fn launch(self, options: impl Into<RunOptions>) -> Result<Running, WiringError> {
        let options = options.into().resolve();
        options.check()?;
        let parts = self.into_parts()?;
        let crews = options.crews(parts.nodes);
        let bells: Vec<Bell> = crews.iter().map(|_| Bell::new()).collect();
        let neighbours = neighbours(&crews, &bells);
        let hosts = crews
            .iter()
            .map(|crew| host_of(crew))
            .collect::<Result<Vec<_>, _>>()?;
        // A flow is launched once: the cell is empty.
        let _first = parts.bells.0.set(bells.clone());
        let shared = Arc::new(Shared::new(parts.bells, &crews));
        let mut threads = Vec::new();
        for (i, crew) in crews.into_iter().enumerate() {
            let task = RootTask {
                clock: parts.clock.clone(),
                wait: options.wait,
                yields: hosts[i] != PARK,
                bell: bells[i].clone(),
                neighbours: neighbours[i].clone(),
                shared: shared.clone(),
                thread: i,
            };
            let (host, core) = (hosts[i], options.core_of(i));
            let name = format!("dragonfly-{i}");
            let started = std::thread::Builder::new()
                .name(name.clone())
                .spawn(move || live(task, crew, host, core));
            match started {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    shared.stop();
                    return Err(WiringError::Thread {
                        name,
                        reason: error.to_string(),
                    });
                }
            }
        }
        Ok(Running::new(
            shared,
            threads,
            parts.graph,
            options.join_limit,
        ))
    }

    /// Runs the flow inside the runtime of the caller, on the thread that polls it, until every
    /// stage is done. Dropping the future stops the flow where it stands.
    ///
    /// # Errors
    /// [`JoinError`] as [`Running::join`] reports it.
    pub async fn run(self) -> Result<(), JoinError> {
        let parts = self.into_parts()?;
        let bell = Bell::new();
        let _first = parts.bells.0.set(vec![bell.clone()]);
        let crew = parts.nodes;
        let shared = Arc::new(Shared::new(parts.bells, std::slice::from_ref(&crew)));
        let task = RootTask {
            clock: parts.clock,
            wait: Wait::Park,
            yields: true,
            bell,
            neighbours: Vec::new(),
            shared: shared.clone(),
            thread: 0,
        };
        task.life(crew).await;
        shared.verdict()
    }
}

/// The whole life of a thread.
fn live(task: RootTask, crew: Vec<Node>, host: Host, core: Option<usize>) {
    let (shared, thread) = (task.shared.clone(), task.thread);
    if let Some(core) = core
        && let Err(error) = machine::pin_to(core)
    {
        tracing::warn!(core, %error, "could not pin the thread");
    }
    let mut has_lived = false;
    let life = Box::pin(async {
        task.life(crew).await;
        has_lived = true;
    });
    // A panic of a stage is caught in its step; this one would be the host's own.
    let ran = catch_unwind(AssertUnwindSafe(|| (host.run)(life)));
    if ran.is_err() {
        shared.fault("the thread's host", "panicked");
    }
    if !has_lived {
        shared.not_run(thread, host.name);
    }
    shared.ended(thread);
}

/// The one host that suits every stage of a thread.
fn host_of(crew: &[Node]) -> Result<Host, WiringError> {
    let mut host = PARK;
    for node in crew {
        if host == PARK {
            host = node.host;
        } else if node.host != PARK && node.host != host {
            let (wanted, found) = (node.host.name, host.name);
            return Err(WiringError::Hosts {
                stage: node.name.clone(),
                wanted,
                found,
            });
        }
    }
    Ok(host)
}

/// For each thread, the bells of the threads it shares a queue with.
fn neighbours(crews: &[Vec<Node>], bells: &[Bell]) -> Vec<Vec<Bell>> {
    let wires: Vec<Vec<usize>> = crews
        .iter()
        .map(|crew| crew.iter().flat_map(Node::wires).collect())
        .collect();
    let shares = |a: usize, b: usize| wires[a].iter().any(|wire| wires[b].contains(wire));
    let others = |a: usize| (0..crews.len()).filter(move |&b| b != a && shares(a, b));
    (0..crews.len())
        .map(|a| others(a).map(|b| bells[b].clone()).collect())
        .collect()
}
