//! A client that shares no code with the framework: tungstenite over rustls.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use dragonfly_sim::{Pace, Recorded, Recording, Sim};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tungstenite::{Message, WebSocket};

/// A recording that is kept beside the sources.
pub(crate) fn recording(name: &str) -> Recording {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings");
    Recording::open(folder.join(name)).unwrap()
}

/// A simulator of one venue that plays as fast as it is read.
pub(crate) fn simulate(venue: &str, capture: Recording) -> Sim {
    Sim::builder()
        .venue(Recorded::new(venue, capture).pace(Pace::AsFast))
        .start()
        .unwrap()
}

pub(crate) type Secure = StreamOwned<ClientConnection, TcpStream>;

pub(crate) struct Client(WebSocket<Secure>);

/// A connection whose every step may take so long; the handshake comes with the first bytes.
pub(crate) fn secure(ca_pem: &str, url: &str, patience: Duration) -> Result<Secure, String> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    connect(config, url, patience)
}

/// The same with whatever `config` trusts.
pub(crate) fn connect(
    config: ClientConfig,
    url: &str,
    patience: Duration,
) -> Result<Secure, String> {
    let address = url.strip_prefix("wss://").unwrap();
    let (host, port) = address.split('/').next().unwrap().rsplit_once(':').unwrap();
    let host = host.trim_matches(['[', ']']);
    let ip: IpAddr = host.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let address = SocketAddr::new(ip, port.parse().unwrap());
    let tcp = TcpStream::connect_timeout(&address, patience);
    let tcp = tcp.map_err(|error| error.to_string())?;
    tcp.set_read_timeout(Some(patience)).unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let tls = ClientConnection::new(Arc::new(config), name).unwrap();
    Ok(StreamOwned::new(tls, tcp))
}

/// How a connection ended: the close code, or `None` without a closing handshake.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed(pub(crate) Option<u16>);

impl Client {
    pub(crate) fn connect(sim: &Sim, venue: &str) -> Self {
        Self::try_connect(sim, sim.endpoint(venue).unwrap()).unwrap()
    }

    pub(crate) fn try_connect(sim: &Sim, url: &str) -> Result<Self, String> {
        Self::reach(sim.ca_pem(), url)
    }

    /// Connects to a server whose authority is given as PEM text.
    pub(crate) fn reach(ca_pem: &str, url: &str) -> Result<Self, String> {
        // A test that waits for something that never comes fails instead of hanging.
        let stream = secure(ca_pem, url, Duration::from_secs(20))?;
        match tungstenite::client(url, stream) {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).unwrap();
    }

    /// Sends several messages in one write, so that the simulator gets them at once.
    pub(crate) fn send_together(&mut self, texts: &[&str]) {
        for text in texts {
            self.0.write(Message::text(*text)).unwrap();
        }
        self.0.flush().unwrap();
    }

    pub(crate) fn message(&mut self) -> Result<Message, Closed> {
        match self.0.read() {
            Ok(Message::Close(frame)) => {
                // Reading on completes the closing handshake.
                while self.0.read().is_ok() {}
                Err(Closed(frame.map(|frame| frame.code.into())))
            }
            Ok(message) => Ok(message),
            Err(error) => {
                assert!(
                    !error.to_string().contains("unavailable"),
                    "nothing came: {error}"
                );
                Err(Closed(None))
            }
        }
    }

    pub(crate) fn text(&mut self) -> Result<String, Closed> {
        self.message()
            .map(|message| message.into_text().unwrap().as_str().to_owned())
    }

    pub(crate) fn next(&mut self) -> String {
        self.text().unwrap()
    }

    /// Every text until the connection ends, and how it ended.
    pub(crate) fn rest(&mut self) -> (Vec<String>, Closed) {
        let mut texts = Vec::new();
        loop {
            match self.text() {
                Ok(text) => texts.push(text),
                Err(closed) => return (texts, closed),
            }
        }
    }

    /// Pings, and fails if anything but the pong comes: what was said before stays unanswered.
    pub(crate) fn expect_silence(&mut self) {
        self.0.send(Message::Ping("still there".into())).unwrap();
        assert_eq!(self.message().unwrap(), Message::Pong("still there".into()));
    }

    pub(crate) fn close(&mut self) -> Closed {
        let frame = tungstenite::protocol::CloseFrame {
            code: 1000.into(),
            reason: "bye".into(),
        };
        self.0.close(Some(frame)).unwrap();
        self.text().unwrap_err()
    }
}
