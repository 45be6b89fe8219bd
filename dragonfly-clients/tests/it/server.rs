//! Servers to connect to: one connection each, on a thread of their own, on a free port.

use std::{
    future::Future,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use dragonfly_clients::ws;
use dragonfly_core::client::{Client as _, ClientError, Reader, Received};
use rcgen::{CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs, pki_types};
use tungstenite::handshake::derive_accept_key;

/// A server that plays one connection and then is gone.
pub(super) struct Server {
    pub(super) port: u16,
    thread: JoinHandle<()>,
}

impl Server {
    /// Plays `part` on the first connection.
    pub(super) fn start(part: impl FnOnce(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            // A client that hangs must fail the test, not stop it.
            stream
                .set_read_timeout(Some(Duration::from_secs(20)))
                .unwrap();
            part(stream);
        });
        Self { port, thread }
    }

    /// Answers the request with what `answer` makes of its key, then plays `part`.
    pub(super) fn answering(answer: impl FnOnce(&str) -> Vec<u8> + Send + 'static) -> Self {
        Self::start(move |mut stream| {
            let key = read_request(&mut stream).key;
            stream.write_all(&answer(&key)).unwrap();
            until_end(&mut stream);
        })
    }

    /// Waits for the end of the part; a failure in it is one of the test.
    pub(super) fn join(self) {
        self.thread.join().unwrap();
    }

    pub(super) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/", self.port)
    }

    pub(super) fn tls_url(&self) -> String {
        format!("wss://localhost:{}/", self.port)
    }
}

/// The request of an upgrade.
pub(super) struct Request {
    pub(super) text: String,
    pub(super) key: String,
}

/// Reads a request to its empty line.
pub(super) fn read_request(stream: &mut impl Read) -> Request {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    let text = String::from_utf8(bytes).unwrap();
    let key = text
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .starts_with("sec-websocket-key: ")
                .then(|| line[19..].to_owned())
        })
        .unwrap();
    Request { text, key }
}

/// The right answer to a key.
pub(super) fn welcome(key: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    )
    .into_bytes()
}

/// Reads until the client is gone, however it goes.
pub(super) fn until_end(stream: &mut impl Read) {
    let mut buffer = [0; 4096];
    while matches!(stream.read(&mut buffer), Ok(count) if count > 0) {}
}

/// Runs a future as a runner thread would.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Why connecting failed.
pub(super) fn refusal(client: ws::ClientBuilder) -> ClientError {
    let mut client = client.build().unwrap();
    block_on(async { client.connect().await.unwrap_err() })
}

/// What a client saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Message(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
}

/// Reads to the end of the connection: everything seen, and the error that ended it.
pub(super) async fn read_all(reader: &mut impl Reader) -> (Vec<Seen>, ClientError) {
    let mut all = Vec::new();
    loop {
        all.push(match reader.read().await {
            Ok(Received::Message(bytes)) => Seen::Message(bytes.to_vec()),
            Ok(Received::Ping(bytes)) => Seen::Ping(bytes.to_vec()),
            Ok(Received::Pong) => Seen::Pong,
            Ok(other) => panic!("unknown: {other:?}"),
            Err(error) => return (all, error),
        });
    }
}

/// A certificate authority of the test's own.
pub(super) struct Authority {
    pub(super) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// A server configuration with a certificate of this authority.
    pub(super) fn server(&self, params: &CertificateParams) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        server_config(certificate.der().clone(), &key)
    }
}

/// What a sound certificate for `localhost` says.
pub(super) fn for_localhost() -> CertificateParams {
    CertificateParams::new(vec!["localhost".to_owned()]).unwrap()
}

pub(super) fn server_config(
    certificate: pki_types::CertificateDer<'static>,
    key: &KeyPair,
) -> Arc<ServerConfig> {
    let key = pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

/// The server's side of a TLS session.
pub(super) fn secured(
    config: Arc<ServerConfig>,
    stream: TcpStream,
) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(ServerConnection::new(config).unwrap(), stream)
}

/// A file of the test's own, gone with it.
pub(super) struct Scratch(pub(super) std::path::PathBuf);

impl Scratch {
    pub(super) fn new(name: &str) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("dragonfly-{}-{count}-{name}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub(super) fn holding(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let scratch = Self::new(name);
        std::fs::write(&scratch.0, bytes).unwrap();
        scratch
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}
