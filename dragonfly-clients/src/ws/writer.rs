//! The writing half of an open connection, over the frames of fastwebsockets.

use std::{fmt, str, time::Duration};

use dragonfly_core::client::{self, ClientError, Control};
use fastwebsockets::{
    Frame, OpCode, Payload, Role, WebSocketError, WebSocketWrite, after_handshake_split,
};
use tokio::{io::WriteHalf, time::timeout};

use super::{
    header::{MAX_CONTROL, protocol},
    stream::Transport,
};

/// The writing half of a WebSocket connection.
///
/// Each frame is masked with a key of its own from the operating system's seeded generator, and
/// sent in one piece. Sending has a deadline, see [`ClientBuilder::send_timeout`].
///
/// [`ClientBuilder::send_timeout`]: super::ClientBuilder::send_timeout
pub struct Writer {
    frames: WebSocketWrite<WriteHalf<Transport>>,
    /// Masking is done in place, and the text belongs to the caller.
    scratch: Vec<u8>,
    limit: Duration,
}

impl client::Writer for Writer {
    async fn send(&mut self, text: &[u8]) -> Result<(), ClientError> {
        if str::from_utf8(text).is_err() {
            return Err(protocol("the text to be sent is not UTF-8"));
        }
        self.write(OpCode::Text, text).await
    }

    async fn control(&mut self, control: Control<'_>) -> Result<(), ClientError> {
        match control {
            Control::Ping => self.write(OpCode::Ping, b"").await,
            Control::Pong(payload) if payload.len() > MAX_CONTROL => {
                Err(protocol("the pong to be sent has more than 125 bytes"))
            }
            Control::Pong(payload) => self.write(OpCode::Pong, payload).await,
            Control::Close => self.write(OpCode::Close, &1000_u16.to_be_bytes()).await,
            _ => Err(protocol(
                "the control message to be sent is not one of WebSocket",
            )),
        }
    }
}

impl Writer {
    pub(super) fn new(write: WriteHalf<Transport>, limit: Duration) -> Self {
        // The other half is not used: frames are read by this crate's own code.
        let (_, mut frames) = after_handshake_split(tokio::io::empty(), write, Role::Client);
        // A frame written in one piece is one TLS record.
        frames.set_writev(false);
        Self {
            frames,
            scratch: Vec::new(),
            limit,
        }
    }

    async fn write(&mut self, opcode: OpCode, payload: &[u8]) -> Result<(), ClientError> {
        self.scratch.clear();
        self.scratch.extend_from_slice(payload);
        let limit = self.limit;
        let frame = Frame::new(true, opcode, None, Payload::BorrowedMut(&mut self.scratch));
        let frames = &mut self.frames;
        let sending = async {
            frames.write_frame(frame).await?;
            frames.flush().await
        };
        match timeout(limit, sending).await {
            Ok(result) => result.map_err(|error| write_error(&error)),
            Err(_) => Err(super::connect::took_too_long("WebSocket send", limit)),
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

fn write_error(error: &WebSocketError) -> ClientError {
    match error {
        WebSocketError::ConnectionClosed => ClientError::Io("already closed from this side".into()),
        other => ClientError::Io(other.to_string()),
    }
}
