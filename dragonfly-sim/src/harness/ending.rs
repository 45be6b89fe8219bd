//! How a run ends: what has not happened, and which legs are not yet well.

use super::{desk, world::World};
use crate::fault::Target;

const MS: u64 = 1_000_000;

impl World<'_> {
    /// The end of all faults: what lasts is over, and every market moves a little.
    pub(super) fn calm(&mut self) {
        self.schedule.end();
        self.starved_until = 0;
        for exchange in &mut self.exchanges {
            for listing in &mut exchange.listings {
                listing.frozen_until = 0;
                let gap = self.random.between(100, 900) * MS;
                listing.market.calm(self.now, gap);
            }
        }
        for port in &mut self.ports {
            (port.next_attempt, port.refuse_next) = (None, None);
            (port.lifetime, port.ends_at, port.silence) = (None, None, None);
            port.line.get().is_to_panic = false;
            if let Some(conn) = &mut port.conn {
                (conn.mute_until, conn.jammed_until, conn.deaf_until) = (0, 0, 0);
            }
        }
    }

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
