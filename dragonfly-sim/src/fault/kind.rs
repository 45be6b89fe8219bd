//! The catalogue: what each fault is called and where it takes place.

use std::fmt;

/// Where a fault takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a connection, as soon as its time has come.
    Line,
    /// On the next attempt to connect; a connection that is up is cut for it.
    Connect,
    /// On the next message about a book.
    Message,
    /// On the next request of the client.
    Request,
    /// At the venue, of one instrument.
    Venue,
    /// On the client's machine.
    Machine,
    /// Wherever it takes effect: on many connections, or on more than one of the above.
    World,
    /// On a socket, as soon as its time has come.
    Socket,
    /// On the next TLS handshake or upgrade; a connection that is up is cut for it.
    Handshake,
    /// On the next message about a book: how its bytes are sent.
    Wire,
}

macro_rules! kinds {
    ($($(#[doc = $about:literal])+ $kind:ident $name:literal $place:ident [$($venue:literal)*])+) => {
        /// What can go wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[doc = $about])+ $kind,)+
        }

        impl Kind {
            /// Every kind, in the order of the catalogue.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// Its name in plans and reports.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// What happens, in one line.
            pub const fn about(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!($($about),+),)+
                }
            }

            pub(crate) const fn place(self) -> Place {
                match self {
                    $(Self::$kind => Place::$place,)+
                }
            }

            /// The venues it can happen at; none stands for all.
            pub const fn venues(self) -> &'static [&'static str] {
                match self {
                    $(Self::$kind => &[$($venue),*],)+
                }
            }
        }
    };
}

kinds! {
    /// The connection lives and answers pings of the protocol, but says nothing.
    Stall "stall" Line []
    /// The other end is gone, and nothing tells.
    HalfOpen "half-open" Line []
    /// The connection breaks without a close frame (1006).
    Cut "cut" Line []
    /// The venue closes with code 1000.
    Close1000 "close-1000" Line []
    /// The venue closes with code 1001.
    Close1001 "close-1001" Line []
    /// The venue closes with code 1012.
    Close1012 "close-1012" Line []
    /// All connections are cut at once.
    MassCut "mass-cut" Line []
    /// All connections fall silent one after the other, and speak again in another order.
    RollingStall "rolling-stall" World []
    /// From now on no connection lives longer than a set time, as where a venue cuts after a day.
    Lifetime "lifetime" World []
    /// The adapter panics at the next message.
    AdapterPanic "adapter-panic" World []
    /// The venue asks its client to connect again.
    AskToReconnect "ask-to-reconnect" Line ["binance" "bitstamp"]
    /// Attempts to connect are refused for a while.
    ConnectRefused "connect-refused" Connect []
    /// Attempts to connect are not answered for a while.
    ConnectHangs "connect-hangs" Connect []
    /// The venue accepts the connection and closes it at once.
    AcceptThenClose "accept-then-close" Connect []
    /// The venue answers 429 or 403 and asks to wait.
    RetryAfter "retry-after" Connect []
    /// The venue's name stands for another address from now on, and the old one is dead.
    DnsMoved "dns-moved" World []
    /// A message is lost.
    Gap "gap" Message []
    /// A message comes twice.
    Duplicate "duplicate" Message []
    /// A message of the past comes once more.
    Old "old" Message []
    /// Two messages change places.
    Reordered "reordered" Message []
    /// The checksum is wrong.
    Checksum "checksum" Message ["kraken"]
    /// The first price of a message is no number.
    Malformed "malformed-number" Message []
    /// The first price of a message has another type than a number.
    WrongType "wrong-type" Message []
    /// The first price of a message is negative.
    NegativePrice "negative-price" Message []
    /// The first price of a message is zero.
    ZeroPrice "zero-price" Message []
    /// The first price of a message has more digits than any price.
    EndlessPrice "endless-price" Message []
    /// The first price of a message is spelled in another way: with an exponent, or more zeros.
    Respelled "respelled-price" Message []
    /// A key of a message comes twice, with two values.
    DuplicateKey "duplicate-key" Message []
    /// A message comes cut in half.
    Truncated "truncated" Message []
    /// A message comes in another encoding.
    Encoding "other-encoding" Message []
    /// A message comes compressed, which nobody asked for.
    Gzip "gzip" Message []
    /// Bytes that mean nothing come between others.
    Garbage "garbage" Message []
    /// A message without a byte comes between others.
    Empty "empty-message" Message []
    /// A page in HTML comes between others.
    Html "html" Message []
    /// Brackets nested without end come between others.
    Nested "deep-nesting" Message []
    /// A level that was never there is removed.
    ZeroSize "zero-size" Message ["bybit" "coinbase-advanced" "kraken"]
    /// The venue's time stamps are nonsense.
    Timestamps "timestamps" Message ["bitstamp" "bybit" "coinbase-advanced" "kraken"]
    /// A request of the client is lost.
    LostRequest "lost-request" Request []
    /// A subscription is refused.
    Refused "refused" Venue []
    /// Nothing more is said of one instrument while the others go on.
    Frozen "frozen" Venue []
    /// The whole book comes again without being asked for.
    SecondSnapshot "second-snapshot" Venue ["bybit" "coinbase-advanced" "kraken"]
    /// Only part of the book comes as the whole of it.
    PartialSnapshot "partial-snapshot" Venue ["bybit" "coinbase-advanced" "kraken"]
    /// The venue's count of updates begins again.
    Recount "recount" Venue ["binance" "bitstamp" "bybit" "coinbase-advanced"]
    /// The venue's prices have one more decimal from now on.
    TickSize "tick-size" World []
    /// An instrument goes on under another symbol, with an X before the first.
    Renamed "renamed" World []
    /// The venue's own book is crossed.
    Crossed "crossed" Venue []
    /// The book has fewer levels than are wanted.
    Thin "thin" Venue []
    /// The book has no bids, or no asks.
    EmptySide "empty-side" Venue []
    /// Trading stops for a while.
    Halted "halted" Venue []
    /// Trading ends for ever, and new subscriptions are refused.
    Delisted "delisted" Venue []
    /// Fifty times as many changes.
    Burst "burst" Venue []
    /// The wall clock of the client's machine jumps by up to an hour.
    ClockStep "clock-step" Machine []
    /// The client's machine stands still for a while.
    Starved "starved" Machine []
    /// Every byte is sent on its own.
    Dribble "dribble" Socket []
    /// What the venue sends takes up to 300 ms longer, now more and now less.
    Delayed "delayed" Socket []
    /// The venue accepts a connection and never begins TLS.
    TlsHangs "tls-hangs" Handshake []
    /// The certificate is of an authority that nobody knows.
    UnknownCa "unknown-ca" Handshake []
    /// The certificate is of another host.
    WrongHost "wrong-host" Handshake []
    /// The certificate has expired.
    Expired "expired-certificate" Handshake []
    /// The venue never answers the request to upgrade.
    UpgradeHangs "upgrade-hangs" Handshake []
    /// The request to upgrade is answered with 200 and a page.
    Upgrade200 "upgrade-200" Handshake []
    /// The request to upgrade is answered with 403.
    Upgrade403 "upgrade-403" Handshake []
    /// The request to upgrade is answered with 503.
    Upgrade503 "upgrade-503" Handshake []
    /// The request to upgrade is answered with a redirect.
    UpgradeRedirect "upgrade-redirect" Handshake []
    /// The request to upgrade is answered with what is no HTTP.
    UpgradeGarbage "upgrade-garbage" Handshake []
    /// A message comes in a binary frame.
    BinaryFrame "binary-frame" Wire []
    /// A message comes in frames of a few bytes, with pings between them.
    Fragments "fragments" Wire []
    /// A message comes again, so slowly that the book is stale before it is there.
    Drip "drip" Wire []
    /// A frame says that it is compressed, which nobody agreed on.
    Compressed "compressed-bit" Wire []
    /// A text is not UTF-8.
    NotUtf8 "invalid-utf8" Wire []
    /// The venue masks a frame, which only clients may.
    Masked "masked-frame" Wire []
    /// A frame says that 100 MB follow.
    HugeHeader "huge-header" Wire []
    /// A message of 40 MiB comes in many frames.
    TooLarge "too-large-message" Wire []
}

