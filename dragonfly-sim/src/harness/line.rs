//! The two ends of one feed's line, and what passes between them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What a client asks of its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// To the address that the venue's name stands for.
    Connect(u32),
    Send(String),
    Ping,
    Drop,
}

/// Why an attempt to connect failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Refused,
    TimedOut,
    /// The venue asks to wait so many seconds.
    RetryAfter(u64),
}

/// What arrives at a client.
#[derive(Clone, Debug)]
pub(super) enum Incoming {
    /// So much of a large message, from its first byte on.
    Part(Vec<u8>),
    Text(Vec<u8>),
    Pong,
    /// The connection has ended.
    End,
}

/// What client and world share of a line.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// What the client has asked for and the world has not seen to.
    pub(super) acts: Vec<Act>,
    /// How the client's attempt to connect ended.
    pub(super) answer: Option<Result<(), Refusal>>,
    pub(super) inbox: VecDeque<Incoming>,
    /// When the client has something to do, in ns.
    pub(super) due: Option<u64>,
    /// How often a deadline of the client has come.
    pub(super) deadlines: u64,
    /// From which size on the client wants to see messages while they arrive.
    pub(super) early: Option<usize>,
    /// The address that the venue's name stands for.
    pub(super) address: u32,
    /// Whether the client's adapter panics at the next message.
    pub(super) is_to_panic: bool,
}

/// A handle on a line. Everything runs on one thread; the lock is for the type system.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared(Arc<Mutex<Line>>);

impl Shared {
    pub(super) fn get(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
