//! How much a connection may send: what keeps every kind of flood small.
//!
//! What all connections of a peer may send together is counted by its [`Budget`](super::budget::Budget).
//!
//! A client of this server sends a request now and then, and answers to pings. Whatever floods, be it
//! pings, settings, resets or headers, has to send bytes; of those a connection takes so many a second
//! and leaves the others to the kernel, which stops the client.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Sleep, sleep};

use super::seats::Seat;

/// For how long what may be sent is counted together.
pub(super) const WINDOW: Duration = Duration::from_secs(1);
/// What is read in one turn of a connection before others have theirs, in bytes.
const TURN: usize = 16 * 1024;

/// What may still be read of a connection.
#[derive(Debug)]
pub(super) struct Inbound {
    per_second: usize,
    left: usize,
    left_in_turn: usize,
    /// Over when the count begins anew; none before the first byte of a window.
    window: Option<Pin<Box<Sleep>>>,
    /// Counts for the peer.
    seat: Seat,
}

impl Inbound {
    pub(super) const fn new(per_second: usize, seat: Seat) -> Self {
        Self {
            per_second,
            left: per_second,
            left_in_turn: TURN,
            window: None,
            seat,
        }
    }

    /// Ready when the connection may be read within this turn, its second and its peer's.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.left == 0 {
            if let Some(window) = &mut self.window {
                ready!(window.as_mut().poll(cx));
            }
            self.window = None;
            self.left = self.per_second;
        }
        if self.left_in_turn == 0 {
            return Poll::Pending;
        }
        self.seat.poll_readable(cx)
    }

    /// So many bytes have been read.
    pub(super) fn take(&mut self, count: usize) {
        if count > 0 && self.window.is_none() {
            self.window = Some(Box::pin(sleep(WINDOW)));
        }
        self.seat.note_read(count);
        self.left = self.left.saturating_sub(count);
        self.left_in_turn = self.left_in_turn.saturating_sub(count);
    }

    /// The turn is over; whether there may be more to read than it allowed.
    pub(super) const fn end_turn(&mut self) -> bool {
        let was_cut_short = self.left_in_turn == 0;
        self.left_in_turn = TURN;
        was_cut_short
    }
}
