//! One HTTP/2 connection, all of it in one task.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Poll, Waker},
    time::Duration,
};

use futures_util::future::{Either, select};
use hyper::{Request, body::Incoming, rt::Executor, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    sync::{Notify, watch},
    time::{sleep, timeout},
};

use super::{
    accept::Phase,
    builder::Limits,
    gathered::Gathered,
    hub::Hub,
    parts::Parts,
    route::{Caller, Routes},
    seats::Seat,
    streams::lock,
};

/// What every HTTP/2 client sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What hyper may hold of one stream besides what waits in its queue, in bytes.
const SEND_BUFFER: usize = 32 * 1024;
/// What a client may send ahead, in bytes: requests are small.
const RECEIVE_WINDOW: u32 = 64 * 1024;
/// How many calls a client may have reset before they were looked at; with one more its connection
/// ends.
const RESETS: usize = 20;
/// How many calls of a connection may be refused because there are too many, or break the protocol;
/// with one more it ends. A client opens a hundred at most before it has heard how many it may.
const REFUSALS: usize = 128;
/// The largest frame a client may send, in bytes; the least there is.
const FRAME: u32 = 16 * 1024;
/// What is remembered of a client's headers, in bytes.
const HEADER_TABLE: u32 = 4 * 1024;
/// How long a client has to close after the server did.
const LINGER: Duration = Duration::from_secs(1);

/// Serves a connection to its end.
pub(super) async fn serve(
    socket: TcpStream,
    hub: Arc<Hub>,
    routes: Routes,
    mut phase: watch::Receiver<Phase>,
    seat: Seat,
) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let first = timeout(hub.limits.handshake, has_preface(&socket));
    match select(pin!(first), pin!(phase.changed())).await {
        Either::Left((Ok(Ok(true)), _)) => {}
        Either::Left(_) => {
            hub.stats.refused.add(1);
            return;
        }
        Either::Right(_) => return,
    }
    let mut socket = Gathered::new(socket, hub.limits.inbound_per_second, seat.clone());
    let end = converse(socket.clone(), &hub, routes, phase.clone(), seat.clone()).await;
    if end == End::InOrder {
        socket.end_turn();
        let rest = pin!(timeout(LINGER, take_rest(&mut socket)));
        let aborted = pin!(phase.wait_for(|phase| *phase == Phase::Aborting));
        select(rest, aborted).await;
    }
}

/// How a connection ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The server closed, and everything that was to be said is on its way.
    InOrder,
    /// The client closed, broke a rule or takes nothing.
    AtOnce,
}

/// Takes what the client still sends until it closes, too. A socket that is closed with something
/// unread is reset, and what is on its way to the client is lost: the last image and the status.
async fn take_rest(socket: &mut Gathered) {
    let mut unread = [0; 1024];
    while let Ok(1..) = socket.read(&mut unread).await {
        // Each read is a turn of its own.
        socket.end_turn();
    }
}

async fn converse(
    socket: Gathered,
    hub: &Arc<Hub>,
    routes: Routes,
    phase: watch::Receiver<Phase>,
    seat: Seat,
) -> End {
    let cut = Arc::new(Notify::new());
    let started = Calls::default();
    let service = service_fn({
        let caller = Caller {
            seat,
            cut: cut.clone(),
        };
        let hub = hub.clone();
        move |request: Request<Incoming>| {
            (routes.clone()).answer(request, hub.clone(), caller.clone())
        }
    });
    let http = settings(&hub.limits, started.clone())
        .serve_connection(TokioIo::new(socket.clone()), service);
    let mut connection = Connection {
        http: pin!(http),
        is_over: false,
        socket,
        started,
        calls: Vec::new(),
        signals: Vec::new(),
        parts: Parts::new(),
    };
    connection.watch(cut_of(cut));
    let mut told = false;
    let mut phase = Some(phase);
    loop {
        if let Some(mut phase) = phase.take() {
            match *phase.borrow_and_update() {
                Phase::Open => {}
                Phase::Draining if told => {}
                Phase::Draining => {
                    connection.http.as_mut().graceful_shutdown();
                    // It has to say so, though nothing came for it.
                    connection.parts.http.ring();
                    told = true;
                }
                Phase::Aborting => return End::AtOnce,
            }
            connection.watch(change_of(phase));
        }
        match poll_fn(|cx| connection.poll(cx.waker())).await {
            Event::Ended if told => return End::InOrder,
            Event::Ended | Event::Orphaned => return End::AtOnce,
            Event::Phase(changed) => phase = Some(changed),
            Event::Cut => {
                hub.stats.cut.add(1);
                return End::AtOnce;
            }
        }
    }
}

/// Waits until the server's phase changes.
async fn change_of(mut phase: watch::Receiver<Phase>) -> Event {
    match phase.changed().await {
        Ok(()) => Event::Phase(phase),
        Err(_) => Event::Orphaned,
    }
}

