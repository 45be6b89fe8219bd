//! One execution of a target, measured.

use std::{
    cell::RefCell,
    panic::{self, AssertUnwindSafe},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

use crate::Target;

/// How much of a processor one execution may take: what takes longer is a hang.
pub const MAX_CPU: Duration = Duration::from_millis(100);

/// How often an execution that was too slow is tried again before it counts: the first time may have
/// met a cold cache, or a machine that was busy otherwise.
const RETRIES: u32 = 2;

thread_local! {
    /// What panicked on this thread since it was last asked, whether or not it was caught.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What one execution took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Time of the processor.
    pub cpu: Duration,
    /// The most memory it held at a time over what was held before, in bytes.
    pub memory: u64,
}

/// What is wrong with an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// It panicked, or broke a promise: the message and the place.
    Panic(String),
    /// It took so much of a processor.
    Slow(Duration),
    /// It held so many bytes at a time.
    Memory(u64),
}

impl Failure {
    /// What distinguishes it from other failures of the same target: a panic's place, else the kind.
    pub fn key(&self) -> &str {
        match self {
            Self::Panic(text) => text.split(": ").next().unwrap_or(text),
            Self::Slow(_) => "slow",
            Self::Memory(_) => "memory",
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Panic(text) => write!(f, "panicked at {text}"),
            Self::Slow(time) => write!(f, "took {} ms of a processor", time.as_millis()),
            Self::Memory(bytes) => write!(f, "held {bytes} bytes"),
        }
    }
}

/// Notes panics for [`execute`] instead of printing them, those too that are caught on the way, as a
/// runtime does with its tasks.
pub fn watch_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        let text = info.payload_as_str().unwrap_or("a panic without words");
        let text = format!("{}: {text}", place.unwrap_or_default());
        PANIC.with_borrow_mut(|panic| _ = panic.get_or_insert(text));
    }));
}

/// Runs `target` on `input`.
///
/// # Errors
/// [`Failure`] says which promise was broken; panics that something has caught are only seen after
/// [`watch_panics`].
pub fn execute(target: &Target, input: &[u8]) -> Result<Cost, Failure> {
    let mut cost = once(target, input)?;
    for _ in 0..RETRIES {
        if cost.cpu <= MAX_CPU {
            break;
        }
        cost = once(target, input)?;
    }
    if cost.cpu > MAX_CPU {
        return Err(Failure::Slow(cost.cpu));
    }
    if cost.memory > target.allowed(input.len()) {
        return Err(Failure::Memory(cost.memory));
    }
    Ok(cost)
}

fn once(target: &Target, input: &[u8]) -> Result<Cost, Failure> {
    let mut ended = Ok(());
    let before = thread_cpu();
    let memory = allocation_counter::measure(|| {
        ended = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    });
    let cpu = thread_cpu().saturating_sub(before);
    let noted = PANIC.take();
    if ended.is_err() || noted.is_some() {
        let unknown = || "a place that is not known".to_owned();
        return Err(Failure::Panic(noted.unwrap_or_else(unknown)));
    }
    let memory = memory.bytes_max;
    Ok(Cost { cpu, memory })
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0))
}
