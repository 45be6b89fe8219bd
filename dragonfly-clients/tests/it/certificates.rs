//! Which certificates are believed, and what a trust-anchor file may hold.

use std::{
    io::{Read, Write},
    sync::Arc,
};

use dragonfly_clients::ws;
use dragonfly_core::client::{Client as _, ClientError};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::server::{
    Authority, Scratch, Server, block_on, for_localhost, refusal, secured, server_config, until_end,
};

/// The reason for which a client that trusts `anchors` refuses the server.
fn refused(config: Arc<ServerConfig>, anchors: Option<&str>) -> String {
    let server = Server::start(move |stream| {
        let mut stream = secured(config, stream);
        assert!(
            !matches!(stream.read(&mut [0; 16]), Ok(1..)),
            "the client sent its request"
        );
    });
    let mut client = ws::Client::builder(server.tls_url());
    let file = anchors.map(|pem| Scratch::holding("anchors.pem", pem));
    if let Some(file) = &file {
        client = client.tls_ca_file(&file.0);
    }
    let error = refusal(client);
    server.join();
    let ClientError::Connect {
        step: "TLS handshake",
        reason,
    } = error
    else {
        panic!("{error:?}")
    };
    reason
}

fn assert_refused(params: &CertificateParams, what: &str) {
    let authority = Authority::new();
    let reason = refused(authority.server(params), Some(&authority.pem));
    assert!(reason.contains(what), "{what}: {reason}");
}

#[test]
fn an_expired_certificate_is_refused() {
    let mut params = for_localhost();
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2001, 1, 1);
    assert_refused(&params, "expired");
}

#[test]
fn a_certificate_of_the_future_is_refused() {
    let mut params = for_localhost();
    params.not_before = date_time_ymd(2090, 1, 1);
    assert_refused(&params, "not valid yet");
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    let params = CertificateParams::new(vec!["other.example".to_owned()]).unwrap();
    assert_refused(&params, "not valid for name");
}

#[test]
fn a_self_signed_certificate_is_refused() {
    let key = KeyPair::generate().unwrap();
    let certificate = for_localhost().self_signed(&key).unwrap();
    let reason = refused(server_config(certificate.der().clone(), &key), None);
    assert!(reason.contains("UnknownIssuer"), "{reason}");
}

#[test]
fn an_unknown_authority_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let reason = refused(authority.server(&for_localhost()), None);
    assert!(reason.contains("UnknownIssuer"), "{reason}");
    // Both authorities bear one name, so that only the signature tells them apart.
    let reason = refused(authority.server(&for_localhost()), Some(&other.pem));
    assert!(reason.contains("invalid peer certificate"), "{reason}");
}

#[test]
fn a_certificate_for_another_use_is_refused() {
    let mut params = for_localhost();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    assert_refused(&params, "does not allow extended key usage for server");
}

/// The fixture's authority has an RSA key of 1024 bits, with which it has signed a certificate that is
/// sound otherwise, for `localhost` and a P-256 key, valid until 2120.
#[test]
fn a_certificate_that_was_signed_with_a_weak_key_is_refused() {
    let authority = include_str!("../weak_authority/authority.pem");
    let certificate = include_bytes!("../weak_authority/localhost.pem");
    let key = include_str!("../weak_authority/localhost.key.pem");
    let certificate = CertificateDer::from_pem_slice(certificate).unwrap();
    let key = KeyPair::from_pem(key).unwrap();
    let reason = refused(server_config(certificate, &key), Some(authority));
    assert!(reason.contains("2048 bits"), "{reason}");
}

/// What a server answers that speaks TLS 1.1 and no more.
fn hello_of_tls_1_1() -> Vec<u8> {
    let version = [3, 2];
    let (random, session, suite, compression) = ([7; 32], [0], [0xc0, 0x13], [0]);
    let body = [&version[..], &random, &session, &suite, &compression].concat();
    let length = u8::try_from(body.len()).unwrap();
    let handshake = [&[2, 0, 0, length], &body[..]].concat();
    [&[22, 3, 2, 0, length + 4], &handshake[..]].concat()
}

/// The alert `protocol_version`, which such a server sends when it reads what it is offered.
const ALERT_OF_TLS_1_1: [u8; 7] = [21, 3, 2, 0, 2, 2, 70];

#[test]
fn a_server_that_speaks_tls_1_1_is_refused() {
    for answer in [hello_of_tls_1_1(), ALERT_OF_TLS_1_1.into()] {
        speaks_old_tls(answer);
    }
}

fn speaks_old_tls(answer: Vec<u8>) {
    let server = Server::start(move |mut stream| {
        stream.write_all(&answer).unwrap();
        until_end(&mut stream);
    });
    let error = refusal(ws::Client::builder(server.tls_url()));
    server.join();
    let ClientError::Connect { step, reason } = error else {
        panic!("{error:?}")
    };
    assert_eq!(step, "TLS handshake");
    assert!(reason.contains("TLS 1.2"), "{reason}");
}

#[test]
fn a_server_that_speaks_no_tls_is_refused() {
    let server = Server::start(|mut stream| {
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
        until_end(&mut stream);
    });
    let error = refusal(ws::Client::builder(server.tls_url()));
    server.join();
    assert!(
        matches!(
            error,
            ClientError::Connect {
                step: "TLS handshake",
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn the_anchors_of_a_file_are_trusted_beside_others() {
    let (authority, other) = (Authority::new(), Authority::new());
    let config = authority.server(&for_localhost());
    let server = Server::start(move |stream| {
        tungstenite::accept(secured(config, stream)).unwrap();
    });
    let file = Scratch::holding(
        "anchors.pem",
        format!("a note\n{}{}", other.pem, authority.pem),
    );
    let mut client = ws::Client::builder(server.tls_url())
        .tls_ca_file(&file.0)
        .build()
        .unwrap();
    block_on(async { client.connect().await.unwrap() });
    server.join();
}

#[test]
fn a_trust_anchor_file_that_is_of_no_use_is_named_with_the_reason() {
    let refused = |path: &std::path::Path| {
        let error = ws::Client::builder("wss://localhost/")
            .tls_ca_file(path)
            .build()
            .unwrap_err();
        let ClientError::Endpoint(text) = error else {
            panic!("{error:?}")
        };
        assert!(text.contains(&path.display().to_string()), "{text}");
        text
    };
    assert!(refused("/nowhere/ca.pem".as_ref()).contains("No such file"));
    assert!(refused(&std::env::temp_dir()).contains("directory"));
    let empty = Scratch::holding("empty.pem", "");
    assert!(refused(&empty.0).contains("there is no certificate"));
    let key = Scratch::holding("key.pem", KeyPair::generate().unwrap().serialize_pem());
    assert!(refused(&key.0).contains("there is no certificate"));
    let cut = Scratch::holding("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    assert!(refused(&cut.0).contains("not PEM"));
    let wrong = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let wrong = Scratch::holding("wrong.pem", wrong);
    assert!(refused(&wrong.0).contains("certificate 1 is not usable"));
}
