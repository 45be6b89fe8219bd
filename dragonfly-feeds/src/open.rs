//! From the names a user writes to feeds that can be listened to.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    path::PathBuf,
    time::Duration,
};

use dragonfly_clients::{Drive, Gate, ws};
use dragonfly_core::{
    client::ClientError,
    feed::{Backoff, BookListener, Decoder, Feed, Subscriber},
    market::{Instrument, InstrumentError, MAX_DEPTH, Symbol, Venue},
};

use crate::venue::{self, Spec, Subscription};

/// A book feed over WebSocket, ready for [`Flow::listen`](dragonfly_core::flow::Flow::listen).
pub type BookFeed = Drive<ws::Client, Box<dyn Subscriber>, BookChanges>;

/// What such a feed emits: the best levels whenever they, or the state of the book, change.
pub type BookChanges = BookListener<Box<dyn Decoder>>;

/// Why a feed could not be opened; nothing has been connected yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no venue of that name.
    #[error("unknown venue {name:?}: choose among {known}")]
    UnknownVenue {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The instrument is misspelt.
    #[error(transparent)]
    Instrument(#[from] InstrumentError),
    /// The venue has no instruments of that kind.
    #[error("{venue} has no {instrument}: it offers {kinds}")]
    NotOffered {
        /// The venue.
        venue: &'static str,
        /// The instrument.
        instrument: Instrument,
        /// What it offers.
        kinds: &'static str,
    },
    /// The instruments live at different addresses.
    #[error("{venue} serves {first} and {other} at different addresses: open a feed for each")]
    Endpoints {
        /// The venue.
        venue: &'static str,
        /// The first instrument.
        first: Instrument,
        /// One that does not go with it.
        other: Instrument,
    },
    /// Two instruments that live at different addresses were given one.
    #[error("{venue} serves {first} and {other} at different addresses: {url} cannot be both")]
    SharedEndpoint {
        /// The venue.
        venue: &'static str,
        /// The first instrument.
        first: Instrument,
        /// The other one.
        other: Instrument,
        /// The address that both were given.
        url: String,
    },
    /// Two instruments are one book at the venue.
    #[error("{venue} has one book for {first} and {other}: name it once")]
    Twice {
        /// The venue.
        venue: &'static str,
        /// The first instrument.
        first: Instrument,
        /// The other name of its book, or the same once more.
        other: Instrument,
    },
    /// The depth cannot be served.
    #[error("a depth of {0} levels is out of range: 1 to {MAX_DEPTH}")]
    Depth(usize),
    /// The endpoint or the trust anchors are no good.
    #[error("{venue}: {error}")]
    Client {
        /// The venue.
        venue: &'static str,
        /// What is wrong.
        error: ClientError,
    },
}

/// Opens the book of one instrument at several venues, with the defaults of [`Builder`].
///
/// ```
/// let feeds = dragonfly_feeds::open(["binance", "kraken"], "ETH-BTC")?;
/// assert_eq!(feeds.len(), 2);
///
/// let error = dragonfly_feeds::open(["binanse"], "ETH-BTC").err().unwrap();
/// assert!(error.to_string().starts_with("unknown venue \"binanse\": choose among binance, "));
///
/// let error = dragonfly_feeds::open(["kraken", "kraken"], "ETH-BTC").err().unwrap();
/// assert_eq!(error.to_string(), "kraken has one book for ETH-BTC and ETH-BTC: name it once");
/// # Ok::<(), dragonfly_feeds::OpenError>(())
/// ```
///
/// # Errors
/// See [`OpenError`]; nothing is connected before the flow runs.
pub fn open<'a>(
    venues: impl IntoIterator<Item = &'a str>,
    instrument: &str,
) -> Result<Vec<BookFeed>, OpenError> {
    let builders = venues
        .into_iter()
        .map(|venue| Builder::new(venue, instrument))
        .collect::<Result<Vec<_>, _>>()?;
    build_all(builders)
}

