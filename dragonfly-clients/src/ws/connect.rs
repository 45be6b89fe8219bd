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

/// How long an address is waited for at the least: the longest ways around the world take half of
/// that.
const LEAST_SHARE: Duration = Duration::from_millis(1_000);

/// A WebSocket client for one endpoint; made by [`Client::builder`].
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) endpoint: Endpoint,
    pub(super) settings: Settings,
    pub(super) user_agent: HeaderValue,
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// Which address is tried first: time may not have sufficed for those behind the last ones.
    pub(super) turn: usize,
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

    async fn tcp(&mut self, mut addresses: Vec<SocketAddr>) -> Result<TcpStream, ClientError> {
        let first = self.turn.checked_rem(addresses.len()).unwrap_or_default();
        addresses.rotate_left(first);
        let limit = self.settings.tcp;
        let (made, failed) = first_to_answer(&addresses, limit, TcpStream::connect).await;
        self.turn = first.saturating_add(failed);
        made
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
        let addresses = within(DNS, self.settings.dns, self.addresses()).await?;
        let stream = self.tcp(addresses).await?;
        let set = &self.settings;
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

/// Connects to the first address that answers, one after the other and all within `limit`; and how
/// many of them are not worth the next try.
async fn first_to_answer<S, F>(
    addresses: &[SocketAddr],
    limit: Duration,
    connect: impl Fn(SocketAddr) -> F,
) -> (Result<S, ClientError>, usize)
where
    F: Future<Output = std::io::Result<S>>,
{
    let most = limit.as_millis().checked_div(LEAST_SHARE.as_millis());
    let most = most.and_then(|most| usize::try_from(most).ok());
    let mut patience = most.unwrap_or(1).clamp(1, addresses.len().max(1));
    let share = u32::try_from(patience)
        .ok()
        .and_then(|n| limit.checked_div(n));
    let share = share.unwrap_or(limit);
    let (mut reasons, mut answered, mut tried) = (Vec::new(), false, 0_usize);
    let attempts = timeout(limit, async {
        for address in addresses {
            tried = tried.saturating_add(1);
            let reason = match timeout(share, connect(*address)).await {
                Ok(Ok(stream)) => return Some(stream),
                Ok(Err(error)) => {
                    answered = true;
                    error.to_string()
                }
                Err(_) => {
                    patience = patience.saturating_sub(1);
                    format!("no answer in {} ms", share.as_millis())
                }
            };
            reasons.push(format!("{address}: {reason}"));
            if patience == 0 {
                break;
            }
        }
        None
    });
    match attempts.await.ok().flatten() {
        Some(stream) => (Ok(stream), tried.saturating_sub(1)),
        None if answered => (Err(failed(TCP, reasons.join("; "))), tried),
        None => (Err(took_too_long(TCP, limit)), tried),
    }
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

    /// The outcomes of so many attempts to connect to eight addresses, of which only `well` answers,
    /// after `trip`.
    fn attempts(count: usize, well: u16, trip: Duration) -> Vec<bool> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        let all: Vec<_> = (0..8)
            .map(|port| SocketAddr::from(([192, 0, 2, 1], port)))
            .collect();
        runtime.unwrap().block_on(async {
            let (mut turn, mut outcomes) = (0, Vec::new());
            for _ in 0..count {
                let mut addresses = all.clone();
                addresses.rotate_left(turn % 8);
                let limit = Duration::from_secs(3);
                let connect = async |address: SocketAddr| {
                    if address.port() != well {
                        pending::<()>().await;
                    }
                    tokio::time::sleep(trip).await;
                    Ok(())
                };
                let attempt = first_to_answer(&addresses, limit, connect);
                let in_time = timeout(limit + Duration::from_millis(2), attempt).await;
                let (made, failed) = in_time.expect("the limit is that of all addresses together");
                turn += failed;
                outcomes.push(made.is_ok());
            }
            outcomes
        })
    }

    #[test]
    fn each_of_many_addresses_is_waited_for_as_long_as_a_way_around_the_world_takes() {
        let trip = Duration::from_millis(900);
        assert_eq!(attempts(1, 0, trip), [true]);
        assert_eq!(attempts(1, 1, trip), [true]);
    }

    #[test]
    fn an_address_for_which_there_was_no_time_is_tried_next_time_and_first_as_long_as_it_answers() {
        let outcomes = attempts(4, 7, Duration::from_millis(900));
        assert_eq!(outcomes, [false, false, true, true]);
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
