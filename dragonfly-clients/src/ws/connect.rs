//! Making a connection: look-up, TCP, TLS, upgrade, each with its own deadline.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use dragonfly_core::client::{self, ClientError};
use hyper::header::HeaderValue;
use rustls::{ClientConfig, pki_types::ServerName};
use socket2::{SockRef, TcpKeepalive};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::{
    endpoint::Endpoint,
    reader::Reader,
    settings::{ClientBuilder, Settings, set_busy_poll},
    stream::{Ahead, Transport},
    tls, upgrade,
    writer::Writer,
};

const DNS: &str = "DNS lookup";
const TCP: &str = "TCP connect";
const TLS: &str = "TLS handshake";

/// How many addresses of a host are tried.
const MAX_ADDRESSES: usize = 8;

/// A WebSocket client for one endpoint; made by [`Client::builder`].
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) endpoint: Endpoint,
    pub(super) settings: Settings,
    pub(super) user_agent: HeaderValue,
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Client {
    /// Starts a client for an address such as `wss://stream.example.com:9443/ws?depth=20`.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use dragonfly_clients::ws;
    ///
    /// let client = ws::Client::builder("wss://stream.example.com/market")
    ///     .max_message(16 << 20)
    ///     .upgrade_timeout(Duration::from_secs(10))
    ///     .build()?;
    /// # Ok::<(), dragonfly_core::client::ClientError>(())
    /// ```
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(url.into())
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, ClientError> {
        let Endpoint { host, port, .. } = &self.endpoint;
        let found: Vec<_> = tokio::net::lookup_host((host.as_str(), *port))
            .await
            .map_err(|error| failed(DNS, format!("{host}: {error}")))?
            .collect();
        let mut addresses = both_families(found);
        if !self.endpoint.tls && !self.settings.plain_text_anywhere {
            // `localhost` is a name too, and may have been pointed elsewhere.
            addresses.retain(|address| address.ip().is_loopback());
        }
        if addresses.is_empty() {
            return Err(failed(DNS, format!("{host} has no address to use")));
        }
        Ok(addresses)
    }

    async fn tcp(&self, addresses: &[SocketAddr]) -> Result<TcpStream, ClientError> {
        let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        let share = self.settings.tcp.checked_div(count).unwrap_or_default();
        let mut reasons = Vec::new();
        let mut answered = false;
        for address in addresses {
            let reason = match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => {
                    answered = true;
                    error.to_string()
                }
                Err(_) => format!("no answer in {} ms", share.as_millis()),
            };
            reasons.push(format!("{address}: {reason}"));
        }
        if answered {
            Err(failed(TCP, reasons.join("; ")))
        } else {
            Err(took_too_long(TCP, self.settings.tcp))
        }
    }

    fn tune(&self, stream: &TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(self.settings.nodelay)?;
        let socket = SockRef::from(stream);
        if let Some(idle) = self.settings.keepalive {
            socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle).with_interval(idle))?;
        }
        if let Some(time) = self.settings.busy_poll {
            set_busy_poll(&socket, time)?;
        }
        #[cfg(target_os = "linux")]
        if let Some(limit) = self.settings.user_timeout {
            socket.set_tcp_user_timeout(Some(limit))?;
        }
        Ok(())
    }

    async fn secure(&self, stream: TcpStream) -> Result<Transport, ClientError> {
        let Some((config, name)) = &self.tls else {
            return Ok(Transport::Plain(stream));
        };
        let handshake =
            TlsConnector::from(config.clone()).connect(name.clone(), Ahead::new(stream));
        let stream = within(TLS, self.settings.tls, async {
            handshake
                .await
                .map_err(|error| failed(TLS, tls::explain(&error)))
        })
        .await?;
        Ok(Transport::Tls(Box::new(stream)))
    }
}

impl client::Client for Client {
    type Reader = Reader;
    type Writer = Writer;

    async fn connect(&mut self) -> Result<(Reader, Writer), ClientError> {
        let set = &self.settings;
        let addresses = within(DNS, set.dns, self.addresses()).await?;
        let stream = self.tcp(&addresses).await?;
        self.tune(&stream)
            .map_err(|error| failed(TCP, format!("socket options: {error}")))?;
        let transport = self.secure(stream).await?;
        let upgrading = upgrade::upgrade(&self.endpoint, &self.user_agent, transport);
        let (transport, early) = within(upgrade::STEP, set.upgrade, upgrading).await?;
        let (read, write) = tokio::io::split(transport);
        Ok((
            Reader::new(read, &early, set.max_message),
            Writer::new(write, set.send),
        ))
    }

    fn endpoint(&self) -> &str {
        &self.endpoint.url
    }
}

/// Runs a step of connecting under its deadline.
async fn within<T>(
    step: &'static str,
    limit: Duration,
    work: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(took_too_long(step, limit)))
}

pub(super) fn took_too_long(step: &'static str, limit: Duration) -> ClientError {
    ClientError::Timeout {
        step,
        limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
    }
}

fn failed(step: &'static str, reason: String) -> ClientError {
    ClientError::Connect { step, reason }
}

/// The first addresses of a look-up, both families in turn, in the resolver's order otherwise.
///
/// Where one family does not work at all, the other is reached at the second attempt.
fn both_families(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut second = second.into_iter();
    let mut mixed: Vec<_> = first
        .into_iter()
        .flat_map(|address| [Some(address), second.next()])
        .flatten()
        .collect();
    mixed.extend(second);
    mixed.truncate(MAX_ADDRESSES);
    mixed
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn both_families_are_tried_in_turn() {
        let found = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.0.0.1:1"]);
        let mixed = addresses(&["[::1]:1", "1.0.0.1:1", "[::2]:1", "[::3]:1"]);
        assert_eq!(both_families(found), mixed);
        let found = addresses(&["1.0.0.1:1", "[::1]:1", "[::2]:1"]);
        assert_eq!(both_families(found.clone()), found);
        assert_eq!(both_families(Vec::new()), Vec::new());
    }

    #[test]
    fn a_family_is_not_crowded_out_by_many_addresses_of_the_other() {
        let mut found = addresses(&["[::1]:1"; 20]);
        found.extend(addresses(&["1.0.0.1:1"]));
        let mixed = both_families(found);
        assert_eq!(mixed.len(), MAX_ADDRESSES);
        assert!(mixed[1].is_ipv4());
    }

    #[test]
    fn a_step_that_hangs_ends_at_its_deadline() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        let result =
            runtime
                .unwrap()
                .block_on(within::<()>(DNS, Duration::from_secs(3), pending()));
        assert_eq!(
            result,
            Err(ClientError::Timeout {
                step: DNS,
                limit_ms: 3000
            })
        );
    }
}
