//! The tokio runtime a service of this crate needs around its thread.

use dragonfly_core::stage::{Host, RootFuture};

/// A current-thread tokio runtime with its network and timer drivers.
///
/// The client crate has a host of the same name, so that feeds and this service can share a thread.
pub const TOKIO: Host = Host { name: "tokio", run };

fn run(root: RootFuture<'_>) {
    match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => {
            runtime.block_on(root);
            // Dropping the runtime would wait for whatever blocks on one of its other threads.
            runtime.shutdown_background();
        }
        Err(error) => tracing::error!(%error, "no tokio runtime could be made"),
    }
}
