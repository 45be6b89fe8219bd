//! Faults over real sockets: a client that knows nothing of the framework notices each of them, and
//! each is counted.

use std::{collections::BTreeSet, io::ErrorKind, sync::Arc, time::Duration};

use dragonfly_core::clock::{Clock, Nanos};
use dragonfly_sim::{
    fault::{Fault, Kind},
    live::Live,
};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tungstenite::{Error, Message, error::ProtocolError};

use crate::{
    client::{Secure, connect, secure},
    live::{options, request, start},
};

/// How long a client waits before it gives a step up.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long a fault may take to be noticed.
const LIMIT: Nanos = Nanos::from_secs(25);

/// A kind of fault, the venue it is tried at, and part of what its client notices.
type Case = (Kind, &'static str, &'static str);

const LINES: [Case; 9] = [
    (Kind::Stall, "kraken", "pong after silence"),
    (Kind::HalfOpen, "bybit", "no pong"),
    (Kind::Cut, "bitstamp", "reset"),
    (Kind::Close1000, "binance", "closed with 1000"),
    (Kind::Close1001, "bybit", "closed with 1001"),
    (Kind::Close1012, "kraken", "closed with 1012"),
    (Kind::AskToReconnect, "bitstamp", "request_reconnect"),
    (Kind::MassCut, "kraken", "reset"),
    (Kind::Delayed, "bybit", "text"),
];

const ATTEMPTS: [Case; 14] = [
    (Kind::ConnectRefused, "kraken", "refused"),
    (Kind::ConnectHangs, "bybit", "connection timed out"),
    (Kind::AcceptThenClose, "binance", "ended at once"),
    (Kind::RetryAfter, "kraken", "retry after 4"),
    (Kind::TlsHangs, "bitstamp", "silence in the handshake"),
    (Kind::UnknownCa, "kraken", "UnknownIssuer"),
    (Kind::WrongHost, "bybit", "not valid for name"),
    (Kind::Expired, "binance", "expired"),
    (Kind::UpgradeHangs, "kraken", "silence in the handshake"),
    (Kind::Upgrade200, "bybit", "HTTP 200"),
    (Kind::Upgrade403, "bitstamp", "HTTP 403"),
    (Kind::Upgrade503, "coinbase-advanced", "HTTP 503"),
    (Kind::UpgradeRedirect, "kraken", "HTTP 301"),
    (Kind::UpgradeGarbage, "binance", "httparse"),
];

const WIRES: [Case; 11] = [
    (Kind::Dribble, "bitstamp", "text"),
    (Kind::BinaryFrame, "kraken", "binary"),
    (Kind::Gzip, "bybit", "binary of gzip"),
    (Kind::Encoding, "coinbase-advanced", "binary of UTF-16"),
    (Kind::Fragments, "bitstamp", "ping between"),
    (Kind::Drip, "bybit", "text"),
    (Kind::Compressed, "kraken", "Reserved bits"),
    (Kind::NotUtf8, "binance", "UTF-8"),
    (Kind::Masked, "bybit", "masked frame"),
    (Kind::HugeHeader, "kraken", "too long: 100000000"),
    (
        Kind::TooLarge,
        "coinbase-advanced",
        "text of 41943040 bytes",
    ),
];

/// What the text of a message is worth noticing for.
fn notable(text: &str) -> String {
    match text.len() {
        0..=50_000 if text.contains("request_reconnect") => "request_reconnect".to_owned(),
        0..=50_000 => "text".to_owned(),
        long => format!("text of {long} bytes"),
    }
}

fn refusal(error: tungstenite::HandshakeError<tungstenite::ClientHandshake<Secure>>) -> String {
    match error {
        tungstenite::HandshakeError::Interrupted(_) => "silence in the handshake".to_owned(),
        tungstenite::HandshakeError::Failure(Error::Http(answer)) => {
            let after = answer.headers().get("retry-after");
            let after = after.map_or("", |after| after.to_str().unwrap());
            format!("HTTP {}, retry after {after}", answer.status().as_u16())
        }
        tungstenite::HandshakeError::Failure(error) => error.to_string(),
    }
}

