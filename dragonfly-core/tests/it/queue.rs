//! What every queue promises, checked for every queue. A new kind adds its name to `queue_tests!`.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use dragonfly_core::queue::{self, Closed, Consumer, ManyProducers, Producer, PushError, Queue};
use proptest::prelude::*;

/// Makes numbered items and notes which were dropped.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Entries>);

#[derive(Default)]
struct Entries {
    made: AtomicU32,
    dropped: Mutex<Vec<u32>>,
}

/// An item that is neither `Copy` nor `Clone`.
pub(crate) struct Item {
    pub(crate) number: u32,
    ledger: Ledger,
    panics: bool,
}

impl Ledger {
    pub(crate) fn item(&self) -> Item {
        let number = self.0.made.fetch_add(1, Ordering::Relaxed);
        Item {
            number,
            ledger: self.clone(),
            panics: false,
        }
    }

    fn item_whose_drop_panics(&self) -> Item {
        let mut item = self.item();
        item.panics = true;
        item
    }

    pub(crate) fn dropped(&self) -> Vec<u32> {
        let mut dropped = self.0.dropped.lock().unwrap().clone();
        dropped.sort_unstable();
        dropped
    }

    /// Checks that every item made was dropped exactly once.
    pub(crate) fn balance(&self) {
        let made = self.0.made.load(Ordering::Relaxed);
        assert_eq!(self.dropped(), (0..made).collect::<Vec<_>>());
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.ledger.0.dropped.lock().unwrap().push(self.number);
        assert!(!self.panics, "an item's drop panics");
    }
}

pub(crate) fn numbers(items: &[Item]) -> Vec<u32> {
    items.iter().map(|item| item.number).collect()
}

/// Pushes a new item and returns the answer without it.
pub(crate) fn push(
    writer: &mut impl Producer<Item = Item>,
    ledger: &Ledger,
) -> Result<u32, PushError<u32>> {
    let item = ledger.item();
    let number = item.number;
    match writer.push(item) {
        Ok(()) => Ok(number),
        Err(PushError::Full(back)) => Err(PushError::Full(back.number)),
        Err(PushError::Closed(back)) => Err(PushError::Closed(back.number)),
    }
}

/// Reads all there is at the moment.
pub(crate) fn drain(reader: &mut impl Consumer<Item = Item>) -> Vec<u32> {
    let mut all = Vec::new();
    while let Ok(items) = reader.ready() {
        if items.is_empty() {
            break;
        }
        all.extend(numbers(items));
        let count = items.len();
        reader.release(count);
    }
    all
}

/// Pushes, trying again while the queue is full.
pub(crate) fn insist<T>(writer: &mut impl Producer<Item = T>, item: T) {
    let mut item = item;
    while let Err(error) = writer.push(item) {
        let PushError::Full(back) = error else {
            panic!("the reader is gone")
        };
        item = back;
        thread::yield_now();
    }
}

/// Reads until the queue is closed, giving back a changing part of each loan.
pub(crate) fn read_until_closed<T: Copy>(
    mut reader: impl Consumer<Item = T>,
    seed: usize,
) -> Vec<T> {
    let mut all = Vec::new();
    let mut step = seed;
    while let Ok(items) = reader.ready() {
        if items.is_empty() {
            thread::yield_now();
            continue;
        }
        step = step.wrapping_mul(5).wrapping_add(3);
        let count = 1 + step % items.len();
        all.extend_from_slice(&items[..count]);
        reader.release(count);
    }
    all
}

fn an_empty_queue_lends_nothing<Q: Queue<Item>>(open: fn(usize) -> Q) {
    let (_writer, mut reader) = open(4).open();
    assert!(reader.ready().unwrap().is_empty());
    reader.release(0);
    assert!(reader.ready().unwrap().is_empty());
}

