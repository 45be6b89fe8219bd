//! What the runner steps: stages, and the traits of the layers that become stages.

use std::{fmt, future::Future, pin::Pin, task::Waker};

use crate::{
    clock::{Clock, Nanos},
    queue::Producer,
};

/// What a step is given.
#[derive(Clone, Copy, Debug)]
pub struct Cx<'a> {
    /// Monotonic time, read once a round.
    pub now: Nanos,
    /// Wakes the thread of the stage.
    pub waker: &'a Waker,
    /// The flow is stopping: sources finish, everything else follows the data.
    pub stop: bool,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Work {
    /// Something moved.
    Busy,
    /// Nothing moved, but an item is held because an output is full: the flow is not at rest. The
    /// reader of that output wakes the stage when it has made room.
    Held,
    /// There was nothing to do.
    Idle,
    /// There will never be anything to do again.
    Done,
}

/// Why a stage cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// What it needs is not to be had; names the thing and what to do.
    #[error("{0}")]
    Failed(String),
}

/// A unit of work with a step and no loop: the runner owns threads, idling and clocks.
///
/// A stage is made on the thread it runs on and need not be `Send`.
pub trait Stage {
    /// Does what can be done without waiting.
    ///
    /// # Errors
    /// [`StageError`] when the stage cannot go on; the runner drops it.
    fn work(&mut self, cx: &Cx<'_>) -> Result<Work, StageError>;
}

impl<S: Stage + ?Sized> Stage for Box<S> {
    fn work(&mut self, cx: &Cx<'_>) -> Result<Work, StageError> {
        (**self).work(cx)
    }
}

/// The future that is the whole life of a runner thread.
pub type RootFuture<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// What a thread needs around it: the kind of runtime that drives its wake-ups.
#[derive(Clone, Copy)]
pub struct Host {
    /// Its name; two hosts of one name are the same.
    pub name: &'static str,
    /// Runs the root future of a thread to its end. Where it returns before that, the flow is stopped,
    /// and joining it fails.
    pub run: fn(RootFuture<'_>),
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({})", self.name)
    }
}

impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Where events come from: a feed over its connection, a replayed capture, a generator.
pub trait Source: Send {
    /// What it emits.
    type Event: Send + 'static;

    /// Becomes a stage that writes to `output`; called on the stage's own thread.
    fn attach(
        self: Box<Self>,
        output: Box<dyn Producer<Item = Self::Event>>,
        clock: Clock,
    ) -> Box<dyn Stage>;

    /// What its thread needs.
    fn host(&self) -> Host;

    /// A short name for counters, logs and pictures.
    fn name(&self) -> String;
}

/// Layer 4: folds the events of many listeners into a view of the world.
pub trait Aggregator: Send {
    /// What it folds.
    type Input;
    /// The view.
    type Output: Send + 'static;

    /// Takes one event in.
    fn apply(&mut self, event: &Self::Input);

    /// The view after the last event, if it changed; called until it answers `None`.
    fn publish(&mut self) -> Option<Self::Output>;

    /// A short name for counters, logs and pictures.
    fn name(&self) -> String {
        "aggregate".into()
    }
}

/// Layer 5: serves views to clients and never waits for one of them.
pub trait Service: Send {
    /// Does what can be done without waiting.
    ///
    /// # Errors
    /// [`StageError`] when the service cannot go on.
    fn work(&mut self, cx: &Cx<'_>) -> Result<Work, StageError>;

    /// Every stream has ended: tell the clients and finish. `work` is called until it is `Done`.
    fn close(&mut self);

    /// What its thread needs.
    fn host(&self) -> Host;

    /// A short name for counters, logs and pictures.
    fn name(&self) -> String {
        "serve".into()
    }
}

/// A service's side for one kind of stream.
pub trait Serve<T>: Service {
    /// Takes over new views, oldest first.
    fn publish(&mut self, items: &[T]);

    /// This stream has ended: what was shown of it is no longer true.
    fn withdraw(&mut self);
}
