//! A venue on loopback that sends what was made ready beforehand as fast as the receiver takes it.
//!
//! It runs on a thread of its own, on another core than the receiver where there is one. Every
//! message is framed, and encrypted where the connection is, before the first is sent, so that the
//! sender has nothing to do but to write.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread::JoinHandle,
};

use dragonfly_core::clock::{Clock, Nanos};
use rcgen::{CertificateParams, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs, pki_types};
use tungstenite::handshake::derive_accept_key;

/// Makes one message: of which connection, the how-manieth, and where it goes.
pub type Make = dyn Fn(usize, usize, &mut Vec<u8>) + Send;

/// How messages are packed into what the receiver reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// Messages in one TLS record; without TLS, in one piece that is never parted.
    pub messages_a_record: usize,
    /// Records in one write to the socket.
    pub records_a_write: usize,
}

/// How a message is cut into pieces that arrive one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Bytes of it in one TLS record, each written by itself.
    pub record: usize,
    /// From one write to the next; none at all if zero.
    pub every: Nanos,
}

/// What a venue is to send.
pub struct Plan {
    /// Whether over TLS.
    pub tls: bool,
    /// Whether the connection is upgraded to WebSocket first.
    pub upgrade: bool,
    /// How many connections are waited for; `/3` in the address makes a client the fourth.
    pub connections: usize,
    /// How many messages each connection gets.
    pub messages: usize,
    /// How they are packed.
    pub packing: Packing,
    /// How many messages a second all connections get together; as many as possible if `None`.
    pub rate: Option<u64>,
    /// Whether messages are cut; `packing` does not count then.
    pub cut: Option<Cut>,
    /// What the messages are.
    pub make: Box<Make>,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan")
            .field("connections", &self.connections)
            .field("messages", &self.messages)
            .finish_non_exhaustive()
    }
}

/// A venue that is waiting for its clients, or sending to them.
#[derive(Debug)]
pub struct Venue {
    port: u16,
    tls: bool,
    ca_pem: String,
    thread: JoinHandle<(Nanos, Nanos)>,
}

impl Venue {
    /// Starts a venue; it begins to send when all its clients have come.
    pub fn start(plan: Plan) -> Self {
        Self::start_by(plan, Clock::monotonic())
    }

    /// Starts a venue that keeps time by `clock`.
    pub fn start_by(plan: Plan, clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (config, ca_pem) = certified();
        let tls = plan.tls;
        let name = std::thread::Builder::new().name("venue".into());
        let thread = name.spawn(move || {
            pin_to(1);
            serve(&plan, &listener, &config, &clock)
        });
        Self {
            port,
            tls,
            ca_pem,
            thread: thread.unwrap(),
        }
    }

    /// The address of connection number `connection`.
    pub fn url(&self, connection: usize) -> String {
        let (scheme, port) = (if self.tls { "wss" } else { "ws" }, self.port);
        format!("{scheme}://localhost:{port}/{connection}")
    }

    /// The port on `127.0.0.1`.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The certificate to be trusted.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Waits until every client has gone, and says when the first write began and the last ended.
    pub fn join(self) -> (Nanos, Nanos) {
        self.thread.join().unwrap()
    }
}

/// Puts the calling thread on a core of its own, if the machine has so many.
pub fn pin_to(core: usize) {
    let mut cores = rustix::thread::CpuSet::new();
    cores.set(core);
    // On a machine without that core the thread stays where it is.
    let _outcome = rustix::thread::sched_setaffinity(None, &cores);
}

/// Processor time of the calling thread, in nanoseconds; the system's share is in it.
pub fn cpu_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

/// A frame of a text message, as a server sends it.
pub fn frame(payload: &[u8], into: &mut Vec<u8>) {
    into.push(0x81);
    match payload.len() {
        length @ 0..=125 => into.push(length as u8),
        length @ 126..=0xffff => {
            into.push(126);
            into.extend((length as u16).to_be_bytes());
        }
        length => {
            into.push(127);
            into.extend((length as u64).to_be_bytes());
        }
    }
    into.extend(payload);
}

fn certified() -> (Arc<ServerConfig>, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let secret = pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], secret)
        .unwrap();
    (Arc::new(config), certificate.pem())
}

/// One client: its socket, its session, and what is ready to be sent, write by write.
struct Peer {
    socket: TcpStream,
    session: Option<ServerConnection>,
    ready: Vec<u8>,
    ends: Vec<usize>,
    written: usize,
}