/// One connection to its end, or until `is_done`; what is noticed goes to `notice`.
fn visit(live: &Live, venue: &str, notice: &mut dyn FnMut(String) -> bool) {
    let url = live.endpoint(venue).unwrap();
    let stream = match secure(live.ca_pem(), url, PATIENCE) {
        Ok(stream) => stream,
        Err(error) => {
            notice(error);
            return;
        }
    };
    let mut socket = match tungstenite::client(url, stream) {
        Ok((socket, _)) => socket,
        Err(error) => {
            notice(refusal(error));
            return;
        }
    };
    let (mut count, mut is_open) = (0, socket.send(Message::text(request(venue))).is_ok());
    let mut is_asked = false;
    while is_open {
        let event = match socket.read() {
            Ok(Message::Text(text)) => notable(&text),
            Ok(Message::Binary(bytes)) if bytes.starts_with(&[0x1f, 0x8b]) => {
                "binary of gzip".to_owned()
            }
            Ok(Message::Binary(bytes)) if bytes.starts_with(&[0xff, 0xfe, b'{']) => {
                "binary of UTF-16".to_owned()
            }
            Ok(Message::Binary(_)) => "binary".to_owned(),
            Ok(Message::Ping(text)) => format!("ping {}", str::from_utf8(&text).unwrap()),
            Ok(Message::Close(frame)) => {
                is_open = false;
                format!("closed with {}", frame.map_or(0, |frame| frame.code.into()))
            }
            Ok(Message::Pong(_)) => "pong after silence".to_owned(),
            Ok(_) => continue,
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock && !is_asked => {
                is_asked = true;
                is_open = socket.send(Message::Ping("there?".into())).is_ok();
                "silence".to_owned()
            }
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                is_open = false;
                "no pong".to_owned()
            }
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) if count == 0 => {
                is_open = false;
                "ended at once".to_owned()
            }
            Err(error) => {
                is_open = false;
                error.to_string().replace("Resetwithout", "")
            }
        };
        count += 1;
        is_open &= !notice(event);
    }
}

/// A client that comes again and again, until the fault was counted and noticed.
fn trial((kind, venue, expected): Case) -> Result<(), String> {
    let mut options = options(venue);
    let mut fault = Fault::new(kind, 1.0);
    fault.for_ms = match kind {
        Kind::RetryAfter | Kind::ConnectRefused | Kind::ConnectHangs => fault.for_ms,
        _ => 600,
    };
    options.plan.faults.push(fault);
    options.span = Duration::from_millis(200);
    let (live, _ledger) = start(options);
    let (clock, mut seen) = (Clock::monotonic(), BTreeSet::new());
    let is_done = |seen: &BTreeSet<String>| {
        live.fired()[&kind] > 0 && seen.iter().any(|event| event.contains(expected))
    };
    while clock.mono() < LIMIT && !is_done(&seen) {
        visit(&live, venue, &mut |event| {
            seen.insert(event);
            clock.mono() >= LIMIT || is_done(&seen)
        });
    }
    match is_done(&seen) {
        true if live.unfired().is_empty() => Ok(()),
        _ => Err(format!(
            "{kind} at {venue}: {:?}, saw {seen:?}",
            live.fired()
        )),
    }
}

/// All at the same time, for most of them wait for something.
fn all(cases: &[Case]) {
    let trials = cases.iter().map(|case| {
        let case = *case;
        std::thread::spawn(move || trial(case))
    });
    let trials: Vec<_> = trials.collect();
    let failed = trials
        .into_iter()
        .filter_map(|one| one.join().unwrap().err());
    let failed: Vec<String> = failed.collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn faults_of_connections_are_noticed_and_counted() {
    all(&LINES);
}

#[test]
fn faults_of_attempts_to_connect_are_noticed_and_counted() {
    all(&ATTEMPTS);
}

#[test]
fn faults_of_bytes_are_noticed_and_counted() {
    all(&WIRES);
}

/// What the simulated worlds know too: that it is noticed is their business.
#[test]
fn faults_of_messages_and_venues_are_counted() {
    let is_tried = |kind: &Kind| {
        let cases = LINES.iter().chain(&ATTEMPTS).chain(&WIRES);
        cases.into_iter().any(|case| case.0 == *kind)
    };
    let rest = Kind::ALL
        .iter()
        .filter(|kind| !is_tried(kind) && !kind.needs_machine());
    let cases: Vec<Case> = rest
        .enumerate()
        .map(|(at, kind)| {
            let venues = [
                "bybit",
                "kraken",
                "coinbase-advanced",
                "binance",
                "bitstamp",
            ];
            let fitting: Vec<_> = venues
                .into_iter()
                .filter(|venue| kind.fits(venue))
                .collect();
            (*kind, fitting[at % fitting.len()], "")
        })
        .collect();
    assert!(cases.len() > 15);
    all(&cases);
}

/// Takes any certificate, as no client may.
#[derive(Debug)]
struct Credulous(rustls::crypto::CryptoProvider);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = self.0.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

#[test]
fn a_client_that_takes_a_wrong_certificate_is_found_out() {
    let (live, _ledger) = start(options("kraken"));
    live.inject(&Fault::new(Kind::UnknownCa, 1.0)).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = ClientConfig::builder_with_provider(Arc::new(provider.clone()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous(provider)))
        .with_no_client_auth();
    let url = live.endpoint("kraken").unwrap();
    let began = Clock::monotonic();
    while live.credulous() == 0 {
        assert!(began.mono() < LIMIT, "nobody found out");
        let Ok(stream) = connect(config.clone(), url, PATIENCE) else {
            continue;
        };
        if let Ok((mut socket, _)) = tungstenite::client(url, stream) {
            // A connection that is up is cut for the sake of the next attempt.
            socket.send(Message::text(request("kraken"))).ok();
            while live.credulous() == 0 && socket.read().is_ok() {}
        }
    }
    assert_eq!(
        live.fired().get(&Kind::UnknownCa),
        Some(&0),
        "nobody refused it"
    );
}
