//! Captures as files, and the recording of a client.

use std::{
    io::{self, Write},
    path::Path,
};

use dragonfly_clients::capture::{self, CaptureError, Direction, Recorder, Recording};
use dragonfly_core::{
    client::{Client, ClientError, Control, Reader, Received, Writer},
    clock::{Clock, Nanos, UtcNanos},
};
use proptest::prelude::*;

use super::server::{Scratch, block_on};

/// Every record as `direction ts url frame`, or the text of the error.
fn read(path: &Path) -> Vec<String> {
    capture::open(path)
        .unwrap()
        .map(|record| match record {
            Ok(record) => {
                let (direction, ts, url) = (record.direction, record.ts, record.url.clone());
                format!("{direction:?} {ts:?} {url} {:?}", record.into_frame())
            }
            Err(error) => error.to_string(),
        })
        .collect()
}

fn refused(path: &Path) -> String {
    let error = capture::open(path).unwrap_err();
    assert!(matches!(error, CaptureError::Open { .. }));
    error.to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_file_is_read_as_it_was_written(
        records in proptest::collection::vec(
            (any::<Option<u64>>(), any::<bool>(), ".{0,20}", proptest::collection::vec(any::<u8>(), 0..400)),
            0..20,
        ),
    ) {
        for name in ["a.jsonl", "a.jsonl.zst"] {
            let file = Scratch::new(name);
            let mut writer = capture::Writer::create(&file.0).unwrap();
            let mut expected = Vec::new();
            for (ts, out, url, frame) in &records {
                let direction = if *out { Direction::Out } else { Direction::In };
                let ts = ts.map(UtcNanos);
                writer.write(ts, direction, url, frame).unwrap();
                expected.push(format!("{direction:?} {ts:?} {url} {frame:?}"));
            }
            writer.finish().unwrap();
            prop_assert_eq!(read(&file.0), expected);
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_reason() {
    assert_eq!(
        refused("/nowhere/a.jsonl".as_ref()),
        "capture /nowhere/a.jsonl: No such file or directory (os error 2)"
    );
    assert!(refused("/nowhere/a.json.gz".as_ref()).contains("neither .jsonl nor .jsonl.zst"));
    let directory = Scratch::new("directory.jsonl");
    std::fs::create_dir(&directory.0).unwrap();
    assert!(refused(&directory.0).contains("is a directory"));
    std::fs::remove_dir(&directory.0).unwrap();
}

#[test]
fn a_capture_is_never_overwritten() {
    let file = Scratch::holding("a.jsonl", "precious");
    let error = capture::Writer::create(&file.0).unwrap_err().to_string();
    assert!(
        error.contains(&file.0.display().to_string()) && error.contains("exists"),
        "{error}"
    );
    assert_eq!(std::fs::read(&file.0).unwrap(), b"precious");
}

#[test]
fn a_dropped_writer_has_written_everything_and_a_flushed_one_what_came_before() {
    for name in ["a.jsonl", "a.jsonl.zst"] {
        let file = Scratch::new(name);
        let mut writer = capture::Writer::create(&file.0).unwrap();
        writer.write(None, Direction::In, "u", b"1").unwrap();
        writer.flush().unwrap();
        assert_eq!(read(&file.0)[0], "In None u [49]", "{name}");
        writer.write(None, Direction::In, "u", b"2").unwrap();
        drop(writer);
        assert_eq!(
            read(&file.0),
            ["In None u [49]", "In None u [50]"],
            "{name}"
        );
    }
}

#[test]
fn a_file_cut_short_gives_what_is_whole_and_says_where_it_broke_off() {
    let file = Scratch::new("a.jsonl.zst");
    let mut writer = capture::Writer::create(&file.0).unwrap();
    writer.write(None, Direction::In, "u", b"1").unwrap();
    writer.flush().unwrap();
    writer.write(None, Direction::In, "u", b"2").unwrap();
    writer.finish().unwrap();
    let bytes = std::fs::read(&file.0).unwrap();
    std::fs::write(&file.0, &bytes[..bytes.len() - 1]).unwrap();
    let records = read(&file.0);
    assert_eq!(records[0], "In None u [49]");
    let last = records.last().unwrap();
    assert!(
        last.contains("reading broke off after line")
            && last.contains(&file.0.display().to_string()),
        "{last}"
    );
    let garbage = Scratch::holding("b.jsonl.zst", "{\"ts\":1}\n");
    assert!(read(&garbage.0)[0].contains("broke off after line 0"));
}

#[test]
fn a_window_of_128_mib_is_read_and_a_larger_one_refused() {
    for (log, readable) in [(27, true), (28, false)] {
        let file = Scratch::new("wide.jsonl.zst");
        let output = std::fs::File::create(&file.0).unwrap();
        let mut encoder = zstd::Encoder::new(output, 1).unwrap();
        encoder.window_log(log).unwrap();
        encoder
            .write_all(b"{\"ts\":null,\"dir\":\"in\",\"msg\":\"\"}\n")
            .unwrap();
        // Flushed before the end, so that the frame cannot be shrunk to its content.
        encoder.flush().unwrap();
        encoder.finish().unwrap();
        let found = read(&file.0);
        assert_eq!(found[0] == "In None  []", readable, "{found:?}");
    }
}

/// A client without a network: one text, one binary message, then the end.
struct Fake;

/// The messages still to come, the first one last, and the one that is lent.
struct FakeReader(Vec<Vec<u8>>, Vec<u8>);

struct FakeWriter;

impl Client for Fake {
    type Reader = FakeReader;
    type Writer = FakeWriter;

    async fn connect(&mut self) -> Result<(FakeReader, FakeWriter), ClientError> {
        Ok((
            FakeReader(vec![b"\xff".to_vec(), b"text".to_vec()], Vec::new()),
            FakeWriter,
        ))
    }

    fn endpoint(&self) -> &str {
        "wss://fake/"
    }
}

impl Reader for FakeReader {
    async fn read(&mut self) -> Result<Received<'_>, ClientError> {
        self.1 = self.0.pop().ok_or_else(|| ClientError::Io("end".into()))?;
        Ok(Received::Message(&mut self.1))
    }
}

impl Writer for FakeWriter {
    async fn send(&mut self, _: &[u8]) -> Result<(), ClientError> {
        Ok(())
    }

    async fn control(&mut self, _: Control<'_>) -> Result<(), ClientError> {
        Ok(())
    }
}

/// Sends and reads a little, changing each message in place as a decoder may.
async fn talk(recording: &Recording) {
    let mut client = Recorder::new(Fake, recording.clone());
    assert_eq!(client.endpoint(), "wss://fake/");
    let (mut reader, mut writer) = client.connect().await.unwrap();
    writer.send(b"subscribe").await.unwrap();
    writer.control(Control::Ping).await.unwrap();
    for expected in [&b"text"[..], b"\xff"] {
        let Received::Message(bytes) = reader.read().await.unwrap() else {
            panic!("no message")
        };
        assert_eq!(bytes, expected);
        bytes.fill(b'-');
    }
}

#[test]
fn what_passes_through_a_client_is_recorded_before_it_is_changed() {
    let file = Scratch::new("a.jsonl");
    let (clock, hand) = Clock::manual(UtcNanos(5));
    let recording = Recording::new(capture::Writer::create(&file.0).unwrap(), clock);
    block_on(talk(&recording));
    hand.advance(Nanos(2));
    block_on(talk(&recording));
    recording.finish().unwrap();
    block_on(talk(&recording));
    let mut expected = Vec::new();
    for ts in [5, 7] {
        let ts = format!("Some(UtcNanos({ts})) wss://fake/");
        expected.push(format!("Out {ts} {:?}", b"subscribe"));
        expected.push(format!("In {ts} {:?}", b"text"));
        expected.push(format!("In {ts} {:?}", b"\xff"));
    }
    assert_eq!(read(&file.0), expected);
}

/// A disk that is full.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_ends_the_recording_and_not_the_feed() {
    let (clock, _) = Clock::manual(UtcNanos(5));
    let recording = Recording::new(capture::Writer::new("full.jsonl", Full), clock);
    block_on(async {
        for _ in 0..100 {
            talk(&recording).await;
        }
    });
    let error = recording.finish().unwrap_err();
    assert_eq!(
        error.to_string(),
        "capture full.jsonl cannot be written: no storage space"
    );
}
