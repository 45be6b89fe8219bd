//! The wake-up pair of the runner's threads: nobody sleeps through work, and nobody pays for waking
//! those who are awake.
//!
//! Queues wake nobody. So each runner thread owns a [`Bell`], and its neighbours (those that read
//! what it writes, and those that write what it reads) ring it after a batch has moved, in both
//! directions: a thread also waits for *room*, when it holds an item that a full queue handed back.
//!
//! The protocol is Dekker's: each side first says what it has done, then looks at what the other said.
//!
//! | The owner, before it sleeps | A neighbour, after a batch |
//! |---|---|
//! | [`arm`](Bell::arm): store `asleep`, then a fence | move items: store positions |
//! | step every stage once more: load positions | [`ring`](Bell::ring): a fence, then load `asleep` |
//! | something moved: [`disarm`](Bell::disarm); else sleep | set: wake the owner |
//!
//! Of the two fences one comes first in the single order of all sequentially consistent fences. If it
//! is the neighbour's, the owner's last look sees the positions; if it is the owner's, the neighbour
//! sees `asleep`. Either way the owner does not sleep while there is work. Without the fences each
//! side may read before its own store is visible, and the wake-up is lost.
//!
//! The end of a queue being dropped is a move like any other: ring after that, too.
#![allow(dead_code)]

use std::{sync::PoisonError, task::Waker};

use crossbeam_utils::CachePadded;

use crate::sync::{Arc, AtomicBool, Mutex, Ordering, fence};

/// Wakes one thread. Clones ring the same thread.
#[derive(Clone, Debug)]
pub(crate) struct Bell(Arc<CachePadded<Inner>>);

#[derive(Debug)]
struct Inner {
    asleep: AtomicBool,
    /// Stays after a wake-up: a slow neighbour may come for it when the owner has armed again.
    waker: Mutex<Option<Waker>>,
}

impl Bell {
    /// A bell whose owner is awake.
    pub(crate) fn new() -> Self {
        let inner = Inner {
            asleep: AtomicBool::new(false),
            waker: Mutex::new(None),
        };
        Self(Arc::new(CachePadded::new(inner)))
    }

    /// Wakes the owner if it sleeps. Called by a neighbour after a batch has moved.
    ///
    /// One fence and one relaxed load when the owner is awake; the waker is called once a sleep.
    #[inline]
    pub(crate) fn ring(&self) {
        fence(Ordering::SeqCst);
        self.ring_after_fence();
    }

    /// The same for the second and later bells of one batch, for which one fence is enough.
    #[inline]
    pub(crate) fn ring_after_fence(&self) {
        if self.0.asleep.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        // Of several neighbours that found the owner asleep, one wakes it.
        if !self.0.asleep.swap(false, Ordering::AcqRel) {
            return;
        }
        // Called outside the lock, for it may run anything.
        let waker = self
            .0
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Announces that the owner is about to sleep, to be woken through `waker`. The owner must then
    /// look at all its queues once more, and either sleep or [`disarm`](Self::disarm).
    ///
    /// A wake-up may be spurious: of a neighbour that was slow to act on an earlier sleep.
    pub(crate) fn arm(&self, waker: &Waker) {
        self.store_waker(waker);
        self.0.asleep.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    fn store_waker(&self, waker: &Waker) {
        let mut stored = self.0.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if !stored
            .as_ref()
            .is_some_and(|stored| stored.will_wake(waker))
        {
            *stored = Some(waker.clone());
        }
    }

    /// The owner is awake: neighbours need not wake it.
    #[inline]
    pub(crate) fn disarm(&self) {
        self.0.asleep.store(false, Ordering::Relaxed);
    }
}

#[cfg(all(test, loom))]
mod models {
    use std::task::{Wake, Waker};

    use loom::thread::{self, Thread};

    use super::*;
    use crate::queue::{self, Closed, Consumer, Producer, PushError, Queue};

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }

    fn waker() -> Waker {
        std::sync::Arc::new(Unpark(thread::current())).into()
    }

    /// Steps until `step` says that it is done, and sleeps whenever it says that nothing moved, as
    /// the runner does. A lost wake-up is a deadlock, which loom reports.
    fn run(bell: &Bell, mut step: impl FnMut() -> Step) {
        let waker = waker();
        loop {
            match step() {
                Step::Done => return,
                Step::Busy => continue,
                Step::Idle => bell.arm(&waker),
            }
            match step() {
                Step::Idle => thread::park(),
                Step::Busy => {}
                Step::Done => return,
            }
            bell.disarm();
        }
    }

    enum Step {
        Busy,
        Idle,
        Done,
    }

    /// Pushes `1..=last`, then is done.
    fn writing(
        mut writer: impl Producer<Item = u32>,
        last: u32,
        neighbour: Bell,
    ) -> impl FnMut() -> Step {
        let mut next = 1;
        move || match writer.push(next) {
            Ok(()) => {
                next += 1;
                neighbour.ring();
                if next > last { Step::Done } else { Step::Busy }
            }
            Err(PushError::Full(_)) => Step::Idle,
            Err(PushError::Closed(_)) => Step::Done,
        }
    }

    /// Reads `left` items, then is done.
    fn reading(
        mut reader: impl Consumer<Item = u32>,
        mut left: usize,
        neighbour: Bell,
    ) -> impl FnMut() -> Step {
        move || {
            let count = match reader.ready() {
                Err(Closed) => return Step::Done,
                Ok([]) => return Step::Idle,
                Ok(items) => items.len(),
            };
            reader.release(count);
            neighbour.ring();
            left -= count;
            if left == 0 { Step::Done } else { Step::Busy }
        }
    }

    #[test]
    fn loom_bell_wakes_a_reader_that_sleeps() {
        loom::model(|| {
            let (writer, reader) = queue::spsc(2).open();
            let bell = Bell::new();
            let step = writing(writer, 1, bell.clone());
            let neighbour = thread::spawn(move || run(&Bell::new(), step));
            // The writer is done before anything is read, so only its one ring can wake us.
            run(&bell, reading(reader, 1, Bell::new()));
            neighbour.join().unwrap();
        });
    }

    #[test]
    fn loom_bell_wakes_a_writer_that_holds_an_item() {
        loom::model(|| {
            let (mut writer, reader) = queue::spsc(1).open();
            writer.push(0).unwrap();
            let bell = Bell::new();
            let step = reading(reader, 1, bell.clone());
            let neighbour = thread::spawn(move || run(&Bell::new(), step));
            // The queue is full: only the reader's one ring after its release can wake us.
            run(&bell, writing(writer, 1, Bell::new()));
            neighbour.join().unwrap();
        });
    }

    #[test]
    fn loom_bell_works_both_ways_at_once() {
        loom::model(|| {
            let (writer, reader) = queue::spsc(1).open();
            let (writes, reads) = (Bell::new(), Bell::new());
            let step = writing(writer, 2, reads.clone());
            let bell = writes.clone();
            let neighbour = thread::spawn(move || run(&bell, step));
            run(&reads, reading(reader, 2, writes));
            neighbour.join().unwrap();
        });
    }

    #[test]
    fn loom_bell_is_rung_by_two_neighbours() {
        loom::model(|| {
            let (writer, reader) = queue::mpsc(2).open();
            let bell = Bell::new();
            let neighbours = [writer.clone(), writer].map(|writer| {
                let step = writing(writer, 1, bell.clone());
                thread::spawn(move || run(&Bell::new(), step))
            });
            run(&bell, reading(reader, 2, Bell::new()));
            for neighbour in neighbours {
                neighbour.join().unwrap();
            }
        });
    }
}
