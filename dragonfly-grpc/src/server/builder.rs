//! The server's options, their defaults, and what can be wrong with an address.

use std::{
    io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    time::Duration,
};

use super::Server;

/// Why a server cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address cannot be understood or resolved.
    #[error(
        "{address:?} is no address to listen on ({reason}): write HOST:PORT, as in 127.0.0.1:50051"
    )]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: io::Error,
    },
    /// Another process listens there.
    #[error("{0} is in use by another process: stop that process or choose another port")]
    InUse(SocketAddr),
    /// The address can be reached from other machines, and nothing protects it.
    #[error(
        "{0} can be reached from other machines, and the server has neither TLS nor tokens yet: \
         bind 127.0.0.1, or allow it explicitly (--insecure, or insecure_public_bind())"
    )]
    Public(SocketAddr),
    /// The system refuses.
    #[error("cannot listen on {address}: {reason}")]
    Refused {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        reason: io::Error,
    },
}

/// What the server holds its clients to.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) connections: usize,
    pub(super) connections_per_peer: usize,
    pub(super) handshake: Duration,
    pub(super) header_bytes: u32,
    pub(super) message_bytes: usize,
    pub(super) streams_per_connection: u32,
    pub(super) subscriptions_per_peer: usize,
    pub(super) inbound_per_second: usize,
    pub(super) outbound_bytes: usize,
    pub(super) write_stall: Duration,
    pub(super) ping_interval: Duration,
    pub(super) ping_timeout: Duration,
    pub(super) grace: Duration,
    pub(super) quorum: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            connections_per_peer: 64,
            handshake: Duration::from_secs(5),
            header_bytes: 8 * 1024,
            message_bytes: 64 * 1024,
            streams_per_connection: 32,
            subscriptions_per_peer: 256,
            inbound_per_second: 128 * 1024,
            outbound_bytes: 256 * 1024,
            write_stall: Duration::from_secs(10),
            ping_interval: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(5),
            grace: Duration::from_secs(3),
            quorum: None,
        }
    }
}

/// The options of a [`Server`]; the defaults suit a server on a loopback or private address.
#[derive(Clone, Debug, Default)]
#[must_use = "nothing listens before `bind`"]
pub struct Builder {
    limits: Limits,
    insecure_public_bind: bool,
}

impl Builder {
    /// Connections at once; 1,024. Further ones are closed as soon as they are accepted.
    pub const fn max_connections(mut self, count: usize) -> Self {
        self.limits.connections = count;
        self
    }

    /// Connections at once from one address; 64. Here and below, all addresses of an IPv6 network of 64
    /// bits are one.
    pub const fn max_connections_per_peer(mut self, count: usize) -> Self {
        self.limits.connections_per_peer = count;
        self
    }

