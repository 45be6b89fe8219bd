//! The server and the client over real sockets.

mod it {
    mod bench;
    mod client;
    mod legacy;
    mod lifecycle;
    mod market_data;
    mod policy;
    #[cfg(feature = "bins")]
    mod program;
}