/// Waits until a subscriber's connection is to be cut.
async fn cut_of(cut: Arc<Notify>) -> Event {
    cut.notified().await;
    Event::Cut
}

/// Waits for the client's first bytes and says whether they are HTTP/2, without taking them.
async fn has_preface(socket: &TcpStream) -> io::Result<bool> {
    let mut bytes = [0; PREFACE.len()];
    loop {
        let count = socket.peek(&mut bytes).await?;
        let seen = bytes.get(..count).unwrap_or_default();
        if seen.is_empty() || !PREFACE.starts_with(seen) {
            return Ok(false);
        }
        if seen == PREFACE {
            return Ok(true);
        }
        // The socket stays readable, so that only time can bring the rest.
        sleep(Duration::from_millis(20)).await;
    }
}

fn settings(limits: &Limits, calls: Calls) -> http2::Builder<Calls> {
    let mut builder = http2::Builder::new(calls);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_per_connection)
        .max_header_list_size(limits.header_bytes)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(REFUSALS)
        .max_frame_size(FRAME)
        .header_table_size(HEADER_TABLE)
        .max_send_buf_size(SEND_BUFFER)
        .initial_stream_window_size(RECEIVE_WINDOW)
        .initial_connection_window_size(RECEIVE_WINDOW)
        .keep_alive_interval(limits.ping_interval)
        .keep_alive_timeout(limits.ping_timeout);
    builder
}

/// What a connection has to be told of.
enum Event {
    /// The server's phase has changed.
    Phase(watch::Receiver<Phase>),
    /// The server is gone.
    Orphaned,
    /// A subscriber took nothing for too long.
    Cut,
    /// The connection has ended, and everything written on it has been sent.
    Ended,
}

type Waiting<T = Event> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Where hyper puts the futures of a connection's calls, to be run by the connection itself.
///
/// On tasks of their own each update would take two turns of the scheduler: one for the call to
/// hand over its frame, one for the connection to write it.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<Waiting<()>>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Calls {
    fn execute(&self, call: F) {
        lock(&self.0).push(Box::pin(call));
    }
}

/// How often the parts of a connection are polled in one turn before other tasks have theirs.
const ROUNDS: u32 = 32;

/// An HTTP/2 connection, the calls on it, and what the server has to say to it.
struct Connection<H> {
    http: H,
    /// HTTP/2 has ended; what it wrote last may still have to be sent.
    is_over: bool,
    socket: Gathered,
    started: Calls,
    calls: Vec<Waiting<()>>,
    signals: Vec<Waiting>,
    parts: Parts,
}

impl<H, T> Connection<Pin<&mut H>>
where
    H: Future<Output = T>,
{
    /// Waits for a signal as well.
    fn watch(&mut self, signal: impl Future<Output = Event> + Send + 'static) {
        self.signals.push(Box::pin(signal));
        self.parts.signals.ring();
    }

    /// Calls first, so that what they send is written in the same turn, and sent at its end.
    fn poll(&mut self, task: &Waker) -> Poll<Event> {
        self.parts.begin(task);
        for _ in 0..ROUNDS {
            if let Some(event) = self.round() {
                return Poll::Ready(event);
            }
            if self.parts.is_any_rung() {
                continue;
            }
            match self.socket.poll_send(&mut self.parts.http.context()) {
                Poll::Ready(Ok(())) if self.is_over => return Poll::Ready(Event::Ended),
                Poll::Ready(Err(_)) => return Poll::Ready(Event::Ended),
                _ => {}
            }
            if self.socket.end_turn() {
                self.parts.http.ring();
                break;
            }
            if self.parts.end() {
                return Poll::Pending;
            }
        }
        self.parts.put_off(task);
        Poll::Pending
    }

    /// Polls every part that has been woken.
    fn round(&mut self) -> Option<Event> {
        if self.parts.signals.take() {
            let ready = |signal: &mut Waiting| match signal
                .as_mut()
                .poll(&mut self.parts.signals.context())
            {
                Poll::Ready(event) => Some(event),
                Poll::Pending => None,
            };
            let mut found = self.signals.iter_mut().enumerate();
            let found = found.find_map(|(index, signal)| Some((index, ready(signal)?)));
            if let Some((index, event)) = found {
                drop(self.signals.swap_remove(index));
                // Those behind it have not been looked at.
                self.parts.signals.ring();
                return Some(event);
            }
        }
        if self.parts.calls.take() {
            let mut context = self.parts.calls.context();
            self.calls
                .retain_mut(|call| call.as_mut().poll(&mut context).is_pending());
        }
        if self.parts.http.take() && !self.is_over {
            let mut context = self.parts.http.context();
            self.is_over = self.http.as_mut().poll(&mut context).is_ready();
        }
        let mut started = lock(&self.started.0);
        if !started.is_empty() {
            self.calls.append(&mut started);
            self.parts.calls.ring();
        }
        None
    }
}
