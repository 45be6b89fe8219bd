//! Two threads, each on a core of its own, that wait for each other by spinning.
//!
//! A thread that has spun in vain for long gives its core away, so that the benchmark ends also
//! where the cores are busy or there is only one; on a quiet machine that does not happen.

use std::{
    hint::{self, black_box},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use criterion::{
    Bencher,
    measurement::{Measurement, WallTime},
};
use crossbeam_utils::CachePadded;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::ends::{ALL, Item, Kind, Rx, Tx};

/// How often to look before giving the core away.
const PATIENCE: u32 = 20_000;

/// How the other thread learns that it is over, and tells how far it has come.
#[derive(Default)]
struct Shared {
    stop: CachePadded<AtomicBool>,
    seen: CachePadded<AtomicU64>,
}

/// Half a round trip of one item: there through one queue, back through another of its kind.
///
/// What each thread uses is padded, or what is measured is whose ends share a line by chance.
pub(crate) fn ping_pong<T: Item, K: Kind<T>>(b: &mut Bencher<'_, WallTime>, item: T) {
    let ((there, at_other), (other, back)) = (K::open(), K::open());
    let mut here = CachePadded::new((there, back));
    let mut far = CachePadded::new((at_other, other));
    let shared = Shared::default();
    beside(
        &shared,
        || {
            let ((at_other, other), item) = (&mut *far, item_of_its_own(&item));
            while !shared.stop.load(Ordering::Relaxed) {
                if receive(at_other, &shared) {
                    black_box(other.send(item));
                }
            }
        },
        || {
            let (there, back) = &mut *here;
            let mut round = || {
                black_box(there.send(black_box(item)));
                receive(back, &shared);
            };
            b.iter_custom(|rounds| {
                round();
                let time = WallTime.start();
                (0..rounds).for_each(|_| round());
                WallTime.end(time) / 2
            });
        },
    );
}

/// A copy on the stack of the calling thread.
fn item_of_its_own<T: Item>(item: &T) -> T {
    black_box(*item)
}

/// Waits for an item; false when it is over.
#[inline]
fn receive<T: Item>(from: &mut impl Rx<T>, shared: &Shared) -> bool {
    let look = |item: &T| {
        black_box(item.look());
    };
    wait_until(|| from.take(1, look) == 1 || shared.stop.load(Ordering::Relaxed));
    !shared.stop.load(Ordering::Relaxed)
}

/// As many items as the queue takes, until the reader has seen the last.
pub(crate) fn stream<T: Item, K: Kind<T>>(b: &mut Bencher<'_, WallTime>, item: T) {
    let (writer, reader) = K::open();
    let (mut writer, mut reader) = (CachePadded::new(writer), CachePadded::new(reader));
    let shared = Shared::default();
    beside(
        &shared,
        || {
            let mut seen = 0;
            while !shared.stop.load(Ordering::Relaxed) {
                let look = |item: &T| {
                    black_box(item.look());
                };
                match reader.take(ALL, look) {
                    0 => hint::spin_loop(),
                    count => {
                        seen += count as u64;
                        shared.seen.store(seen, Ordering::Relaxed);
                    }
                }
            }
        },
        || {
            let mut sent = 0;
            b.iter_custom(|count| {
                sent += count;
                let time = WallTime.start();
                for _ in 0..count {
                    wait_until(|| writer.send(black_box(item)));
                }
                wait_until(|| shared.seen.load(Ordering::Relaxed) == sent);
                WallTime.end(time)
            });
        },
    );
}

/// Runs `other` on a second core while `this` runs here.
fn beside(shared: &Shared, other: impl FnOnce() + Send, this: impl FnOnce()) {
    let before = sched_getaffinity(None).ok();
    let cores = before.map(cores).unwrap_or_default();
    thread::scope(|scope| {
        scope.spawn(|| {
            pin(cores.get(1));
            other();
        });
        pin(cores.first());
        this();
        shared.stop.store(true, Ordering::Relaxed);
    });
    if let Some(before) = before {
        // What cannot be undone only makes the next benchmark stay on this core.
        sched_setaffinity(None, &before).ok();
    }
}

/// The cores this program may use, or none when they are fewer than two.
fn cores(allowed: CpuSet) -> Vec<usize> {
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|&core| allowed.is_set(core))
        .collect();
    if cores.len() < 2 { Vec::new() } else { cores }
}

fn pin(core: Option<&usize>) {
    if let Some(&core) = core {
        let mut set = CpuSet::new();
        set.set(core);
        // Where it is not allowed the threads are where the system puts them.
        sched_setaffinity(None, &set).ok();
    }
}

/// Spins until `done`.
#[inline]
fn wait_until(mut done: impl FnMut() -> bool) {
    let mut looks = 0;
    while !done() {
        looks += 1;
        if looks % PATIENCE == 0 {
            thread::yield_now();
        } else {
            hint::spin_loop();
        }
    }
}
