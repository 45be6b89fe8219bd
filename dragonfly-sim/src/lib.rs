//! Simulated venues: recorded ones behind real WebSocket and TLS on loopback, and generated ones that
//! fail on purpose.
//!
//! A [`Sim`] speaks each venue's own dialect: it acknowledges or refuses subscriptions in the
//! venue's words, then plays what was recorded of the subscribed channels and instruments, at the
//! recorded pace or any other, from the first snapshot on. At the end of the recording it closes
//! the connection; a client that connects again gets the recording from its start, so that every
//! loop is a clean reconnect. Clients cannot tell it from a venue except by its certificate, whose
//! authority [`Sim::ca_pem`] hands out.
//!
//! ```no_run
//! use dragonfly_sim::{Pace, Recorded, Recording, Sim};
//!
//! # fn main() -> Result<(), dragonfly_sim::SimError> {
//! let sim = Sim::builder()
//!     .venue(Recorded::new("bybit", Recording::demo_bybit()?))
//!     .venue(Recorded::new("coinbase-advanced", Recording::demo_coinbase()?).pace(Pace::Speed(2.0)))
//!     .start()?;
//! println!("connect to {:?}, trust {}", sim.endpoint("bybit"), sim.ca_pem());
//! # Ok(())
//! # }
//! ```
//!
//! # What is real and what is derived
//!
//! | Venue | Played as recorded | Derived from the recording |
//! |---|---|---|
//! | `binance` | every recorded stream | `<symbol>@depth20@100ms`, from REST image and diffs |
//! | `bitstamp` | `diff_order_book_*`, `live_trades_*` | `order_book_*`, from REST image and diffs |
//! | `bybit` | every recorded topic | nothing |
//! | `coinbase-advanced` | every recorded channel | `sequence_num`, numbered anew for each connection |
//! | `kraken` | nothing: the recordings are of protocol v1 | `book` of protocol v2, digits and checksums kept |
//!
//! Acknowledgements, refusals, pongs and Kraken's heartbeats are made for each connection.
//!
//! # Markets that fail on purpose
//!
//! [`live`] serves generated markets over the same real WebSocket and TLS, with [faults](fault) out of
//! a plan and a [`ledger`] of what clients were told.
//!
//! # Simulated worlds
//!
//! [`fuzz`](mod@fuzz) runs the feeds and aggregators of Dragonfly on generated markets, with
//! [faults](fault) out of a seed or a plan, and lets an [`oracle`] judge what they show by a
//! [`ledger`] of what the venues said. It takes no socket and no time: the clock is moved by hand.
//!
//! ```
//! use dragonfly_sim::fuzz::{Options, fuzz};
//!
//! let mut options = Options::new(7..8);
//! options.venues = vec!["kraken".to_owned()];
//! let summary = fuzz(&options, &|failure| eprintln!("{failure:?}"))?;
//! assert!(summary.failures.is_empty());
//! assert!(summary.judged.views > 0);
//! # Ok::<(), dragonfly_sim::fuzz::FuzzError>(())
//! ```

mod certificate;
mod dialect;
pub mod drill;
mod error;
mod exchange;
pub mod fault;
mod frames;
pub mod fuzz;
mod harness;
pub mod ledger;
pub mod live;
mod market;
pub mod model;
mod naive_book;
pub mod oracle;
mod post;
mod random;
mod recording;
pub mod report;
mod rfc3339;
mod server;
mod session;
mod sim;
mod tape;

pub use dialect::venues;
pub use error::SimError;
pub use recording::{Line, Recording};
pub use sim::{Recorded, Sim, SimBuilder};
pub use tape::Pace;
