//! Messages as typed views with exact numbers.

use std::{future::Future, pin::Pin};

use dragonfly_core::{
    clock::UtcNanos,
    market::{BookState, Cause, NumberError, Price, Qty},
};
use prost::Message as _;
use tonic::{Status, Streaming, transport::Channel};

use super::Request;
use crate::{
    Policy,
    proto::v1::{self, market_data_client::MarketDataClient},
};

/// The head of a gRPC message: a flag and its length, in bytes.
const PREFIX: usize = 5;

/// One level of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The price.
    pub price: Price,
    /// The quantity at that price.
    pub qty: Qty,
    /// Whose it is, as an index into [`View::legs`]; none where venues are summed.
    pub leg: Option<usize>,
}

/// One venue's book behind a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The venue's id.
    pub venue: String,
    /// The unified symbol.
    pub symbol: String,
    /// The venue's own spelling.
    pub native_symbol: String,
    /// Whether it takes part. A state this client does not know is `Empty`: it is not trusted.
    pub state: BookState,
    /// Why it is in that state.
    pub cause: Cause,
    /// Counts the book's complete restarts.
    pub epoch: u32,
    /// The sequence of its newest image within the epoch.
    pub seq: u64,
    /// The venue's time stamp of that image, where it sends one.
    pub ts_venue: Option<UtcNanos>,
    /// When the server read that image.
    pub ts_recv: UtcNanos,
}

/// The newest image of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The unified symbol.
    pub symbol: String,
    /// The stream's own sequence; 0 when the server has nothing yet.
    pub seq: u64,
    /// Updates that were skipped since the view before, by the server or by the subscription: within a
    /// connection, `seq` is that of the view before, and one, and this.
    pub skipped: u64,
    /// Bids, best first.
    pub bids: Vec<Level>,
    /// Asks, best first.
    pub asks: Vec<Level>,
    /// Every book the stream rests on, live or not.
    pub legs: Vec<Leg>,
    /// How many legs are live.
    pub live_legs: usize,
    /// The best bid is above the best ask.
    pub crossed: bool,
    /// The best bid equals the best ask.
    pub locked: bool,
    /// When the server read the newest message behind the view.
    pub ts_recv: UtcNanos,
    /// When the server handed the view out.
    pub ts_emit: UtcNanos,
}

impl View {
    /// Whether any venue is live; if not, both sides are empty.
    pub const fn is_live(&self) -> bool {
        self.live_legs > 0
    }

    /// The venue of a level.
    pub fn venue(&self, level: &Level) -> Option<&str> {
        let leg = self.legs.get(level.leg?)?;
        Some(&leg.venue)
    }

    /// Best ask less best bid; none when a side is empty, negative when the market is crossed.
    pub fn spread(&self) -> Option<Price> {
        let (bid, ask) = (self.bids.first()?, self.asks.first()?);
        let units = ask.price.units().checked_sub(bid.price.units())?;
        Some(Price::from_units(units))
    }
}

/// What is wrong with a message of the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// A price or quantity is no number.
    #[error("the server sent {text:?} as a {what}: {reason}")]
    Number {
        /// Price or quantity.
        what: &'static str,
        /// What it sent.
        text: String,
        /// What is wrong with it.
        reason: NumberError,
    },
    /// A level names a leg that is not in the message.
    #[error("the server sent a level of leg {leg} and only {legs} legs")]
    Leg {
        /// The index.
        leg: u32,
        /// How many legs there are.
        legs: usize,
    },
}

/// The opening of a call.
pub(crate) type Opening<M> =
    Pin<Box<dyn Future<Output = Result<Streaming<M>, Status>> + Send + 'static>>;

/// A message of `dragonfly.v1` that is an image of a stream.
pub trait Stream: Sized + Send + 'static {
    #[doc(hidden)]
    #[allow(
        private_interfaces,
        reason = "for this crate alone; the trait is sealed"
    )]
    fn open(channel: Channel, request: &Request) -> Opening<Self>;

    #[doc(hidden)]
    fn seq(&self) -> u64;

    #[doc(hidden)]
    fn skipped(&self) -> u64;

    /// What it takes on the wire, in bytes.
    #[doc(hidden)]
    fn framed_len(&self) -> usize;

    /// The typed view.
    ///
    /// # Errors
    /// [`ViewError`] when the message breaks the schema's promises.
    fn into_view(self) -> Result<View, ViewError>;
}

