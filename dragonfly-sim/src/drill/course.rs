//! What happens in one run, drawn from its seed.

use crate::{
    exchange::DIALECTS,
    fault::{Direction, Fault, Kind, Plan},
    random::Random,
};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

/// What happens to the product's own processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    /// The server is killed and started again.
    KillServer,
    /// The server stands still for a while, in ns.
    StopServer(u64),
    /// The slow client stands still for a while, in ns.
    StopClient(u64),
    /// The server can open no file and no socket for a while, in ns.
    NoFiles(u64),
    /// The server is killed and started again where the disk of its log is full.
    FullDisk,
}

impl Blow {
    /// Its name in results.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::KillServer => "server-killed",
            Self::StopServer(_) => "server-stopped",
            Self::StopClient(_) => "client-stopped",
            Self::NoFiles(_) => "out-of-files",
            Self::FullDisk => "log-disk-full",
        }
    }
}

/// A run.
#[derive(Clone, Debug)]
pub(super) struct Course {
    pub(super) seed: u64,
    /// How many instruments each venue has.
    pub(super) instruments: usize,
    /// How many levels a side.
    pub(super) depth: usize,
    /// Changes a second of each book.
    pub(super) rate: f64,
    /// What the venues and the sockets do.
    pub(super) plan: Plan,
    /// What happens to the processes, and when, in ns since the faults began.
    pub(super) blows: Vec<(u64, Blow)>,
    /// How long faults happen, in ns.
    pub(super) span: u64,
    /// Whether nothing but cuts of connections happens, so that what they cost can be measured.
    pub(super) is_of_cuts: bool,
}

/// How many kinds of faults of the catalogue a run has; with a stride of as many, runs one after
/// the other go through all of it.
const KINDS: usize = 8;

/// Every how many runs one has nothing but cuts.
const CUTS_EVERY: u64 = 5;

impl Course {
    /// The run of a seed.
    pub(super) fn draw(seed: u64) -> Self {
        let mut random = Random::of(seed, "drill");
        let is_of_cuts = seed % CUTS_EVERY == CUTS_EVERY - 1;
        let span = random.between(14, 18) * SECOND;
        let plan = if is_of_cuts {
            cuts()
        } else {
            plan(seed, &mut random)
        };
        Self {
            seed,
            instruments: if is_of_cuts {
                1
            } else {
                random.pick(&[1, 1, 2], 1)
            },
            depth: random.pick(&[10, 10, 5], 10),
            rate: random.pick(&[10.0, 20.0, 40.0], 20.0),
            plan,
            blows: if is_of_cuts {
                Vec::new()
            } else {
                blows(seed, &mut random)
            },
            span,
            is_of_cuts,
        }
    }

    /// When the last fault falls due, in ns: what falls due later finds nothing to happen to any more.
    pub(super) const fn last_due(&self) -> u64 {
        self.span - 4 * SECOND
    }

    /// What every venue trades.
    pub(super) fn instruments(&self) -> Vec<String> {
        let bases = ["BTC", "ETH", "SOL"];
        bases
            .iter()
            .take(self.instruments)
            .map(|base| (*base).to_owned())
            .collect()
    }
}

/// Every connection is cut now and then, and all at once.
fn cuts() -> Plan {
    let mut plan = Plan::default();
    for dialect in DIALECTS {
        // Few enough for the budget of connections that the server keeps.
        let mut fault = Fault::new(Kind::Cut, 15.0);
        fault.venue = Some(dialect.name.to_owned());
        plan.faults.push(fault);
    }
    plan.faults.push(Fault::new(Kind::MassCut, 6.0));
    plan
}

/// What cannot be shown in a run of seconds, or is no venue's doing.
fn is_left_out(kind: Kind) -> bool {
    // A refused book is asked for again after minutes, and a delisted or renamed one never comes back. The
    // client's machine is what `blows` are about.
    let is_slow = matches!(
        kind,
        Kind::Refused | Kind::LostRequest | Kind::Delisted | Kind::Renamed
    );
    is_slow || kind.needs_machine()
}

