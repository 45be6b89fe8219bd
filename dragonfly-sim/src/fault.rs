//! Faults: what a simulated venue, its network and its client's machine do wrong on purpose.
//!
//! A [`Plan`] lists faults, each with a name from the [catalogue](Kind), a rate, and a scope. It is
//! read from TOML, or drawn from a seed. Every fault has a counter; a run in which a listed fault
//! never fired has failed, for what did not happen proves nothing.
//!
//! ```
//! use dragonfly_sim::fault::Plan;
//!
//! let plan = Plan::parse(r#"
//!     [[fault]]
//!     name = "gap"
//!     rate = 6          # times a minute
//!     venue = "bybit"
//!
//!     [[fault]]
//!     name = "stall"
//!     rate = 1
//!     for_ms = 8000
//! "#)?;
//! assert_eq!(plan.faults.len(), 2);
//! # Ok::<(), dragonfly_sim::fault::PlanError>(())
//! ```

mod content;
mod draw;
mod kind;
mod plan;
mod schedule;

pub(crate) use content::{Deal, deal};
pub(crate) use draw::draw;
pub use kind::Kind;
pub(crate) use kind::Place;
pub(crate) use plan::PlanLine;
pub use plan::{Direction, Fault, Plan, PlanError};
pub(crate) use schedule::{Schedule, Target};
