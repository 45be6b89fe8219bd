//! One connection: reads what the client sends, plays what is due, keeps the protocol's manners.
//!
//! Everything is bounded: a client's messages are capped and wait in a short queue, a client that
//! stops reading is dropped after [`Terms::write_stall`], and messages are taken off the tape one
//! by one, so that a slow client makes the playing late and nothing else.

use std::{sync::Arc, time::Duration};

use dragonfly_core::clock::{Clock, Nanos};
use fastwebsockets::OpCode;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, WriteHalf},
    sync::mpsc,
    time::timeout,
};

use crate::{
    Pace,
    dialect::{Action, Dialect},
    frames::{Incoming, frame_head, read},
    tape::Player,
};

/// Client messages that may wait for the session.
const QUEUE: usize = 64;
/// How long a closing handshake may take.
const CLOSE_WAIT: Duration = Duration::from_secs(1);
const HEARTBEAT: Nanos = Nanos::from_secs(1);
/// Capacity the write buffer keeps after a large message.
const KEPT_CAPACITY: usize = 64 << 10;

/// What holds for every connection to a venue.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) pace: Pace,
    pub(crate) clock: Clock,
    pub(crate) patience: Duration,
    pub(crate) max_message: usize,
    pub(crate) write_stall: Duration,
}

/// The connection is over; nothing more can be sent on it.
struct Over;

struct Session<S> {
    output: WriteHalf<S>,
    buffer: Vec<u8>,
    incoming: mpsc::Receiver<Incoming>,
    dialect: Box<dyn Dialect>,
    player: Player,
    terms: Terms,
    subscribed: bool,
    opened: Nanos,
    last_sent: Nanos,
}

/// Holds the conversation until either side ends it.
pub(crate) async fn run<S>(stream: S, dialect: Box<dyn Dialect>, terms: Terms)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (input, output) = tokio::io::split(stream);
    let (sender, incoming) = mpsc::channel(QUEUE);
    let reader = tokio::spawn(read(input, sender, terms.max_message));
    let now = terms.clock.mono();
    let mut session = Session {
        output,
        buffer: Vec::new(),
        incoming,
        player: Player::new(Arc::clone(dialect.tape()), terms.pace),
        dialect,
        terms,
        subscribed: false,
        opened: now,
        last_sent: now,
    };
    // `Over` is how every conversation ends; there is nothing to report.
    session.converse().await.err();
    reader.abort();
    // The client may be gone already.
    timeout(CLOSE_WAIT, session.output.shutdown()).await.ok();
}

