//! The subscribers: many connections in one thread of a process of its own.

use std::{
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
}

struct Connection {
    socket: TcpStream,
    receiver: Receiver,
}

const BOOK: &str = "/dragonfly.v1.MarketData/StreamBook";

/// Subscribes, and reads until the time is over.
pub(crate) fn run(plan: &Plan) -> Seen {
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
            let receiver = Receiver::default();
            Connection { socket, receiver }
        })
        .collect();
    let begin = clock.mono() + Nanos::from(plan.warm_up);
    let end = begin + Nanos::from(plan.measure);
    let mut histogram = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).unwrap();
    let mut seen = Seen::default();
    let mut buffer = vec![0; 256 * 1024];
    let mut events = Vec::with_capacity(256);
    while clock.mono() < end {
        events.clear();
        let limit = Timespec {
            tv_sec: 0,
            tv_nsec: 100_000_000,
        };
        epoll::wait(
            &epoll,
            rustix::buffer::spare_capacity(&mut events),
            Some(&limit),
        )
        .unwrap();
        let counts = clock.mono() >= begin;
        for event in &events {
            let connection = &mut connections[event.data.u64() as usize];
            let count = read(connection, &mut buffer);
            // All that one read brought has been received at one moment.
            let now = clock.utc();
            let mut reply = Vec::new();
            let each = |book: &[u8]| {
                if counts {
                    let stamps = stamps(book);
                    seen.messages += 1;
                    seen.skipped += stamps.skipped;
                    histogram.saturating_record(now.0.saturating_sub(stamps.ts_emit).max(1));
                }
            };
            connection.receiver.take(&buffer[..count], each, &mut reply);
            if !reply.is_empty() {
                connection.socket.write_all(&reply).unwrap();
            }
        }
    }
    drop(stalled);
    seen.ended = connections.iter().map(|c| c.receiver.ended).sum();
    let us = |quantile| histogram.value_at_quantile(quantile) / 1_000;
    (seen.p50_us, seen.p99_us) = (us(0.5), us(0.99));
    (seen.p999_us, seen.max_us) = (us(0.999), us(1.0));
    seen
}

fn read(connection: &mut Connection, buffer: &mut [u8]) -> usize {
    match connection.socket.read(buffer) {
        Ok(0) => panic!("the server closed a connection"),
        Ok(count) => count,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => panic!("the server broke a connection: {error}"),
    }
}
