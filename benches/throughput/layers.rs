//! The same messages read one layer further each.

use std::{
    io::{self, Read},
    net::TcpStream,
    sync::Arc,
};

use dragonfly_benches::{
    loopback::{Packing, Plan, Venue, frame},
    messages::Depth20,
};
use dragonfly_clients::ws;
use dragonfly_core::{
    client::{Client as _, Reader as _, Received},
    clock::Clock,
    feed::{BookListener, Decoder, Link, Listener},
    market::{BookEvent, Instrument},
};
use dragonfly_feeds::venue::{self, Subscription};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};

use super::{
    flow,
    meter::{Figure, Meter},
};

type Run = fn(Packing, usize) -> Figure;

/// Every layer with its run.
pub(crate) const ALL: [(&str, Run); 8] = [
    ("TCP: `read` of 64 KiB, plain", tcp),
    ("TLS: rustls by hand, 64 KiB a `read`", tls),
    ("frames: `ws::Client`, over TLS", frames),
    ("decode: `BookListener`, every event", every_event),
    ("decode: only changes, all are news", all_news),
    ("flow: queue and `Bbo`, every event", whole_flow),
    (
        "flow: queue and `Bbo`, only changes, all are news",
        changed_flow,
    ),
    (
        "flow: queue and `Bbo`, only changes, none is",
        unchanged_flow,
    ),
];

pub(crate) fn plan(packing: Packing, messages: usize, tls: bool, is_news: bool) -> Plan {
    let message = Depth20::of("ethbtc");
    Plan {
        tls,
        upgrade: true,
        connections: 1,
        messages,
        packing,
        rate: None,
        cut: None,
        make: Box::new(move |_, n, into| message.write(n, is_news, into)),
    }
}

/// The length of a message with its frame; all are of one.
fn framed_length() -> usize {
    let (mut message, mut framed) = (Vec::new(), Vec::new());
    Depth20::of("ethbtc").write(0, true, &mut message);
    frame(&message, &mut framed);
    framed.len()
}

fn tcp(packing: Packing, messages: usize) -> Figure {
    let mut plan = plan(packing, messages, false, true);
    plan.upgrade = false;
    let venue = Venue::start(plan);
    let mut socket = TcpStream::connect(("127.0.0.1", venue.port())).unwrap();
    let (mut meter, length) = (Meter::new(messages), framed_length());
    let (mut buffer, mut count) = (vec![0; 64 << 10], 0);
    while !meter.at(count / length) {
        count += socket.read(&mut buffer).unwrap();
    }
    drop(socket);
    venue.join();
    meter.figure()
}

/// Hands out what a large read of the socket brought in pieces as small as rustls asks for.
struct ReadAhead {
    socket: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Read for ReadAhead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end {
            self.end = self.socket.read(&mut self.buffer)?;
            self.start = 0;
        }
        let count = into.len().min(self.end - self.start);
        into[..count].copy_from_slice(&self.buffer[self.start..][..count]);
        self.start += count;
        Ok(count)
    }
}

fn tls(packing: Packing, messages: usize) -> Figure {
    let mut plan = plan(packing, messages, true, true);
    plan.upgrade = false;
    let venue = Venue::start(plan);
    let mut socket = TcpStream::connect(("127.0.0.1", venue.port())).unwrap();
    let mut session = ClientConnection::new(
        trusting(venue.ca_pem()),
        ServerName::try_from("localhost").unwrap(),
    )
    .unwrap();
    while session.is_handshaking() {
        session.complete_io(&mut socket).unwrap();
    }
    let mut ahead = ReadAhead {
        socket,
        buffer: vec![0; 64 << 10],
        start: 0,
        end: 0,
    };
    let (mut meter, length) = (Meter::new(messages), framed_length());
    let mut count = 0;
    while !meter.at(count / length) {
        session.read_tls(&mut ahead).unwrap();
        session.process_new_packets().unwrap();
        loop {
            let chunk = session.reader().into_first_chunk().map_or(0, <[u8]>::len);
            if chunk == 0 {
                break;
            }
            io::BufRead::consume(&mut session.reader(), chunk);
            count += chunk;
        }
    }
    drop(ahead);
    venue.join();
    meter.figure()
}

fn trusting(pem: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// A client that trusts the venue.
pub(crate) fn client(venue: &Venue, connection: usize) -> ws::Client {
    let builder = ws::Client::builder(venue.url(connection)).max_message(1 << 20);
    builder.tls_ca_pem(venue.ca_pem()).build().unwrap()
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

/// Reads every message through the client and shows it to `take`.
fn read(packing: Packing, messages: usize, mut take: impl FnMut(&mut [u8])) -> Figure {
    let venue = Venue::start(plan(packing, messages, true, true));
    let mut meter = Meter::new(messages);
    runtime().block_on(async {
        let (mut reader, _writer) = client(&venue, 0).connect().await.unwrap();
        let mut count = 0;
        while !meter.at(count) {
            if let Received::Message(message) = reader.read().await.unwrap() {
                take(message);
                count += 1;
            }
        }
    });
    venue.join();
    meter.figure()
}

fn frames(packing: Packing, messages: usize) -> Figure {
    let mut bytes = 0;
    let figure = read(packing, messages, |message| bytes += message.len());
    assert!(bytes / messages > 1_200);
    figure
}

/// The listener of one book at Binance.
pub(crate) fn listener() -> BookListener<Box<dyn Decoder>> {
    let spec = venue::find("binance").unwrap();
    let instrument: Instrument = "ETH-BTC".parse().unwrap();
    let native = (spec.native)(&instrument).unwrap();
    let wanted = Subscription::new([native], 10);
    let symbols = [(instrument.symbol(), native)];
    let venue = spec.id.parse().unwrap();
    BookListener::new(venue, (spec.decoder)(&wanted), (spec.rules)(), 10, symbols)
}

fn decode(
    packing: Packing,
    messages: usize,
    mut listener: impl Listener<Event = BookEvent>,
) -> Figure {
    let (clock, mut events) = (Clock::monotonic(), 0);
    listener.on_link(Link::Up, clock.now(), &mut |_| {});
    let figure = read(packing, messages, |message| {
        let now = clock.now();
        listener
            .on_message(message, now, &mut |_| events += 1)
            .unwrap();
    });
    assert_eq!(events, messages);
    figure
}

fn every_event(packing: Packing, messages: usize) -> Figure {
    decode(packing, messages, listener())
}

fn all_news(packing: Packing, messages: usize) -> Figure {
    decode(packing, messages, listener().only_changes())
}

fn whole_flow(packing: Packing, messages: usize) -> Figure {
    flow::one(plan(packing, messages, true, true), listener())
}

fn changed_flow(packing: Packing, messages: usize) -> Figure {
    flow::one(
        plan(packing, messages, true, true),
        listener().only_changes(),
    )
}

fn unchanged_flow(packing: Packing, messages: usize) -> Figure {
    flow::one(
        plan(packing, messages, true, false),
        listener().only_changes(),
    )
}
