//! `grpc.health.v1`: the server is healthy while it runs, a service while a leg is live.

use tokio::sync::watch;
use tonic_health::{ServingStatus, server::HealthReporter};

/// The name of the original service.
pub(super) const BOOK_SUMMARY: &str = "orderbook.OrderbookAggregator";
/// The name of the service with provenance.
pub(super) const MARKET_DATA: &str = "dragonfly.v1.MarketData";

/// Which kinds of streams rest on a live leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Readiness {
    pub(super) books: bool,
    pub(super) liquidity: bool,
    pub(super) closing: bool,
}

const fn status(serving: bool) -> ServingStatus {
    if serving {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    }
}

/// Reports every change until the server is dropped.
pub(super) async fn report(mut changes: watch::Receiver<Readiness>, reporter: HealthReporter) {
    loop {
        let now = *changes.borrow_and_update();
        let open = !now.closing;
        for (name, serving) in [
            ("", open),
            (BOOK_SUMMARY, open && now.books),
            (MARKET_DATA, open && (now.books || now.liquidity)),
        ] {
            reporter.set_service_status(name, status(serving)).await;
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}