    /// How long a new connection may take to say that it speaks HTTP/2, and a call to send its
    /// request, or its first one to reflection; 5 s.
    pub const fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.limits.handshake = limit;
        self
    }

    /// The size of a call's headers, in bytes; 8 KiB.
    pub const fn max_header_bytes(mut self, bytes: u32) -> Self {
        self.limits.header_bytes = bytes;
        self
    }

    /// The size of a request message, in bytes; 64 KiB. Those to health and reflection have at most
    /// 1 KiB.
    pub const fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.limits.message_bytes = bytes;
        self
    }

    /// Calls at once on one connection; 32.
    pub const fn max_streams_per_connection(mut self, count: u32) -> Self {
        self.limits.streams_per_connection = count;
        self
    }

    /// Subscriptions at once from one address, over all its connections; 256. Further ones are
    /// refused with `RESOURCE_EXHAUSTED`. Watches of the health and calls to reflection count, too.
    pub const fn max_subscriptions_per_peer(mut self, count: usize) -> Self {
        self.limits.subscriptions_per_peer = count;
        self
    }

    /// What is read of one connection in a second, in bytes; 128 KiB, at least 1 KiB. A client that
    /// sends more waits: requests are small, and so is whatever floods. All connections of one address
    /// have four times as much together, and one that ends gives nothing back within its second.
    pub fn max_inbound_per_second(mut self, bytes: usize) -> Self {
        self.limits.inbound_per_second = bytes.max(1024);
        self
    }

    /// What may wait for one subscriber, in bytes; 256 KiB. Beyond it the subscriber goes on with
    /// the newest view and is told how many it missed.
    pub const fn max_outbound_bytes(mut self, bytes: usize) -> Self {
        self.limits.outbound_bytes = bytes;
        self
    }

    /// After how long without taking anything a client is cut; 10 s, at least 2 s.
    pub fn write_stall_timeout(mut self, limit: Duration) -> Self {
        self.limits.write_stall = limit.max(Duration::from_secs(2));
        self
    }

    /// How often a client is pinged and how long it has to answer; 10 s and 5 s.
    pub const fn ping(mut self, interval: Duration, timeout: Duration) -> Self {
        self.limits.ping_interval = interval;
        self.limits.ping_timeout = timeout;
        self
    }

    /// How long clients have to take their last message when the server closes; 3 s.
    pub const fn close_grace(mut self, limit: Duration) -> Self {
        self.limits.grace = limit;
        self
    }

    /// How many of a stream's books have to be live for it to be ready, see [`Health`]; half of them,
    /// rounded up. At least one has to be in any case.
    ///
    /// [`Health`]: super::Health
    pub const fn quorum(mut self, books: usize) -> Self {
        self.limits.quorum = Some(books);
        self
    }

    /// Allows an address that other machines can reach, although nothing is encrypted and nobody
    /// is asked who they are.
    pub const fn insecure_public_bind(mut self) -> Self {
        self.insecure_public_bind = true;
        self
    }

    /// Listens on `address`, `HOST:PORT`; port 0 lets the system choose one.
    ///
    /// The socket listens from here on, before any thread is started; clients are answered once
    /// the server runs.
    ///
    /// # Errors
    /// See [`BindError`].
    pub fn bind(self, address: &str) -> Result<Server, BindError> {
        let listen = |address| listen(address, &self.limits);
        let (listener, address) = listen_at(address, self.insecure_public_bind, listen)?;
        Ok(Server::new(listener, address, self.limits))
    }
}

/// Listens by means of `listen`; the address is returned with the port the system chose.
pub(super) fn listen_at(
    address: &str,
    is_public_allowed: bool,
    listen: impl FnOnce(SocketAddr) -> io::Result<TcpListener>,
) -> Result<(TcpListener, SocketAddr), BindError> {
    let address = resolve(address)?;
    if !address.ip().is_loopback() && !is_public_allowed {
        return Err(BindError::Public(address));
    }
    let failed = |reason: io::Error| match reason.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse(address),
        _ => BindError::Refused { address, reason },
    };
    let listener = listen(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let chosen = listener.local_addr().unwrap_or(address);
    Ok((listener, chosen))
}

fn resolve(address: &str) -> Result<SocketAddr, BindError> {
    let wrong = |reason| BindError::Address {
        address: address.chars().take(100).collect(),
        reason,
    };
    let mut found = address.to_socket_addrs().map_err(wrong)?;
    let none = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    found.next().ok_or_else(|| wrong(none()))
}

fn listen(address: SocketAddr, limits: &Limits) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    bound_kernel_memory(&listener, limits)?;
    Ok(listener)
}

/// Accepted sockets inherit both options. Without the first, the kernel keeps megabytes of old views
/// for a client that stopped reading.
#[cfg(target_os = "linux")]
fn bound_kernel_memory(listener: &TcpListener, limits: &Limits) -> io::Result<()> {
    use rustix::net::sockopt;
    // The kernel doubles it, to account for its own overhead.
    sockopt::set_socket_send_buffer_size(listener, limits.outbound_bytes / 2)?;
    let stall_ms = u32::try_from(limits.write_stall.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(listener, stall_ms)?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
#[allow(
    clippy::unnecessary_wraps,
    reason = "the same signature on every system"
)]
const fn bound_kernel_memory(_: &TcpListener, _: &Limits) -> io::Result<()> {
    Ok(())
}
