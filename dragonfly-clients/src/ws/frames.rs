//! The two halves of an open connection, over the frames of fastwebsockets.
//!
//! fastwebsockets parses and masks frames; what it leaves open is closed here: fragments are put
//! together under one limit, masked frames from a server and oversized control messages are
//! refused, and a close message is checked before it is believed.

use std::{convert::Infallible, fmt, io, str, time::Duration};

use bytes::{Bytes, BytesMut};
use dragonfly_core::client::{self, ClientError, Control, Received};
use fastwebsockets::{
    Frame, OpCode, Payload, Role, WebSocketError, WebSocketRead, WebSocketWrite,
    after_handshake_split,
};
use tokio::{
    io::{ReadHalf, WriteHalf},
    time::timeout,
};

use super::{
    fragments::{Fragments, Kind},
    stream::{Prefixed, Transport},
};

/// The largest payload of a ping, pong or close message, in bytes.
const MAX_CONTROL: usize = 125;

/// The code reported when the peer gave none.
const NO_CODE: u16 = 1006;

/// Both halves of an upgraded connection; `early` was read behind the answer to the upgrade.
pub(super) fn halves(
    transport: Transport,
    early: Bytes,
    max_message: usize,
    send_limit: Duration,
) -> (Reader, Writer) {
    let (read, write) = tokio::io::split(transport);
    let (mut frames_in, mut frames_out) =
        after_handshake_split(Prefixed::new(early, read), write, Role::Client);
    frames_in.set_auto_close(false);
    frames_in.set_auto_pong(false);
    // fastwebsockets refuses what is as large as its limit.
    frames_in.set_max_message_size(max_message + 1);
    // A frame written in one piece is one TLS record.
    frames_out.set_writev(false);
    let reader = Reader {
        frames: frames_in,
        message: BytesMut::new(),
        fragments: Fragments::new(max_message),
        limit: max_message,
    };
    (
        reader,
        Writer {
            frames: frames_out,
            scratch: Vec::new(),
            limit: send_limit,
        },
    )
}

/// The reading half of a WebSocket connection.
///
/// Text and binary messages are handed out alike, as bytes; text that is not UTF-8 is a
/// [`ClientError::Protocol`]. After any error the connection is of no further use: drop both
/// halves.
///
/// [`read`](client::Reader::read) is not cancel-safe: a timer beside it must poll the same future
/// on, or give the connection up.
pub struct Reader {
    frames: WebSocketRead<Prefixed<ReadHalf<Transport>>>,
    message: BytesMut,
    fragments: Fragments,
    limit: usize,
}

/// Where the next thing to hand out lies.
enum Next {
    /// In `message`.
    Whole,
    /// In `fragments`.
    Assembled,
    /// In `message`.
    Ping,
    Pong,
}

impl client::Reader for Reader {
    async fn read(&mut self) -> Result<Received<'_>, ClientError> {
        // While a message is held, the buffer behind it cannot be used again.
        self.message = BytesMut::new();
        loop {
            let frame = self.frame().await?;
            if let Some(next) = self.take(frame)? {
                return Ok(match next {
                    Next::Whole => Received::Message(&mut self.message),
                    Next::Assembled => Received::Message(self.fragments.message()),
                    Next::Ping => Received::Ping(&self.message),
                    Next::Pong => Received::Pong,
                });
            }
        }
    }
}

