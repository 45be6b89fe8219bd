//! What the benchmarks need to reach without a socket; no part of the library's interface.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use dragonfly_core::{
    clock::UtcNanos,
    market::{ConsolidatedBook, Symbol},
};
use hyper::body::Body;
use tokio::sync::Notify;
use tonic::Status;

use super::{Server, body::StreamBody, streams::lock, subscriber::Ask};
use crate::{
    encode::{self, Form, Schema},
    policy::Policy,
};

/// The server's encoder.
#[derive(Debug, Default)]
pub struct Encoder(encode::Encoder);

impl Encoder {
    /// The gRPC frame of the view as an `orderbook.Summary`.
    pub fn summary(&mut self, view: &ConsolidatedBook, depth: usize) -> Bytes {
        self.frame(view, Schema::Summary, depth)
    }

    /// The gRPC frame of the view as a `dragonfly.v1.Book`.
    pub fn book(&mut self, view: &ConsolidatedBook, depth: usize) -> Bytes {
        self.frame(view, Schema::V1, depth)
    }

    fn frame(&mut self, view: &ConsolidatedBook, schema: Schema, depth: usize) -> Bytes {
        self.0.frame(view, Form { schema, depth }, UtcNanos(1))
    }
}

/// Subscribers to the books of a server, without connections.
pub struct Subscribers(Vec<StreamBody<ConsolidatedBook>>);

impl std::fmt::Debug for Subscribers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subscribers({})", self.0.len())
    }
}

impl Subscribers {
    /// So many, each of which wants every update in full.
    ///
    /// # Errors
    /// What the server answers when it takes none.
    pub fn of(server: &Server, count: usize) -> Result<Self, Status> {
        let books = &server.hub.books;
        let ask = || Ask {
            symbol: Symbol::EMPTY,
            form: Form {
                schema: Schema::V1,
                depth: 10,
            },
            policy: Policy::EveryUpdate,
            cut: Arc::new(Notify::new()),
        };
        let body = |_| {
            let place = lock(books).subscribe(ask())?;
            Ok(StreamBody::new(books.clone(), place, None, None))
        };
        Ok(Self((0..count).map(body).collect::<Result<_, Status>>()?))
    }

    /// Takes everything that waits, as connections do; how many bytes it was.
    pub fn take(&mut self) -> usize {
        let mut cx = Context::from_waker(Waker::noop());
        let mut taken = 0_usize;
        for body in &mut self.0 {
            while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut *body).poll_frame(&mut cx) {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                taken = taken.saturating_add(bytes);
            }
        }
        taken
    }
}
