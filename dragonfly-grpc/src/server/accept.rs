//! The loop that accepts connections, and how it ends.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
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
    sync::{Notify, watch},
    time::{sleep, timeout},
};

use super::{
    connection,
    hub::Hub,
    route::Routes,
    stats::{down, up},
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

/// Counts the open connections of the server and of each peer.
#[derive(Debug, Default)]
struct Seats {
    by_peer: Mutex<HashMap<IpAddr, usize>>,
    /// Rung when a connection has ended.
    left: Notify,
}

/// One connection's place among the limits; given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    hub: Arc<Hub>,
    peer: IpAddr,
}

impl Seat {
    fn take(seats: &Arc<Seats>, hub: &Arc<Hub>, peer: IpAddr) -> Option<Self> {
        let open = usize::try_from(hub.stats.connections()).unwrap_or(usize::MAX);
        let mut by_peer = lock(&seats.by_peer);
        let of_peer = by_peer.entry(peer).or_insert(0);
        if open >= hub.limits.connections || *of_peer >= hub.limits.connections_per_peer {
            if *of_peer == 0 {
                by_peer.remove(&peer);
            }
            return None;
        }
        *of_peer += 1;
        up(&hub.stats.connections, 1);
        Some(Self {
            seats: seats.clone(),
            hub: hub.clone(),
            peer,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        down(&self.hub.stats.connections, 1);
        let mut by_peer = lock(&self.seats.by_peer);
        if let Some(count) = by_peer.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                by_peer.remove(&self.peer);
            }
        }
        self.seats.left.notify_one();
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
        seats.left.notified().await;
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
        connection::serve(socket, hub, routes, phase).await;
        drop(seat);
    });
}
