//! How a run ends: what has not happened, and which legs are not yet well.

use super::{desk, world::World};
use crate::fault::Target;

impl World<'_> {
    /// Whether there is an instrument left that the fault could happen to, or never was one.
    pub(super) fn could_happen(&self, index: usize) -> bool {
        let mut was_any = false;
        let is_any = self.ports.iter().any(|port| {
            let exchange = &self.exchanges[port.exchange];
            let mut listings = port
                .listings
                .iter()
                .map(|listing| &exchange.listings[*listing]);
            listings.any(|listing| {
                let target = Target {
                    venue: exchange.dialect.name,
                    socket: port.number,
                    instrument: Some(&listing.native),
                };
                let fits = self.schedule.fits(index, &target);
                was_any |= fits;
                fits && listing.is_known()
            })
        });
        is_any || !was_any
    }

    /// The legs that are not yet as they should be in the end.
    pub(super) fn ailing(&self) -> Vec<(String, String)> {
        let mut ailing = Vec::new();
        for port in &self.ports {
            let exchange = &self.exchanges[port.exchange];
            for &listing in &port.listings {
                let listing = &exchange.listings[listing];
                let stream = desk::leg_stream(exchange.dialect.name, &listing.native);
                let settled =
                    self.oracle
                        .is_settled(&stream, exchange.dialect.name, &listing.native);
                if let Err(what) = settled
                    && listing.is_known()
                {
                    ailing.push((stream, what));
                }
            }
        }
        ailing
    }
}
