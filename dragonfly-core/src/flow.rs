//! Wiring: sources, aggregators and services joined by queues into a flow.
//!
//! [`Flow::listen`] and [`Flow::aggregate`] add a stage and [`via`](Aggregating::via) gives it a
//! queue; what comes back is a [`Wire`], the reading end of that queue. Moves are the type state:
//! the wire of a single-reader queue is not `Clone`, so that a second reader does not compile at
//! exactly the line that needs another queue. Swapping a queue is swapping one word.
//!
//! A wired flow is run by [`Flow::launch`], [`Flow::run`], or by hand with [`Flow::step`].

mod graph;
mod metered;
mod stages;
mod streams;
mod wire;

use std::sync::Arc;

pub(crate) use graph::{Graph, Node};
pub use graph::{QueueStats, StageKind, StageStats, WiringError};
pub use metered::Metered;
pub use streams::Streams;
pub use wire::{Tap, Wire, merge};

use self::stages::AggregateStage;
use crate::{
    clock::{Clock, Nanos},
    queue::{Consumer, ManyProducers, Queue},
    run::{Bells, PARK, Root},
    stage::{Aggregator, Cx, Source, StageError, Work},
};

/// A topology in the making.
///
/// ```
/// use dragonfly_core::{flow::Flow, queue, run::Threads};
/// # use dragonfly_core::{clock::Clock, market::BookEvent, queue::Producer, stage::*};
/// # struct Nothing;
/// # struct Over;
/// # impl Stage for Over {
/// #     fn work(&mut self, _: &Cx<'_>) -> Result<Work, StageError> { Ok(Work::Done) }
/// # }
/// # impl Source for Nothing {
/// #     type Event = BookEvent;
/// #     fn attach(self: Box<Self>, _: Box<dyn Producer<Item = BookEvent>>, _: Clock) -> Box<dyn Stage> { Box::new(Over) }
/// #     fn host(&self) -> Host { dragonfly_core::run::PARK }
/// #     fn name(&self) -> String { "nothing".into() }
/// # }
/// # let source = Nothing;
/// let mut flow = Flow::new();
/// let books = flow.listen(source).via(queue::spsc(64));
/// let mut bot = books.into_consumer();
/// let running = flow.launch(Threads::One)?;
/// # use dragonfly_core::queue::Consumer;
/// running.join()?;
/// assert!(bot.ready().is_err(), "the source has ended and everything was read");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Flow {
    graph: Graph,
    clock: Clock,
    bells: Arc<Bells>,
    stepped: Option<Root>,
}

impl Default for Flow {
    fn default() -> Self {
        Self::new()
    }
}

impl Flow {
    /// An empty flow on the machine's clock.
    pub fn new() -> Self {
        Self::with_clock(Clock::monotonic())
    }

    /// An empty flow on a clock of your own: a manual one, for tests and replay.
    pub fn with_clock(clock: Clock) -> Self {
        Self {
            graph: Graph::default(),
            clock,
            bells: Arc::default(),
            stepped: None,
        }
    }

    /// Adds one source, or an array or vector of them, which then write to one queue.
    pub fn listen<S: Sources>(&mut self, sources: S) -> S::Wiring<'_> {
        sources.listen(self)
    }

    /// Adds an aggregator that reads `wire`.
    pub fn aggregate<A, C>(&mut self, wire: Wire<C>, aggregator: A) -> Aggregating<'_, A, C>
    where
        A: Aggregator + 'static,
        C: Consumer<Item = A::Input> + 'static,
    {
        Aggregating {
            flow: self,
            wire,
            aggregator,
        }
    }

    /// Adds a service that serves one wire, or a tuple of up to four.
    pub fn serve<S, W>(&mut self, service: S, wires: W)
    where
        S: crate::stage::Service + 'static,
        W: Streams<S>,
    {
        let (name, host) = (service.name(), service.host());
        let inputs = wires.take();
        let make = wires.into_stage(service);
        self.graph
            .add(Node::new(name, StageKind::Service, host, inputs, make));
    }

    /// A picture of what was wired, as a [Mermaid](https://mermaid.js.org) flow chart.
    pub fn mermaid(&self) -> String {
        self.graph.mermaid()
    }

    /// The counters of every stage, in wiring order.
    pub fn stages(&self) -> Vec<StageStats> {
        self.graph.stage_stats()
    }

    /// The counters of every queue, in wiring order.
    pub fn queues(&self) -> Vec<QueueStats> {
        self.graph.queue_stats()
    }

    /// Steps every stage once, in wiring order, on this thread: for tests and replay. The stages
    /// are made at the first call. Wake-ups are of no use here, so sources must be of a kind that
    /// needs none.
    ///
    /// # Errors
    /// [`WiringError`] at the first call, when the flow could not run; later [`StageError`] names
    /// the first stage that failed or panicked.
    pub fn step(&mut self, now: Nanos) -> Result<Work, StepError> {
        if self.stepped.is_none() {
            let nodes = self.graph.take()?;
            self.stepped = Some(Root::new(nodes, self.clock.clone()));
        }
        let Some(root) = &mut self.stepped else {
            return Ok(Work::Done);
        };
        let waker = std::task::Waker::noop();
        let work = root.round(&Cx {
            now,
            waker,
            stop: false,
        });
        root.take_fault()
            .map_or(Ok(work), |fault| Err(StepError::Stage(fault)))
    }

    pub(crate) fn into_parts(mut self) -> Result<FlowParts, WiringError> {
        let nodes = self.graph.take()?;
        Ok(FlowParts {
            nodes,
            graph: self.graph,
            clock: self.clock,
            bells: self.bells,
        })
    }
}

