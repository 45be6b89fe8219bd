//! Two venues behind WebSocket and TLS on loopback, whose books carry numbers.
//!
//! Book `k` is Binance's when `k` is even, with `k` as the quantity of the best bid, and Bitstamp's
//! when it is odd, with `k` as the quantity of the best ask. Every book so changes the view.

use std::{
    fmt::Write as _,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread::JoinHandle,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tungstenite::{Message, WebSocket};

type Socket = WebSocket<StreamOwned<ServerConnection, TcpStream>>;

/// Venues that wait for their one client.
pub(crate) struct Venues {
    pub(crate) ca_pem: String,
    pub(crate) addresses: [SocketAddr; 2],
    waiting: [JoinHandle<Socket>; 2],
}

/// Venues that have been subscribed to.
pub(crate) struct Sockets([Socket; 2]);

const ACKNOWLEDGED: [&str; 2] = [
    r#"{"result":null,"id":1}"#,
    r#"{"event":"bts:subscription_succeeded","channel":"order_book_ethbtc","data":{}}"#,
];

impl Venues {
    pub(crate) fn start() -> Self {
        let (ca_pem, config) = certificates();
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let addresses = [&listeners[0], &listeners[1]].map(|l| l.local_addr().unwrap());
        let [binance, bitstamp] = listeners;
        let wait = |listener, answer| {
            let config = config.clone();
            std::thread::spawn(move || accept(&listener, config, answer))
        };
        let waiting = [
            wait(binance, ACKNOWLEDGED[0]),
            wait(bitstamp, ACKNOWLEDGED[1]),
        ];
        Self {
            ca_pem,
            addresses,
            waiting,
        }
    }

    /// Waits until both have been subscribed to.
    pub(crate) fn subscribed(self) -> Sockets {
        Sockets(self.waiting.map(|thread| thread.join().unwrap()))
    }
}

fn accept(listener: &TcpListener, config: Arc<ServerConfig>, answer: &str) -> Socket {
    let (socket, _) = listener.accept().unwrap();
    socket.set_nodelay(true).unwrap();
    let tls = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
    let mut socket = tungstenite::accept(tls).unwrap();
    while !socket.read().unwrap().is_text() {}
    socket.send(Message::text(answer)).unwrap();
    socket
}

impl Sockets {
    /// The text of book `k`.
    pub(crate) fn book(k: u64) -> String {
        if k.is_multiple_of(2) {
            binance(k)
        } else {
            bitstamp(k)
        }
    }

    /// Sends the text of book `k`.
    pub(crate) fn send(&mut self, k: u64, text: String) {
        self.0[(k % 2) as usize].send(Message::text(text)).unwrap();
    }
}

fn binance(k: u64) -> String {
    let id = 5_946_600_000 + k;
    let mut text = format!(r#"{{"stream":"ethbtc@depth20@100ms","data":{{"lastUpdateId":{id},"#);
    side(
        &mut text,
        "bids",
        20,
        |i| 6_824_000 - i * 1_000 + k % 7,
        Some(k),
    );
    text.push(',');
    side(&mut text, "asks", 20, |i| 6_826_000 + i * 1_000, None);
    text.push_str("}}");
    text
}

fn bitstamp(k: u64) -> String {
    let us = 1_700_000_000_000_000 + k;
    let mut text = format!(r#"{{"data":{{"timestamp":"1700000000","microtimestamp":"{us}","#);
    side(&mut text, "bids", 100, |i| 6_823_500 - i * 1_000, None);
    text.push(',');
    side(
        &mut text,
        "asks",
        100,
        |i| 6_825_000 + i * 1_000 - k % 7,
        Some(k),
    );
    text.push_str(r#"},"channel":"order_book_ethbtc","event":"data"}"#);
    text
}

/// One side; `price` is in units of 1e-8.
fn side(text: &mut String, name: &str, count: u64, price: impl Fn(u64) -> u64, best: Option<u64>) {
    write!(text, r#""{name}":["#).unwrap();
    for i in 0..count {
        let comma = if i == 0 { "" } else { "," };
        let qty = best.filter(|_| i == 0).unwrap_or(1 + i * 7 % 13);
        write!(text, r#"{comma}["0.{:08}","{qty}.00000000"]"#, price(i)).unwrap();
    }
    text.push(']');
}

/// An authority's PEM text, and the server side of TLS with a certificate it signed.
fn certificates() -> (String, Arc<ServerConfig>) {
    let authority_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    (authority.pem(), Arc::new(config))
}
