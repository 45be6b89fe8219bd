//! The upgrade: what is asked, and which answers are believed.

use std::{io::Write, net::TcpListener};

use dragonfly_clients::ws;
use dragonfly_core::client::{Client as _, ClientError};
use tungstenite::handshake::derive_accept_key;

use super::server::{Server, block_on, read_request, refusal, until_end, welcome};

/// The error of connecting to a server that gives this answer.
fn answered(answer: impl FnOnce(&str) -> String + Send + 'static) -> ClientError {
    let server = Server::answering(|key| answer(key).into_bytes());
    let error = refusal(ws::Client::builder(server.url()));
    server.join();
    error
}

fn reason(error: ClientError) -> String {
    let ClientError::Connect {
        step: "WebSocket upgrade",
        reason,
    } = error
    else {
        panic!("{error:?}")
    };
    reason
}

#[test]
fn the_request_is_that_of_the_standard() {
    let server = Server::start(|mut stream| {
        let request = read_request(&mut stream);
        stream.write_all(&welcome(&request.key)).unwrap();
        let port = stream.local_addr().unwrap().port();
        let text = request.text.to_ascii_lowercase();
        assert!(
            text.starts_with("get /ws/a?depth=20&b=%20 http/1.1\r\n"),
            "{text}"
        );
        for line in [
            format!("host: localhost:{port}"),
            "user-agent: tester/1".into(),
            "upgrade: websocket".into(),
            "connection: upgrade".into(),
            "sec-websocket-version: 13".into(),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(!text.contains("extensions"), "{text}");
    });
    let url = format!("ws://localhost:{}/ws/a?depth=20&b=%20", server.port);
    let mut client = ws::Client::builder(&url)
        .user_agent("tester/1")
        .build()
        .unwrap();
    assert_eq!(client.endpoint(), url);
    block_on(async { client.connect().await.unwrap() });
    server.join();
}

#[test]
fn header_names_and_values_may_be_in_any_case_and_in_lists() {
    let server = Server::answering(|key| {
        format!(
            "HTTP/1.1 101 ok\r\nUPGRADE: WebSocket\r\nconnection: keep-alive, UpGrade\r\n\
             sec-websocket-accept:   {}\r\n\r\n",
            derive_accept_key(key.as_bytes())
        )
        .into_bytes()
    });
    let mut client = ws::Client::builder(server.url()).build().unwrap();
    block_on(async { client.connect().await.unwrap() });
    server.join();
}

#[test]
fn an_answer_with_a_wrong_part_is_refused_and_the_part_named() {
    let with = |from: &'static str, to: &'static str| {
        reason(answered(move |key| {
            let right = String::from_utf8(welcome(key)).unwrap();
            assert!(right.contains(from));
            right.replace(from, to)
        }))
    };
    assert!(with("Upgrade: websocket", "Upgrade: h2c").contains("does not upgrade to websocket"));
    assert!(with("Upgrade: websocket\r\n", "").contains("does not upgrade to websocket"));
    assert!(with("Connection: Upgrade", "Connection: close").contains("Connection"));
    assert!(with("Sec-WebSocket-Accept", "X").contains("Sec-WebSocket-Accept"));
    let deflate = "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    assert!(with("\r\n\r\n", deflate).contains("permessage-deflate"));
    let protocol = "\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
    assert!(with("\r\n\r\n", protocol).contains("sec-websocket-protocol"));
}

#[test]
fn the_accept_key_of_another_connection_is_refused() {
    let text = reason(answered(|_| {
        String::from_utf8(welcome("dGhlIHNhbXBsZSBub25jZQ==")).unwrap()
    }));
    assert!(text.contains("Sec-WebSocket-Accept does not fit"), "{text}");
    let twice = reason(answered(|key| {
        let right = String::from_utf8(welcome(key)).unwrap();
        right.replace("\r\n\r\n", "\r\nSec-WebSocket-Accept: x\r\n\r\n")
    }));
    assert!(
        twice.contains("Sec-WebSocket-Accept does not fit"),
        "{twice}"
    );
}

#[test]
fn a_refusal_is_named_with_its_status() {
    for status in [
        "200 OK",
        "400 Bad Request",
        "403 Forbidden",
        "404 Not Found",
        "429 Slow",
        "500 No",
    ] {
        let text = reason(answered(move |_| {
            format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")
        }));
        assert!(text.contains(&status[..3]), "{text}");
    }
}

#[test]
fn a_wait_that_is_asked_for_is_handed_on() {
    for status in [403, 418, 429, 503] {
        let error = answered(move |_| {
            format!("HTTP/1.1 {status} x\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n")
        });
        assert_eq!(
            error,
            ClientError::RetryAfter {
                status,
                seconds: 17
            }
        );
    }
    let date = answered(|_| {
        "HTTP/1.1 503 x\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
         Retry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\n\r\n"
            .into()
    });
    assert_eq!(
        date,
        ClientError::RetryAfter {
            status: 503,
            seconds: 60
        }
    );
    let text = reason(answered(|_| {
        "HTTP/1.1 429 x\r\nRetry-After: soon\r\n\r\n".into()
    }));
    assert!(text.contains("429"), "{text}");
}

#[test]
fn redirects_are_not_followed() {
    for status in [301, 302, 307, 308] {
        let text = reason(answered(move |_| {
            format!(
                "HTTP/1.1 {status} x\r\nLocation: ws://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
            )
        }));
        assert!(
            text.contains("127.0.0.1:9") && text.contains("not followed"),
            "{text}"
        );
    }
}

#[test]
fn an_answer_that_is_no_http_or_breaks_off_or_never_ends_is_refused() {
    reason(answered(|_| "SSH-2.0-OpenSSH_9.2\r\n\r\n".into()));
    reason(answered(|_| {
        format!("HTTP/1.1 101 x\r\nX: {}", "y".repeat(200_000))
    }));
    let server = Server::start(|mut stream| {
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 101 Swi").unwrap();
    });
    reason(refusal(ws::Client::builder(server.url())));
    server.join();
}

#[test]
fn a_port_nobody_listens_on_is_named() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let error = refusal(ws::Client::builder(format!("ws://127.0.0.1:{port}/")));
    let ClientError::Connect {
        step: "TCP connect",
        reason,
    } = error
    else {
        panic!("{error:?}")
    };
    assert!(
        reason.contains(&format!("127.0.0.1:{port}: ")) && reason.contains("refused"),
        "{reason}"
    );
}

#[test]
fn a_client_connects_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://localhost:{}/", listener.local_addr().unwrap().port());
    let server = std::thread::spawn(move || {
        let mut keys = Vec::new();
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            keys.push(read_request(&mut stream).key);
            stream.write_all(&welcome(&keys[keys.len() - 1])).unwrap();
            until_end(&mut stream);
        }
        assert_ne!(keys[0], keys[1]);
    });
    let mut client = ws::Client::builder(url).build().unwrap();
    block_on(async {
        drop(client.connect().await.unwrap());
        drop(client.connect().await.unwrap());
    });
    server.join().unwrap();
}
