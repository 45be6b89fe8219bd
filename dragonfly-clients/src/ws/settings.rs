//! What a WebSocket client can be told, with its defaults and ranges.

use std::{fmt::Display, io, ops::RangeInclusive, path::Path, sync::Arc, time::Duration};

use dragonfly_core::client::ClientError;
use hyper::header::HeaderValue;
use rustls::{ClientConfig, pki_types::ServerName};
use socket2::{Domain, Socket, Type};

use super::{
    connect::Client,
    endpoint::Endpoint,
    tls::{self, Anchors},
};

const LIMITS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(300);
const MESSAGES: RangeInclusive<usize> = 1024..=32 << 20;
const BUSY_POLLS: RangeInclusive<Duration> = Duration::from_micros(1)..=Duration::from_millis(10);
const TCP_TIMES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

/// What a [`Client`] is made of; see each method for its default and range.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct ClientBuilder {
    url: String,
    pub(super) settings: Settings,
    tls_config: Option<Arc<ClientConfig>>,
    trust: Option<Anchors>,
    allow_plain_text: bool,
    user_agent: String,
}

/// The checked numbers of a client.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) dns: Duration,
    pub(super) tcp: Duration,
    pub(super) tls: Duration,
    pub(super) upgrade: Duration,
    pub(super) send: Duration,
    pub(super) max_message: usize,
    pub(super) nodelay: bool,
    pub(super) user_timeout: Option<Duration>,
    pub(super) keepalive: Option<Duration>,
    pub(super) busy_poll: Option<Duration>,
    /// Whether a connection without TLS may leave this machine.
    pub(super) plain_text_anywhere: bool,
}

