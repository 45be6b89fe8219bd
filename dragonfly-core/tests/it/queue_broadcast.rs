//! What the broadcast queues promise about their readers, and a model of both.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use dragonfly_core::queue::{self, Closed, Consumer, ManyReaders, Producer, PushError, Queue};
use proptest::prelude::*;

use crate::queue::{Item, Ledger, drain, insist, numbers, push, read_until_closed};

fn every_reader_sees_every_item<Q: Queue<Item>>(open: fn(usize) -> Q)
where
    Q::Consumer: ManyReaders,
{
    let ledger = Ledger::default();
    let (mut writer, mut one) = open(2).open();
    let mut two = one.clone();
    let mut all = (Vec::new(), Vec::new());
    for _ in 0..10 {
        push(&mut writer, &ledger).unwrap();
        all.0.extend(drain(&mut one));
        all.1.extend(drain(&mut two));
    }
    assert_eq!(all.0, (0..10).collect::<Vec<_>>());
    assert_eq!(all.1, all.0);
    drop((writer, one, two));
    ledger.balance();
}

fn the_slowest_reader_holds_the_writer_back<Q: Queue<Item>>(open: fn(usize) -> Q)
where
    Q::Consumer: ManyReaders,
{
    let ledger = Ledger::default();
    let (mut writer, mut fast) = open(2).open();
    let mut slow = fast.clone();
    push(&mut writer, &ledger).unwrap();
    push(&mut writer, &ledger).unwrap();
    assert_eq!(drain(&mut fast), [0, 1]);
    assert_eq!(push(&mut writer, &ledger), Err(PushError::Full(2)));
    // Looking is not reading: only a release makes room.
    slow.ready().unwrap();
    assert_eq!(push(&mut writer, &ledger), Err(PushError::Full(3)));
    slow.release(1);
    assert_eq!(push(&mut writer, &ledger), Ok(4));
    assert_eq!(push(&mut writer, &ledger), Err(PushError::Full(5)));
    // A reader that is gone holds nobody back.
    drop(slow);
    assert_eq!(push(&mut writer, &ledger), Ok(6));
    assert_eq!(drain(&mut fast), [4, 6]);
}

fn a_clone_stands_where_its_original_does<Q: Queue<Item>>(open: fn(usize) -> Q)
where
    Q::Consumer: ManyReaders,
{
    let ledger = Ledger::default();
    let (mut writer, mut one) = open(4).open();
    for _ in 0..3 {
        push(&mut writer, &ledger).unwrap();
    }
    one.ready().unwrap();
    one.release(1);
    // Items on loan to the original are still to come for the clone.
    let mut two = one.clone();
    assert!(catch_unwind(AssertUnwindSafe(|| two.release(1))).is_err());
    assert_eq!(drain(&mut one), [1, 2]);
    assert_eq!(drain(&mut two), [1, 2]);
}

fn it_closes_when_the_last_reader_goes<Q: Queue<Item>>(open: fn(usize) -> Q)
where
    Q::Consumer: ManyReaders,
{
    let ledger = Ledger::default();
    let (mut writer, one) = open(4).open();
    let two = one.clone();
    drop(one);
    assert_eq!(push(&mut writer, &ledger), Ok(0));
    drop(two);
    assert_eq!(push(&mut writer, &ledger), Err(PushError::Closed(1)));
}

fn places_are_used_again<Q: Queue<Item>>(open: fn(usize) -> Q)
where
    Q::Consumer: ManyReaders,
{
    let (_writer, mut reader) = open(4).open();
    for _ in 0..3 * queue::MAX_READERS {
        reader = reader.clone();
    }
    let others = vec![reader.clone(); queue::MAX_READERS - 2];
    let last = reader.clone();
    let refused = catch_unwind(AssertUnwindSafe(|| drop(reader.clone()))).unwrap_err();
    let message = refused.downcast_ref::<String>().unwrap();
    assert!(message.contains("at most 64 readers"), "{message}");
    drop(last);
    assert_eq!(others.len(), queue::MAX_READERS - 2);
    drop(reader.clone());
}

#[derive(Clone, Debug)]
enum Step {
    Push,
    Read { reader: usize, count: usize },
    Clone(usize),
    Drop(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Push),
        8 => (0..8usize, 1..12usize).prop_map(|(reader, count)| Step::Read { reader, count }),
        1 => (0..8usize).prop_map(Step::Clone),
        1 => (0..8usize).prop_map(Step::Drop),
    ];
    proptest::collection::vec(step, 1..200)
}

