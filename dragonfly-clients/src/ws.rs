//! WebSocket over TLS (RFC 6455, version 13, no extensions).
//!
//! ```no_run
//! use dragonfly_clients::ws;
//! use dragonfly_core::client::{Client as _, Reader as _, Received, Writer as _};
//!
//! # async fn run() -> Result<(), dragonfly_core::client::ClientError> {
//! let mut client = ws::Client::builder("wss://stream.example.com/market").build()?;
//! let (mut reader, mut writer) = client.connect().await?;
//! writer.send(br#"{"op":"subscribe"}"#).await?;
//! if let Received::Message(bytes) = reader.read().await? {
//!     println!("{} bytes", bytes.len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it does
//! Each [`connect`](Client) looks the host up afresh, tries its addresses, makes the TLS session,
//! asks for the upgrade, and checks every part of the answer, the accept key included. Each step
//! has a deadline of its own and is named in the error. Pings are handed out, not answered, so that
//! the feed decides and an idle line can be told from a dead one; a close message ends the reading
//! with [`ClientError::Closed`].
//!
//! # What it does not
//! It does not reconnect, follow redirects, compress, or answer a ping or a close by itself.
//!
//! # Memory
//! A message that came in one frame is lent where the socket's bytes were put; nothing is copied
//! and, once the buffer has grown to the venue's messages, nothing is allocated. A fragmented
//! message is put together in a second buffer, which is kept. Both are bounded by
//! [`ClientBuilder::max_message`]; what the peer announces beyond it is refused before any memory
//! is set aside. The read buffer has 64 KiB, or as much as the largest message needs; it is given
//! back when no such message has come for a while. Over TLS, 32 KiB more are read ahead.
//!
//! [`ClientError::Closed`]: dragonfly_core::client::ClientError::Closed

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod close;
mod connect;
mod deframer;
mod endpoint;
mod fragments;
mod header;
mod reader;
mod retry_after;
mod settings;
mod stream;
mod tls;
mod upgrade;
mod utf8;
mod writer;

pub use connect::Client;
pub use deframer::Deframer;
pub use reader::Reader;
pub use settings::ClientBuilder;
pub use writer::Writer;