impl Kind {
    /// The kind of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// What happens, where it can, and how long it lasts unless a plan says otherwise, in one line.
    pub fn describe(self) -> String {
        let venues = match self.venues() {
            [] => "all venues".to_owned(),
            venues => venues.join(", "),
        };
        let lasting = match self.usual_ms() {
            0 => String::new(),
            ms => format!("; for_ms {ms}"),
        };
        format!("{} ({venues}{lasting})", self.about().trim())
    }

    /// Whether it can happen at the venue.
    pub fn fits(self, venue: &str) -> bool {
        self.venues().is_empty() || self.venues().contains(&venue)
    }

    /// Whether it happens to all venues, whichever the plan names.
    pub(crate) const fn is_everywhere(self) -> bool {
        matches!(self, Self::MassCut | Self::RollingStall) || matches!(self.place(), Place::Machine)
    }

    /// Whether it takes real sockets: it cannot happen in a simulated world.
    pub const fn needs_sockets(self) -> bool {
        matches!(self.place(), Place::Socket | Place::Handshake | Place::Wire)
    }

    /// Whether it takes power over more than a venue and its sockets: over the client's machine and
    /// process, or its names.
    pub const fn needs_machine(self) -> bool {
        matches!(self.place(), Place::Machine)
            || matches!(self, Self::AdapterPanic | Self::DnsMoved)
    }

    /// How long it lasts unless the plan says otherwise, in ms; 0 for what is over at once.
    pub const fn usual_ms(self) -> u64 {
        match self {
            Self::Stall => 9_000,
            Self::Frozen => 12_000,
            Self::Crossed => 700,
            Self::Thin | Self::EmptySide => 2_000,
            Self::Halted => 7_000,
            Self::Burst => 1_000,
            Self::Starved => 1_500,
            Self::ConnectRefused => 1_000,
            Self::ConnectHangs | Self::RetryAfter => 4_000,
            Self::RollingStall => 8_000,
            Self::Lifetime => 6_000,
            Self::Dribble => 3_000,
            Self::Delayed => 5_000,
            Self::Drip => 7_000,
            _ => 0,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