impl ClientBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            settings: Settings {
                dns: Duration::from_secs(3),
                tcp: Duration::from_secs(3),
                tls: Duration::from_secs(5),
                upgrade: Duration::from_secs(5),
                send: Duration::from_secs(5),
                max_message: 4 << 20,
                nodelay: true,
                user_timeout: None,
                keepalive: None,
                busy_poll: None,
                plain_text_anywhere: false,
            },
            tls_config: None,
            trust: None,
            allow_plain_text: false,
            user_agent: concat!("dragonfly/", env!("CARGO_PKG_VERSION")).into(),
        }
    }

    /// Uses this TLS configuration instead of the default one: TLS 1.2 and 1.3 of aws-lc-rs,
    /// trusting the Mozilla roots. Excludes [`tls_ca_file`](Self::tls_ca_file).
    pub fn tls_config(mut self, config: Arc<ClientConfig>) -> Self {
        self.tls_config = Some(config);
        self
    }

    /// Trusts the certificates of a PEM file as well, for proxies and simulators. Default: none.
    ///
    /// The file is read by [`build`](Self::build).
    pub fn tls_ca_file(mut self, path: impl AsRef<Path>) -> Self {
        self.trust = Some(Anchors::File(path.as_ref().to_owned()));
        self
    }

    /// Trusts the certificates of a PEM text as well; replaces [`tls_ca_file`](Self::tls_ca_file).
    pub fn tls_ca_pem(mut self, pem: impl Into<String>) -> Self {
        self.trust = Some(Anchors::Text(pem.into()));
        self
    }

    /// Limits the look-up of the host's address. Default 3 s; 1 ms to 300 s.
    pub fn dns_timeout(mut self, limit: Duration) -> Self {
        self.settings.dns = limit;
        self
    }

    /// Limits the TCP connect. Default 3 s; 1 ms to 300 s.
    ///
    /// A host of several addresses shares it out evenly, so that all of them are tried; where that
    /// would be less than 1 s for each, those there was no time for are tried at the next attempt.
    pub fn tcp_timeout(mut self, limit: Duration) -> Self {
        self.settings.tcp = limit;
        self
    }

    /// Limits the TLS handshake. Default 5 s; 1 ms to 300 s.
    pub fn tls_timeout(mut self, limit: Duration) -> Self {
        self.settings.tls = limit;
        self
    }

    /// Limits the WebSocket upgrade, from the request to the whole answer. Default 5 s; 1 ms to
    /// 300 s.
    pub fn upgrade_timeout(mut self, limit: Duration) -> Self {
        self.settings.upgrade = limit;
        self
    }

    /// Limits each sending of a message, against a peer that no longer reads. Default 5 s; 1 ms to
    /// 300 s.
    pub fn send_timeout(mut self, limit: Duration) -> Self {
        self.settings.send = limit;
        self
    }

    /// Limits a message, fragmented or not, in bytes. Default 4 MiB; 1 KiB to 32 MiB.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.settings.max_message = bytes;
        self
    }

    /// Sends small messages at once instead of collecting them (`TCP_NODELAY`). Default: on.
    pub fn tcp_nodelay(mut self, on: bool) -> Self {
        self.settings.nodelay = on;
        self
    }

    /// Ends the connection when sent data stays unacknowledged for this long (`TCP_USER_TIMEOUT`,
    /// Linux alone; ignored elsewhere). Default: the system's; 1 s to 3600 s.
    pub fn tcp_user_timeout(mut self, limit: Duration) -> Self {
        self.settings.user_timeout = Some(limit);
        self
    }

    /// Probes an idle connection after this long (`SO_KEEPALIVE`). Default: off; 1 s to 3600 s.
    ///
    /// A feed's own pings see a dead line sooner and through proxies as well.
    pub fn tcp_keepalive(mut self, idle: Duration) -> Self {
        self.settings.keepalive = Some(idle);
        self
    }

    /// Lets a read ask the network card itself for this long before it gives up (`SO_BUSY_POLL`,
    /// Linux alone). Default: the system's, mostly off; 1 us to 10 ms, in whole microseconds.
    ///
    /// It needs the privilege `CAP_NET_ADMIN`, or the sysctl `net.core.busy_read` at as much. Cards
    /// whose driver has no queues to ask, and the loopback interface, are read as before.
    pub fn busy_poll(mut self, time: Duration) -> Self {
        self.settings.busy_poll = Some(time);
        self
    }

    /// Names the program to the server. Default `dragonfly/<version>`; visible ASCII.
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// Allows `ws://` to other machines: anyone on the way can read and change what is sent.
    /// Default: `ws://` is for `localhost` and loopback addresses.
    pub fn allow_plain_text(mut self) -> Self {
        self.allow_plain_text = true;
        self
    }

    /// Checks everything and makes the client; nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Endpoint`] names the setting that is wrong: the address, a number outside its
    /// range, a trust-anchor file that cannot be read or holds no certificate, `ws://` to another
    /// machine, busy polling that the system refuses.
    pub fn build(self) -> Result<Client, ClientError> {
        let endpoint = Endpoint::parse(&self.url)?;
        self.check_plain_text(&endpoint)?;
        self.check_ranges()?;
        self.check_busy_poll()?;
        let user_agent = HeaderValue::from_str(&self.user_agent).map_err(|_| {
            wrong(format!(
                "user agent {:?} is not plain text",
                self.user_agent
            ))
        })?;
        let tls = if endpoint.tls {
            Some(self.tls(&endpoint)?)
        } else {
            None
        };
        let mut settings = self.settings;
        settings.plain_text_anywhere = self.allow_plain_text;
        Ok(Client {
            turn: 0,
            endpoint,
            settings,
            user_agent,
            tls,
        })
    }

    fn tls(
        &self,
        endpoint: &Endpoint,
    ) -> Result<(Arc<ClientConfig>, ServerName<'static>), ClientError> {
        let config = match (&self.tls_config, &self.trust) {
            (Some(_), Some(_)) => {
                return Err(wrong(
                    "tls_config and further trust anchors exclude each other".into(),
                ));
            }
            (Some(config), None) => config.clone(),
            (None, trust) => tls::config(trust.as_ref())?,
        };
        let name = ServerName::try_from(endpoint.host.clone()).map_err(|_| {
            wrong(format!(
                "{:?}: {:?} is no host name",
                self.url, endpoint.host
            ))
        })?;
        Ok((config, name))
    }

    fn check_plain_text(&self, endpoint: &Endpoint) -> Result<(), ClientError> {
        if endpoint.tls || self.allow_plain_text || endpoint.is_loopback() {
            return Ok(());
        }
        Err(wrong(format!(
            "{:?}: ws:// is not encrypted and allowed only on this machine; use wss://, or allow it \
             with allow_plain_text()",
            self.url
        )))
    }

    /// Tries it on a socket of its own, so that it is refused here and not at every connection.
    fn check_busy_poll(&self) -> Result<(), ClientError> {
        let Some(time) = self.settings.busy_poll else {
            return Ok(());
        };
        if !BUSY_POLLS.contains(&time) {
            return Err(out_of_range(
                "busy_poll",
                "1 us to 10 ms",
                format!("{time:?}"),
            ));
        }
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None);
        socket
            .and_then(|socket| set_busy_poll(&socket, time))
            .map_err(|error| {
                let us = time.as_micros();
                wrong(format!(
                    "busy polling for {us} us is refused by the system ({error}): it takes Linux, and \
                     CAP_NET_ADMIN or the sysctl net.core.busy_read at {us} or more"
                ))
            })
    }

    fn check_ranges(&self) -> Result<(), ClientError> {
        let set = &self.settings;
        for (name, limit) in [
            ("dns_timeout", set.dns),
            ("tcp_timeout", set.tcp),
            ("tls_timeout", set.tls),
            ("upgrade_timeout", set.upgrade),
            ("send_timeout", set.send),
        ] {
            if !LIMITS.contains(&limit) {
                return Err(out_of_range(name, "1 ms to 300 s", format!("{limit:?}")));
            }
        }
        for (name, time) in [
            ("tcp_user_timeout", set.user_timeout),
            ("tcp_keepalive", set.keepalive),
        ] {
            if let Some(time) = time
                && !TCP_TIMES.contains(&time)
            {
                return Err(out_of_range(name, "1 s to 3600 s", format!("{time:?}")));
            }
        }
        if !MESSAGES.contains(&set.max_message) {
            return Err(out_of_range(
                "max_message",
                "1 KiB to 32 MiB",
                set.max_message,
            ));
        }
        Ok(())
    }
}