impl Reader {
    async fn frame(&mut self) -> Result<Frame<'static>, ClientError> {
        let limit = self.limit;
        // Called only for automatic answers, which are switched off.
        let mut no_answer = |_: Frame<'static>| async { Ok::<_, Infallible>(()) };
        let mut frame = self
            .frames
            .read_frame(&mut no_answer)
            .await
            .map_err(|error| read_error(error, limit))?;
        if is_masked(&mut frame) {
            return Err(protocol("a masked frame from the server"));
        }
        let payload = match frame.payload {
            Payload::Bytes(bytes) => Payload::Bytes(bytes),
            other => Payload::Owned(other.into()),
        };
        Ok(Frame::new(frame.fin, frame.opcode, None, payload))
    }

    fn take(&mut self, frame: Frame<'static>) -> Result<Option<Next>, ClientError> {
        match (frame.opcode, frame.fin) {
            (OpCode::Text | OpCode::Binary, _) if self.fragments.is_open() => {
                Err(protocol("a new message inside a fragmented one"))
            }
            (OpCode::Text | OpCode::Binary, true) => {
                self.message = bytes_of(frame.payload);
                Ok(Some(Next::Whole))
            }
            (OpCode::Text, false) => {
                self.fragments.begin(Kind::Text, &frame.payload)?;
                Ok(None)
            }
            (OpCode::Binary, false) => {
                self.fragments.begin(Kind::Binary, &frame.payload)?;
                Ok(None)
            }
            (OpCode::Continuation, last) => {
                let whole = self.fragments.go_on(last, &frame.payload)?;
                Ok(whole.then_some(Next::Assembled))
            }
            (OpCode::Ping | OpCode::Pong | OpCode::Close, _) => self.take_control(frame).map(Some),
        }
    }

    fn take_control(&mut self, frame: Frame<'static>) -> Result<Next, ClientError> {
        if frame.payload.len() > MAX_CONTROL {
            return Err(protocol("a control message of more than 125 bytes"));
        }
        match frame.opcode {
            OpCode::Ping => {
                self.message = bytes_of(frame.payload);
                Ok(Next::Ping)
            }
            OpCode::Pong => Ok(Next::Pong),
            _ => Err(closed(&frame.payload)),
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("max_message", &self.limit)
            .finish_non_exhaustive()
    }
}

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

/// Whether a frame came with a mask: the one way to see it is to have its header written.
fn is_masked(frame: &mut Frame<'_>) -> bool {
    let mut head = [0; 16];
    frame.fmt_head(&mut head);
    head[1] & 0x80 != 0
}

/// The payload as it lies in the read buffer.
fn bytes_of(payload: Payload<'static>) -> BytesMut {
    match payload {
        Payload::Bytes(bytes) => bytes,
        other => BytesMut::from(&*other),
    }
}

/// What a close message says, or what is wrong with it.
fn closed(payload: &[u8]) -> ClientError {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return match payload {
            [] => ClientError::Closed {
                code: NO_CODE,
                reason: "(no code)".into(),
            },
            _ => protocol("a close message of one byte"),
        };
    };
    let code = u16::from_be_bytes(*code);
    let Ok(reason) = str::from_utf8(reason) else {
        return protocol("a close message whose reason is not UTF-8");
    };
    match code {
        1000..=1003 | 1007..=1014 | 3000..=4999 => ClientError::Closed {
            code,
            reason: reason.into(),
        },
        _ => ClientError::Protocol(format!("a close message with the code {code}")),
    }
}

fn read_error(error: WebSocketError, limit: usize) -> ClientError {
    match error {
        WebSocketError::FrameTooLarge => ClientError::TooLarge { limit },
        WebSocketError::UnexpectedEOF | WebSocketError::ConnectionClosed => ended(),
        WebSocketError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => ended(),
        WebSocketError::IoError(error) => ClientError::Io(error.to_string()),
        WebSocketError::InvalidUTF8 => protocol("a text message that is not UTF-8"),
        WebSocketError::InvalidValue => protocol("a frame with an unknown opcode"),
        WebSocketError::PingFrameTooLarge => protocol("a control message of more than 125 bytes"),
        WebSocketError::ControlFrameFragmented => protocol("a fragmented control message"),
        WebSocketError::ReservedBitsNotZero => {
            protocol("a frame with a reserved bit, though no extension was agreed on")
        }
        other => ClientError::Protocol(other.to_string()),
    }
}

fn write_error(error: &WebSocketError) -> ClientError {
    match error {
        WebSocketError::ConnectionClosed => ClientError::Io("already closed from this side".into()),
        other => ClientError::Io(other.to_string()),
    }
}

fn ended() -> ClientError {
    ClientError::Closed {
        code: NO_CODE,
        reason: "(the connection ended without a close message)".into(),
    }
}

fn protocol(what: &str) -> ClientError {
    ClientError::Protocol(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_message_is_checked() {
        let says = |payload: &[u8]| closed(payload).to_string();
        assert_eq!(says(b"\x03\xe8bye"), "closed by the peer: code 1000 bye");
        assert_eq!(says(b"\x0f\xa0"), "closed by the peer: code 4000 ");
        assert_eq!(says(b""), "closed by the peer: code 1006 (no code)");
        for bad in [
            &b"\x03"[..],
            b"\x00\x00",
            b"\x03\xed",
            b"\x03\xee",
            b"\x03\xf7",
            b"\x13\x88",
            b"\x03\xe8\xff",
        ] {
            assert!(matches!(closed(bad), ClientError::Protocol(_)), "{bad:?}");
        }
    }
}