impl<S> Session<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    async fn converse(&mut self) -> Result<(), Over> {
        let actions = self.dialect.on_open();
        self.act(actions).await?;
        loop {
            // What the client says counts before what is due: an unsubscription takes effect.
            self.hear().await?;
            let now = self.terms.clock.mono();
            if self.player.due().is_some_and(|due| due <= now) {
                self.play().await?;
                // Lets the reading half run even while there is always something due.
                tokio::task::yield_now().await;
            } else if self.player.ended() {
                return self.close(1001, "end of the recording").await;
            } else {
                self.wait(now).await?;
            }
        }
    }

    async fn hear(&mut self) -> Result<(), Over> {
        loop {
            match self.incoming.try_recv() {
                Ok(incoming) => self.handle(incoming).await?,
                Err(mpsc::error::TryRecvError::Empty) => return Ok(()),
                Err(mpsc::error::TryRecvError::Disconnected) => return Err(Over),
            }
        }
    }

    /// Waits for the client or for the next deadline, and keeps the latter.
    async fn wait(&mut self, now: Nanos) -> Result<(), Over> {
        let heartbeat = self.heartbeat().map(|_| self.last_sent + HEARTBEAT);
        let patience = (!self.subscribed).then(|| self.opened + self.terms.patience.into());
        let deadline = [self.player.due(), heartbeat, patience]
            .into_iter()
            .flatten()
            .min();
        let received = match deadline {
            None => Ok(self.incoming.recv().await),
            Some(deadline) => {
                timeout(deadline.since(now).as_duration(), self.incoming.recv()).await
            }
        };
        if let Ok(incoming) = received {
            return self.handle(incoming.ok_or(Over)?).await;
        }
        let now = self.terms.clock.mono();
        if patience.is_some_and(|patience| patience <= now) {
            return self.close(1000, "nothing subscribed").await;
        }
        match self.heartbeat() {
            Some(text) if heartbeat.is_some_and(|due| due <= now) => {
                self.send(OpCode::Text, text.as_bytes()).await
            }
            _ => Ok(()),
        }
    }

    /// The heartbeat of this moment. Unpaced there is no time a heartbeat could fill.
    fn heartbeat(&self) -> Option<&'static str> {
        self.dialect
            .heartbeat()
            .filter(|_| self.terms.pace != Pace::AsFast)
    }

    async fn handle(&mut self, incoming: Incoming) -> Result<(), Over> {
        match incoming {
            Incoming::Text(text) => {
                let actions = self.dialect.on_text(&text, self.terms.clock.utc());
                self.act(actions).await
            }
            Incoming::Ping(payload) => self.send(OpCode::Pong, &payload).await,
            Incoming::Pong(_) => Ok(()),
            Incoming::Close(payload) => {
                self.send(OpCode::Close, &payload).await?;
                Err(Over)
            }
            Incoming::Violation(code, reason) => self.close(code, reason).await,
        }
    }

    async fn act(&mut self, actions: Vec<Action>) -> Result<(), Over> {
        for action in actions {
            match action {
                Action::Reply(text) => self.send(OpCode::Text, text.as_bytes()).await?,
                Action::Play(streams) => {
                    self.subscribed = true;
                    self.player.play(streams, self.terms.clock.mono());
                }
                Action::Stop(streams) => self.player.stop(&streams),
            }
        }
        Ok(())
    }

    async fn play(&mut self) -> Result<(), Over> {
        let Some((tape, index)) = self.player.take() else {
            return Ok(());
        };
        let Some(item) = tape.item(index) else {
            return Ok(());
        };
        let mut text = std::mem::take(&mut self.buffer);
        text.clear();
        self.dialect.present(item, &mut text);
        let sent = self.send(OpCode::Text, &text).await;
        text.shrink_to(KEPT_CAPACITY);
        self.buffer = text;
        sent
    }

    /// Closes and waits for the client to answer, but not for long.
    async fn close(&mut self, code: u16, reason: &str) -> Result<(), Over> {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        self.send(OpCode::Close, &payload).await?;
        let answered = async {
            while let Some(incoming) = self.incoming.recv().await {
                if matches!(incoming, Incoming::Close(_)) {
                    break;
                }
            }
        };
        // Without an answer the connection ends all the same.
        timeout(CLOSE_WAIT, answered).await.ok();
        Err(Over)
    }

    /// Sends one frame, or gives the client up if it does not take it in time.
    async fn send(&mut self, opcode: OpCode, payload: &[u8]) -> Result<(), Over> {
        let (head, len) = frame_head(opcode, payload.len());
        let write = async {
            self.output
                .write_all(head.get(..len).unwrap_or(&head))
                .await?;
            self.output.write_all(payload).await?;
            self.output.flush().await
        };
        match timeout(self.terms.write_stall, write).await {
            Ok(Ok(())) => {
                self.last_sent = self.terms.clock.mono();
                Ok(())
            }
            Ok(Err(_)) => Err(Over),
            Err(_) => {
                tracing::info!("a client stopped reading and was dropped");
                Err(Over)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use dragonfly_core::clock::UtcNanos;
    use tokio::io::{AsyncReadExt, DuplexStream};

    use super::*;
    use crate::tape::Tape;

    /// Plays one stream to whoever says anything, and repeats what was said.
    struct Echo(Arc<Tape>);

    impl Dialect for Echo {
        fn tape(&self) -> &Arc<Tape> {
            &self.0
        }
        fn on_text(&mut self, text: &str, _now: UtcNanos) -> Vec<Action> {
            vec![Action::Reply(text.to_owned()), Action::Play(vec![0])]
        }
    }

    /// Runs a session over a pipe of 64 bytes against `client`, with time that passes by itself.
    fn converse<T>(client: impl AsyncFnOnce(DuplexStream) -> T) -> T {
        let mut tape = Tape::default();
        tape.push(UtcNanos(0), "a", "x".repeat(1000).into(), 0..0);
        let terms = Terms {
            pace: Pace::AsFast,
            clock: Clock::monotonic(),
            patience: Duration::from_secs(60),
            max_message: 10,
            write_stall: Duration::from_secs(10),
        };
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (near, far) = tokio::io::duplex(64);
            let session = tokio::spawn(run(far, Box::new(Echo(Arc::new(tape))), terms));
            let heard = client(near).await;
            session.await.unwrap();
            heard
        })
    }

    /// A client's frame with a mask of zeros.
    fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![head, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn a_client_that_stops_reading_is_dropped() {
        converse(async |mut client| {
            client.write_all(&frame(0x81, b"hello")).await.unwrap();
            // Never reads; the pipe is kept so that only the stall can end the session.
            Box::leak(Box::new(client));
        });
    }

    #[test]
    fn a_fragmented_message_is_put_together() {
        let heard = converse(async |mut client| {
            client.write_all(&frame(0x01, b"ab")).await.unwrap();
            client.write_all(&frame(0x80, b"cd")).await.unwrap();
            let mut reply = [0; 6];
            client.read_exact(&mut reply).await.unwrap();
            reply
        });
        assert_eq!(&heard, b"\x81\x04abcd");
    }

    #[test]
    fn fragments_count_together_against_the_limit() {
        let heard = converse(async |mut client| {
            client.write_all(&frame(0x01, b"abcdef")).await.unwrap();
            client.write_all(&frame(0x80, b"ghijk")).await.unwrap();
            let mut reply = [0; 4];
            client.read_exact(&mut reply).await.unwrap();
            reply
        });
        assert_eq!(heard[0], 0x88);
        assert_eq!(u16::from_be_bytes([heard[2], heard[3]]), 1009);
    }
}