/// Sets `SO_BUSY_POLL`.
#[cfg(target_os = "linux")]
pub(super) fn set_busy_poll(socket: &Socket, time: Duration) -> io::Result<()> {
    socket.set_busy_poll(u32::try_from(time.as_micros()).unwrap_or(u32::MAX))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn set_busy_poll(_: &Socket, _: Duration) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn wrong(what: String) -> ClientError {
    ClientError::Endpoint(what)
}

fn out_of_range(name: &str, range: &str, value: impl Display) -> ClientError {
    wrong(format!("{name} must be from {range}, not {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(builder: ClientBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    fn to(url: &str) -> ClientBuilder {
        ClientBuilder::new(url.into())
    }

    #[test]
    fn plain_text_stays_on_this_machine_unless_it_is_allowed() {
        let text = refusal(to("ws://example.com/"));
        assert!(
            text.contains("allow_plain_text()") && text.contains("ws://example.com/"),
            "{text}"
        );
        assert!(refusal(to("ws://10.0.0.1/")).contains("not encrypted"));
        for url in ["ws://localhost:1/", "ws://127.0.0.9/", "ws://[::1]/"] {
            assert!(to(url).build().is_ok(), "{url}");
        }
        assert!(to("ws://example.com/").allow_plain_text().build().is_ok());
    }

    #[test]
    fn a_number_outside_its_range_is_named_with_the_range() {
        let url = "wss://example.com/";
        let text = refusal(to(url).max_message((32 << 20) + 1));
        assert_eq!(
            text,
            "max_message must be from 1 KiB to 32 MiB, not 33554433"
        );
        assert!(to(url).max_message(32 << 20).build().is_ok());
        let text = refusal(to(url).tls_timeout(Duration::ZERO));
        assert_eq!(text, "tls_timeout must be from 1 ms to 300 s, not 0ns");
        let text = refusal(to(url).tcp_keepalive(Duration::from_millis(5)));
        assert_eq!(text, "tcp_keepalive must be from 1 s to 3600 s, not 5ms");
        let text = refusal(to(url).busy_poll(Duration::from_millis(11)));
        assert_eq!(text, "busy_poll must be from 1 us to 10 ms, not 11ms");
    }

    #[test]
    fn a_user_agent_cannot_smuggle_a_header() {
        assert!(refusal(to("wss://example.com/").user_agent("a\r\nX: y")).contains("user agent"));
    }

    #[test]
    fn a_host_that_no_certificate_can_name_is_refused() {
        assert!(refusal(to("wss://exa_mple..com/")).contains("is no host name"));
    }
}
