//! A recording of a venue through the very decoders and books that its live messages take.

use std::{fmt, io::BufRead};

use dragonfly_clients::{
    Replay,
    capture::{self, CaptureError, Direction, Record},
};
use dragonfly_core::{
    feed::{BookListener, Decoded, Decoder, Feed, FeedError, Subscriber, TrackedBook},
    market::{BookEvent, BookRules, BookUpdate, Venue},
};

use crate::{
    open::{OpenError, known},
    venue::{Diffs, Spec, Subscription},
};

type Books = BookListener<Box<dyn Decoder>>;

/// What has been played so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplayCounts {
    /// Messages the recording client received, answers to its requests among them.
    pub messages: u64,
    /// Messages that are about no book: acknowledgements, heartbeats, trades, other channels.
    pub others: u64,
    /// Messages that could not be understood.
    pub bad: u64,
    /// Lines of recordings that are no record.
    pub broken: u64,
}

/// Plays recordings of one venue and keeps the books found in them.
///
/// Connections are told apart by their address, as spot and linear markets are that use the same
/// symbols; several recordings played one after the other are one. Where a venue has a channel of
/// changes beside its channel of images, the first message of either decides, and the answer to a
/// request for an image starts the book. No connection can be made anew here: a message that cannot
/// be understood is reported and passed over, and the venue's own numbers and checksums say
/// whether a book was hurt by that.
///
/// ```
/// use dragonfly_clients::capture;
/// use dragonfly_feeds::VenueReplay;
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/bybit/20260809_ws_v5_spot.jsonl.zst");
/// let mut replay = VenueReplay::new("bybit", 10)?;
/// replay.play_file(capture::open(path)?, &mut |fault| eprintln!("{fault}"))?;
/// let book = replay.books().find(|book| *book.symbol == *"BTC-USDT").expect("recorded");
/// assert_eq!(book.sync.depth(1).bids[0].price.to_string(), "65140.4");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct VenueReplay {
    spec: &'static Spec,
    depth: usize,
    connections: Vec<Connection>,
    counts: ReplayCounts,
}

struct Connection {
    url: String,
    replay: Replay<Box<dyn Subscriber>, Books>,
}

impl VenueReplay {
    /// A replay of the venue with the id `venue`, whose events carry the best `depth` levels.
    ///
    /// # Errors
    /// [`OpenError::UnknownVenue`] names the venues there are.
    pub fn new(venue: &str, depth: usize) -> Result<Self, OpenError> {
        Ok(Self {
            spec: known(venue)?,
            depth,
            connections: Vec::new(),
            counts: ReplayCounts::default(),
        })
    }

    /// Plays a whole recording. What is wrong in it is counted and told to `on_fault`, each fault as
    /// `FILE, line N: why`, and reading goes on.
    ///
    /// # Errors
    /// [`CaptureError::Read`] when the file cannot be read any further.
    pub fn play_file<R: BufRead>(
        &mut self,
        mut file: capture::Reader<R>,
        on_fault: &mut dyn FnMut(String),
    ) -> Result<(), CaptureError> {
        while let Some(record) = file.next() {
            let why = match record {
                Ok(record) => self.play(record).err().map(|error| error.to_string()),
                Err(CaptureError::Line { reason, .. }) => {
                    self.counts.broken += 1;
                    Some(reason)
                }
                Err(error) => return Err(error),
            };
            if let Some(why) = why {
                on_fault(format!("{}, line {}: {why}", file.name(), file.line()));
            }
        }
        Ok(())
    }

    /// Plays one record; what the recording client sent is passed over.
    ///
    /// # Errors
    /// What could not be understood; it has been counted, and the next record can be played.
    pub fn play(&mut self, record: Record) -> Result<(), FeedError> {
        self.play_into(record, &mut |_| {})
    }

