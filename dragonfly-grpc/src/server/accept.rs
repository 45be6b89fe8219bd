//! The loop that accepts connections, and how it ends.

use std::{
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
    time::Duration,
};

use futures_util::future::{Either, select};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    connection,
    hub::Hub,
    route::Routes,
    seats::{Seat, Seats},
    streams::lock,
};

/// How far the server has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Open,
    /// Connections finish their calls; no new ones are accepted.
    Draining,
    /// Connections end at once.
    Aborting,
}

/// Set when the last connection has ended.
#[derive(Debug, Default)]
pub(super) struct Finished {
    done: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Finished {
    /// Whether it is so; otherwise `waker` is called when it becomes so.
    pub(super) fn poll(&self, waker: &Waker) -> bool {
        *lock(&self.waker) = Some(waker.clone());
        self.done.load(Ordering::Acquire)
    }

    fn set(&self) {
        self.done.store(true, Ordering::Release);
        if let Some(waker) = lock(&self.waker).take() {
            waker.wake();
        }
    }
}

/// Accepts until the server closes, then lets the connections end.
pub(super) async fn run(
    listener: TcpListener,
    hub: Arc<Hub>,
    routes: Routes,
    phase: watch::Sender<Phase>,
    finished: Arc<Finished>,
) {
    let seats = Arc::new(Seats::default());
    accept_while_open(listener, &hub, &routes, &phase, &seats).await;
    if timeout(hub.limits.grace, all_gone(&hub, &seats))
        .await
        .is_err()
    {
        phase.send_replace(Phase::Aborting);
        all_gone(&hub, &seats).await;
    }
    finished.set();
}

async fn all_gone(hub: &Hub, seats: &Seats) {
    while hub.stats.connections() > 0 {
        seats.one_left().await;
    }
}

async fn accept_while_open(
    listener: TcpListener,
    hub: &Arc<Hub>,
    routes: &Routes,
    phase: &watch::Sender<Phase>,
    seats: &Arc<Seats>,
) {
    let mut changes = phase.subscribe();
    let mut failing = false;
    loop {
        if *changes.borrow_and_update() != Phase::Open {
            return;
        }
        let accepted = match select(pin!(listener.accept()), pin!(changes.changed())).await {
            Either::Left((accepted, _)) => accepted,
            Either::Right(_) => continue,
        };
        match accepted {
            Ok((socket, peer)) => {
                failing = false;
                admit(socket, peer, hub, routes, phase, seats);
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "cannot accept connections; trying on");
                }
                back_off(&error).await;
            }
        }
    }
}

/// Waits when the machine is out of something, such as file descriptors; a connection that failed
/// before it was accepted is no reason to wait.
pub(super) async fn back_off(error: &io::Error) {
    let of_one_connection = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    );
    if !of_one_connection {
        sleep(Duration::from_millis(100)).await;
    }
}

fn admit(
    socket: TcpStream,
    peer: SocketAddr,
    hub: &Arc<Hub>,
    routes: &Routes,
    phase: &watch::Sender<Phase>,
    seats: &Arc<Seats>,
) {
    let Some(seat) = Seat::take(seats, hub, peer.ip()) else {
        hub.stats.refused.add(1);
        return;
    };
    hub.stats.accepted.add(1);
    let (hub, routes, phase) = (hub.clone(), routes.clone(), phase.subscribe());
    tokio::spawn(async move {
        connection::serve(socket, hub, routes, phase, seat).await;
    });
}
