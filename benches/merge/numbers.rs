//! The merge of two images of ten levels over the number type: 128 bits against 64.

use std::hint::black_box;

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use dragonfly_benches::books;
use dragonfly_core::market::{Level, MAX_DEPTH};

use super::DEPTH;

/// A price and a quantity.
type Pair<N> = (N, N);

/// A side stored in place, like `Ladder`.
#[derive(Clone, Copy)]
struct Side<T> {
    len: usize,
    levels: [T; MAX_DEPTH],
}

impl<T: Copy + Default> Side<T> {
    fn empty() -> Self {
        Self {
            len: 0,
            levels: [T::default(); MAX_DEPTH],
        }
    }

    fn push(&mut self, level: T) -> bool {
        let Some(slot) = self.levels.get_mut(self.len) else {
            return false;
        };
        *slot = level;
        self.len += 1;
        true
    }

    fn as_slice(&self) -> &[T] {
        &self.levels[..self.len]
    }
}

impl<T: Copy + Default> FromIterator<T> for Side<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut side = Self::empty();
        for item in items.into_iter().take(MAX_DEPTH) {
            side.push(item);
        }
        side
    }
}

/// Both sides of one venue: bids, asks.
type Image<N> = [Side<Pair<N>>; 2];

/// Both sides of the view; each level with its venue.
type View<N> = [Side<(N, N, u8)>; 2];

pub(crate) fn measure(c: &mut Criterion) {
    let mut group = c.benchmark_group("numbers_2x10");
    measure_type::<i128>(&mut group, "i128", |units| units);
    measure_type::<i64>(&mut group, "i64", |units| {
        i64::try_from(units / 10_i128.pow(10)).unwrap_or(0)
    });
    group.finish();
}

fn measure_type<N: Ord + Copy + Default + 'static>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    number: fn(i128) -> N,
) {
    let image = |venue, seq| -> Image<N> {
        let depth = books::venue_event(venue, DEPTH as u64, seq).depth;
        let pair = |l: &Level| (number(l.price.units()), number(l.qty.units()));
        [depth.bids, depth.asks].map(|side| side.iter().map(pair).collect())
    };
    let images: Vec<Image<N>> = (1..=8).flat_map(|s| [image(0, s), image(1, s)]).collect();

    let mut kept = vec![images[0], images[1]];
    group.bench_function(format!("{name}/merge"), |b| {
        b.iter(|| merge(black_box(&kept)))
    });
    let mut next = (0..images.len()).cycle();
    group.bench_function(format!("{name}/take_in_and_merge"), |b| {
        b.iter(|| {
            let at = next.next().unwrap_or(0);
            kept[at % 2] = *black_box(&images[at]);
            merge(&kept)
        });
    });
}

fn merge<N: Ord + Copy + Default>(legs: &[Image<N>]) -> View<N> {
    let better_bid = |a: &Pair<N>, b: &Pair<N>| if a.0 == b.0 { a.1 > b.1 } else { a.0 > b.0 };
    let better_ask = |a: &Pair<N>, b: &Pair<N>| if a.0 == b.0 { a.1 > b.1 } else { a.0 < b.0 };
    [
        merge_side(legs, 0, better_bid),
        merge_side(legs, 1, better_ask),
    ]
}

fn merge_side<N: Copy + Default>(
    legs: &[Image<N>],
    side: usize,
    better: impl Fn(&Pair<N>, &Pair<N>) -> bool,
) -> Side<(N, N, u8)> {
    let mut heads = [(0_u8, [].as_slice()); 24];
    let mut count = 0;
    for (leg, image) in (0..).zip(legs) {
        let levels = image[side].as_slice();
        if !levels.is_empty() {
            heads[count] = (leg, levels);
            count += 1;
        }
    }
    let mut merged = Side::empty();
    while count > 0 && merged.len < DEPTH {
        let mut best = 0;
        for at in 1..count {
            if better(&heads[at].1[0], &heads[best].1[0]) {
                best = at;
            }
        }
        let (leg, levels) = heads[best];
        merged.push((levels[0].0, levels[0].1, leg));
        heads[best].1 = &levels[1..];
        if levels.len() == 1 {
            heads.copy_within(best + 1..count, best);
            count -= 1;
        }
    }
    merged
}
