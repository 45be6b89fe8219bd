//! A full-depth book of 1,000 levels a side: one change near the top, and the image that is sent on.
//!
//! Changes are spread over the best ten levels: a new quantity (`set`), and a level taken away and
//! put back (`remove_insert`, two changes an iteration).
//!
//! * `dragonfly`: `Book`, a sorted vector a side with the best at its end.
//! * `btree_map`: `BTreeMap<Price, Qty>` a side.
//! * `vec_best_first`: a sorted vector with the best at its beginning, searched by halving.

mod harness;

use std::{collections::BTreeMap, hint::black_box};

use criterion::Criterion;
use dragonfly_benches::books::{asks, bids, qty, scatter};
use dragonfly_core::market::{Book, Depth, Level, Price, Qty};

const LEVELS: u64 = 1_000;

fn main() {
    harness::run(|c| {
        set(c);
        remove_insert(c);
        image(c);
    });
}

fn book() -> Book {
    let mut book = Book::default();
    book.replace(&bids(LEVELS, 0), &asks(LEVELS, 0));
    book
}

fn tree() -> BTreeMap<Price, Qty> {
    bids(LEVELS, 0).iter().map(|l| (l.price, l.qty)).collect()
}

/// Bids near the top, in an order that no branch predictor knows by heart.
fn near_the_top() -> Vec<Level> {
    let top = bids(10, 0);
    let pick = |i| top[usize::try_from(scatter(i)).unwrap_or(0) % top.len()].price;
    (0..1_024)
        .map(|i| Level::new(pick(i), qty(1 + scatter(i) % 900)))
        .collect()
}

fn apply_to_tree(tree: &mut BTreeMap<Price, Qty>, level: Level) {
    if level.qty.is_zero() {
        tree.remove(&level.price);
    } else {
        tree.insert(level.price, level.qty);
    }
}

fn apply_to_vec(side: &mut Vec<Level>, level: Level) {
    match side.binary_search_by(|l| level.price.cmp(&l.price)) {
        Ok(at) if level.qty.is_zero() => {
            side.remove(at);
        }
        Ok(at) => side[at].qty = level.qty,
        Err(_) if level.qty.is_zero() => {}
        Err(at) => side.insert(at, level),
    }
}

fn set(c: &mut Criterion) {
    let changes = near_the_top();
    let mut group = c.benchmark_group("book_1000_set_near_top");
    let (mut book, mut next) = (book(), changes.iter().cycle());
    group.bench_function("dragonfly", |b| {
        b.iter(|| {
            next.by_ref()
                .take(1)
                .for_each(|l| book.apply_bid(black_box(*l)))
        });
    });
    let (mut tree, mut next) = (tree(), changes.iter().cycle());
    group.bench_function("btree_map", |b| {
        b.iter(|| {
            next.by_ref()
                .take(1)
                .for_each(|l| apply_to_tree(&mut tree, black_box(*l)))
        });
    });
    let (mut side, mut next) = (bids(LEVELS, 0), changes.iter().cycle());
    group.bench_function("vec_best_first", |b| {
        b.iter(|| {
            next.by_ref()
                .take(1)
                .for_each(|l| apply_to_vec(&mut side, black_box(*l)))
        });
    });
    group.finish();
}

fn remove_insert(c: &mut Criterion) {
    let changes = near_the_top();
    let removed = |level: &Level| Level::new(level.price, Qty::ZERO);
    let mut group = c.benchmark_group("book_1000_remove_insert_near_top");
    let (mut book, mut next) = (book(), changes.iter().cycle());
    group.bench_function("dragonfly", |b| {
        b.iter(|| {
            for level in next.by_ref().take(1) {
                book.apply_bid(black_box(removed(level)));
                book.apply_bid(black_box(*level));
            }
        });
    });
    let (mut tree, mut next) = (tree(), changes.iter().cycle());
    group.bench_function("btree_map", |b| {
        b.iter(|| {
            for level in next.by_ref().take(1) {
                apply_to_tree(&mut tree, black_box(removed(level)));
                apply_to_tree(&mut tree, black_box(*level));
            }
        });
    });
    let (mut side, mut next) = (bids(LEVELS, 0), changes.iter().cycle());
    group.bench_function("vec_best_first", |b| {
        b.iter(|| {
            for level in next.by_ref().take(1) {
                apply_to_vec(&mut side, black_box(removed(level)));
                apply_to_vec(&mut side, black_box(*level));
            }
        });
    });
    group.finish();
}

/// The best ten levels of both sides as an image.
fn image(c: &mut Criterion) {
    let mut group = c.benchmark_group("book_1000_image_of_10");
    let book = book();
    group.bench_function("dragonfly", |b| b.iter(|| black_box(&book).depth(10)));
    let both = [bids(LEVELS, 0), asks(LEVELS, 0)].map(|side| {
        side.iter()
            .map(|l| (l.price, l.qty))
            .collect::<BTreeMap<_, _>>()
    });
    group.bench_function("btree_map", |b| {
        b.iter(|| {
            let [bids, asks] = black_box(&both);
            let level = |(price, qty): (&Price, &Qty)| Level::new(*price, *qty);
            Depth {
                bids: bids.iter().rev().take(10).map(level).collect(),
                asks: asks.iter().take(10).map(level).collect(),
            }
        });
    });
    let both = [bids(LEVELS, 0), asks(LEVELS, 0)];
    group.bench_function("vec_best_first", |b| {
        b.iter(|| {
            let [bids, asks] = black_box(&both);
            Depth {
                bids: bids.iter().take(10).copied().collect(),
                asks: asks.iter().take(10).copied().collect(),
            }
        });
    });
    group.finish();
}
