//! Writes down what passes through a client, so that any feed can be recorded and replayed.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use dragonfly_core::{
    client::{Client, ClientError, Control, Reader, Received, Writer as ClientWriter},
    clock::Clock,
};

use super::{CaptureError, Direction, Writer};

/// A capture that is being written by any number of clients.
///
/// Clones write to the same capture. A recording that cannot be written (the disk is full) is
/// logged once and ends there; the feeds go on. Writing happens on the feed's own thread: a disk
/// that stalls, stalls the feed.
#[derive(Clone, Debug)]
pub struct Recording {
    state: Arc<Mutex<State>>,
    clock: Clock,
}

#[derive(Debug)]
enum State {
    Open(Writer),
    Failed(CaptureError),
    Finished,
}

impl Recording {
    /// Writes to `writer`, with time stamps of `clock`.
    pub fn new(writer: Writer, clock: Clock) -> Self {
        Self {
            state: Arc::new(Mutex::new(State::Open(writer))),
            clock,
        }
    }

    /// Writes the rest and ends the capture; what its clients still see is not recorded.
    ///
    /// # Errors
    /// [`CaptureError::Write`], if anything could not be written since the beginning.
    pub fn finish(&self) -> Result<(), CaptureError> {
        match mem::replace(&mut *self.lock(), State::Finished) {
            State::Open(writer) => writer.finish(),
            State::Failed(error) => Err(error),
            State::Finished => Ok(()),
        }
    }

    fn record(&self, direction: Direction, url: &str, frame: &[u8]) {
        let ts = Some(self.clock.utc());
        let mut state = self.lock();
        if let State::Open(writer) = &mut *state
            && let Err(error) = writer.write(ts, direction, url, frame)
        {
            tracing::error!(%error, "recording ends here; the feed goes on");
            *state = State::Failed(error);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic of another feed leaves whole lines behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client whose messages are recorded; it behaves as the client it wraps.
///
/// A message is written down before it is lent, so a decoder that changes it in place does not
/// change the recording.
#[derive(Clone, Debug)]
pub struct Recorder<C> {
    client: C,
    recording: Recording,
}

impl<C: Client> Recorder<C> {
    /// Records what passes through `client`.
    pub fn new(client: C, recording: Recording) -> Self {
        Self { client, recording }
    }
}

impl<C: Client> Client for Recorder<C> {
    type Reader = RecordedReader<C::Reader>;
    type Writer = RecordedWriter<C::Writer>;

    async fn connect(&mut self) -> Result<(Self::Reader, Self::Writer), ClientError> {
        let (reader, writer) = self.client.connect().await?;
        let url: Arc<str> = self.client.endpoint().into();
        let recording = self.recording.clone();
        Ok((
            RecordedReader {
                reader,
                url: url.clone(),
                recording: recording.clone(),
            },
            RecordedWriter {
                writer,
                url,
                recording,
            },
        ))
    }

    fn endpoint(&self) -> &str {
        self.client.endpoint()
    }
}

/// The reading half of a recorded connection.
#[derive(Debug)]
pub struct RecordedReader<R> {
    reader: R,
    url: Arc<str>,
    recording: Recording,
}

impl<R: Reader> Reader for RecordedReader<R> {
    async fn read(&mut self) -> Result<Received<'_>, ClientError> {
        self.read_early(usize::MAX).await
    }

    async fn read_early(&mut self, large: usize) -> Result<Received<'_>, ClientError> {
        let received = self.reader.read_early(large).await?;
        // A part is written down with its whole.
        if let Received::Message(bytes) = &received {
            self.recording.record(Direction::In, &self.url, bytes);
        }
        Ok(received)
    }
}

/// The writing half of a recorded connection.
#[derive(Debug)]
pub struct RecordedWriter<W> {
    writer: W,
    url: Arc<str>,
    recording: Recording,
}

impl<W: ClientWriter> ClientWriter for RecordedWriter<W> {
    async fn send(&mut self, text: &[u8]) -> Result<(), ClientError> {
        // Written down first: the answer may be recorded before this future goes on.
        self.recording.record(Direction::Out, &self.url, text);
        self.writer.send(text).await
    }

    async fn control(&mut self, control: Control<'_>) -> Result<(), ClientError> {
        self.writer.control(control).await
    }
}
