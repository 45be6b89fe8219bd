//! The client library: typed books over a connection that comes back by itself.
//!
//! A [`Subscription`] yields [`Event`]s for ever. A lost connection is one of them, in its place
//! between the books, so that a bot cannot take an old book for a live one.

mod newest;
mod subscription;
mod view;

use std::{fmt, marker::PhantomData, time::Duration};

use dragonfly_core::{clock::Clock, feed::Backoff};
use tonic::transport::{Channel, Endpoint};

pub use self::{
    subscription::{Disconnect, Event, Subscription},
    view::{Leg, Level, Stream, View, ViewError},
};
use crate::{Policy, proto::v1};

/// How often a quiet connection is checked, and how long the server has to answer. Together they are
/// how long a book may be shown after its server froze or the network broke without a word: no longer
/// than the server itself takes a silent venue for live.
const PING_INTERVAL: Duration = Duration::from_secs(2);
const PING_TIMEOUT: Duration = Duration::from_secs(3);
/// How much the server may send ahead of the reader, in bytes. Beyond it the server goes on with the
/// newest view instead of letting old ones pile up on the way.
const fn receive_window(policy: Policy) -> u32 {
    match policy {
        // Whatever has arrived is read before a newer view, so it is how old views may be.
        Policy::EveryUpdate => 64 * 1024,
        Policy::Conflate | Policy::AtMost(_) => 256 * 1024,
    }
}
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How many times that the window of the whole connection is. Its only stream bounds what is kept; but
/// h2 cuts a connection when the small frames that wait cost it more than half of this window, at 256
/// bytes less its size for each. A stream's window full of frames of 52 bytes costs less, and no view
/// of a book is as small.
const CONNECTION_WINDOWS: u32 = 8;

/// Why there can be no client for a URI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// It is not of the form that is understood.
    #[error(
        "{uri:?} is no server address ({reason}): write http://HOST:PORT, as in http://127.0.0.1:50051"
    )]
    Uri {
        /// What was given.
        uri: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A client of `dragonfly.v1.MarketData`.
///
/// ```no_run
/// use dragonfly_grpc::{Client, Policy, client::Event};
///
/// # async fn run() -> Result<(), dragonfly_grpc::client::ClientError> {
/// let client = Client::builder("http://127.0.0.1:50051").build()?;
/// let mut books = client.book("ETH-BTC").depth(5).policy(Policy::Conflate).subscribe();
/// loop {
///     match books.next().await {
///         Event::Connected => println!("connected"),
///         Event::Disconnected(why) => println!("no book can be trusted now: {why}"),
///         Event::View(book) if book.is_live() => println!("{:?}", book.bids.first()),
///         _ => println!("no venue is live"),
///     }
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    endpoint: Endpoint,
    first_wait: Duration,
    longest_wait: Duration,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.endpoint.uri())
    }
}

/// The options of a [`Client`].
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `build`"]
pub struct Builder {
    uri: String,
    first_wait: Duration,
    longest_wait: Duration,
}

impl Builder {
    /// The waits between attempts to connect: random up to `first`, doubling up to `longest`;
    /// 250 ms and 30 s.
    pub const fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.first_wait = first;
        self.longest_wait = longest;
        self
    }

    /// Checks the URI. Connections are made by the subscriptions.
    ///
    /// # Errors
    /// [`ClientError::Uri`] when it is not `http://HOST:PORT`.
    pub fn build(self) -> Result<Client, ClientError> {
        Ok(Client {
            endpoint: endpoint(&self.uri)?,
            first_wait: self.first_wait,
            longest_wait: self.longest_wait,
        })
    }
}

fn endpoint(uri: &str) -> Result<Endpoint, ClientError> {
    let wrong = |reason: &str| ClientError::Uri {
        uri: uri.chars().take(100).collect(),
        reason: reason.into(),
    };
    let endpoint = Endpoint::from_shared(uri.to_owned()).map_err(|_| wrong("not a URI"))?;
    match endpoint.uri().scheme_str() {
        Some("http") => {}
        Some("https") => return Err(wrong("TLS is not supported yet")),
        _ => return Err(wrong("it does not begin with http://")),
    }
    if endpoint.uri().host().is_none_or(str::is_empty) {
        return Err(wrong("it names no host"));
    }
    // Without a port, or with one that is no number, HTTP would silently mean port 80.
    if endpoint.uri().port_u16().is_none() {
        return Err(wrong("it names no port"));
    }
    if endpoint.uri().path().len() > 1 || endpoint.uri().query().is_some() {
        return Err(wrong("nothing may follow the port"));
    }
    Ok(endpoint
        .tcp_nodelay(true)
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true))
}

impl Client {
    /// Sets options for the server at `uri`, `http://HOST:PORT`.
    pub fn builder(uri: impl Into<String>) -> Builder {
        Builder {
            uri: uri.into(),
            first_wait: Duration::from_millis(250),
            longest_wait: Duration::from_secs(30),
        }
    }

    /// Selects the consolidated book of `symbol`; empty selects the server's first.
    pub fn book(&self, symbol: impl Into<String>) -> Selection<v1::Book> {
        self.select(symbol.into())
    }

    /// Selects the liquidity of `symbol` summed by price; empty selects the server's first.
    pub fn liquidity(&self, symbol: impl Into<String>) -> Selection<v1::Liquidity> {
        self.select(symbol.into())
    }

    fn select<M: Stream>(&self, symbol: String) -> Selection<M> {
        Selection {
            client: self.clone(),
            request: Request {
                symbol,
                depth: 0,
                policy: Policy::default(),
            },
            message: PhantomData,
        }
    }

    /// A new connection for one subscription.
    fn channel(&self, policy: Policy) -> Channel {
        let window = receive_window(policy);
        let endpoint = self.endpoint.clone();
        endpoint
            .initial_stream_window_size(window)
            .initial_connection_window_size(window.saturating_mul(CONNECTION_WINDOWS))
            .connect_lazy()
    }

    /// Waits that differ from those of every other client.
    fn waits(&self) -> Backoff {
        let seed = Clock::monotonic().utc().0 ^ u64::from(std::process::id()).rotate_left(32);
        Backoff::between(self.first_wait.into(), self.longest_wait.into(), seed)
    }
}

/// What a subscription asks for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) symbol: String,
    pub(crate) depth: u32,
    pub(crate) policy: Policy,
}

/// A selected stream; [`subscribe`](Self::subscribe) begins to read it.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `subscribe`"]
pub struct Selection<M> {
    client: Client,
    request: Request,
    message: PhantomData<fn() -> M>,
}

impl<M: Stream> Selection<M> {
    /// Levels a side, 1 to 20; 10.
    pub fn depth(mut self, levels: usize) -> Self {
        self.request.depth = u32::try_from(levels).unwrap_or(u32::MAX);
        self
    }

    /// Which updates are delivered; every one.
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.request.policy = policy;
        self
    }

    /// Connects, and connects again for as long as the subscription is read.
    pub fn subscribe(self) -> Subscription<M> {
        Subscription::new(self.client, self.request)
    }
}
