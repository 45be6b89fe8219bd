//! A peer that hangs: each step ends at its own deadline. The clock is stopped once the step is
//! reached, so the deadlines are exact and nothing waits for them.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use dragonfly_clients::ws;
use dragonfly_core::client::{Client as _, ClientError, Writer as _};
use tokio::{net::TcpSocket, sync::oneshot};

use super::server::{Server, block_on, read_request, until_end, welcome};

/// How connecting ends at a server that says when the step is reached, and then hangs.
fn hangs(
    url: fn(&Server) -> String,
    set: fn(ws::ClientBuilder) -> ws::ClientBuilder,
    reach: impl FnOnce(&mut TcpStream) + Send + 'static,
) -> ClientError {
    let (say, reached) = oneshot::channel();
    let server = Server::start(move |mut stream| {
        reach(&mut stream);
        say.send(()).unwrap();
        until_end(&mut stream);
    });
    let mut client = set(ws::Client::builder(url(&server))).build().unwrap();
    let error = block_on(async {
        let stop_the_clock = async {
            reached.await.unwrap();
            tokio::time::pause();
        };
        tokio::join!(client.connect(), stop_the_clock)
            .0
            .unwrap_err()
    });
    server.join();
    error
}

#[test]
fn a_tls_handshake_that_hangs_ends_at_its_deadline() {
    let error = hangs(
        Server::tls_url,
        |client| client.tls_timeout(Duration::from_millis(7001)),
        |stream| stream.read_exact(&mut [0; 5]).unwrap(),
    );
    assert_eq!(
        error,
        ClientError::Timeout {
            step: "TLS handshake",
            limit_ms: 7001
        }
    );
}

#[test]
fn an_upgrade_that_hangs_ends_at_its_deadline() {
    let set = |client: ws::ClientBuilder| client.upgrade_timeout(Duration::from_millis(7002));
    let hung = ClientError::Timeout {
        step: "WebSocket upgrade",
        limit_ms: 7002,
    };
    assert_eq!(
        hangs(Server::url, set, |stream| drop(read_request(stream))),
        hung
    );
    let half_an_answer = |stream: &mut TcpStream| {
        let answer = welcome(&read_request(stream).key);
        stream.write_all(&answer[..answer.len() - 2]).unwrap();
    };
    assert_eq!(hangs(Server::url, set, half_an_answer), hung);
}

#[test]
fn a_tcp_connect_that_hangs_ends_at_its_deadline() {
    block_on(async {
        // A full accept queue lets further requests to connect go unanswered.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let first = TcpStream::connect(address).unwrap();
        let set = Duration::from_millis(7003);
        let mut client = ws::Client::builder(format!("ws://{address}/"))
            .tcp_timeout(set)
            .build()
            .unwrap();
        tokio::time::pause();
        let error = client.connect().await.unwrap_err();
        assert_eq!(
            error,
            ClientError::Timeout {
                step: "TCP connect",
                limit_ms: 7003
            }
        );
        drop(first);
    });
}

#[test]
fn a_peer_that_no_longer_reads_ends_the_sending_at_its_deadline() {
    let (done, wait) = std::sync::mpsc::sync_channel::<()>(1);
    let server = Server::start(move |mut stream| {
        let answer = welcome(&read_request(&mut stream).key);
        stream.write_all(&answer).unwrap();
        // Neither reads nor closes until the client is done.
        assert!(wait.recv().is_err());
    });
    let limit = Duration::from_millis(7004);
    let mut client = ws::Client::builder(server.url())
        .send_timeout(limit)
        .build()
        .unwrap();
    block_on(async {
        let (_reader, mut writer) = client.connect().await.unwrap();
        tokio::time::pause();
        let text = vec![b'x'; 64 << 20];
        let error = writer.send(&text).await.unwrap_err();
        assert_eq!(
            error,
            ClientError::Timeout {
                step: "WebSocket send",
                limit_ms: 7004
            }
        );
    });
    drop(done);
    server.join();
}
