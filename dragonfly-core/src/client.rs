//! Layer 1: connects, and turns bytes into messages. Knows no venue.
//!
//! The traits are asynchronous but name no runtime: their futures need not be `Send`, they run on
//! the thread of the feed that owns them.

use std::future::Future;

/// Why a connection could not be made, or ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The endpoint itself is wrong; trying again cannot help.
    #[error("{0}")]
    Endpoint(String),
    /// A step of connecting failed.
    #[error("{step} failed: {reason}")]
    Connect {
        /// The step: `DNS lookup`, `TCP connect`, `TLS handshake` or `WebSocket upgrade`.
        step: &'static str,
        /// What the step reported.
        reason: String,
    },
    /// A step of connecting took too long.
    #[error("{step} took longer than {limit_ms} ms")]
    Timeout {
        /// The step: `DNS lookup`, `TCP connect`, `TLS handshake` or `WebSocket upgrade`.
        step: &'static str,
        /// Its limit.
        limit_ms: u64,
    },
    /// The venue asks to be left alone for a while (HTTP 429, 418 or 503 with `Retry-After`).
    #[error("the venue answered HTTP {status}; it asks to wait {seconds} s")]
    RetryAfter {
        /// The HTTP status.
        status: u16,
        /// How long to wait, in seconds.
        seconds: u64,
    },
    /// The peer closed the connection.
    #[error("closed by the peer: code {code} {reason}")]
    Closed {
        /// The WebSocket close code, 1006 when there was none.
        code: u16,
        /// The peer's reason.
        reason: String,
    },
    /// The peer broke the protocol.
    #[error("protocol error: {0}")]
    Protocol(String),
    /// The connection broke.
    #[error("connection lost: {0}")]
    Io(String),
    /// A message is larger than the limit.
    #[error("message of more than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
}

/// What a [`Reader`] read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Received<'a> {
    /// A whole message, text or binary; the reader's buffer is lent for decoding in place.
    Message(&'a mut [u8]),
    /// A ping to be answered with the same payload.
    Ping(&'a [u8]),
    /// The answer to a ping.
    Pong,
    /// A message that is not whole yet, from its first byte on; only
    /// [`Reader::read_early`] shows it. What follows is more of the same message, with pings and
    /// pongs in between, or its end by [`Message`](Self::Message), or an error.
    Part(&'a [u8]),
}

/// Makes connections to one endpoint.
pub trait Client {
    /// The reading half of a connection.
    type Reader: Reader;
    /// The writing half of a connection.
    type Writer: Writer;

    /// Connects once, with a fresh look-up of the host's address.
    ///
    /// # Errors
    /// See [`ClientError`]; each step has its own deadline.
    fn connect(
        &mut self,
    ) -> impl Future<Output = Result<(Self::Reader, Self::Writer), ClientError>>;

    /// Where it connects to, for messages to people.
    fn endpoint(&self) -> &str;
}

/// The reading half of a connection.
pub trait Reader {
    /// Reads one message. Not cancel-safe: run it to its end, or drop the connection.
    ///
    /// # Errors
    /// See [`ClientError`]; the connection is of no further use.
    fn read(&mut self) -> impl Future<Output = Result<Received<'_>, ClientError>>;

    /// Reads one message, and shows what there is of one of `large` bytes or more while the rest
    /// of it is on its way, see [`Received::Part`]. Otherwise as [`read`](Self::read), which it is
    /// for readers that cannot do better.
    ///
    /// # Errors
    /// See [`ClientError`]; the connection is of no further use.
    fn read_early(
        &mut self,
        large: usize,
    ) -> impl Future<Output = Result<Received<'_>, ClientError>> {
        let _ = large;
        self.read()
    }
}

/// The writing half of a connection.
pub trait Writer {
    /// Sends a text message.
    ///
    /// # Errors
    /// See [`ClientError`]; the connection is of no further use.
    fn send(&mut self, text: &[u8]) -> impl Future<Output = Result<(), ClientError>>;

    /// Sends a ping, or the pong that answers one.
    ///
    /// # Errors
    /// See [`ClientError`]; the connection is of no further use.
    fn control(&mut self, control: Control<'_>) -> impl Future<Output = Result<(), ClientError>>;
}

/// A control message to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control<'a> {
    /// Ask for a sign of life.
    Ping,
    /// Answer a ping with its payload.
    Pong(&'a [u8]),
    /// Say goodbye with code 1000.
    Close,
}
