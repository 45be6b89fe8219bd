//! Layer 1 over real sockets on loopback and real files.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod it {
    mod autobahn;
    mod captures;
    mod certificates;
    mod connecting;
    mod deadlines;
    mod drive;
    mod drive_faults;
    mod early;
    mod frames;
    mod messages;
    mod replaying;
    mod server;
}
