//! The reading half of an open connection.

use std::{fmt, io};

use bytes::{BufMut as _, Bytes};
use dragonfly_core::client::{self, ClientError, Received};
use tokio::io::{AsyncReadExt as _, ReadHalf};

use super::{close::ended, deframer::Deframer, stream::Transport};

/// The most that is read at once, in bytes.
const MAX_READ: usize = 64 << 10;

/// The reading half of a WebSocket connection.
///
/// Text and binary messages are handed out alike, as bytes; text that is not UTF-8 is a
/// [`ClientError::Protocol`]. After any error the connection is of no further use: drop both
/// halves.
pub struct Reader {
    transport: ReadHalf<Transport>,
    frames: Deframer,
}

impl Reader {
    /// Reads from `transport` what comes behind `early`.
    pub(super) fn new(transport: ReadHalf<Transport>, early: &Bytes, max_message: usize) -> Self {
        let mut frames = Deframer::new(max_message);
        frames.space().extend_from_slice(early);
        Self { transport, frames }
    }

    async fn next(&mut self, large: usize) -> Result<Received<'_>, ClientError> {
        let next = loop {
            if let Some(next) = self.frames.find(large)? {
                break next;
            }
            // However much has come: the rest of the flow is not to wait for all of it.
            let mut space = self.frames.space().limit(MAX_READ);
            match self.transport.read_buf(&mut space).await {
                Ok(0) => return Err(ended()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(ended()),
                Err(error) => return Err(ClientError::Io(error.to_string())),
            }
        };
        Ok(self.frames.lend(next))
    }
}

impl client::Reader for Reader {
    async fn read(&mut self) -> Result<Received<'_>, ClientError> {
        self.next(usize::MAX).await
    }

    async fn read_early(&mut self, large: usize) -> Result<Received<'_>, ClientError> {
        self.next(large).await
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("max_message", &self.frames.limit())
            .finish_non_exhaustive()
    }
}
