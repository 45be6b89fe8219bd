//! How much a peer may send over all its connections, and whose turn it is when that is little.

use std::{
    sync::Mutex,
    task::{Context, Poll, Waker},
};

use super::streams::lock;

/// How many times what one connection may send all those of a peer may send together.
const CONNECTIONS: usize = 4;

/// What may still be read of a peer in this window, which begins with the first byte of it.
#[derive(Debug)]
pub(super) struct Budget(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    per_window: usize,
    left: usize,
    /// A window is running.
    is_counting: bool,
    /// The connections that read or wait in this window.
    readers: Vec<Reader>,
}

#[derive(Debug)]
struct Reader {
    connection: u64,
    read: usize,
    waiting: Option<Waker>,
}

impl Inner {
    fn reader(&mut self, connection: u64) -> Option<&mut Reader> {
        if !self.readers.iter().any(|r| r.connection == connection) {
            self.readers.push(Reader {
                connection,
                read: 0,
                waiting: None,
            });
        }
        self.readers.iter_mut().find(|r| r.connection == connection)
    }
}

impl Budget {
    /// Of a peer each of whose connections may send so much in a window.
    pub(super) const fn new(of_connection: usize) -> Self {
        let per_window = of_connection.saturating_mul(CONNECTIONS);
        Self(Mutex::new(Inner {
            per_window,
            left: per_window,
            is_counting: false,
            readers: Vec::new(),
        }))
    }

    /// Ready when the connection may be read.
    pub(super) fn poll_ready(&self, connection: u64, cx: &Context<'_>) -> Poll<()> {
        let mut inner = lock(&self.0);
        if inner.left > 0 {
            return Poll::Ready(());
        }
        if let Some(reader) = inner.reader(connection) {
            match &mut reader.waiting {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
        }
        Poll::Pending
    }

    /// So many bytes of the connection have been read; whether a window begins with them, which is to
    /// be ended by [`renew`](Self::renew).
    pub(super) fn take(&self, connection: u64, count: usize) -> bool {
        let mut inner = lock(&self.0);
        inner.left = inner.left.saturating_sub(count);
        if let Some(reader) = inner.reader(connection) {
            reader.read = reader.read.saturating_add(count);
        }
        !std::mem::replace(&mut inner.is_counting, true)
    }

    /// The window is over. Connections of which little was read come first, so that one that floods
    /// does not keep the others waiting.
    pub(super) fn renew(&self) {
        let mut readers = {
            let mut inner = lock(&self.0);
            inner.left = inner.per_window;
            inner.is_counting = false;
            std::mem::take(&mut inner.readers)
        };
        readers.sort_by_key(|reader| reader.read);
        for waker in readers.into_iter().filter_map(|reader| reader.waiting) {
            waker.wake();
        }
    }

    /// Whether a window is running.
    pub(super) fn is_counting(&self) -> bool {
        lock(&self.0).is_counting
    }

    /// The connection has ended; what was read of it still counts.
    pub(super) fn leave(&self, connection: u64) {
        lock(&self.0)
            .readers
            .retain(|reader| reader.connection != connection);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        task::Wake,
    };

    use super::*;

    struct Noted(u64, Arc<Mutex<Vec<u64>>>);

    impl Wake for Noted {
        fn wake(self: Arc<Self>) {
            lock(&self.1).push(self.0);
        }
    }

    #[test]
    fn what_all_connections_read_is_counted_together_and_the_least_read_comes_first() {
        let budget = Budget::new(100);
        let woken = Arc::default();
        let may_read = |connection| {
            let waker = Arc::new(Noted(connection, Arc::clone(&woken))).into();
            let cx = Context::from_waker(&waker);
            budget.poll_ready(connection, &cx).is_ready()
        };
        assert!(budget.take(1, 150), "a window begins");
        assert!(!budget.take(2, 240) && budget.is_counting());
        assert!(may_read(1));
        assert!(!budget.take(3, 10));
        for connection in [2, 1, 4, 3, 2] {
            assert!(!may_read(connection), "{connection}");
        }
        budget.leave(4);
        budget.renew();
        assert_eq!(*lock(&woken), [3, 1, 2]);
        assert!(!budget.is_counting() && may_read(2));
    }

    #[test]
    fn a_connection_that_leaves_gives_nothing_back() {
        let budget = Budget::new(100);
        budget.take(1, 400);
        budget.leave(1);
        let cx = Context::from_waker(Waker::noop());
        assert!(budget.poll_ready(2, &cx).is_pending());
    }
}
