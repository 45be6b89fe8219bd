//! A connection's socket, which sends once a turn what the turn has written.
//!
//! HTTP/2 is written frame by frame, each with a system call of its own and a flush behind it, though
//! every subscription on a connection has a frame to write after an update. Here frames are gathered
//! and flushes wait; the connection calls [`Gathered::poll_send`] when its turn is over.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{inbound::Inbound, seats::Seat, streams::lock};

/// How much is gathered before it is sent within a turn, in bytes.
const LIMIT: usize = 32 * 1024;

/// The socket and what waits to be sent; clones are the same socket.
///
/// Everything that takes the lock is one task, so it is never waited for.
#[derive(Clone, Debug)]
pub(super) struct Gathered(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    socket: TcpStream,
    waiting: Vec<u8>,
    sent: usize,
    /// The system took less than there was: nothing more is taken in before it has taken the rest.
    is_blocked: bool,
    inbound: Inbound,
}

impl Gathered {
    /// A socket of which so many bytes a second are read.
    pub(super) fn new(socket: TcpStream, inbound_per_second: usize, seat: Seat) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            socket,
            waiting: Vec::new(),
            sent: 0,
            is_blocked: false,
            inbound: Inbound::new(inbound_per_second, seat),
        })))
    }

    /// Ends a turn; whether there may be more to read than one turn allows.
    pub(super) fn end_turn(&self) -> bool {
        self.inner().inbound.end_turn()
    }

    /// Sends what has been gathered.
    pub(super) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().send(cx)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.0)
    }
}

impl Inner {
    fn send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest @ [_, ..]) = self.waiting.get(self.sent..) {
            self.is_blocked = true;
            match ready!(Pin::new(&mut self.socket).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.sent = self.sent.saturating_add(count),
            }
        }
        self.is_blocked = false;
        self.waiting.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    /// Ready when more may be gathered.
    fn room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_blocked || self.waiting.len() >= LIMIT {
            return self.send(cx);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Gathered {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.inner();
        ready!(inner.inbound.poll_ready(cx));
        let before = buffer.filled().len();
        ready!(Pin::new(&mut inner.socket).poll_read(cx, buffer))?;
        let count = buffer.filled().len().saturating_sub(before);
        inner.inbound.take(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Gathered {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.inner();
        ready!(inner.room(cx))?;
        inner.waiting.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.inner();
        ready!(inner.room(cx))?;
        let before = inner.waiting.len();
        for slice in slices {
            inner.waiting.extend_from_slice(slice);
        }
        Poll::Ready(Ok(inner.waiting.len().saturating_sub(before)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Left to [`Gathered::poll_send`].
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.inner();
        ready!(inner.send(cx))?;
        Pin::new(&mut inner.socket).poll_shutdown(cx)
    }
}
