//! The tokio host: what a runner thread needs around it to wait for sockets and timers.

use dragonfly_core::stage::{Host, RootFuture};

/// How many threads a runtime may start for look-ups of host names, which block.
///
/// A look-up that was given up goes on in its thread until the system's resolver answers; without
/// a bound, a dead resolver would collect threads.
const LOOKUP_THREADS: usize = 16;

/// The host named `tokio`: a current-thread runtime with sockets and timers.
///
/// One thread drives the wake-ups and everything that runs on it, so nothing crosses threads
/// between the socket and the first queue. When the runtime cannot be made (no file descriptor is
/// left) this is logged as an error and `run` returns at once.
///
/// # Examples
/// ```
/// let host = dragonfly_clients::host();
/// assert_eq!(host.name, "tokio");
/// (host.run)(Box::pin(async { tokio::task::yield_now().await }));
/// ```
pub fn host() -> Host {
    Host { name: "tokio", run }
}

fn run(root: RootFuture<'_>) {
    let built = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(LOOKUP_THREADS)
        .build();
    match built {
        Ok(runtime) => {
            runtime.block_on(root);
            // Dropping the runtime would wait for a look-up that hangs.
            runtime.shutdown_background();
        }
        Err(error) => tracing::error!(%error, "cannot start a tokio runtime for this thread"),
    }
}
