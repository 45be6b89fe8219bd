//! Items through a queue, for each kind against the alternatives of that kind.
//!
//! Groups are `<way>_<kind>_<item>`:
//! * `hop`: one item, both ends on one thread: what a queue costs when nothing is contended.
//! * `burst16`: 16 items written before any is read, on one thread.
//! * `ping_pong`: half a round trip of one item between two threads on two cores.
//! * `stream`: as many items as the queue takes from one core to another.
//!
//! Kinds are those of Dragonfly's: `spsc`, `mpsc` (one writer writes), `spmc` and `mpmc` (two readers,
//! each sees every item), `latest`, `channel` (the adapter over crossbeam-channel). Items are a `u64`,
//! or a [`BookEvent`](dragonfly_core::market::BookEvent) of 1.3 KB; the reader looks at one field.
//!
//! Every queue has room for 64 items. Dragonfly's, `disruptor`, `rtrb_chunks` and `tokio_watch` are
//! read in place, `disruptor` is written in place, the others move items out or copy them
//! (`tokio_broadcast`). `tokio_broadcast` loses items when full instead of refusing them, and
//! `latest` conflates: neither streams.

#[path = "queue/ends.rs"]
mod ends;
mod harness;
#[path = "queue/peers.rs"]
mod peers;
#[path = "queue/threads.rs"]
mod threads;

use std::hint::black_box;

use criterion::{Bencher, BenchmarkGroup, Criterion, measurement::WallTime};
use dragonfly_benches::books;
use ends::{Item, Kind, Rx, Tx};
use peers::{
    Crossbeam, DisruptorMpmc, DisruptorMpsc, DisruptorSpmc, DisruptorSpsc, MutexCell, Rtrb,
    RtrbChunks, TokioBroadcast, TokioMpsc, TokioWatch,
};

const BURST: usize = 16;

fn main() {
    harness::run(|c| {
        for way in [Way::Hop, Way::Burst, Way::PingPong, Way::Stream] {
            all(c, way, "u64", 7_u64);
            all(c, way, "book_event", books::venue_event(0, 10, 1));
        }
    });
}

/// How items go through.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Hop,
    Burst,
    PingPong,
    Stream,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Hop => "hop",
            Self::Burst => "burst16",
            Self::PingPong => "ping_pong",
            Self::Stream => "stream",
        }
    }
}

/// One group a kind.
macro_rules! groups {
    ($c:ident, $way:ident, $name:ident, $item:ident, $($kind:literal: $($one:ty),*;)*) => {$(
        let mut group = $c.benchmark_group(format!("{}_{}_{}", $way.name(), $kind, $name));
        $(one::<_, $one>(&mut group, $way, $item);)*
        group.finish();
    )*};
}

fn all<T: Item>(c: &mut Criterion, way: Way, name: &str, item: T) {
    groups! { c, way, name, item,
        "spsc": ends::Spsc, Rtrb, RtrbChunks, DisruptorSpsc;
        "mpsc": ends::Mpsc, Crossbeam, TokioMpsc, DisruptorMpsc;
        "channel": ends::Channel, Crossbeam;
    }
    if way == Way::Stream {
        groups! { c, way, name, item,
            "spmc": ends::Spmc, DisruptorSpmc;
            "mpmc": ends::Mpmc, DisruptorMpmc;
        }
        return;
    }
    groups! { c, way, name, item,
        "spmc": ends::Spmc, TokioBroadcast, DisruptorSpmc;
        "mpmc": ends::Mpmc, TokioBroadcast, DisruptorMpmc;
    }
    if way != Way::Burst {
        groups! { c, way, name, item, "latest": ends::Latest, TokioWatch, MutexCell; }
    }
}

fn one<T: Item, K: Kind<T>>(group: &mut BenchmarkGroup<'_, WallTime>, way: Way, item: T) {
    group.bench_function(K::NAME, |b| match way {
        Way::Hop => on_one_thread::<T, K, 1>(b, item),
        Way::Burst => on_one_thread::<T, K, BURST>(b, item),
        Way::PingPong => threads::ping_pong::<T, K>(b, item),
        Way::Stream => threads::stream::<T, K>(b, item),
    });
}

fn on_one_thread<T: Item, K: Kind<T>, const COUNT: usize>(b: &mut Bencher<'_, WallTime>, item: T) {
    let (mut writer, mut reader) = K::open();
    let mut round = || {
        if COUNT == 1 {
            black_box(writer.send(black_box(item)));
        } else {
            writer.send_burst(item, COUNT);
        }
        reader.take(COUNT, |item| {
            black_box(item.look());
        })
    };
    assert_eq!(round(), COUNT, "{} lost items", K::NAME);
    b.iter(round);
}
