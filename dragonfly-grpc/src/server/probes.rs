//! `/livez` and `/readyz` over plain HTTP, for what asks a process how it is.
//!
//! They have a port and a thread of their own: a flow that stands still cannot say so itself.

use std::{
    convert::Infallible,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::Semaphore, time::timeout};

use super::{accept::back_off, builder, builder::BindError, health::Health};

/// Probes at once; more wait to be accepted.
const MOST: usize = 16;
/// How long a probe may take, from its connection to its last byte.
const LIMIT: Duration = Duration::from_secs(1);
/// The size of a request; the least that the HTTP library allows, in bytes.
const REQUEST_BYTES: usize = 8 * 1024;

/// Listens for probes. `/livez` answers 200 while the server runs, `/readyz` while it has what it is
/// to serve; else they answer 503. Either way one line says why.
///
/// ```
/// use dragonfly_grpc::Probes;
///
/// let probes = Probes::bind("127.0.0.1:0", false)?;
/// assert_ne!(probes.local_addr().port(), 0);
/// # Ok::<(), dragonfly_grpc::BindError>(())
/// ```
#[derive(Debug)]
#[must_use = "nobody is answered before `serve`"]
pub struct Probes {
    listener: TcpListener,
    address: SocketAddr,
}

impl Probes {
    /// Listens on `address`, `HOST:PORT`; one that other machines can reach has to be allowed by
    /// `is_public`. Port 0 lets the system choose.
    ///
    /// # Errors
    /// See [`BindError`].
    pub fn bind(address: &str, is_public: bool) -> Result<Self, BindError> {
        let (listener, address) = builder::listen_at(address, is_public, TcpListener::bind)?;
        Ok(Self { listener, address })
    }

    /// The address it listens on, with the port the system chose.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers with what `health` says, for ever. To be run on a thread that is not the flow's, inside
    /// a tokio runtime.
    ///
    /// # Errors
    /// When the runtime does not take the socket.
    pub async fn serve(self, health: Health) -> std::io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let seats = Arc::new(Semaphore::new(MOST));
        // Whoever comes when all are taken waits for one; nobody closes the semaphore.
        while let Ok(seat) = seats.clone().acquire_owned().await {
            match listener.accept().await {
                Ok((socket, _)) => {
                    let health = health.clone();
                    tokio::spawn(async move {
                        // A probe that is too slow or broken has no answer.
                        timeout(LIMIT, answer(socket, health)).await.ok();
                        drop(seat);
                    });
                }
                Err(error) => back_off(&error).await,
            }
        }
        Ok(())
    }
}

async fn answer(socket: TcpStream, health: Health) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = respond(&request, &health);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(REQUEST_BYTES)
        .serve_connection(TokioIo::new(socket), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a probe broke off");
    }
}

fn respond(request: &Request<Incoming>, health: &Health) -> Response<Full<Bytes>> {
    let state = match request.uri().path() {
        "/livez" => health.live().map(|()| "running".to_owned()),
        "/readyz" => health.ready(),
        _ => return text(StatusCode::NOT_FOUND, "there are /livez and /readyz"),
    };
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "ask with GET or HEAD");
    }
    match state {
        Ok(said) => text(StatusCode::OK, &said),
        Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

fn text(status: StatusCode, line: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(format!("{line}\n").into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(CONTENT_TYPE, plain);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
