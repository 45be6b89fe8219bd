//! Loom models: every interleaving, up to the preemption bound, of the queues' own shared memory.
//!
//! Run with `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=2 cargo test --release --lib loom_`. No model
//! waits in a loop: each thread tries a few times, and what was left over is read when all are done.
//! Besides the assertions, loom reports any access to a slot that two threads did not order.

use std::sync::Arc;

use loom::thread::{self, JoinHandle};

use super::{Consumer, Producer, PushError, Queue, latest, mpmc, mpsc, spmc, spsc};

/// A number that counts how many of its kind are alive.
#[derive(Debug)]
struct Item(u32, #[allow(dead_code)] Arc<()>);

/// Runs a model and checks that it dropped every item it made.
fn model(body: impl Fn(&Arc<()>) + Send + Sync + 'static) {
    loom::model(move || {
        let alive = Arc::new(());
        body(&alive);
        assert_eq!(Arc::strong_count(&alive), 1, "items leaked");
    });
}

/// Pushes each of these numbers once, and returns those that were taken.
fn offer(writer: &mut impl Producer<Item = Item>, numbers: &[u32], alive: &Arc<()>) -> Vec<u32> {
    let mut taken = Vec::new();
    for &number in numbers {
        if writer.push(Item(number, Arc::clone(alive))).is_ok() {
            taken.push(number);
        }
    }
    taken
}

/// Starts a thread that [`offer`]s and then drops its end.
fn spawn_offer(
    mut writer: impl Producer<Item = Item> + 'static,
    numbers: &'static [u32],
    alive: &Arc<()>,
) -> JoinHandle<Vec<u32>> {
    let alive = Arc::clone(alive);
    thread::spawn(move || offer(&mut writer, numbers, &alive))
}

/// Looks `times` times, releasing one item at a time, and returns what was read.
fn poll(reader: &mut impl Consumer<Item = Item>, times: usize) -> Vec<u32> {
    let mut read = Vec::new();
    for _ in 0..times {
        let Ok([item, ..]) = reader.ready() else {
            continue;
        };
        read.push(item.0);
        reader.release(1);
    }
    read
}

/// Reads what is left when every writer is gone.
fn rest(reader: &mut impl Consumer<Item = Item>) -> Vec<u32> {
    let mut read = Vec::new();
    while let Ok(items) = reader.ready() {
        assert!(
            !items.is_empty(),
            "neither items nor closed, but nobody writes"
        );
        read.extend(items.iter().map(|item| item.0));
        let count = items.len();
        reader.release(count);
    }
    read
}

fn carries_in_order(queue: impl Queue<Item> + Copy + Send + Sync + 'static) {
    model(move |alive| {
        let (writer, mut reader) = queue.open();
        let writing = spawn_offer(writer, &[1, 2, 3], alive);
        let mut read = poll(&mut reader, 3);
        let taken = writing.join().unwrap();
        read.extend(rest(&mut reader));
        assert_eq!(read, taken);
    });
}

fn closes_for_the_writer(queue: impl Queue<Item> + Copy + Send + Sync + 'static) {
    model(move |alive| {
        let (mut writer, mut reader) = queue.open();
        let reading = thread::spawn(move || poll(&mut reader, 1));
        let taken = offer(&mut writer, &[1, 2], alive);
        let read = reading.join().unwrap();
        assert!(
            taken.starts_with(&read) || read == [2],
            "read {read:?} of {taken:?}"
        );
        let late = writer.push(Item(3, Arc::clone(alive)));
        assert!(
            matches!(late, Err(PushError::Closed(Item(3, _)))),
            "{late:?}"
        );
    });
}

#[test]
fn loom_spsc_carries_in_order() {
    carries_in_order(spsc(1));
    carries_in_order(spsc(2));
}

#[test]
fn loom_spsc_closes() {
    closes_for_the_writer(spsc(2));
}

#[test]
fn loom_mpsc_carries_in_order() {
    carries_in_order(mpsc(1));
    carries_in_order(mpsc(2));
}

#[test]
fn loom_mpsc_closes() {
    closes_for_the_writer(mpsc(2));
}

fn takes_two_writers(capacity: usize) {
    model(move |alive| {
        let (writer, mut reader) = mpsc(capacity).open();
        let one = spawn_offer(writer.clone(), &[1, 2], alive);
        let two = spawn_offer(writer, &[11, 12], alive);
        let mut read = poll(&mut reader, 2);
        let taken = (one.join().unwrap(), two.join().unwrap());
        read.extend(rest(&mut reader));
        assert_eq!(
            read.into_iter()
                .partition::<Vec<_>, _>(|&number| number < 10),
            taken
        );
    });
}

#[test]
fn loom_mpsc_takes_two_writers() {
    takes_two_writers(1);
    takes_two_writers(2);
}

fn shows_everything_to_two_readers(capacity: usize) {
    model(move |alive| {
        let (writer, mut one) = spmc(capacity).open();
        let mut two = one.clone();
        let writing = spawn_offer(writer, &[1, 2, 3], alive);
        let reading = thread::spawn(move || (poll(&mut two, 2), two));
        let mut by_one = poll(&mut one, 2);
        let (mut by_two, mut two) = reading.join().unwrap();
        let taken = writing.join().unwrap();
        by_one.extend(rest(&mut one));
        by_two.extend(rest(&mut two));
        assert_eq!((&by_one, &by_two), (&taken, &taken));
    });
}

#[test]
fn loom_spmc_shows_everything_to_two_readers() {
    shows_everything_to_two_readers(1);
    shows_everything_to_two_readers(2);
}

#[test]
fn loom_spmc_waits_for_a_clone_made_while_it_writes() {
    model(|alive| {
        let (mut writer, first) = spmc(1).open();
        // The first place becomes free: the clone below takes it, and a writer looks there first.
        let mut one = first.clone();
        drop(first);
        offer(&mut writer, &[1], alive);
        let writing = spawn_offer(writer, &[2, 3], alive);
        let mut late = one.clone();
        let mut by_one = poll(&mut one, 2);
        let taken = writing.join().unwrap();
        by_one.extend(rest(&mut one));
        assert!(taken.is_empty(), "{taken:?} went past a reader");
        assert_eq!(by_one, [1]);
        assert_eq!(rest(&mut late), [1]);
    });
}

#[test]
fn loom_spmc_clones_clone() {
    model(|alive| {
        let (mut writer, mut one) = spmc(1).open();
        offer(&mut writer, &[1], alive);
        let writing = spawn_offer(writer, &[2], alive);
        let two = one.clone();
        poll(&mut one, 1);
        let mut three = two.clone();
        drop(two);
        let mut by_three = poll(&mut three, 2);
        let mut expected = vec![1];
        expected.extend(writing.join().unwrap());
        by_three.extend(rest(&mut three));
        assert_eq!(by_three, expected);
    });
}

#[test]
fn loom_spmc_does_not_wait_for_a_reader_that_left() {
    model(|alive| {
        let (mut writer, mut one) = spmc(1).open();
        let mut two = one.clone();
        offer(&mut writer, &[1], alive);
        let mut by_one = poll(&mut one, 1);
        let writing = spawn_offer(writer, &[2, 3], alive);
        let leaving = thread::spawn(move || {
            assert_eq!(poll(&mut two, 1), [1]);
        });
        by_one.extend(poll(&mut one, 1));
        leaving.join().unwrap();
        let mut expected = vec![1];
        expected.extend(writing.join().unwrap());
        by_one.extend(rest(&mut one));
        assert_eq!(by_one, expected);
    });
}

#[test]
fn loom_mpmc_shows_one_order_to_two_readers() {
    model(|alive| {
        let (mut writer, mut one) = mpmc(2).open();
        let mut two = one.clone();
        offer(&mut writer, &[0, 1], alive);
        let first = spawn_offer(writer.clone(), &[2], alive);
        let second = spawn_offer(writer, &[3], alive);
        let reading = thread::spawn(move || (poll(&mut two, 2), two));
        let mut by_one = poll(&mut one, 2);
        let (mut by_two, mut two) = reading.join().unwrap();
        let mut taken = first.join().unwrap();
        taken.extend(second.join().unwrap());
        by_one.extend(rest(&mut one));
        by_two.extend(rest(&mut two));
        assert_eq!(by_one, by_two);
        assert_eq!(by_one[..2], [0, 1]);
        by_one.sort_unstable();
        assert_eq!(by_one[2..], taken);
    });
}

#[test]
fn loom_latest_loses_only_what_it_counts() {
    model(|alive| {
        let (mut writer, mut reader) = latest().open();
        let items = Arc::clone(alive);
        let writing = thread::spawn(move || {
            assert_eq!(offer(&mut writer, &[1, 2, 3], &items), [1, 2, 3]);
            writer.lost()
        });
        let mut read = poll(&mut reader, 3);
        let lost = writing.join().unwrap();
        read.extend(rest(&mut reader));
        assert!(read.is_sorted_by(|a, b| a < b), "{read:?}");
        assert_eq!(read.last(), Some(&3));
        assert_eq!(read.len() as u64 + lost, 3);
    });
}

#[test]
fn loom_latest_closes() {
    closes_for_the_writer(latest());
}