/// Makes the feeds of one flow, and sees to it that each book is among them once: the liquidity of a
/// book that is there twice would be shown twice.
///
/// ```
/// use dragonfly_feeds::{Builder, build_all};
///
/// // Two markets of one venue, which spells both BTCUSDT.
/// let feeds = [Builder::new("bybit", "BTC-USDT")?, Builder::new("bybit", "BTC-USDT-PERP")?];
/// assert_eq!(build_all(feeds)?.len(), 2);
///
/// // Two names of one book.
/// let venue = "coinbase-advanced";
/// let feeds = [Builder::new(venue, "BTC-USD")?, Builder::new(venue, "BTC-USDC")?];
/// let error = build_all(feeds).err().unwrap().to_string();
/// assert_eq!(error, "coinbase-advanced has one book for BTC-USD and BTC-USDC: name it once");
/// # Ok::<(), dragonfly_feeds::OpenError>(())
/// ```
///
/// # Errors
/// See [`OpenError`].
pub fn build_all(builders: impl IntoIterator<Item = Builder>) -> Result<Vec<BookFeed>, OpenError> {
    let builders: Vec<Builder> = builders.into_iter().collect();
    let mut books = Vec::new();
    for builder in &builders {
        books.extend(builder.books()?);
    }
    apart(&books)?;
    builders.into_iter().map(Builder::build).collect()
}

/// A book as its venue tells it from others.
#[derive(Debug)]
struct Book<'a> {
    venue: &'static str,
    instrument: Instrument,
    native: Symbol,
    /// Where the venue serves it.
    address: &'static str,
    /// Where it is asked for.
    url: &'a str,
}

impl Book<'_> {
    /// What is wrong with having both.
    fn clash(&self, other: &Self) -> Option<OpenError> {
        let is_elsewhere = self.address != other.address;
        let is_same = match is_elsewhere {
            // Over whatever address: the two would be one leg, or one book counted twice.
            false => self.native == other.native,
            true => self.url.trim_end_matches('/') == other.url.trim_end_matches('/'),
        };
        if self.venue != other.venue || !is_same {
            return None;
        }
        let (venue, first, other) = (self.venue, self.instrument, other.instrument);
        Some(if is_elsewhere {
            OpenError::SharedEndpoint {
                venue,
                first,
                other,
                url: self.url.to_owned(),
            }
        } else {
            OpenError::Twice {
                venue,
                first,
                other,
            }
        })
    }
}

/// Whether all are different books.
fn apart(books: &[Book<'_>]) -> Result<(), OpenError> {
    let pairs = (books.iter().enumerate())
        .flat_map(|(at, book)| books[..at].iter().map(move |first| (first, book)));
    let mut clashes = pairs.filter_map(|(first, book)| first.clash(book));
    clashes.next().map_or(Ok(()), Err)
}

/// Opens one feed with settings of its own; [`build_all`] opens several.
///
/// ```
/// use dragonfly_feeds::Builder;
///
/// let feed = Builder::new("bybit", "BTC-USDT")?.also("ETH-USDT")?.depth(20).build()?;
/// assert_eq!(feed.feed().name(), "bybit BTC-USDT+1");
/// # Ok::<(), dragonfly_feeds::OpenError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    spec: &'static Spec,
    instruments: Vec<Instrument>,
    depth: usize,
    channel_depth: Option<usize>,
    endpoint: Option<String>,
    trust: Trust,
    busy_poll: Option<Duration>,
    gate: Gate,
}

/// Which certificates are trusted besides the public ones.
#[derive(Clone, Debug)]
enum Trust {
    Public,
    File(PathBuf),
    Text(String),
}

impl Builder {
    /// A feed of `instrument`, in any spelling, from the venue with the id `venue`.
    ///
    /// # Errors
    /// [`OpenError`] when either is unknown.
    pub fn new(venue: &str, instrument: &str) -> Result<Self, OpenError> {
        let spec = known(venue)?;
        let (instruments, depth) = (vec![instrument.parse()?], 10);
        Ok(Self {
            spec,
            instruments,
            depth,
            channel_depth: None,
            endpoint: None,
            trust: Trust::Public,
            busy_poll: None,
            gate: Gate::default(),
        })
    }

    /// Another instrument over the same connection.
    ///
    /// # Errors
    /// [`OpenError::Instrument`] when it is misspelt.
    pub fn also(mut self, instrument: &str) -> Result<Self, OpenError> {
        self.instruments.push(instrument.parse()?);
        Ok(self)
    }

    /// How many levels a side the events carry: 1 to [`MAX_DEPTH`], 10 by default.
    pub const fn depth(mut self, levels: usize) -> Self {
        self.depth = levels;
        self
    }

    /// Subscribes to a channel of `levels` levels a side where the venue offers a choice; by
    /// default its fastest one that is deep enough.
    pub const fn channel_depth(mut self, levels: usize) -> Self {
        self.channel_depth = Some(levels);
        self
    }

