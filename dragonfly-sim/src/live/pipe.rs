//! A TCP connection that can be told to send every byte on its own, and to break when it is dropped.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// What can be told to a connection from outside.
#[derive(Debug, Default)]
pub(super) struct Controls {
    /// Every byte is a write, and so a packet, of its own.
    pub(super) is_byte_wise: AtomicBool,
    /// The connection ends with a reset.
    pub(super) is_cut: AtomicBool,
}

/// A TCP connection under [`Controls`].
pub(super) struct Pipe {
    tcp: TcpStream,
    controls: Arc<Controls>,
}

impl Pipe {
    pub(super) const fn new(tcp: TcpStream, controls: Arc<Controls>) -> Self {
        Self { tcp, controls }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if self.controls.is_cut.load(Ordering::Relaxed) {
            // A socket that refuses ends politely instead; the client loses it all the same.
            self.tcp.set_zero_linger().ok();
        }
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, space)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let most = if self.controls.is_byte_wise.load(Ordering::Relaxed) {
            1
        } else {
            bytes.len()
        };
        let bytes = bytes.get(..most).unwrap_or(bytes);
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
