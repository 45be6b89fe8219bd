//! Captures: what was recorded, read again.

use std::{
    io::{BufReader, Cursor, Write},
    sync::{Arc, Mutex},
};

use dragonfly_clients::capture::{self, CaptureError, Record, Writer};
use dragonfly_feeds::VenueReplay;

use super::decode::choice;

/// The longest line that is read of a compressed input, in bytes: what a few bytes become can be
/// arbitrarily long.
const MAX_LINE: usize = 16 << 10;

/// How many lines are read of a compressed input, which can be arbitrarily many.
const MAX_LINES: usize = 64;

/// Reads `input` as a capture: no line is lost, and what is written of the records reads the same.
pub(super) fn capture(input: &[u8]) {
    let mut found = 0;
    let records = read(input).inspect(|_| found += 1);
    let records: Vec<Record> = records.filter_map(Result::ok).collect();
    let lines = input.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.trim_ascii().is_empty()).count();
    assert_eq!(found, lines);
    let text = written(&records);
    let mut again = read(&text);
    for record in &records {
        let again = again.next().expect("as many as were written");
        let again = again.expect("what was written can be read");
        assert_eq!(
            (record.ts, record.direction, &record.url),
            (again.ts, again.direction, &again.url)
        );
        assert_eq!(record.clone().into_frame(), again.into_frame());
    }
    assert!(again.next().is_none());
}

/// In small reads, which cut lines anywhere.
fn read(bytes: &[u8]) -> capture::Reader<BufReader<&[u8]>> {
    let input = BufReader::with_capacity(13 + bytes.len() % 97, bytes);
    capture::Reader::new("input", input)
}

/// What a writer has written, which it takes along.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut all = self.0.lock().expect("no writer panics");
        all.write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn written(records: &[Record]) -> Vec<u8> {
    let all = Shared::default();
    let mut writer = Writer::new("memory", all.clone());
    for record in records {
        let frame = record.clone().into_frame();
        writer
            .write(record.ts, record.direction, &record.url, &frame)
            .expect("memory takes everything");
    }
    writer.finish().expect("memory takes everything");
    std::mem::take(&mut *all.0.lock().expect("no writer panics"))
}

/// Reads `input` as a compressed capture: what it becomes is held line by line.
pub(super) fn compressed(input: &[u8]) {
    let reader = capture::Reader::compressed("input", Cursor::new(input.to_vec()));
    let reader = reader.expect("there is memory").max_line(MAX_LINE);
    let mut is_over = false;
    for record in reader.take(MAX_LINES) {
        assert!(!is_over, "there is nothing more after the input broke off");
        match record {
            Ok(record) => assert!(record.msg.len() <= MAX_LINE),
            Err(error) => is_over = matches!(error, CaptureError::Read { .. }),
        }
    }
}

/// Plays all but the first byte of `input` as a recording of the venue that the first byte chooses.
pub(super) fn replay(input: &[u8]) {
    let Some((spec, lines)) = choice(input) else {
        return;
    };
    let mut replay = VenueReplay::new(spec.id, 10).expect("the venue is registered");
    let mut faults = 0;
    let reader = capture::Reader::new("input", lines);
    let played = replay.play_file(reader, &mut |_| faults += 1);
    assert!(played.is_ok(), "memory can be read to its end");
    let counts = replay.counts();
    assert_eq!(counts.bad + counts.broken, faults);
    for book in replay.books() {
        let depth = book.sync.depth(10);
        assert!(
            depth
                .bids
                .windows(2)
                .all(|pair| pair[0].price > pair[1].price)
        );
        assert!(
            depth
                .asks
                .windows(2)
                .all(|pair| pair[0].price < pair[1].price)
        );
    }
}