/// Some kinds of the catalogue, each at one venue.
fn plan(seed: u64, random: &mut Random) -> Plan {
    let kinds: Vec<Kind> = Kind::ALL
        .iter()
        .copied()
        .filter(|kind| !is_left_out(*kind))
        .collect();
    let mut plan = Plan::default();
    let first = usize::try_from(rank(seed)).unwrap_or(0).wrapping_mul(KINDS);
    // A stride that is prime to the number of kinds mixes kinds that stand together.
    let stride = if kinds.len().is_multiple_of(23) {
        29
    } else {
        23
    };
    for at in 0..KINDS {
        let place = first.wrapping_add(at).wrapping_mul(stride) % kinds.len();
        let kind = kinds[place];
        let mut fault = Fault::new(kind, random.pick(&[4.0, 8.0, 20.0], 8.0));
        let at_home: Vec<&str> = DIALECTS
            .iter()
            .map(|dialect| dialect.name)
            .filter(|name| kind.fits(name))
            .collect();
        fault.venue = Some(random.pick(&at_home, "bybit").to_owned());
        fault.rate = f64::min(fault.rate, most(kind));
        if kind == Kind::Stall {
            use Direction::{Both, ToClient, ToVenue};
            fault.direction = random.pick(&[ToClient, ToClient, Both, ToVenue], ToClient);
        }
        plan.faults.push(fault);
    }
    plan
}

/// How many runs of earlier seeds have more than cuts.
const fn rank(seed: u64) -> u64 {
    seed - (seed + 1) / CUTS_EVERY
}

/// How often a minute a kind may happen in a run of seconds.
const fn most(kind: Kind) -> f64 {
    match kind {
        Kind::Stall | Kind::HalfOpen | Kind::Frozen | Kind::Halted | Kind::Drip => 4.0,
        Kind::RollingStall | Kind::Lifetime => 4.0,
        Kind::ConnectHangs | Kind::TlsHangs | Kind::UpgradeHangs | Kind::RetryAfter => 4.0,
        Kind::Recount | Kind::TooLarge => 4.0,
        _ => 20.0,
    }
}

/// One or two of the five, in turn.
fn blows(seed: u64, random: &mut Random) -> Vec<(u64, Blow)> {
    let mut blow = |kind: u64| match kind % 5 {
        0 => Blow::KillServer,
        1 => Blow::StopServer(random.between(500, 6_400) * MS),
        2 => Blow::StopClient(random.between(3_000, 6_400) * MS),
        3 => Blow::NoFiles(random.between(1_000, 4_000) * MS),
        _ => Blow::FullDisk,
    };
    let rank = rank(seed);
    let first = blow(rank);
    let second = blow(rank + 2);
    let at =
        |random: &mut Random, from: u64| random.between(from * 1_000, from * 1_000 + 1_500) * MS;
    let mut blows = vec![(at(random, 2), first)];
    if random.chance(1, 2) {
        blows.push((at(random, 10), second));
    }
    blows
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_is_a_course() {
        for seed in 0..50 {
            let course = Course::draw(seed);
            assert_eq!(format!("{course:?}"), format!("{:?}", Course::draw(seed)));
            assert!(!course.plan.faults.is_empty());
            for fault in &course.plan.faults {
                let venue = fault.venue.as_deref();
                assert!(
                    venue.is_none_or(|venue| fault.kind.fits(venue)),
                    "{fault:?}"
                );
                // What is late is waited for.
                assert_eq!(fault.until_s, u64::MAX, "{fault:?}");
            }
            assert!((10 * SECOND..course.span).contains(&course.last_due()));
            assert!(course.blows.is_empty() == course.is_of_cuts);
            let mut end = 0;
            for (at, blow) in course.blows {
                assert!(at > end, "{blow:?}");
                end = at
                    + match blow {
                        Blow::KillServer | Blow::FullDisk => 0,
                        Blow::StopServer(time) | Blow::StopClient(time) | Blow::NoFiles(time) => {
                            time
                        }
                    };
            }
        }
    }

    #[test]
    fn a_window_of_seeds_goes_through_the_whole_catalogue_and_every_blow() {
        let courses: Vec<Course> = (100..115).map(Course::draw).collect();
        let faults = courses.iter().flat_map(|course| &course.plan.faults);
        let kinds: BTreeSet<Kind> = faults.map(|fault| fault.kind).collect();
        let missing = Kind::ALL
            .iter()
            .filter(|kind| !kinds.contains(kind) && !is_left_out(**kind));
        assert_eq!(missing.collect::<Vec<_>>(), Vec::<&Kind>::new());
        let blows = courses.iter().flat_map(|course| &course.blows);
        let names: BTreeSet<&str> = blows.map(|(_, blow)| blow.name()).collect();
        assert_eq!(names.len(), 5);
    }
}
