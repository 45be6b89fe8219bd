//! Who is there: the connections of the server, and of each peer, and what each peer has subscribed to.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use tokio::sync::Notify;
use tonic::Status;

use super::{
    hub::Hub,
    stats::{down, up},
    streams::lock,
};

/// What one address has open.
#[derive(Debug, Default)]
struct Peer {
    connections: usize,
    subscriptions: usize,
}

/// The open connections of the server and of each peer.
#[derive(Debug, Default)]
pub(super) struct Seats {
    by_peer: Mutex<HashMap<IpAddr, Peer>>,
    /// Rung when a connection has ended.
    left: Notify,
}

impl Seats {
    /// Waits until a connection ends.
    pub(super) async fn one_left(&self) {
        self.left.notified().await;
    }
}

/// One connection's place among the limits; given back when the last of its clones is dropped.
#[derive(Clone, Debug)]
pub(super) struct Seat(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    seats: Arc<Seats>,
    hub: Arc<Hub>,
    peer: IpAddr,
}

impl Seat {
    /// None when the server or the peer has as many connections as it may.
    pub(super) fn take(seats: &Arc<Seats>, hub: &Arc<Hub>, peer: IpAddr) -> Option<Self> {
        let open = usize::try_from(hub.stats.connections()).unwrap_or(usize::MAX);
        let mut by_peer = lock(&seats.by_peer);
        let of_peer = by_peer.get(&peer).map_or(0, |peer| peer.connections);
        if open >= hub.limits.connections || of_peer >= hub.limits.connections_per_peer {
            return None;
        }
        by_peer.entry(peer).or_default().connections = of_peer.saturating_add(1);
        up(&hub.stats.connections, 1);
        Some(Self(Arc::new(Inner {
            seats: seats.clone(),
            hub: hub.clone(),
            peer,
        })))
    }

    /// Counts a subscription of the peer for as long as the value returned is kept.
    ///
    /// # Errors
    /// When it has as many as it may.
    pub(super) fn subscribe(&self) -> Result<Subscribed, Status> {
        let most = self.0.hub.limits.subscriptions_per_peer;
        let mut by_peer = lock(&self.0.seats.by_peer);
        // It is there: this connection is counted.
        let peer = by_peer.entry(self.0.peer).or_default();
        if peer.subscriptions >= most {
            return Err(Status::resource_exhausted(format!(
                "{most} subscriptions from one address are the most"
            )));
        }
        peer.subscriptions = peer.subscriptions.saturating_add(1);
        Ok(Subscribed(self.clone()))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        down(&self.hub.stats.connections, 1);
        let mut by_peer = lock(&self.seats.by_peer);
        if let Some(peer) = by_peer.get_mut(&self.peer) {
            peer.connections = peer.connections.saturating_sub(1);
            if peer.connections == 0 {
                by_peer.remove(&self.peer);
            }
        }
        self.seats.left.notify_one();
    }
}

/// A subscription that counts for its peer. It keeps the connection's seat.
#[derive(Debug)]
pub(super) struct Subscribed(Seat);

impl Drop for Subscribed {
    fn drop(&mut self) {
        let mut by_peer = lock(&self.0.0.seats.by_peer);
        if let Some(peer) = by_peer.get_mut(&self.0.0.peer) {
            peer.subscriptions = peer.subscriptions.saturating_sub(1);
        }
    }
}
