//! The frames of a WebSocket as a server reads and writes them.

use fastwebsockets::{Frame, OpCode, Role, WebSocketError, WebSocketRead};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadHalf},
    sync::mpsc,
};

/// What the reading half hands to whoever holds the conversation.
pub(crate) enum Incoming {
    Text(String),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Vec<u8>),
    /// The client broke a rule; the session closes with this code.
    Violation(u16, &'static str),
}

/// Reads frames until the client closes, breaks a rule or goes away.
pub(crate) async fn read<S>(input: ReadHalf<S>, sender: mpsc::Sender<Incoming>, max_message: usize)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // Only the reading half is used: the session writes its own frames.
    let sink = tokio::io::sink();
    let (mut frames, _) = fastwebsockets::after_handshake_split(input, sink, Role::Server);
    frames.set_auto_close(false);
    frames.set_auto_pong(false);
    // The limit is exclusive there, inclusive here.
    frames.set_max_message_size(max_message + 1);
    let mut message = Vec::new();
    loop {
        let incoming = next(&mut frames, &mut message, max_message).await;
        let last = !matches!(
            incoming,
            Some(Incoming::Text(_) | Incoming::Ping(_) | Incoming::Pong(_))
        );
        let Some(incoming) = incoming else {
            return;
        };
        if sender.send(incoming).await.is_err() || last {
            return;
        }
    }
}

/// The next thing the client said; `None` when it is gone. `message` holds what came of a
/// fragmented message.
async fn next<S>(
    frames: &mut WebSocketRead<S>,
    message: &mut Vec<u8>,
    max_message: usize,
) -> Option<Incoming>
where
    S: AsyncRead + Unpin,
{
    let too_large = Incoming::Violation(1009, "message too large");
    loop {
        let mut obliged = async |_: Frame<'_>| Ok::<(), WebSocketError>(());
        let frame = match frames.read_frame(&mut obliged).await {
            Ok(frame) => frame,
            Err(WebSocketError::FrameTooLarge) => return Some(too_large),
            Err(WebSocketError::InvalidUTF8) => {
                return Some(Incoming::Violation(1007, "text is not UTF-8"));
            }
            Err(WebSocketError::IoError(_) | WebSocketError::UnexpectedEOF) => return None,
            Err(_) => return Some(Incoming::Violation(1002, "protocol error")),
        };
        match frame.opcode {
            OpCode::Close => return Some(Incoming::Close(frame.payload.to_vec())),
            OpCode::Ping => return Some(Incoming::Ping(frame.payload.to_vec())),
            OpCode::Pong => return Some(Incoming::Pong(frame.payload.to_vec())),
            OpCode::Binary => return Some(Incoming::Violation(1003, "text messages only")),
            OpCode::Text | OpCode::Continuation => {
                if message.len() + frame.payload.len() > max_message {
                    return Some(too_large);
                }
                message.extend_from_slice(&frame.payload);
                if frame.fin {
                    let text = String::from_utf8(std::mem::take(message));
                    return Some(text.map_or(
                        Incoming::Violation(1007, "text is not UTF-8"),
                        Incoming::Text,
                    ));
                }
            }
        }
    }
}

/// The header of an unfragmented, unmasked frame, and its length.
pub(crate) fn frame_head(opcode: OpCode, payload: usize) -> ([u8; 10], usize) {
    let mut head = [0; 10];
    head[0] = 0x80 | opcode as u8;
    let bytes = (payload as u64).to_be_bytes();
    match payload {
        0..=125 => {
            head[1] = bytes[7];
            (head, 2)
        }
        126..=0xffff => {
            head[1] = 126;
            head[2..4].copy_from_slice(&bytes[6..]);
            (head, 4)
        }
        _ => {
            head[1] = 127;
            head[2..].copy_from_slice(&bytes);
            (head, 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_in_the_shortest_form() {
        let head = |payload| {
            let (head, len) = frame_head(OpCode::Text, payload);
            head[..len].to_vec()
        };
        assert_eq!(head(125), [0x81, 125]);
        assert_eq!(head(126), [0x81, 126, 0, 126]);
        assert_eq!(head(65_535), [0x81, 126, 0xff, 0xff]);
        assert_eq!(head(65_536), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