fn a_loan_stays_until_it_is_released<Q: Queue<Item>>(open: fn(usize) -> Q) {
    let ledger = Ledger::default();
    let (mut writer, mut reader) = open(4).open();
    push(&mut writer, &ledger).unwrap();
    assert_eq!(numbers(reader.ready().unwrap()), [0]);
    push(&mut writer, &ledger).unwrap();
    assert_eq!(reader.ready().unwrap()[0].number, 0);
    reader.release(1);
    assert_eq!(numbers(reader.ready().unwrap()), [1]);
}

fn a_gone_reader_closes_the_writer<Q: Queue<Item>>(open: fn(usize) -> Q) {
    let ledger = Ledger::default();
    let (mut writer, mut reader) = open(4).open();
    push(&mut writer, &ledger).unwrap();
    reader.ready().unwrap();
    drop(reader);
    assert_eq!(push(&mut writer, &ledger), Err(PushError::Closed(1)));
    drop(writer);
    ledger.balance();
}

fn a_gone_writer_closes_the_drained_reader<Q: Queue<Item>>(open: fn(usize) -> Q) {
    let ledger = Ledger::default();
    let (mut writer, mut reader) = open(4).open();
    push(&mut writer, &ledger).unwrap();
    drop(writer);
    assert_eq!(numbers(reader.ready().unwrap()), [0]);
    assert_eq!(numbers(reader.ready().unwrap()), [0]);
    reader.release(1);
    assert!(matches!(reader.ready(), Err(Closed)));
    assert!(matches!(reader.ready(), Err(Closed)));
    drop(reader);
    ledger.balance();
}

fn unread_items_are_dropped_once<Q: Queue<Item>>(open: fn(usize) -> Q) {
    for capacity in 1..6 {
        let ledger = Ledger::default();
        let (mut writer, mut reader) = open(capacity).open();
        for _ in 0..3 {
            while push(&mut writer, &ledger).is_ok() && ledger.0.made.load(Ordering::Relaxed) < 20 {
            }
            reader.ready().unwrap();
            reader.release(1);
        }
        reader.ready().unwrap();
        drop(reader);
        drop(writer);
        ledger.balance();
    }
}

fn more_than_was_lent_is_not_released<Q: Queue<Item>>(open: fn(usize) -> Q) {
    let ledger = Ledger::default();
    let (mut writer, mut reader) = open(4).open();
    push(&mut writer, &ledger).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| reader.release(1))).is_err());
    assert_eq!(numbers(reader.ready().unwrap()), [0]);
    assert!(catch_unwind(AssertUnwindSafe(|| reader.release(2))).is_err());
    drop((writer, reader));
    ledger.balance();
}

/// A panic in an item's drop reaches whoever caused it, and nothing is dropped twice or lost.
fn a_drop_that_panics_does_no_harm<Q: Queue<Item>>(open: fn(usize) -> Q) {
    let ledger = Ledger::default();
    let (mut writer, mut reader) = open(2).open();
    let mut panics = 0;
    for _ in 0..8 {
        let items = [ledger.item_whose_drop_panics(), ledger.item()];
        for item in items {
            let pushed = catch_unwind(AssertUnwindSafe(|| writer.push(item).is_ok()));
            panics += usize::from(pushed.is_err());
        }
        let released = catch_unwind(AssertUnwindSafe(|| {
            let count = reader.ready().unwrap().len();
            reader.release(count);
        }));
        panics += usize::from(released.is_err());
    }
    assert!(panics >= 7, "{panics}");
    let ended = catch_unwind(AssertUnwindSafe(|| drop((writer, reader))));
    assert!(panics + usize::from(ended.is_err()) == 8);
    ledger.balance();
}

fn a_bound_of_nothing_is_refused<Q: Queue<Item>>(open: fn(usize) -> Q) {
    for capacity in [0, queue::MAX_CAPACITY + 1, usize::MAX] {
        let refused = catch_unwind(|| drop(open(capacity))).unwrap_err();
        let message = refused.downcast_ref::<String>().unwrap();
        assert!(message.contains(&format!("not {capacity}")), "{message}");
    }
}