/// What the runner takes over.
pub(crate) struct FlowParts {
    pub(crate) nodes: Vec<Node>,
    pub(crate) graph: Graph,
    pub(crate) clock: Clock,
    pub(crate) bells: Arc<Bells>,
}

/// Why a step by hand failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// The flow is not wired in a way that can run.
    #[error(transparent)]
    Wiring(#[from] WiringError),
    /// A stage failed or panicked.
    #[error(transparent)]
    Stage(#[from] StageError),
}

/// One source, or several that share a queue.
pub trait Sources {
    /// The stage or stages, waiting for their queue.
    type Wiring<'f>;

    /// Adds them to the flow.
    fn listen(self, flow: &mut Flow) -> Self::Wiring<'_>;
}

impl<S: Source + 'static> Sources for S {
    type Wiring<'f> = Listening<'f, S>;
    fn listen(self, flow: &mut Flow) -> Listening<'_, S> {
        Listening { flow, source: self }
    }
}

impl<S: Source + 'static> Sources for Vec<S> {
    type Wiring<'f> = ListeningMany<'f, S>;
    fn listen(self, flow: &mut Flow) -> ListeningMany<'_, S> {
        ListeningMany {
            flow,
            sources: self,
        }
    }
}

impl<S: Source + 'static, const N: usize> Sources for [S; N] {
    type Wiring<'f> = ListeningMany<'f, S>;
    fn listen(self, flow: &mut Flow) -> ListeningMany<'_, S> {
        ListeningMany {
            flow,
            sources: self.into(),
        }
    }
}

/// A source that waits for its queue.
#[derive(Debug)]
#[must_use = "a source without a queue is not part of the flow: call `.via(queue)`"]
pub struct Listening<'f, S> {
    flow: &'f mut Flow,
    source: S,
}

impl<S: Source + 'static> Listening<'_, S> {
    /// Writes to `queue`; any kind fits one source.
    pub fn via<Q: Queue<S::Event>>(self, queue: Q) -> Wire<Q::Consumer> {
        let name = self.source.name();
        let (producer, wire) = self.flow.open(queue, &name);
        self.flow.add_source(self.source, producer, wire.id());
        wire
    }
}

/// Several sources that wait for the queue they will share.
#[derive(Debug)]
#[must_use = "sources without a queue are not part of the flow: call `.via(queue)`"]
pub struct ListeningMany<'f, S> {
    flow: &'f mut Flow,
    sources: Vec<S>,
}

impl<S: Source + 'static> ListeningMany<'_, S> {
    /// All of them write to `queue`, which must take many writers.
    pub fn via<Q: Queue<S::Event>>(self, queue: Q) -> Wire<Q::Consumer>
    where
        Q::Producer: ManyProducers,
    {
        let (producer, wire) = self.flow.open(queue, "listeners");
        for source in self.sources {
            self.flow.add_source(source, producer.clone(), wire.id());
        }
        wire
    }
}

/// An aggregator that waits for its queue.
#[derive(Debug)]
#[must_use = "an aggregator without a queue is not part of the flow: call `.via(queue)`"]
pub struct Aggregating<'f, A, C: Consumer> {
    flow: &'f mut Flow,
    wire: Wire<C>,
    aggregator: A,
}

impl<A, C> Aggregating<'_, A, C>
where
    A: Aggregator + 'static,
    C: Consumer<Item = A::Input> + 'static,
{
    /// Writes to `queue`.
    pub fn via<Q: Queue<A::Output>>(self, queue: Q) -> Wire<Q::Consumer> {
        let name = self.aggregator.name();
        let (producer, out) = self.flow.open(queue, &name);
        let inputs = self.wire.ids();
        let (input, aggregator) = (self.wire.into_input(), self.aggregator);
        let make = Box::new(move |_: &Clock| {
            Box::new(AggregateStage::new(input, aggregator, producer))
                as Box<dyn crate::stage::Stage>
        });
        let mut node = Node::new(name, StageKind::Aggregator, PARK, inputs, make);
        node.output = Some(out.id());
        self.flow.graph.add(node);
        out
    }
}

impl Flow {
    fn open<T, Q: Queue<T>>(
        &mut self,
        queue: Q,
        writer: &str,
    ) -> (Metered<Q::Producer>, Wire<Q::Consumer>) {
        let label = queue.label();
        let (producer, consumer) = queue.open();
        let record = self.graph.add_queue(writer, label);
        let metered = Metered::new(producer, &record);
        (metered, Wire::new(consumer, record, self.bells.clone()))
    }

    fn add_source<S, P>(&mut self, source: S, producer: P, wire: usize)
    where
        S: Source + 'static,
        P: crate::queue::Producer<Item = S::Event> + 'static,
    {
        let (name, host) = (source.name(), source.host());
        let make = Box::new(move |clock: &Clock| {
            Box::new(source).attach(Box::new(producer), clock.clone())
        });
        let mut node = Node::new(name, StageKind::Source, host, Vec::new(), make);
        node.output = Some(wire);
        self.graph.add(node);
    }
}
