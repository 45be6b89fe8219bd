//! One subscriber: what waits for it, and what it has missed.

use std::{collections::VecDeque, sync::Arc, task::Waker};

use bytes::Bytes;
use dragonfly_core::market::Symbol;
use tokio::sync::Notify;

use super::stats::{Stats, down, up};
use crate::{
    encode::{Form, Schema, with_skipped},
    policy::Policy,
};

/// What a client asks for.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    /// Empty: the first stream.
    pub(super) symbol: Symbol,
    pub(super) form: Form,
    pub(super) policy: Policy,
    /// Cuts the client's connection.
    pub(super) cut: Arc<Notify>,
}

/// A frame and how many updates were skipped before it.
#[derive(Debug)]
struct Queued {
    frame: Bytes,
    skipped: u64,
}

/// A subscriber's side of a stream.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) ask: Ask,
    /// The stream it reads; none while it waits for its stream to appear.
    pub(super) stream: Option<usize>,
    queue: VecDeque<Queued>,
    queued_bytes: usize,
    /// Updates since the last delivered one, for the policies that send only the newest.
    pending: u64,
    /// The original schema says once that nothing is live.
    told_none_live: bool,
    waker: Option<Waker>,
    /// The connection waits for the waker to be called.
    is_parked: bool,
    /// Its rate allows no message now: updates need not wake it.
    is_resting: bool,
    /// For how many sweeps something has been waiting and nothing was taken.
    blocked: u32,
    stats: Stats,
}

impl Subscriber {
    pub(super) fn new(ask: Ask, stats: Stats) -> Self {
        up(&stats.subscribers, 1);
        Self {
            ask,
            stream: None,
            queue: VecDeque::new(),
            queued_bytes: 0,
            pending: 0,
            told_none_live: false,
            waker: None,
            is_parked: false,
            is_resting: false,
            blocked: 0,
            stats,
        }
    }

    /// Whether each update is queued; otherwise only counted.
    pub(super) fn wants_every_update(&self) -> bool {
        self.ask.policy == Policy::EveryUpdate
    }

    /// Whether an image with so many live legs is to be sent.
    pub(super) const fn wants_image_of(&mut self, live_legs: usize) -> bool {
        if matches!(self.ask.form.schema, Schema::V1) {
            return true;
        }
        let told = self.told_none_live;
        self.told_none_live = live_legs == 0;
        !(told && self.told_none_live)
    }

    /// Counts an update of which only the newest will be sent.
    pub(super) const fn note_update(&mut self) {
        self.pending += 1;
    }

    /// Queues a frame. When more than `limit` bytes would wait, everything before it is skipped.
    pub(super) fn push(&mut self, frame: Bytes, limit: usize) {
        let mut skipped = 0;
        if !self.queue.is_empty() && self.queued_bytes + frame.len() > limit {
            self.stats.skipped.add(self.queue.len() as u64);
            skipped = self.queue.drain(..).map(|q| q.skipped + 1).sum();
            down(&self.stats.queued_bytes, self.queued_bytes as u64);
            self.queued_bytes = 0;
        }
        self.queued_bytes += frame.len();
        up(&self.stats.queued_bytes, frame.len() as u64);
        self.queue.push_back(Queued { frame, skipped });
    }

    /// The oldest queued frame.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let Queued { frame, skipped } = self.queue.pop_front()?;
        self.queued_bytes -= frame.len();
        down(&self.stats.queued_bytes, frame.len() as u64);
        Some(self.stamped(frame, skipped))
    }

    /// How many updates are skipped when the newest is delivered now; none if there is no update.
    pub(super) fn take_pending(&mut self) -> Option<u64> {
        let skipped = self.pending.checked_sub(1)?;
        self.pending = 0;
        self.stats.skipped.add(skipped);
        Some(skipped)
    }

    /// The frame as this subscriber gets it.
    pub(super) fn stamped(&self, frame: Bytes, skipped: u64) -> Bytes {
        self.stats.sent.add(1);
        match self.ask.form.schema {
            Schema::V1 if skipped > 0 => with_skipped(&frame, skipped),
            _ => frame,
        }
    }

    /// Asks to be woken at the next update.
    pub(super) fn park(&mut self, waker: &Waker) {
        self.is_resting = false;
        self.keep(waker);
    }

    /// Asks to be woken when the streams close, and by no update.
    pub(super) fn rest(&mut self, waker: &Waker) {
        self.is_resting = true;
        self.keep(waker);
    }

    fn keep(&mut self, waker: &Waker) {
        self.is_parked = true;
        match &mut self.waker {
            Some(parked) => parked.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Wakes the connection if it waits for an update.
    pub(super) fn wake_for_update(&mut self) {
        if !self.is_resting {
            self.wake();
        }
    }

    /// Wakes the connection, whatever it waits for.
    pub(super) fn wake(&mut self) {
        // The waker stays: the next wait is the same task's.
        if std::mem::take(&mut self.is_parked)
            && let Some(waker) = &self.waker
        {
            waker.wake_by_ref();
        }
    }

    /// The connection is taking: it is not blocked.
    pub(super) const fn unblock(&mut self) {
        self.blocked = 0;
    }

    /// Called at a steady pace; cuts the connection when it took nothing for `sweeps` calls.
    pub(super) fn sweep(&mut self, sweeps: u32) {
        if self.queue.is_empty() && self.pending == 0 {
            self.blocked = 0;
            return;
        }
        self.blocked += 1;
        if self.blocked == sweeps {
            self.ask.cut.notify_one();
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        down(&self.stats.subscribers, 1);
        down(&self.stats.queued_bytes, self.queued_bytes as u64);
    }
}