fn serve(
    plan: &Plan,
    listener: &TcpListener,
    config: &Arc<ServerConfig>,
    clock: &Clock,
) -> (Nanos, Nanos) {
    let mut peers: Vec<Peer> = (0..plan.connections)
        .map(|_| {
            let (socket, _) = listener.accept().unwrap();
            socket.set_nodelay(true).unwrap();
            let config = plan.tls.then(|| config.clone());
            let (number, mut peer) = welcome(plan, socket, config);
            peer.prepare(plan, number);
            peer
        })
        .collect();
    let begin = clock.mono();
    send(plan, &mut peers, clock);
    let end = clock.mono();
    for peer in &mut peers {
        // A socket closed with something unread would take what was sent down with it.
        let mut rest = [0; 4096];
        while matches!(peer.socket.read(&mut rest), Ok(count) if count > 0) {}
    }
    (begin, end)
}

/// Makes a connection ready and says which one it is.
fn welcome(plan: &Plan, socket: TcpStream, config: Option<Arc<ServerConfig>>) -> (usize, Peer) {
    let (number, socket, session) = match config {
        None => {
            let mut socket = socket;
            let number = if plan.upgrade {
                upgrade(&mut socket)
            } else {
                0
            };
            (number, socket, None)
        }
        Some(config) => {
            let session = ServerConnection::new(config).unwrap();
            let mut stream = StreamOwned::new(session, socket);
            while stream.conn.is_handshaking() {
                stream.conn.complete_io(&mut stream.sock).unwrap();
            }
            let number = if plan.upgrade {
                upgrade(&mut stream)
            } else {
                0
            };
            let mut session = stream.conn;
            session.set_buffer_limit(None);
            (number, stream.sock, Some(session))
        }
    };
    let peer = Peer {
        socket,
        session,
        ready: Vec::new(),
        ends: Vec::new(),
        written: 0,
    };
    (number, peer)
}

/// Answers an upgrade, whose path is the number of the connection.
fn upgrade(stream: &mut (impl Read + Write)) -> usize {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap();
    let number = path.trim_start_matches('/').parse().unwrap_or(0);
    let key = request.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then_some(value)
    });
    let accept = derive_accept_key(key.unwrap().as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).unwrap();
    stream.flush().unwrap();
    number
}

impl Peer {
    fn prepare(&mut self, plan: &Plan, number: usize) {
        let (mut record, mut payload) = (Vec::new(), Vec::new());
        let mut records = 0;
        for message in 0..plan.messages {
            payload.clear();
            (plan.make)(number, message, &mut payload);
            if let Some(cut) = plan.cut {
                frame(&payload, &mut record);
                for piece in record.chunks(cut.record) {
                    self.seal(piece);
                    self.ends.push(self.ready.len());
                }
                record.clear();
                continue;
            }
            frame(&payload, &mut record);
            let is_last = message + 1 == plan.messages;
            if (message + 1) % plan.packing.messages_a_record == 0 || is_last {
                self.seal(&record);
                record.clear();
                records += 1;
                if records % plan.packing.records_a_write == 0 || is_last {
                    self.ends.push(self.ready.len());
                }
            }
        }
    }

    fn seal(&mut self, record: &[u8]) {
        let Some(session) = &mut self.session else {
            self.ready.extend(record);
            return;
        };
        session.writer().write_all(record).unwrap();
        while session.wants_write() {
            session.write_tls(&mut self.ready).unwrap();
        }
    }

    /// Writes the next piece; false when there is none, or the client has gone.
    fn write(&mut self, at: usize) -> bool {
        let Some(end) = self.ends.get(at) else {
            return false;
        };
        let piece = self.written..*end;
        self.written = *end;
        self.socket.write_all(&self.ready[piece]).is_ok()
    }
}

fn send(plan: &Plan, peers: &mut [Peer], clock: &Clock) {
    let wait = |due: Nanos| {
        while clock.mono() < due {
            std::thread::yield_now();
        }
    };
    let begin = clock.mono();
    let each = plan.packing.messages_a_record * plan.packing.records_a_write;
    let mut sent = 0;
    for at in 0.. {
        let mut wrote = false;
        if let Some(cut) = plan.cut {
            wait(begin + Nanos(cut.every.0 * at as u64));
        }
        for peer in &mut *peers {
            if let Some(rate) = plan.rate {
                wait(begin + Nanos(sent * 1_000_000_000 / rate));
            }
            wrote |= peer.write(at);
            sent += each as u64;
        }
        if !wrote {
            return;
        }
    }
}
