//! Layer 1 of Dragonfly: WebSocket over TLS, recorded captures, and the driver that runs a feed over them.
//!
//! Everything here is driven by tokio's current-thread runtime, see [`host`]; nothing here knows a
//! venue. The traits are those of [`dragonfly_core::client`].

pub mod capture;
mod drive;
mod gate;
mod host;
mod replay;
pub mod ws;

pub use drive::Drive;
pub use gate::Gate;
pub use host::host;
pub use replay::{Replay, ReplaySource};