macro_rules! stream {
    ($message:ident, $request:ident, $policy:ident, $call:ident, $level:expr) => {
        impl Stream for v1::$message {
            #[allow(
                private_interfaces,
                reason = "for this crate alone; the trait is sealed"
            )]
            fn open(channel: Channel, request: &Request) -> Opening<Self> {
                use v1::$policy::Policy as Wire;
                let policy = match request.policy {
                    Policy::EveryUpdate => Wire::EveryUpdate(v1::EveryUpdate {}),
                    Policy::Conflate => Wire::Conflate(v1::Conflate {}),
                    Policy::AtMost(per_second) => Wire::AtMost(v1::AtMost { per_second }),
                };
                let request = v1::$request {
                    symbol: request.symbol.clone(),
                    depth: request.depth,
                    policy: Some(policy),
                };
                Box::pin(async move {
                    let mut client = MarketDataClient::new(channel);
                    Ok(client.$call(request).await?.into_inner())
                })
            }

            fn seq(&self) -> u64 {
                self.seq
            }

            fn skipped(&self) -> u64 {
                self.skipped
            }

            fn framed_len(&self) -> usize {
                self.encoded_len().saturating_add(PREFIX)
            }

            fn into_view(self) -> Result<View, ViewError> {
                let legs: Vec<Leg> = self.legs.into_iter().map(leg).collect();
                let side = |levels: Vec<_>| -> Result<Vec<Level>, ViewError> {
                    levels.into_iter().map(|l| $level(l, legs.len())).collect()
                };
                Ok(View {
                    symbol: self.symbol,
                    seq: self.seq,
                    skipped: self.skipped,
                    bids: side(self.bids)?,
                    asks: side(self.asks)?,
                    live_legs: usize::try_from(self.live_legs).unwrap_or(usize::MAX),
                    crossed: self.crossed,
                    locked: self.locked,
                    ts_recv: UtcNanos(self.ts_recv_ns),
                    ts_emit: UtcNanos(self.ts_emit_ns),
                    legs,
                })
            }
        }
    };
}
stream!(
    Book,
    StreamBookRequest,
    stream_book_request,
    stream_book,
    |l: v1::Level, legs| {
        let leg = usize::try_from(l.leg).ok().filter(|leg| *leg < legs);
        let leg = leg.ok_or(ViewError::Leg { leg: l.leg, legs })?;
        level(&l.price, &l.qty, Some(leg))
    }
);
stream!(
    Liquidity,
    StreamLiquidityRequest,
    stream_liquidity_request,
    stream_liquidity,
    |l: v1::PriceLevel, _| level(&l.price, &l.qty, None)
);

fn level(price: &str, qty: &str, leg: Option<usize>) -> Result<Level, ViewError> {
    let wrong = |what, text: &str, reason| ViewError::Number {
        what,
        text: text.chars().take(60).collect(),
        reason,
    };
    Ok(Level {
        price: Price::parse(price.as_bytes()).map_err(|e| wrong("price", price, e))?,
        qty: Qty::parse(qty.as_bytes()).map_err(|e| wrong("quantity", qty, e))?,
        leg,
    })
}

fn leg(leg: v1::Leg) -> Leg {
    Leg {
        state: state(leg.state()),
        cause: cause(leg.cause()),
        venue: leg.venue,
        symbol: leg.symbol,
        native_symbol: leg.native_symbol,
        epoch: leg.epoch,
        seq: leg.seq,
        ts_venue: (leg.ts_venue_ns != 0).then_some(UtcNanos(leg.ts_venue_ns)),
        ts_recv: UtcNanos(leg.ts_recv_ns),
    }
}

const fn state(state: v1::LegState) -> BookState {
    match state {
        v1::LegState::Unspecified | v1::LegState::Empty => BookState::Empty,
        v1::LegState::Syncing => BookState::Syncing,
        v1::LegState::Live => BookState::Live,
        v1::LegState::Stale => BookState::Stale,
        v1::LegState::Gap => BookState::Gap,
        v1::LegState::Crossed => BookState::Crossed,
        v1::LegState::Closed => BookState::Closed,
        v1::LegState::Down => BookState::Down,
    }
}

const fn cause(cause: v1::LegCause) -> Cause {
    match cause {
        v1::LegCause::Unspecified | v1::LegCause::Started => Cause::Started,
        v1::LegCause::Subscribed => Cause::Subscribed,
        v1::LegCause::Image => Cause::Image,
        v1::LegCause::SequenceGap => Cause::SequenceGap,
        v1::LegCause::ChecksumMismatch => Cause::ChecksumMismatch,
        v1::LegCause::Silent => Cause::Silent,
        v1::LegCause::CrossedBook => Cause::CrossedBook,
        v1::LegCause::Disconnected => Cause::Disconnected,
        v1::LegCause::Refused => Cause::Refused,
        v1::LegCause::BadMessages => Cause::BadMessages,
        v1::LegCause::BufferOverflow => Cause::BufferOverflow,
        v1::LegCause::Panicked => Cause::Panicked,
        v1::LegCause::Stopped => Cause::Stopped,
    }
}
