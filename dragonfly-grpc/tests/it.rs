//! The server and the client over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the helpers of tests are tests too"
)]

mod it {
    mod behind;
    mod bench;
    mod client;
    #[cfg(feature = "bins")]
    mod floods;
    mod flow;
    mod hostile;
    mod http2;
    mod legacy;
    mod lifecycle;
    mod market_data;
    mod policy;
    mod probes;
    #[cfg(feature = "bins")]
    mod program;
    #[cfg(feature = "bins")]
    mod scarce;
    #[cfg(feature = "bins")]
    mod server_modes;
    #[cfg(feature = "bins")]
    mod server_program;
    #[cfg(feature = "bins")]
    mod spelt_alike;
    #[cfg(feature = "bins")]
    mod stopping;
    #[cfg(feature = "bins")]
    mod unwritable;
}
