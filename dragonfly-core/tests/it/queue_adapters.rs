//! `merge`, `map` and the ends of channels that others made.

use dragonfly_core::queue::{self, Closed, Consumer, Producer, Queue, channel};

fn all<C: Consumer<Item = u32>>(reader: &mut C) -> Vec<u32> {
    let mut all = Vec::new();
    while let Ok(items @ [_, ..]) = reader.ready() {
        all.extend_from_slice(items);
        let count = items.len();
        reader.release(count);
    }
    all
}

fn filled(numbers: std::ops::Range<u32>) -> (queue::spsc::Writer<u32>, queue::spsc::Reader<u32>) {
    let (mut writer, reader) = queue::spsc(8).open();
    numbers.for_each(|number| writer.push(number).unwrap());
    (writer, reader)
}

#[test]
fn a_busy_input_does_not_starve_the_others() {
    let (mut busy, one) = filled(0..4);
    let (_quiet, two) = filled(10..12);
    let mut both = queue::merge([one, two]);
    assert_eq!(both.ready().unwrap(), [0, 1, 2, 3]);
    both.release(3);
    busy.push(4).unwrap();
    // What is on loan comes first, but no more: then it is the other's turn.
    assert_eq!(both.ready().unwrap(), [3]);
    both.release(1);
    assert_eq!(both.ready().unwrap(), [10, 11]);
    both.release(2);
    assert_eq!(all(&mut both), [4]);
}

#[test]
fn merge_gives_back_to_the_input_that_lent() {
    let (mut one, first) = filled(0..8);
    let (_two, second) = filled(10..12);
    let mut both = queue::merge([first, second]);
    both.ready().unwrap();
    assert!(one.push(8).is_err());
    both.release(1);
    both.release(1);
    one.push(8).unwrap();
    one.push(9).unwrap();
    assert!(one.push(10).is_err());
    assert_eq!(both.ready().unwrap(), [2, 3, 4, 5, 6, 7]);
}

#[test]
#[should_panic(expected = "released 3 of 2 lent items")]
fn merge_releases_no_more_than_it_lent() {
    let (_one, first) = filled(0..2);
    let mut one = queue::merge([first]);
    one.ready().unwrap();
    one.release(3);
}

#[test]
fn merge_closes_when_all_inputs_are() {
    let (one, first) = filled(0..1);
    let (two, second) = filled(1..1);
    let mut both = queue::merge([first, second]);
    drop(two);
    assert_eq!(all(&mut both), [0]);
    assert_eq!(both.ready(), Ok(&[][..]));
    drop(one);
    assert_eq!(both.ready(), Err(Closed));
    let mut none = queue::merge::<queue::spsc::Reader<u32>>([]);
    assert_eq!(none.ready(), Err(Closed));
}

#[test]
fn map_calls_its_function_once_an_item() {
    let (mut writer, reader) = filled(0..2);
    let mut calls = 0;
    let mut tens = queue::map(reader, |number: &u32| {
        calls += 1;
        number * 10
    });
    assert_eq!(tens.ready().unwrap(), [0, 10]);
    writer.push(2).unwrap();
    assert_eq!(tens.ready().unwrap()[..2], [0, 10]);
    tens.release(1);
    assert_eq!(all(&mut tens), [10, 20]);
    drop(writer);
    assert_eq!(tens.ready(), Err(Closed));
    drop(tens);
    assert_eq!(calls, 3);
}

#[test]
fn map_over_merge_keeps_its_place() {
    let (_one, first) = filled(0..3);
    let (_two, second) = filled(10..12);
    let mut plus = queue::map(queue::merge([first, second]), |number: &u32| number + 100);
    assert_eq!(plus.ready().unwrap(), [100, 101, 102]);
    plus.release(2);
    assert_eq!(plus.ready().unwrap(), [102]);
    assert_eq!(all(&mut plus), [102, 110, 111]);
}

#[test]
fn clones_of_adapters_read_for_themselves() {
    let (mut writer, reader) = queue::spmc(4).open();
    let mut one = queue::map(queue::merge([reader]), |number: &u32| number + 1);
    writer.push(1).unwrap();
    assert_eq!(one.ready().unwrap(), [2]);
    let mut two = one.clone();
    assert_eq!(all(&mut one), [2]);
    assert_eq!(all(&mut two), [2]);
}

#[test]
fn ends_of_existing_channels_join_in() {
    let (sender, receiver) = crossbeam_channel::bounded(2);
    let mut reader = channel::Reader::from(receiver);
    let mut writer = channel::Writer::from(sender.clone());
    sender.send(1).unwrap();
    writer.push(2).unwrap();
    assert_eq!(all(&mut reader), [1, 2]);
    // A channel without room of its own hands over only to one who waits, and here nobody does.
    let (sender, receiver) = crossbeam_channel::bounded::<u32>(0);
    let mut reader = channel::Reader::from(receiver);
    assert!(channel::Writer::from(sender).push(1).is_err());
    assert_eq!(reader.ready(), Err(Closed));
}

#[test]
fn boxed_ends_pass_everything_on() {
    let (writer, reader) = queue::latest().open();
    let mut writer: Box<dyn Producer<Item = u32>> = Box::new(writer);
    let mut reader: Box<dyn Consumer<Item = u32>> = Box::new(reader);
    writer.push(1).unwrap();
    writer.push(2).unwrap();
    assert_eq!(writer.lost(), 1);
    assert_eq!(all(&mut reader), [2]);
}
