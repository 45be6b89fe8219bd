//! A thread beside the flow's: it notices when one of those stands still, and answers probes.

use dragonfly_core::run::{Running, Watchdog};
use dragonfly_grpc::{Health, Probes, TOKIO};

/// After how many seconds without a move a thread is said to stand still.
const PATIENCE: u32 = 5;

/// Watches until the process ends.
pub(crate) fn start(running: &Running, health: Health, probes: Option<Probes>) {
    let watchdog = running.watchdog(PATIENCE);
    let watch = move || (TOKIO.run)(Box::pin(watch(watchdog, health, probes)));
    let thread = std::thread::Builder::new().name("watch".into());
    if let Err(error) = thread.spawn(watch) {
        tracing::warn!(%error, "nobody watches the threads of the flow, nor answers probes");
    }
}

async fn watch(mut watchdog: Watchdog, health: Health, probes: Option<Probes>) {
    if let Some(probes) = probes {
        let health = health.clone();
        tokio::spawn(async move {
            if let Err(error) = probes.serve(health).await {
                tracing::error!(%error, "probes are not answered");
            }
        });
    }
    let look = move || watchdog.look().map(|stall| stall.to_string());
    health.watch(look).await;
}
