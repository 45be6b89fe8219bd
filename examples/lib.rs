//! Examples to read and to run; each is one file beside this one.
//!
//! | Run from the workspace root | Shows |
//! |---|---|
//! | `cargo run --release --example simple` (or `-- demo`, without network) | venues, one book over them, served over gRPC |
//! | `cargo run --release --example complex` | two aggregators on the same listeners, both served |
//! | `cargo run --release --example custom_venue` | a venue of your own, outside the tree |
//! | `cargo run --release --example custom_queue` | a queue of your own |
//! | `cargo run --release --example replay -- --venue VENUE FILE...` | recordings through the live code |