/// Any sequence of steps gives each reader every item taken since the reader before it, and the
/// writer as much room as the slowest reader leaves.
fn it_behaves_like_a_model<Q: Queue<Item>>(open: fn(usize) -> Q)
where
    Q::Consumer: ManyReaders,
{
    proptest!(|(capacity in 1..10usize, steps in steps())| {
        let ledger = Ledger::default();
        let (mut writer, reader) = open(capacity).open();
        let mut taken = Vec::new();
        let mut readers = vec![(reader, 0)];
        for step in steps {
            let present = readers.len();
            match step {
                Step::Push => {
                    let slowest = readers.iter().map(|(_, at)| *at).min();
                    let room = slowest.map(|at| taken.len() - at < capacity);
                    match push(&mut writer, &ledger) {
                        Ok(number) => {
                            prop_assert_eq!(room, Some(true));
                            taken.push(number);
                        }
                        Err(PushError::Full(_)) => prop_assert_eq!(room, Some(false)),
                        Err(PushError::Closed(_)) => prop_assert_eq!(room, None),
                    }
                }
                Step::Read { reader, count } if present > 0 => {
                    let (reader, at) = &mut readers[reader % present];
                    let lent = numbers(reader.ready().unwrap());
                    prop_assert_eq!(lent.is_empty(), taken.len() == *at);
                    prop_assert!(taken[*at..].starts_with(&lent));
                    let count = count.min(lent.len());
                    reader.release(count);
                    *at += count;
                }
                Step::Clone(reader) if present > 0 && present < 8 => {
                    let another = readers[reader % present].clone();
                    readers.push(another);
                }
                Step::Drop(reader) if present > 0 => drop(readers.swap_remove(reader % present)),
                _ => {}
            }
        }
        drop(writer);
        for (mut reader, at) in readers {
            prop_assert_eq!(&drain(&mut reader), &taken[at..]);
            prop_assert!(matches!(reader.ready(), Err(Closed)));
        }
        ledger.balance();
    });
}

fn readers_come_and_go_while_it_is_written<Q: Queue<u64>>(open: fn(usize) -> Q)
where
    Q::Consumer: ManyReaders,
{
    const LAST: u64 = 5_000;
    for capacity in [1, 3, 64] {
        let (mut writer, mut reader) = open(capacity).open();
        let staying = reader.clone();
        let writing =
            thread::spawn(move || (0..LAST).for_each(|number| insist(&mut writer, number)));
        let reading = thread::spawn(move || read_until_closed(staying, capacity));
        let mut next = 0;
        while let Ok(items) = reader.ready() {
            let Some(first) = items.first() else {
                thread::yield_now();
                continue;
            };
            assert_eq!(*first, next);
            // The clone takes over, and the original goes, one item further.
            let clone = reader.clone();
            reader.release(1);
            if next % 2 == 0 {
                next += 1;
            } else {
                reader = clone;
                assert_eq!(reader.ready().unwrap().first(), Some(&next));
                reader.release(1);
                next += 1;
            }
        }
        assert_eq!(next, LAST);
        assert!(reading.join().unwrap().into_iter().eq(0..LAST));
        writing.join().unwrap();
    }
}

macro_rules! broadcast_tests {
    ($($name:ident: $($test:ident),*;)*) => {$(
        mod $name {
            $(#[test] fn $test() { super::$test(dragonfly_core::queue::$name); })*
        }
    )*};
}

broadcast_tests! {
    spmc: every_reader_sees_every_item, the_slowest_reader_holds_the_writer_back,
        a_clone_stands_where_its_original_does, it_closes_when_the_last_reader_goes,
        places_are_used_again, it_behaves_like_a_model, readers_come_and_go_while_it_is_written;
    mpmc: every_reader_sees_every_item, the_slowest_reader_holds_the_writer_back,
        a_clone_stands_where_its_original_does, it_closes_when_the_last_reader_goes,
        places_are_used_again, it_behaves_like_a_model, readers_come_and_go_while_it_is_written;
}

#[test]
fn readers_of_many_writers_see_one_order() {
    let (writer, one) = queue::mpmc(3).open();
    let two = one.clone();
    let writing = [0u64, 1].map(|first| {
        let mut writer = writer.clone();
        thread::spawn(move || {
            (first..5_000)
                .step_by(2)
                .for_each(|n| insist(&mut writer, n))
        })
    });
    drop(writer);
    let reading = thread::spawn(move || read_until_closed(two, 7));
    let seen = read_until_closed(one, 5);
    assert_eq!(seen, reading.join().unwrap());
    assert_eq!(seen.len(), 5_000);
    for thread in writing {
        thread.join().unwrap();
    }
}

/// An item that may go to another thread but not be looked at from two: one reader is enough for it.
#[test]
fn items_need_not_be_sync_when_one_reads() {
    let (mut writer, mut reader) = queue::mpsc(1).open();
    writer.push(std::cell::Cell::new(1)).unwrap();
    let read = thread::spawn(move || reader.ready().unwrap()[0].get());
    assert_eq!(read.join().unwrap(), 1);
}
