//! A connection's socket: hands what the client says to its conversation, and sends what waits.

use std::{sync::Arc, time::Duration};

use fastwebsockets::OpCode;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, WriteHalf},
    sync::{Notify, mpsc},
    time::{sleep, timeout},
};

use super::{
    conn::{Fate, Parcel, Spoil, Step},
    floor::Shared,
    wire,
};
use crate::{exchange::Frame, fault::Kind, frames};

/// Client messages that may wait for the conversation.
const QUEUE: usize = 64;
/// The largest message a client may send, in bytes.
const MAX_MESSAGE: usize = 64 << 10;
/// How long a closing handshake may take.
const CLOSE_WAIT: Duration = Duration::from_secs(1);
/// A client that takes nothing for this long is cut off.
const WRITE_STALL: Duration = Duration::from_secs(10);
/// How long a client may keep up a connection on which it was sent what no client may accept.
const OUTRAGE_WAIT: Duration = Duration::from_secs(10);

/// How long a connection that is half-open is kept.
const HALF_OPEN: Duration = Duration::from_secs(600);

/// The connection is over; nothing more can be sent on it.
struct Over;

struct Line<S> {
    id: u64,
    venue: usize,
    socket: u32,
    floor: Shared,
    wake: Arc<Notify>,
    end: Arc<Notify>,
    output: WriteHalf<S>,
}

/// Holds the connection until either side ends it.
pub(super) async fn run<S>(stream: S, id: u64, floor: Shared)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (input, output) = tokio::io::split(stream);
    let Some((venue, socket, wake, end)) = floor.get().conns.get(&id).map(|conn| {
        let (wake, end) = (Arc::clone(&conn.wake), Arc::clone(&conn.end));
        (conn.venue, conn.socket, wake, end)
    }) else {
        return;
    };
    let (sender, incoming) = mpsc::channel(QUEUE);
    let reader = tokio::spawn(frames::read(input, sender, MAX_MESSAGE));
    let hearer = tokio::spawn(hear(incoming, id, floor.clone()));
    let mut line = Line {
        id,
        venue,
        socket,
        floor: floor.clone(),
        wake,
        end,
        output,
    };
    // `Over` is how every conversation ends; there is nothing to report.
    line.talk().await.err();
    reader.abort();
    hearer.abort();
    // Those who read and heard hold a part of the socket until they are gone.
    reader.await.ok();
    let fate = floor.get().conns.remove(&id).and_then(|conn| conn.fate());
    match fate {
        Some(Fate::HalfOpen) => sleep(HALF_OPEN).await,
        Some(Fate::Cut) => {}
        // The client may be gone already.
        _ => {
            timeout(CLOSE_WAIT, line.output.shutdown()).await.ok();
        }
    }
}

async fn hear(mut incoming: mpsc::Receiver<frames::Incoming>, id: u64, floor: Shared) {
    while let Some(said) = incoming.recv().await {
        floor.get().hear(id, said);
    }
    floor.get().lose(id, Fate::Gone);
}

impl<S> Line<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    async fn talk(&mut self) -> Result<(), Over> {
        loop {
            let step = self.floor.get().step(self.id);
            match step {
                Step::End => return Err(Over),
                Step::Wait(None) => self.wake.notified().await,
                Step::Wait(Some(at)) => {
                    let wait = at.saturating_sub(self.floor.get().now());
                    let woken = self.wake.notified();
                    timeout(Duration::from_nanos(wait), woken).await.ok();
                }
                Step::Send(parcel) => self.send(parcel).await?,
            }
        }
    }

    async fn send(&mut self, parcel: Parcel) -> Result<(), Over> {
        match parcel {
            Parcel::Message(frame, None) => self.message(frame).await,
            Parcel::Message(frame, Some(spoil)) => self.spoiled(frame, spoil).await,
            Parcel::Pong(payload) => self.write(&wire::frame(OpCode::Pong, &payload)).await,
            Parcel::Ping(payload) => self.write(&wire::frame(OpCode::Ping, &payload)).await,
            Parcel::Farewell(payload) => {
                self.write(&wire::frame(OpCode::Close, &payload)).await?;
                Err(Over)
            }
            Parcel::Close(code) => {
                let payload = [&code.to_be_bytes()[..], b"simulated"].concat();
                self.write(&wire::frame(OpCode::Close, &payload)).await?;
                self.wait_for_the_end(CLOSE_WAIT).await
            }
        }
    }

    async fn message(&mut self, frame: Frame) -> Result<(), Over> {
        // A venue that closes says so in a frame of its own.
        if frame.text.is_empty() && frame.close.is_some() {
            return Ok(());
        }
        self.write(&wire::message(&frame.text)).await?;
        self.delivered(frame);
        Ok(())
    }

    fn delivered(&self, frame: Frame) {
        let mut floor = self.floor.get();
        floor.deliver(self.venue, self.socket, frame);
    }

    /// Sends a message in the way that a fault wants it.
    async fn spoiled(&mut self, frame: Frame, spoil: Spoil) -> Result<(), Over> {
        let Spoil {
            kind,
            index,
            lasting,
        } = spoil;
        for chunk in wire::spoil(kind, &frame.text, lasting) {
            let written = self.write(&chunk.bytes).await;
            if written.is_err() && (wire::is_fatal(kind) || kind == Kind::Drip) {
                // The client has not waited for the end of it.
                self.floor.get().schedule.keep(index);
            }
            written?;
            if chunk.pause > 0 {
                sleep(Duration::from_nanos(chunk.pause)).await;
            }
        }
        self.floor.get().schedule.keep(index);
        if wire::is_fatal(kind) {
            return self.wait_for_the_end(OUTRAGE_WAIT).await;
        }
        self.delivered(frame);
        Ok(())
    }

    /// Says nothing more; the client closes, or is cut off.
    async fn wait_for_the_end(&self, limit: Duration) -> Result<(), Over> {
        let ended = async {
            loop {
                let step = self.floor.get().step(self.id);
                match step {
                    Step::End | Step::Send(Parcel::Farewell(_)) => return,
                    Step::Send(_) => {}
                    Step::Wait(_) => self.wake.notified().await,
                }
            }
        };
        if timeout(limit, ended).await.is_err() {
            self.floor.get().lose(self.id, Fate::Cut);
        }
        Err(Over)
    }

    /// Writes and flushes, unless the connection ends meanwhile or the client does not take it.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Over> {
        let output = &mut self.output;
        let write = async {
            output.write_all(bytes).await?;
            output.flush().await
        };
        let written = tokio::select! {
            biased;
            () = self.end.notified() => return Err(Over),
            written = timeout(WRITE_STALL, write) => written,
        };
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => {
                self.floor.get().lose(self.id, Fate::Gone);
                Err(Over)
            }
            Err(_) => {
                tracing::info!(
                    socket = self.socket,
                    "a client stopped reading and was cut off"
                );
                self.floor.get().lose(self.id, Fate::Cut);
                Err(Over)
            }
        }
    }
}