fn the_bound_is_exact<Q: Queue<Item>>(open: fn(usize) -> Q) {
    for capacity in 1..=9 {
        let ledger = Ledger::default();
        let (mut writer, mut reader) = open(capacity).open();
        // Several laps, so that the wrap-around comes at every place.
        for _ in 0..5 {
            for _ in 0..capacity {
                push(&mut writer, &ledger).unwrap();
            }
            let refused = push(&mut writer, &ledger);
            assert!(
                matches!(refused, Err(PushError::Full(_))),
                "{refused:?} at {capacity}"
            );
            assert_eq!(drain(&mut reader).len(), capacity);
        }
        assert_eq!(writer.lost(), 0);
        drop((writer, reader));
        ledger.balance();
    }
}

fn the_label_names_kind_and_bound<Q: Queue<Item>>(open: fn(usize) -> Q, kind: &str) {
    assert_eq!(open(12).label(), format!("{kind}(12)"));
}

#[derive(Clone, Debug)]
enum Step {
    Push,
    Read(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![3 => Just(Step::Push), 2 => (0..12usize).prop_map(Step::Read)];
    proptest::collection::vec(step, 1..200)
}

/// Any sequence of steps gives what a `VecDeque` gives. `slack` is how far the bound may be passed by
/// items on loan.
fn it_behaves_like_a_model<Q: Queue<Item>>(open: fn(usize) -> Q, slack: fn(usize) -> usize) {
    proptest!(|(capacity in 1..10usize, steps in steps())| {
        let ledger = Ledger::default();
        let (mut writer, mut reader) = open(capacity).open();
        let mut model = VecDeque::new();
        for step in steps {
            match step {
                Step::Push => match push(&mut writer, &ledger) {
                    Ok(number) => {
                        prop_assert!(model.len() < capacity + slack(capacity));
                        model.push_back(number);
                    }
                    Err(error) => prop_assert!(matches!(error, PushError::Full(_)) && model.len() >= capacity),
                },
                Step::Read(count) => {
                    let lent = numbers(reader.ready().unwrap());
                    prop_assert_eq!(lent.is_empty(), model.is_empty());
                    prop_assert!(model.iter().take(lent.len()).eq(&lent));
                    let count = count.min(lent.len());
                    reader.release(count);
                    model.drain(..count);
                }
            }
        }
        drop(writer);
        prop_assert_eq!(drain(&mut reader), Vec::from(model));
        prop_assert!(matches!(reader.ready(), Err(Closed)));
        drop(reader);
        ledger.balance();
    });
}

fn two_threads_agree<Q: Queue<u64>>(open: fn(usize) -> Q) {
    const LAST: u64 = 5_000;
    for capacity in [1, 3, 64] {
        let (mut writer, reader) = open(capacity).open();
        let writing =
            thread::spawn(move || (0..LAST).for_each(|number| insist(&mut writer, number)));
        assert!(read_until_closed(reader, capacity).into_iter().eq(0..LAST));
        writing.join().unwrap();
    }
}

fn each_writer_keeps_its_order<Q: Queue<u64>>(open: fn(usize) -> Q)
where
    Q::Producer: ManyProducers,
{
    const LAST: u64 = 2_000;
    for capacity in [1, 3, 64] {
        let (writer, reader) = open(capacity).open();
        let writing = [0, 1, 2].map(|first| {
            let mut writer = writer.clone();
            let own = (first..3 * LAST).step_by(3);
            thread::spawn(move || own.for_each(|number| insist(&mut writer, number)))
        });
        drop(writer);
        let all = read_until_closed(reader, capacity);
        for first in 0..3 {
            let own = all.iter().copied().filter(|number| number % 3 == first);
            assert!(own.eq((first..3 * LAST).step_by(3)));
        }
        for thread in writing {
            thread.join().unwrap();
        }
    }
}

fn the_last_writer_closes<Q: Queue<Item>>(open: fn(usize) -> Q)
where
    Q::Producer: ManyProducers,
{
    let ledger = Ledger::default();
    let (writer, mut reader) = open(4).open();
    let mut other = writer.clone();
    drop(writer);
    assert!(reader.ready().unwrap().is_empty());
    push(&mut other, &ledger).unwrap();
    drop(other);
    assert_eq!(drain(&mut reader), [0]);
    assert!(matches!(reader.ready(), Err(Closed)));
}

macro_rules! cases {
    ($open:expr; $($test:ident $(($argument:expr))?,)*) => {
        $(#[test] fn $test() { super::$test($open $(, $argument)?); })*
    };
}

macro_rules! suite {
    (every, $open:expr) => {
        cases! { $open;
            an_empty_queue_lends_nothing,
            a_loan_stays_until_it_is_released,
            a_gone_reader_closes_the_writer,
            a_gone_writer_closes_the_drained_reader,
            unread_items_are_dropped_once,
            more_than_was_lent_is_not_released,
            a_drop_that_panics_does_no_harm,
        }
    };
    (bounded, $open:expr, $kind:expr, $slack:expr) => {
        cases! { $open;
            a_bound_of_nothing_is_refused,
            the_bound_is_exact,
            the_label_names_kind_and_bound($kind),
            it_behaves_like_a_model($slack),
            two_threads_agree,
        }
    };
    (many_producers, $open:expr) => {
        cases! { $open;
            each_writer_keeps_its_order,
            the_last_writer_closes,
        }
    };
}

macro_rules! queue_tests {
    ($($name:ident: $open:expr => $($suite:ident $(($($argument:expr),*))?),*;)*) => {$(
        mod $name {
            use super::*;
            $(suite!($suite, $open $($(, $argument)*)?);)*
        }
    )*};
}

queue_tests! {
    spsc: queue::spsc => every, bounded("spsc", |_| 0);
    mpsc: queue::mpsc => every, bounded("mpsc", |_| 0), many_producers;
    spmc: queue::spmc => every, bounded("spmc", |_| 0);
    mpmc: queue::mpmc => every, bounded("mpmc", |_| 0), many_producers;
    channel: queue::channel => every, bounded("channel", |capacity| capacity), many_producers;
    latest: |_| queue::latest() => every;
}

#[test]
fn latest_keeps_the_newest_and_counts_the_others() {
    let ledger = Ledger::default();
    let (mut writer, mut reader) = queue::latest().open();
    for _ in 0..3 {
        push(&mut writer, &ledger).unwrap();
    }
    assert_eq!((writer.lost(), ledger.dropped()), (2, vec![0, 1]));
    assert_eq!(numbers(reader.ready().unwrap()), [2]);
    // A loan stays, whatever comes meanwhile.
    push(&mut writer, &ledger).unwrap();
    push(&mut writer, &ledger).unwrap();
    assert_eq!(numbers(reader.ready().unwrap()), [2]);
    reader.release(1);
    assert_eq!((writer.lost(), ledger.dropped()), (3, vec![0, 1, 2, 3]));
    assert_eq!(drain(&mut reader), [4]);
    assert_eq!(Queue::<Item>::label(&queue::latest()), "latest");
}

#[test]
fn latest_never_loses_the_last_value_between_threads() {
    const LAST: u64 = 5_000;
    let (mut writer, reader) = queue::latest().open();
    let writing = thread::spawn(move || {
        (0..=LAST).for_each(|number| insist(&mut writer, number));
        writer.lost()
    });
    let all = read_until_closed(reader, 1);
    assert!(all.is_sorted_by(|a, b| a < b));
    assert_eq!(all.last(), Some(&LAST));
    assert_eq!(all.len() as u64 + writing.join().unwrap(), LAST + 1);
}

#[test]
fn released_items_are_dropped_at_once_where_one_reader_owns_them() {
    let ledger = Ledger::default();
    let (mut writer, mut reader) = queue::spsc(4).open();
    push(&mut writer, &ledger).unwrap();
    push(&mut writer, &ledger).unwrap();
    reader.ready().unwrap();
    reader.release(1);
    assert_eq!(ledger.dropped(), [0]);
}
