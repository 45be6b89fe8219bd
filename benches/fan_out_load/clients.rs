//! The subscribers: many connections in one thread of a process of its own.

use std::{
    fmt,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use dragonfly_benches::http2::{Receiver, opening, stamps};
use dragonfly_core::clock::{Clock, Nanos};
use hdrhistogram::Histogram;
use rustix::event::{
    Timespec,
    epoll::{self, CreateFlags, EventData, EventFlags},
};

/// What the subscribers are to do.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) address: String,
    pub(crate) connections: usize,
    pub(crate) streams: u32,
    /// Further connections that subscribe and then read nothing.
    pub(crate) stalled: usize,
    pub(crate) warm_up: Duration,
    pub(crate) measure: Duration,
    /// Counts from when the venue's message was received, and only views that are of a new one.
    pub(crate) from_receipt: bool,
}

/// What they have seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) messages: u64,
    pub(crate) skipped: u64,
    pub(crate) ended: u64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) p999_us: u64,
    pub(crate) max_us: u64,
    /// What those that did not read find when they do: how many updates they are told they missed,
    /// and how often that does not add up.
    pub(crate) stalled_skipped: u64,
    pub(crate) stalled_wrong: u64,
}

impl Seen {
    const fn numbers(&mut self) -> [&mut u64; 9] {
        [
            &mut self.messages,
            &mut self.skipped,
            &mut self.ended,
            &mut self.p50_us,
            &mut self.p99_us,
            &mut self.p999_us,
            &mut self.max_us,
            &mut self.stalled_skipped,
            &mut self.stalled_wrong,
        ]
    }
}

impl From<Vec<u64>> for Seen {
    fn from(numbers: Vec<u64>) -> Self {
        let mut seen = Self::default();
        for (field, number) in seen.numbers().into_iter().zip(numbers) {
            *field = number;
        }
        seen
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut seen = *self;
        let texts = seen.numbers().map(|number| number.to_string());
        f.write_str(&texts.join(" "))
    }
}

struct Connection {
    socket: TcpStream,
    receiver: Receiver,
    /// When the newest message it has seen a view of was received, ns UTC.
    newest_receipt: u64,
}

impl Connection {
    fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            receiver: Receiver::default(),
            newest_receipt: 0,
        }
    }
}

/// For whoever reads again after it has stalled.
const PATIENCE: Duration = Duration::from_secs(30);

/// Then it is looked whether the time is over.
const LONGEST_WAIT: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

const BOOK: &str = "/dragonfly.v1.MarketData/StreamBook";

/// Subscribes, and reads until the time is over.
///
/// `mark` is called when the measurement begins, and when it ends.
pub(crate) fn run(plan: &Plan, mut mark: impl FnMut(&Seen)) -> Seen {
    let clock = Clock::monotonic();
    let connect = || {
        let mut socket = TcpStream::connect(&plan.address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.write_all(&opening(BOOK, b"", plan.streams)).unwrap();
        socket
    };
    let stalled: Vec<_> = (0..plan.stalled).map(|_| connect()).collect();
    let epoll = epoll::create(CreateFlags::CLOEXEC).unwrap();
    let mut connections: Vec<_> = (0..plan.connections)
        .map(|index| {
            let socket = connect();
            socket.set_nonblocking(true).unwrap();
            let data = EventData::new_u64(index as u64);
            epoll::add(&epoll, &socket, data, EventFlags::IN).unwrap();
            Connection::new(socket)
        })
        .collect();
    let begin = clock.mono() + Nanos::from(plan.warm_up);
    let end = begin + Nanos::from(plan.measure);
    let mut histogram = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).unwrap();
    let mut seen = Seen::default();
    let mut newest = 0;
    let mut buffer = vec![0; 256 * 1024];
    let mut events = Vec::with_capacity(256);
    let mut is_measuring = false;
    while clock.mono() < end {
        if !is_measuring && clock.mono() >= begin {
            is_measuring = true;
            mark(&seen);
        }
        events.clear();
        let room = rustix::buffer::spare_capacity(&mut events);
        epoll::wait(&epoll, room, Some(&LONGEST_WAIT)).unwrap();
        let counts = is_measuring;
        for event in &events {
            let connection = &mut connections[event.data.u64() as usize];
            let (count, mut reply) = (read(connection, &mut buffer, true), Vec::new());
            // All that one read brought has been received at one moment.
            let now = clock.utc();
            let newest_receipt = &mut connection.newest_receipt;
            let each = |book: &[u8]| {
                let stamps = stamps(book);
                newest = newest.max(stamps.seq);
                let is_news = stamps.ts_recv > *newest_receipt;
                *newest_receipt = stamps.ts_recv.max(*newest_receipt);
                if counts && (is_news || !plan.from_receipt) {
                    seen.messages += 1;
                    seen.skipped += stamps.skipped;
                    let from = if plan.from_receipt {
                        stamps.ts_recv
                    } else {
                        stamps.ts_emit
                    };
                    histogram.saturating_record(now.0.saturating_sub(from).max(1));
                }
            };
            connection.receiver.take(&buffer[..count], each, &mut reply);
            if !reply.is_empty() {
                connection.socket.write_all(&reply).unwrap();
            }
        }
    }
    mark(&seen);
    catch_up(stalled, newest, &mut seen);
    seen.ended = connections.iter().map(|c| c.receiver.ended).sum();
    let us = |quantile| histogram.value_at_quantile(quantile) / 1_000;
    [seen.p50_us, seen.p99_us, seen.p999_us, seen.max_us] = [0.5, 0.99, 0.999, 1.0].map(us);
    seen
}

/// Reads what waits for those that did not read, up to the number `newest`: each update follows the one
/// before it, or says how many were left out.
fn catch_up(stalled: Vec<TcpStream>, newest: u64, seen: &mut Seen) {
    let mut buffer = vec![0; 256 * 1024];
    for socket in stalled {
        // So long at the most: a client that is forgotten is a fault of the server.
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut connection = Connection::new(socket);
        let (mut last, mut reply) = (None, Vec::new());
        while last.is_none_or(|seq| seq < newest) {
            let count = read(&mut connection, &mut buffer, false);
            let each = |book: &[u8]| {
                let stamps = stamps(book);
                let expected = last.map(|seq: u64| seq + 1 + stamps.skipped);
                seen.stalled_wrong += u64::from(expected.is_some_and(|seq| seq != stamps.seq));
                seen.stalled_skipped += stamps.skipped;
                last = Some(stamps.seq);
            };
            connection.receiver.take(&buffer[..count], each, &mut reply);
        }
    }
}

fn read(connection: &mut Connection, buffer: &mut [u8], is_polled: bool) -> usize {
    match connection.socket.read(buffer) {
        Ok(0) => panic!("the server closed a connection"),
        Ok(count) => count,
        Err(error) if error.kind() == ErrorKind::WouldBlock && is_polled => 0,
        Err(error) => panic!("the server broke a connection: {error}"),
    }
}