    /// Connects to `url` and not to the venue itself: a proxy or a simulator.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Also trusts the certificates in a PEM file.
    pub fn tls_ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.trust = Trust::File(path.into());
        self
    }

    /// Also trusts the certificates in a PEM text; replaces [`tls_ca_file`](Self::tls_ca_file).
    pub fn tls_ca_pem(mut self, pem: impl Into<String>) -> Self {
        self.trust = Trust::Text(pem.into());
        self
    }

    /// Lets its reads ask the network card itself for this long, see
    /// [`ws::ClientBuilder::busy_poll`].
    pub const fn busy_poll(mut self, time: Duration) -> Self {
        self.busy_poll = Some(time);
        self
    }

    /// Shares the venue's budget of connections, and what it asks to wait, with its other feeds that
    /// have this gate.
    pub fn gate(mut self, gate: &Gate) -> Self {
        self.gate = gate.clone();
        self
    }

    /// Makes the feed; it connects when its flow runs.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn build(self) -> Result<BookFeed, OpenError> {
        let venue = self.spec.id;
        if !(1..=MAX_DEPTH).contains(&self.depth) {
            return Err(OpenError::Depth(self.depth));
        }
        let books = self.books()?;
        let url = books.first().map_or("", |book| book.url);
        let mut client = ws::Client::builder(url).max_message(self.spec.max_message);
        client = match &self.trust {
            Trust::Public => client,
            Trust::File(path) => client.tls_ca_file(path),
            Trust::Text(pem) => client.tls_ca_pem(pem),
        };
        if let Some(time) = self.busy_poll {
            client = client.busy_poll(time);
        }
        let client = client
            .build()
            .map_err(|error| OpenError::Client { venue, error })?;
        let names = |book: &Book<'_>| (book.instrument.symbol(), book.native);
        let feed = self.feed(books.iter().map(names).collect());
        Ok(Drive::new(client, feed, Backoff::new(seed())).gate(self.gate))
    }

    /// Its books, which share a connection and so an address.
    fn books(&self) -> Result<Vec<Book<'_>>, OpenError> {
        let books = self
            .instruments
            .iter()
            .map(|instrument| self.book(instrument));
        let books = books.collect::<Result<Vec<_>, _>>()?;
        for other in &books {
            if other.address != books[0].address {
                return Err(OpenError::Endpoints {
                    venue: self.spec.id,
                    first: books[0].instrument,
                    other: other.instrument,
                });
            }
        }
        apart(&books)?;
        Ok(books)
    }

    fn book(&self, instrument: &Instrument) -> Result<Book<'_>, OpenError> {
        let Some(native) = (self.spec.native)(instrument) else {
            return Err(OpenError::NotOffered {
                venue: self.spec.id,
                instrument: *instrument,
                kinds: self.spec.kinds,
            });
        };
        let address = (self.spec.endpoint)(instrument);
        Ok(Book {
            venue: self.spec.id,
            instrument: *instrument,
            native,
            address,
            url: self.endpoint.as_deref().unwrap_or(address),
        })
    }

    fn feed(&self, symbols: Vec<(Symbol, Symbol)>) -> Feed<Box<dyn Subscriber>, BookChanges> {
        let native = symbols.iter().map(|(_, native)| *native);
        let mut wanted = Subscription::new(native, self.depth);
        wanted.channel_depth = self.channel_depth;
        let mut name = format!("{} {}", self.spec.id, symbols[0].0);
        if symbols.len() > 1 {
            name = format!("{name}+{}", symbols.len() - 1);
        }
        // A registered id fits a venue's name.
        let venue = Venue::new(self.spec.id).unwrap_or_default();
        let decoder = (self.spec.decoder)(&wanted);
        let rules = (self.spec.rules)();
        let listener = BookListener::new(venue, decoder, rules, self.depth, symbols).only_changes();
        let subscriber = (self.spec.subscriber)(&wanted);
        Feed::new(name, subscriber, listener, (self.spec.policy)())
    }
}

/// The venue with this id; the error names the venues there are.
pub(crate) fn known(venue: &str) -> Result<&'static Spec, OpenError> {
    venue::find(venue).ok_or_else(|| OpenError::UnknownVenue {
        name: venue.into(),
        known: venue::all()
            .iter()
            .map(|spec| spec.id)
            .collect::<Vec<_>>()
            .join(", "),
    })
}

/// Different for every feed of every process, so that they do not come back in step.
fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
