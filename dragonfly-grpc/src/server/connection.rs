//! One HTTP/2 connection, all of it in one task.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{
    future::{Either, select},
    stream::{FuturesUnordered, Stream},
};
use hyper::{Request, body::Incoming, rt::Executor, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    sync::{Notify, watch},
    time::{sleep, timeout},
};

use super::{accept::Phase, builder::Limits, hub::Hub, route::Routes, streams::lock};

/// What every HTTP/2 client sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What hyper may hold of one stream besides what waits in its queue, in bytes.
const SEND_BUFFER: usize = 32 * 1024;
/// What a client may send ahead, in bytes: requests are small.
const RECEIVE_WINDOW: u32 = 64 * 1024;
/// How long a client has to close after the server did.
const LINGER: Duration = Duration::from_secs(1);

/// Serves a connection to its end.
pub(super) async fn serve(
    mut socket: TcpStream,
    hub: Arc<Hub>,
    routes: Routes,
    mut phase: watch::Receiver<Phase>,
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
    let end = converse(&mut socket, &hub, routes, &mut phase).await;
    if end == End::InOrder {
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
async fn take_rest(socket: &mut TcpStream) {
    let mut unread = [0; 1024];
    while let Ok(1..) = socket.read(&mut unread).await {}
}

async fn converse(
    socket: &mut TcpStream,
    hub: &Arc<Hub>,
    routes: Routes,
    phase: &mut watch::Receiver<Phase>,
) -> End {
    let cut = Arc::new(Notify::new());
    let calls = Calls::default();
    let service = service_fn({
        let (hub, cut) = (hub.clone(), cut.clone());
        move |request: Request<Incoming>| routes.clone().answer(request, hub.clone(), cut.clone())
    });
    let http = settings(&hub.limits, calls.clone()).serve_connection(TokioIo::new(socket), service);
    let mut connection = pin!(Connection {
        http: pin!(http),
        calls,
        running: FuturesUnordered::new(),
    });
    let mut told = false;
    let mut cut = pin!(cut.notified());
    loop {
        match *phase.borrow_and_update() {
            Phase::Open => {}
            Phase::Draining if told => {}
            Phase::Draining => {
                connection.http.as_mut().graceful_shutdown();
                told = true;
            }
            Phase::Aborting => return End::AtOnce,
        }
        let change = pin!(phase.changed());
        let signal = select(change, cut.as_mut());
        match select(connection.as_mut(), signal).await {
            Either::Left(_) if told => return End::InOrder,
            Either::Left(_) => return End::AtOnce,
            Either::Right((Either::Left((Ok(()), _)), _)) => {}
            Either::Right((Either::Left((Err(_), _)), _)) => return End::AtOnce,
            Either::Right((Either::Right(_), _)) => {
                hub.stats.cut.add(1);
                return End::AtOnce;
            }
        }
    }
}

/// Waits for the client's first bytes and says whether they are HTTP/2, without taking them.
async fn has_preface(socket: &TcpStream) -> io::Result<bool> {
    let mut bytes = [0; PREFACE.len()];
    loop {
        let seen = socket.peek(&mut bytes).await?;
        if seen == 0 || !PREFACE.starts_with(&bytes[..seen]) {
            return Ok(false);
        }
        if seen == PREFACE.len() {
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
        .max_send_buf_size(SEND_BUFFER)
        .initial_stream_window_size(RECEIVE_WINDOW)
        .initial_connection_window_size(RECEIVE_WINDOW)
        .keep_alive_interval(limits.ping_interval)
        .keep_alive_timeout(limits.ping_timeout);
    builder
}

type Call = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where hyper puts the futures of a connection's calls, to be run by the connection itself.
///
/// On tasks of their own each update would take two turns of the scheduler: one for the call to
/// hand over its frame, one for the connection to write it.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<Call>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Calls {
    fn execute(&self, call: F) {
        lock(&self.0).push(Box::pin(call));
    }
}

/// An HTTP/2 connection and the calls on it.
struct Connection<H> {
    http: H,
    calls: Calls,
    running: FuturesUnordered<Call>,
}

impl<H, T> Future for Connection<Pin<&mut H>>
where
    H: Future<Output = T>,
{
    type Output = ();

    /// Calls first, so that what they send is written in the same turn.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            while let Poll::Ready(Some(())) = Pin::new(&mut this.running).poll_next(cx) {}
            if this.http.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let started = std::mem::take(&mut *lock(&this.calls.0));
            if started.is_empty() {
                return Poll::Pending;
            }
            this.running.extend(started);
        }
    }
}
