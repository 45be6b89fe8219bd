//! Who is there: the connections of the server, and of each peer, and what each peer has subscribed to.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{sync::Notify, time::sleep};
use tonic::Status;

use super::{
    budget::Budget,
    hub::Hub,
    inbound::WINDOW,
    stats::{down, up},
    streams::lock,
};

/// Which addresses are one peer: an IPv4 address, also where it is written as IPv6, or all of an IPv6
/// network of 64 bits, since a machine may take any address of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct PeerId(IpAddr);

impl PeerId {
    fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            v4 @ IpAddr::V4(_) => v4,
            IpAddr::V6(v6) => {
                let network = v6.to_bits() >> 64 << 64;
                Ipv6Addr::from_bits(network).into()
            }
        })
    }
}

/// What one peer has open.
#[derive(Debug)]
struct Peer {
    connections: usize,
    subscriptions: usize,
    /// Kept to the end of its window, though the last connection ends before.
    budget: Arc<Budget>,
}

impl Peer {
    fn new(inbound_per_second: usize) -> Self {
        Self {
            connections: 0,
            subscriptions: 0,
            budget: Arc::new(Budget::new(inbound_per_second)),
        }
    }
}

/// The open connections of the server and of each peer.
#[derive(Debug, Default)]
pub(super) struct Seats {
    by_peer: Mutex<HashMap<PeerId, Peer>>,
    /// How many connections there have been.
    taken: AtomicU64,
    /// Rung when a connection has ended.
    left: Notify,
}

impl Seats {
    /// Waits until a connection ends.
    pub(super) async fn one_left(&self) {
        self.left.notified().await;
    }

    /// Ends the window of a peer's budget in time. A peer that has left is forgotten then and not
    /// before: it could come again for a new budget.
    async fn end_window(self: Arc<Self>, address: PeerId) {
        sleep(WINDOW).await;
        let mut by_peer = lock(&self.by_peer);
        let Some(peer) = by_peer.get(&address) else {
            return;
        };
        let budget = peer.budget.clone();
        if peer.connections == 0 {
            by_peer.remove(&address);
        }
        drop(by_peer);
        budget.renew();
    }
}

/// One connection's place among the limits; given back when the last of its clones is dropped.
#[derive(Clone, Debug)]
pub(super) struct Seat(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    seats: Arc<Seats>,
    hub: Arc<Hub>,
    peer: PeerId,
    budget: Arc<Budget>,
    /// Tells the peer's connections apart.
    id: u64,
}

impl Seat {
    /// None when the server or the peer has as many connections as it may.
    pub(super) fn take(seats: &Arc<Seats>, hub: &Arc<Hub>, address: IpAddr) -> Option<Self> {
        let peer = PeerId::of(address);
        let open = usize::try_from(hub.stats.connections()).unwrap_or(usize::MAX);
        let mut by_peer = lock(&seats.by_peer);
        let of_peer = by_peer.get(&peer).map_or(0, |peer| peer.connections);
        if open >= hub.limits.connections || of_peer >= hub.limits.connections_per_peer {
            return None;
        }
        let inbound = hub.limits.inbound_per_second;
        let entry = by_peer.entry(peer).or_insert_with(|| Peer::new(inbound));
        entry.connections = of_peer.saturating_add(1);
        up(&hub.stats.connections, 1);
        Some(Self(Arc::new(Inner {
            seats: seats.clone(),
            hub: hub.clone(),
            peer,
            budget: entry.budget.clone(),
            id: seats.taken.fetch_add(1, Ordering::Relaxed),
        })))
    }

    /// Ready when the connection may be read as far as its peer is concerned.
    pub(super) fn poll_readable(&self, cx: &Context<'_>) -> Poll<()> {
        self.0.budget.poll_ready(self.0.id, cx)
    }

    /// So many bytes of the connection have been read.
    pub(super) fn note_read(&self, count: usize) {
        if count > 0 && self.0.budget.take(self.0.id, count) {
            tokio::spawn(self.0.seats.clone().end_window(self.0.peer));
        }
    }

    /// Counts a subscription of the peer for as long as the value returned is kept.
    ///
    /// # Errors
    /// When it has as many as it may.
    pub(super) fn subscribe(&self) -> Result<Subscribed, Status> {
        let most = self.0.hub.limits.subscriptions_per_peer;
        let mut by_peer = lock(&self.0.seats.by_peer);
        // It is there: this connection is counted.
        let inbound = self.0.hub.limits.inbound_per_second;
        let peer = by_peer.entry(self.0.peer);
        let peer = peer.or_insert_with(|| Peer::new(inbound));
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
        self.budget.leave(self.id);
        let mut by_peer = lock(&self.seats.by_peer);
        if let Some(peer) = by_peer.get_mut(&self.peer) {
            peer.connections = peer.connections.saturating_sub(1);
            if peer.connections == 0 && !peer.budget.is_counting() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::builder::Limits;

    #[test]
    fn a_machine_with_many_ipv6_addresses_is_one_peer() {
        let one = |first: &str, second: &str| {
            let [first, second] = [first, second].map(|a| PeerId::of(a.parse().unwrap()));
            first == second
        };
        assert!(one("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert!(!one("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(one("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!one("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
        assert!(!one("192.0.2.1", "192.0.2.2"));
    }

    #[test]
    fn the_limit_of_a_peer_holds_for_all_its_addresses() {
        let hub = Arc::new(Hub::new(Limits {
            connections_per_peer: 2,
            ..Limits::default()
        }));
        let seats = Arc::default();
        let take = |address: &str| Seat::take(&seats, &hub, address.parse().unwrap());
        let first = take("2001:db8::1");
        let second = take("2001:db8::2");
        assert!(first.is_some() && second.is_some());
        assert!(take("2001:db8::3").is_none());
        assert!(take("2001:db8:0:1::1").is_some());
        drop(first);
        assert!(take("2001:db8::3").is_some());
        drop(second);
        assert_eq!(lock(&seats.by_peer).len(), 0, "all have left");
    }
}
