//! What was wired: stages, queues, and the checks before they run.

use std::{
    fmt::{self, Write as _},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    clock::Clock,
    counter::Counter,
    run::NoSuchCore,
    stage::{Host, Stage},
};

/// Why a flow cannot run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WiringError {
    /// On a queue that waits for its readers this would block the flow for ever.
    #[error(
        "nobody reads the {queue} behind `{writer}`: pass its wire to an aggregator or a service, \
         take it with `into_consumer`, or drop every clone that is not used"
    )]
    Unread {
        /// The queue's kind and bound.
        queue: String,
        /// The stage that writes to it.
        writer: String,
    },
    /// There is nothing to run.
    #[error("the flow is empty: add a source with `listen`")]
    Empty,
    /// Stages that share a thread need different hosts.
    #[error("`{stage}` needs the host {wanted} on a thread that has {found}")]
    Hosts {
        /// The stage.
        stage: String,
        /// What it needs.
        wanted: &'static str,
        /// What the thread has.
        found: &'static str,
    },
    /// A thread was to be tied to a core that is not there.
    #[error(transparent)]
    Core(#[from] NoSuchCore),
    /// A thread could not be started.
    #[error("thread {name}: {reason}")]
    Thread {
        /// The thread.
        name: String,
        /// What the system said.
        reason: String,
    },
}

/// What a stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StageKind {
    /// Layer 3, over its own layers 1 and 2.
    Source,
    /// Layer 4.
    Aggregator,
    /// Layer 5.
    Service,
}

pub(crate) type Make = Box<dyn FnOnce(&Clock) -> Box<dyn Stage> + Send>;

/// A stage that has not been made yet.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) kind: StageKind,
    pub(crate) host: Host,
    pub(crate) inputs: Vec<usize>,
    pub(crate) output: Option<usize>,
    pub(crate) make: Make,
    pub(crate) stats: StageStats,
}

impl Node {
    pub(crate) fn new(
        name: String,
        kind: StageKind,
        host: Host,
        inputs: Vec<usize>,
        make: Make,
    ) -> Self {
        let stats = StageStats {
            name: name.clone(),
            kind,
            steps: Counter::default(),
            busy: Counter::default(),
        };
        Self {
            name,
            kind,
            host,
            inputs,
            output: None,
            make,
            stats,
        }
    }

    /// Every wire the stage touches.
    pub(crate) fn wires(&self) -> impl Iterator<Item = usize> {
        self.inputs.iter().copied().chain(self.output)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.name)
            .field("host", &self.host)
            .finish()
    }
}

/// The counters of a stage; readable from any thread.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StageStats {
    /// The stage's name.
    pub name: String,
    /// What it is.
    pub kind: StageKind,
    /// How often it was stepped.
    pub steps: Counter,
    /// How many of those steps moved something.
    pub busy: Counter,
}

/// The counters of a queue at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// The queue's kind and bound.
    pub queue: String,
    /// The stage or stages that write to it.
    pub writer: String,
    /// Items taken.
    pub pushed: u64,
    /// How often it was found full.
    pub full: u64,
    /// Items replaced by a newer one before they were read, where the kind of queue does that.
    pub lost: u64,
}

/// The counters of one writer of a queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct WriterCounts {
    pub(crate) pushed: Counter,
    pub(crate) full: Counter,
    pub(crate) lost: Counter,
}

/// A queue as the graph sees it.
#[derive(Debug)]
pub(crate) struct QueueRecord {
    pub(crate) id: usize,
    writer: String,
    label: String,
    writers: Mutex<Vec<WriterCounts>>,
    /// Wires that exist and are not read by anything yet.
    pub(crate) unread: AtomicUsize,
    /// Wires that were passed on to a reader.
    pub(crate) readers: AtomicUsize,
}

impl QueueRecord {
    /// The counters of one more writer.
    pub(crate) fn add_writer(&self) -> WriterCounts {
        let counters = WriterCounts::default();
        self.writers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(counters.clone());
        counters
    }

    fn stats(&self) -> QueueStats {
        let writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        QueueStats {
            queue: self.label.clone(),
            writer: self.writer.clone(),
            pushed: writers.iter().map(|w| w.pushed.get()).sum(),
            full: writers.iter().map(|w| w.full.get()).sum(),
            lost: writers.iter().map(|w| w.lost.get()).sum(),
        }
    }
}

/// All stages and queues of a flow.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    /// What is left of the nodes once they were handed to the runner.
    drawn: Vec<Drawn>,
    queues: Vec<Arc<QueueRecord>>,
}

#[derive(Debug)]
struct Drawn {
    stats: StageStats,
    inputs: Vec<usize>,
    output: Option<usize>,
}

impl Graph {
    pub(crate) fn add(&mut self, node: Node) {
        self.drawn.push(Drawn {
            stats: node.stats.clone(),
            inputs: node.inputs.clone(),
            output: node.output,
        });
        self.nodes.push(node);
    }

    pub(crate) fn add_queue(&mut self, writer: &str, label: String) -> Arc<QueueRecord> {
        let record = Arc::new(QueueRecord {
            id: self.queues.len(),
            writer: writer.into(),
            label,
            writers: Mutex::default(),
            unread: AtomicUsize::new(0),
            readers: AtomicUsize::new(0),
        });
        self.queues.push(record.clone());
        record
    }

    /// Hands the stages over, if the flow can run.
    pub(crate) fn take(&mut self) -> Result<Vec<Node>, WiringError> {
        if self.nodes.is_empty() {
            return Err(WiringError::Empty);
        }
        let idle = |queue: &&Arc<QueueRecord>| {
            queue.unread.load(Ordering::Acquire) > 0 || queue.readers.load(Ordering::Acquire) == 0
        };
        if let Some(queue) = self.queues.iter().find(idle) {
            let (queue, writer) = (queue.label.clone(), queue.writer.clone());
            return Err(WiringError::Unread { queue, writer });
        }
        Ok(std::mem::take(&mut self.nodes))
    }

    pub(crate) fn stage_stats(&self) -> Vec<StageStats> {
        self.drawn.iter().map(|d| d.stats.clone()).collect()
    }

    pub(crate) fn queue_stats(&self) -> Vec<QueueStats> {
        self.queues.iter().map(|q| q.stats()).collect()
    }

    pub(crate) fn mermaid(&self) -> String {
        let mut text = String::from("flowchart LR\n");
        for (i, Drawn { stats, .. }) in self.drawn.iter().enumerate() {
            let name = stats.name.replace('"', "'");
            let (open, close) = match stats.kind {
                StageKind::Source => ("([", "])"),
                StageKind::Aggregator => ("[", "]"),
                StageKind::Service => ("[[", "]]"),
            };
            // Writing to a string cannot fail.
            let _infallible = writeln!(text, "    s{i}{open}\"{name}\"{close}");
        }
        for queue in &self.queues {
            let (id, label) = (queue.id, &queue.label);
            let _infallible = writeln!(text, "    q{id}>\"{label}\"]");
        }
        for (i, drawn) in self.drawn.iter().enumerate() {
            for queue in &drawn.inputs {
                let _infallible = writeln!(text, "    q{queue} --> s{i}");
            }
            if let Some(queue) = drawn.output {
                let _infallible = writeln!(text, "    s{i} --> q{queue}");
            }
        }
        text
    }
}
