//! One item through a queue, both ends on one thread: what a hop costs when nothing is contended.
//!
//! Every queue has room for 64 items and carries one at a time (`hop_*`), or 16 before any is read
//! (`burst16_*`, in which a loan of Dragonfly's queues covers all of them). Items are a `u64`, or a
//! [`BookEvent`] of 1.5 KB, which Dragonfly's queues and `latest` lend in place while the others move
//! it out; the reader looks at one field.
//!
//! `rtrb` is single-producer single-consumer, `crossbeam` and `tokio_mpsc` many-to-one,
//! `tokio_broadcast` many-to-many with every reader seeing every item, and loses when full.

mod harness;

use std::hint::black_box;

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use dragonfly_benches::books;
use dragonfly_core::{
    market::BookEvent,
    queue::{self, Consumer, Producer, Queue},
};

const ROOM: usize = 64;
const BURST: usize = 16;

/// What a reader looks at.
trait Item: Copy + Send + Sync + 'static {
    fn look(&self) -> u64;
}

impl Item for u64 {
    fn look(&self) -> u64 {
        *self
    }
}

impl Item for BookEvent {
    fn look(&self) -> u64 {
        self.seq
    }
}

fn main() {
    harness::run(|c| {
        let event = books::venue_event(0, 10, 1);
        for burst in [1, BURST] {
            let name = |item: &str| match burst {
                1 => format!("hop_{item}"),
                _ => format!("burst{burst}_{item}"),
            };
            all(c, &name("u64"), burst, 7_u64);
            all(c, &name("book_event"), burst, event);
        }
    });
}

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn all<T: Item>(c: &mut Criterion, name: &str, burst: usize, item: T) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(burst as u64));
    ours(&mut group, "dragonfly_spsc", queue::spsc(ROOM), burst, item);
    ours(&mut group, "dragonfly_mpsc", queue::mpsc(ROOM), burst, item);
    ours(&mut group, "dragonfly_spmc", queue::spmc(ROOM), burst, item);
    ours(&mut group, "dragonfly_mpmc", queue::mpmc(ROOM), burst, item);
    if burst == 1 {
        ours(&mut group, "dragonfly_latest", queue::latest(), burst, item);
    }
    ours(
        &mut group,
        "dragonfly_channel",
        queue::channel(ROOM),
        burst,
        item,
    );
    rtrb(&mut group, burst, item);
    crossbeam(&mut group, burst, item);
    tokio_mpsc(&mut group, burst, item);
    tokio_broadcast(&mut group, burst, item);
    group.finish();
}

fn ours<T: Item>(group: &mut Group<'_>, name: &str, queue: impl Queue<T>, burst: usize, item: T) {
    let (mut producer, mut consumer) = queue.open();
    group.bench_function(name, |b| {
        b.iter(|| {
            for _ in 0..burst {
                black_box(producer.push(black_box(item)).is_ok());
            }
            let mut left = burst;
            // A ring lends up to its end, so a burst may need two loans.
            while left > 0
                && let Ok(items) = consumer.ready()
            {
                let count = items.len();
                for item in items {
                    black_box(item.look());
                }
                consumer.release(count);
                left -= count;
            }
        });
    });
}

fn rtrb<T: Item>(group: &mut Group<'_>, burst: usize, item: T) {
    let (mut producer, mut consumer) = rtrb::RingBuffer::new(ROOM);
    group.bench_function("rtrb", |b| {
        b.iter(|| {
            for _ in 0..burst {
                black_box(producer.push(black_box(item)).is_ok());
            }
            for _ in 0..burst {
                black_box(consumer.pop().map(|item| item.look()).ok());
            }
        });
    });
}

fn crossbeam<T: Item>(group: &mut Group<'_>, burst: usize, item: T) {
    let (sender, receiver) = crossbeam_channel::bounded(ROOM);
    group.bench_function("crossbeam_channel", |b| {
        b.iter(|| {
            for _ in 0..burst {
                black_box(sender.try_send(black_box(item)).is_ok());
            }
            for _ in 0..burst {
                black_box(receiver.try_recv().map(|item| item.look()).ok());
            }
        });
    });
}

fn tokio_mpsc<T: Item>(group: &mut Group<'_>, burst: usize, item: T) {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(ROOM);
    group.bench_function("tokio_mpsc", |b| {
        b.iter(|| {
            for _ in 0..burst {
                black_box(sender.try_send(black_box(item)).is_ok());
            }
            for _ in 0..burst {
                black_box(receiver.try_recv().map(|item| item.look()).ok());
            }
        });
    });
}

fn tokio_broadcast<T: Item>(group: &mut Group<'_>, burst: usize, item: T) {
    let (sender, mut receiver) = tokio::sync::broadcast::channel(ROOM);
    group.bench_function("tokio_broadcast", |b| {
        b.iter(|| {
            for _ in 0..burst {
                black_box(sender.send(black_box(item)).is_ok());
            }
            for _ in 0..burst {
                black_box(receiver.try_recv().map(|item| item.look()).ok());
            }
        });
    });
}
