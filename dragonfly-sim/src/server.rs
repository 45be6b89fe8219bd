//! Accepting: TCP, TLS, the upgrade to WebSocket, and one session for each client.

use std::{
    convert::Infallible,
    net::TcpListener as StdListener,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fastwebsockets::upgrade::{UpgradeFut, is_upgrade_request, upgrade};
use http_body_util::Empty;
use hyper::{Request, Response, StatusCode, body::Bytes, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    dialect::{Dialect, Spec, Tapes, Visit},
    session::{self, Terms},
};

/// TLS and upgrade together may take this long.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(5);
/// Connections one venue serves at a time; more are closed as they come.
const MAX_CONNECTIONS: usize = 256;
/// The largest request head, in bytes.
const MAX_HEAD: usize = 8 << 10;

/// A venue, ready to be served.
pub(crate) struct Venue {
    pub(crate) spec: &'static Spec,
    pub(crate) tapes: Tapes,
    pub(crate) terms: Terms,
    pub(crate) tls: TlsAcceptor,
    pub(crate) connections: Arc<AtomicU64>,
}

/// Accepts clients for ever.
pub(crate) async fn serve(listener: StdListener, venue: Arc<Venue>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(venue = venue.spec.name, %error, "cannot accept connections");
            return;
        }
    };
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let tcp = match listener.accept().await {
            Ok((tcp, _)) => tcp,
            Err(error) => {
                // Out of file descriptors, most likely: others may give some back.
                tracing::warn!(venue = venue.spec.name, %error, "cannot accept a connection");
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            tracing::warn!(venue = venue.spec.name, "too many connections, one refused");
            continue;
        };
        let venue = Arc::clone(&venue);
        tokio::spawn(async move {
            welcome(tcp, &venue).await;
            drop(slot);
        });
    }
}

async fn welcome(tcp: TcpStream, venue: &Venue) {
    // Without it the system delays small messages; a socket that refuses is slow, not wrong.
    tcp.set_nodelay(true).ok();
    let Ok(Some((upgraded, dialect))) = timeout(HANDSHAKE_WAIT, handshake(tcp, venue)).await else {
        return;
    };
    tracing::debug!(venue = venue.spec.name, "a client connected");
    session::run(upgraded, dialect, venue.terms.clone()).await;
}

type Upgraded = TokioIo<hyper::upgrade::Upgraded>;

/// TLS, then HTTP: 404 where the venue has nothing, 426 for what is no WebSocket request.
async fn handshake(tcp: TcpStream, venue: &Venue) -> Option<(Upgraded, Box<dyn Dialect>)> {
    let tls = venue.tls.accept(tcp).await.ok()?;
    let accepted = Mutex::new(None);
    let connection = hyper::server::conn::http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .serve_connection(
            TokioIo::new(tls),
            service_fn(|request| {
                let (response, conversation) = answer(request, venue);
                *accepted.lock().unwrap_or_else(PoisonError::into_inner) = conversation;
                async { Ok::<_, Infallible>(response) }
            }),
        )
        .with_upgrades();
    connection.await.ok()?;
    let accepted = accepted.into_inner();
    let (upgrade, dialect) = accepted.unwrap_or_else(PoisonError::into_inner)?;
    Some((upgrade.await.ok()?.into_inner(), dialect))
}

type Conversation = (UpgradeFut, Box<dyn Dialect>);

fn answer(
    mut request: Request<Incoming>,
    venue: &Venue,
) -> (Response<Empty<Bytes>>, Option<Conversation>) {
    let refuse = |status| {
        let mut response = Response::new(Empty::new());
        *response.status_mut() = status;
        (response, None)
    };
    let visit = Visit {
        path: request.uri().path(),
        query: request.uri().query().unwrap_or_default(),
        connection: venue.connections.fetch_add(1, Ordering::Relaxed),
    };
    let Some(dialect) = (venue.spec.open)(&venue.tapes, &visit) else {
        return refuse(StatusCode::NOT_FOUND);
    };
    if !is_upgrade_request(&request) {
        return refuse(StatusCode::UPGRADE_REQUIRED);
    }
    match upgrade(&mut request) {
        Ok((response, upgrade)) => (response, Some((upgrade, dialect))),
        Err(_) => refuse(StatusCode::BAD_REQUEST),
    }
}
