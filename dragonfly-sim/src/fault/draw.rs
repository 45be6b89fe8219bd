//! A plan out of a seed.

use super::{Fault, Kind, Plan};
use crate::random::Random;

/// What rarely ends well for the instrument, and makes a run last much longer.
const RARE: [Kind; 4] = [Kind::Delisted, Kind::Renamed, Kind::Refused, Kind::Frozen];

/// Draws the faults of a run over these venues.
pub(crate) fn draw(seed: u64, venues: &[&str]) -> Plan {
    let mut random = Random::of(seed, "plan");
    let mut plan = Plan::default();
    if random.chance(1, 12) {
        // Where nothing goes wrong nothing may look as if it did.
        return plan;
    }
    let kinds = Kind::ALL.iter().copied();
    let kinds: Vec<Kind> = kinds.filter(|kind| !kind.needs_sockets()).collect();
    let count = if random.chance(1, 4) {
        random.between(1, 4)
    } else {
        random.between(6, 16)
    };
    for _ in 0..count {
        let kind = random.pick(&kinds, Kind::Gap);
        let venue = random.pick(venues, "");
        let is_rare = RARE.contains(&kind) && random.chance(1, 2);
        let is_known = plan
            .faults
            .iter()
            .any(|fault: &Fault| fault.kind == kind && fault.venue.as_deref() == Some(venue));
        if !kind.fits(venue) || is_rare || is_known {
            continue;
        }
        // From once in the run to every second.
        let rate = random.pick(&[1.0, 2.0, 4.0, 8.0, 20.0, 60.0], 1.0);
        let most = match kind {
            Kind::Delisted | Kind::Renamed | Kind::RollingStall | Kind::Lifetime => 1.0,
            Kind::Stall | Kind::HalfOpen | Kind::Frozen | Kind::Halted | Kind::Refused => 2.0,
            Kind::LostRequest | Kind::ConnectHangs | Kind::RetryAfter => 2.0,
            Kind::Starved | Kind::ConnectRefused | Kind::AcceptThenClose => 4.0,
            Kind::MassCut | Kind::DnsMoved | Kind::AdapterPanic | Kind::TickSize => 4.0,
            // Counts that begin again and again at the same low numbers cannot be told apart.
            Kind::Recount => 4.0,
            Kind::Cut | Kind::Close1000 | Kind::Close1001 | Kind::Close1012 => 20.0,
            _ => 60.0,
        };
        let mut fault = Fault::new(kind, f64::min(rate, most));
        fault.venue = Some(venue.to_owned());
        let percent = random.between(30, 250);
        fault.for_ms = fault.for_ms * percent / 100;
        if kind == Kind::Stall {
            use super::Direction::{Both, ToClient, ToVenue};
            fault.direction = random.pick(&[ToClient, ToClient, Both, ToVenue], ToClient);
        }
        plan.faults.push(fault);
    }
    plan
}
