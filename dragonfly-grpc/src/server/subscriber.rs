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

/// A subscriber's side of a stream.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) ask: Ask,
    /// The stream it reads; none while it waits for its stream to appear.
    pub(super) stream: Option<usize>,
    queue: VecDeque<Bytes>,
    queued_bytes: usize,
    /// It did not keep up: it gets the newest update once it takes again, and until then costs no
    /// more than a count.
    is_behind: bool,
    /// Updates since the last delivered one, where only the newest will be sent.
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
            is_behind: false,
            pending: 0,
            told_none_live: false,
            waker: None,
            is_parked: false,
            is_resting: false,
            blocked: 0,
            stats,
        }
    }

    /// Whether an update is queued for it; otherwise only counted.
    pub(super) fn queues_updates(&self) -> bool {
        self.ask.policy == Policy::EveryUpdate && !self.is_behind
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
    pub(super) fn note_update(&mut self) {
        if self.pending > 0 {
            self.stats.skipped.add(1);
        }
        self.pending = self.pending.saturating_add(1);
    }

    /// Queues a frame. When more than `limit` bytes would wait, nothing does: everything up to this
    /// update is skipped but the newest there is when the subscriber takes again.
    pub(super) fn push(&mut self, frame: Bytes, limit: usize) {
        let bytes = self.queued_bytes.saturating_add(frame.len());
        if !self.queue.is_empty() && bytes > limit {
            return self.fall_behind();
        }
        self.queued_bytes = bytes;
        up(&self.stats.queued_bytes, frame.len() as u64);
        self.queue.push_back(frame);
    }

    fn fall_behind(&mut self) {
        let missed = self.queue.len() as u64;
        self.stats.skipped.add(missed);
        self.pending = missed.saturating_add(1);
        self.is_behind = true;
        // What is not delivered has not been told.
        self.told_none_live = false;
        down(&self.stats.queued_bytes, self.queued_bytes as u64);
        self.queued_bytes = 0;
        // With what it has grown to: while it is behind it needs no memory.
        self.queue = VecDeque::new();
    }

    /// The oldest queued frame.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let frame = self.queue.pop_front()?;
        self.queued_bytes = self.queued_bytes.saturating_sub(frame.len());
        down(&self.stats.queued_bytes, frame.len() as u64);
        Some(self.stamped(frame, 0))
    }

    /// How many updates are skipped when the newest, with so many live legs, is delivered now; none
    /// if there is no update.
    pub(super) const fn take_pending(&mut self, live_legs: usize) -> Option<u64> {
        let Some(skipped) = self.pending.checked_sub(1) else {
            return None;
        };
        self.pending = 0;
        self.is_behind = false;
        self.wants_image_of(live_legs);
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
        self.blocked = self.blocked.saturating_add(1);
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