    /// Plays one record and hands on the events that come of it.
    ///
    /// # Errors
    /// As [`play`](Self::play).
    pub fn play_into(
        &mut self,
        mut record: Record,
        emit: &mut dyn FnMut(BookEvent),
    ) -> Result<(), FeedError> {
        if record.direction != Direction::In {
            return Ok(());
        }
        self.counts.messages += 1;
        let connection = match self.route(&mut record) {
            Ok(Some(index)) => &mut self.connections[index],
            Ok(None) => {
                self.counts.others += 1;
                return Ok(());
            }
            Err(error) => {
                self.counts.bad += 1;
                return Err(error);
            }
        };
        let before = connection.updates();
        match connection.replay.play(record, emit) {
            Ok(_) => {
                self.counts.others += u64::from(connection.updates() == before);
                Ok(())
            }
            Err(error) => {
                self.counts.bad += 1;
                Err(error)
            }
        }
    }

    /// The books found so far, connection by connection.
    pub fn books(&self) -> impl Iterator<Item = &TrackedBook> {
        let listeners = self.connections.iter().map(Connection::listener);
        listeners.flat_map(Books::books)
    }

    /// What has been played so far.
    pub const fn counts(&self) -> ReplayCounts {
        self.counts
    }

    /// The connection of a record, which is made a message of it; none where it is of no book.
    fn route(&mut self, record: &mut Record) -> Result<Option<usize>, FeedError> {
        let is_request = record.url.starts_with("http");
        let Some(diffs) = self.spec.diffs else {
            return Ok((!is_request).then(|| self.connection(&record.url)));
        };
        // A venue with such requests has one address for its messages.
        if is_request {
            let Some(message) = (diffs.snapshot)(&record.url, &record.msg) else {
                return Ok(None);
            };
            (record.msg, record.raw) = (message, None);
            if self.connections.is_empty() {
                self.add("", Some(diffs));
            }
        } else if self.connections.is_empty() {
            let mut message = record.clone().into_frame();
            if holds_book((self.spec.decoder)(&self.wanted()), &mut message.clone())? {
                self.add("", None);
            } else if holds_book((diffs.decoder)(&self.wanted()), &mut message)? {
                self.add("", Some(diffs));
            } else {
                return Ok(None);
            }
        }
        Ok(Some(0))
    }

    fn connection(&mut self, url: &str) -> usize {
        let known = self.connections.iter().position(|c| c.url == url);
        known.unwrap_or_else(|| self.add(url, None))
    }

    fn add(&mut self, url: &str, diffs: Option<Diffs>) -> usize {
        let (spec, wanted) = (self.spec, self.wanted());
        let (decoder, rules) = match diffs {
            Some(diffs) => ((diffs.decoder)(&wanted), (diffs.rules)()),
            None => ((spec.decoder)(&wanted), (spec.rules)()),
        };
        // Nobody can be asked again here, so silence is no fault of the recording's.
        let rules = BookRules {
            bad_messages: u32::MAX,
            heartbeats_count: true,
            renew_after: None,
            ..rules
        };
        // A registered id fits a venue's name.
        let venue = Venue::new(spec.id).unwrap_or_default();
        let books = BookListener::new(venue, decoder, rules, self.depth, []);
        let books = books.discover((spec.unify)(url));
        let subscriber = (spec.subscriber)(&wanted);
        let feed = Feed::new(spec.id, subscriber, books, (spec.policy)());
        self.connections.push(Connection {
            url: url.into(),
            replay: Replay::new(feed),
        });
        self.connections.len() - 1
    }

    fn wanted(&self) -> Subscription {
        Subscription::new([], self.depth)
    }
}

impl fmt::Display for ReplayCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            messages,
            others,
            bad,
            broken,
        } = self;
        write!(
            f,
            "{messages} messages, {others} of them about no book and {bad} not understood; \
             {broken} broken lines"
        )
    }
}

impl fmt::Debug for VenueReplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VenueReplay")
            .field("venue", &self.spec.id)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl Connection {
    const fn listener(&self) -> &Books {
        self.replay.feed().listener()
    }

    /// How many updates its books have been offered.
    fn updates(&self) -> u64 {
        let books = self.listener().books().iter();
        books.map(|book| book.sync.stats().updates).sum()
    }
}

/// Whether the decoder finds a book in the message.
fn holds_book(mut decoder: Box<dyn Decoder>, message: &mut [u8]) -> Result<bool, FeedError> {
    let mut update = BookUpdate::default();
    let decoded = decoder.decode(message, &mut update, &mut BookUpdate::clear)?;
    Ok(decoded == Decoded::Book)
}
