//! The address of a WebSocket server, taken apart and checked once.

use std::net::IpAddr;

use dragonfly_core::client::ClientError;
use hyper::Uri;

/// A checked `ws://` or `wss://` address.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// As the user wrote it, for messages to people.
    pub(super) url: String,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
    /// The value of the `Host` header.
    pub(super) authority: String,
    /// Path and query of the request.
    pub(super) target: String,
}

impl Endpoint {
    pub(super) fn parse(url: &str) -> Result<Self, ClientError> {
        let wrong = |what: &str| ClientError::Endpoint(format!("{url:?} {what}"));
        if url.contains('#') {
            return Err(wrong(
                "has a fragment (#...), which a WebSocket address cannot",
            ));
        }
        let uri: Uri = url
            .parse()
            .map_err(|error| wrong(&format!("is no address: {error}")))?;
        let tls = match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") => false,
            _ => return Err(wrong("must begin with wss:// (or ws:// on this machine)")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong(
                "carries a user name; credentials do not belong in an address",
            ));
        }
        let host = authority.host();
        let host = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host);
        // The port is read from the text: the parsed form cannot tell a bad port from none.
        let port = match authority.as_str().get(authority.host().len()..) {
            None | Some("") => default_port(tls),
            Some(rest) => rest
                .strip_prefix(':')
                .and_then(|port| port.parse().ok())
                .filter(|port| *port != 0)
                .ok_or_else(|| wrong("has a port that is not from 1 to 65535"))?,
        };
        if host.is_empty() {
            return Err(wrong("names no host"));
        }
        Ok(Self {
            url: url.to_owned(),
            host: host.to_owned(),
            port,
            tls,
            authority: authority.as_str().to_owned(),
            // Its text form has the slash that a query alone lacks.
            target: uri
                .path_and_query()
                .map_or_else(|| "/".into(), ToString::to_string),
        })
    }

    /// Whether the name says by itself that the server is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self
                .host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let endpoint = Endpoint::parse("wss://example.com:9443/ws/a?b=c&d=e").unwrap();
        assert_eq!(
            (endpoint.host.as_str(), endpoint.port, endpoint.tls),
            ("example.com", 9443, true)
        );
        assert_eq!(endpoint.authority, "example.com:9443");
        assert_eq!(endpoint.target, "/ws/a?b=c&d=e");
    }

    #[test]
    fn ports_and_paths_have_defaults() {
        let endpoint = Endpoint::parse("wss://example.com").unwrap();
        assert_eq!((endpoint.port, endpoint.target.as_str()), (443, "/"));
        assert_eq!(
            Endpoint::parse("ws://localhost?x=1").unwrap().target,
            "/?x=1"
        );
        assert_eq!(Endpoint::parse("ws://localhost").unwrap().port, 80);
    }

    #[test]
    fn ipv6_addresses_lose_their_brackets_for_the_look_up_and_keep_them_for_the_server() {
        let endpoint = Endpoint::parse("ws://[::1]:8080/").unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port), ("::1", 8080));
        assert_eq!(endpoint.authority, "[::1]:8080");
        assert!(endpoint.is_loopback());
    }

    #[test]
    fn a_wrong_address_is_named_with_what_is_wrong() {
        for (url, what) in [
            ("", "is no address"),
            ("example.com", "must begin with wss://"),
            ("https://example.com/", "must begin with wss://"),
            ("wss://", "is no address"),
            ("wss://user:secret@example.com/", "carries a user name"),
            ("wss://example.com/#top", "has a fragment"),
            ("wss://example.com:0/", "port"),
            ("wss://example.com:99999/", "port"),
            ("wss://example.com:/", "port"),
            ("wss://a b/", "is no address"),
        ] {
            let error = Endpoint::parse(url).unwrap_err().to_string();
            assert!(
                error.contains(what) && error.contains(&format!("{url:?}")),
                "{error}"
            );
        }
    }
}
