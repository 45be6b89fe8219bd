//! What a run is made of, drawn from its seed.

use super::Plant;
use crate::{
    exchange::{DIALECTS, Dialect},
    fault::{self, Plan},
    market::Character,
    random::Random,
};

/// What the caller wants of all seeds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    /// These venues; empty leaves it to the seed.
    pub(crate) venues: Vec<String>,
    /// These faults; `None` leaves it to the seed.
    pub(crate) plan: Option<Plan>,
    /// Of the faults only those with these places in the plan.
    pub(crate) keep: Option<Vec<usize>>,
    pub(crate) plant: Option<Plant>,
}

/// An instrument of a run.
#[derive(Clone, Debug)]
pub(crate) struct ListingPlan {
    pub(crate) base: &'static str,
    pub(crate) character: Character,
}

/// A connection of a run.
#[derive(Clone, Debug)]
pub(crate) struct SocketPlan {
    pub(crate) number: u32,
    pub(crate) dialect: &'static Dialect,
    pub(crate) listings: Vec<ListingPlan>,
}

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) sockets: Vec<SocketPlan>,
    pub(crate) plan: Plan,
    /// How long faults happen, in ns.
    pub(crate) span: u64,
    /// How many levels a side the feeds emit.
    pub(crate) depth: usize,
    /// How many levels a side the views have.
    pub(crate) view_depth: usize,
    pub(crate) first_queue: usize,
    pub(crate) second_queue: usize,
    /// How many messages a feed takes at a turn.
    pub(crate) batch: usize,
    /// How long the reader of the views is away at a time, in ns.
    pub(crate) away: u64,
    /// The time a message takes at the least, in ns.
    pub(crate) latency: u64,
    /// Whether large messages are seen while they arrive.
    pub(crate) reads_early: bool,
    /// Whether the feeds' own listeners tell only what is new, or a decorator of theirs.
    pub(crate) tells_only_changes: bool,
    pub(crate) plant: Option<Plant>,
}

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
/// How long faults happen at the least, in ns.
pub(crate) const SHORTEST: u64 = 12 * SECOND;
const BASES: [&str; 4] = ["BTC", "ETH", "SOL", "DOGE"];

impl Scenario {
    /// The run of a seed.
    pub(crate) fn draw(seed: u64, wishes: &Wishes) -> Self {
        let mut random = Random::of(seed, "scenario");
        let dialects = dialects(&mut random, &wishes.venues);
        let bases = random.between(1, 3);
        let bases: Vec<&'static str> = BASES
            .into_iter()
            .take(usize::try_from(bases).unwrap_or(1))
            .collect();
        let is_long = random.chance(1, 12);
        let span = if is_long {
            100 * SECOND
        } else {
            random.between(SHORTEST / SECOND, 30) * SECOND
        };
        let slowest = if is_long { 60 * SECOND } else { 20 * SECOND };
        let sockets = sockets(&mut random, &dialects, &bases, is_long, slowest);
        let names: Vec<&str> = dialects.iter().map(|dialect| dialect.name).collect();
        let mut plan = wishes
            .plan
            .clone()
            .unwrap_or_else(|| fault::draw(seed, &names));
        plan.tell_twins();
        if let Some(keep) = &wishes.keep {
            let mut at = 0..plan.faults.len();
            plan.faults
                .retain(|_| at.next().is_some_and(|at| keep.contains(&at)));
        }
        // Kraken's checksum vouches for ten levels a side and no more.
        let most = if names.contains(&"kraken") { 10 } else { 20 };
        let depth = random.pick(&[10, 10, most, 5, 1, 8], 10);
        let is_tight = random.chance(1, 3);
        let (reads_early, tells_only_changes) = (random.chance(1, 2), random.chance(2, 3));
        Self {
            seed,
            sockets,
            plan,
            span,
            depth,
            view_depth: random.pick(&[10, 10, 20, 3], 10),
            first_queue: if is_tight { 4 } else { 256 },
            second_queue: if is_tight { 4 } else { 1024 },
            batch: random.pick(&[1, 1, 4, 16], 1),
            away: if random.chance(1, 4) {
                random.between(1, 20) * MS
            } else {
                0
            },
            latency: random.between(10, 40_000) * 1_000,
            reads_early,
            tells_only_changes,
            plant: wishes.plant,
        }
    }

    /// The venues that no fault of the plan can reach.
    pub(crate) fn untouched(&self) -> Vec<&'static str> {
        let reaches = |fault: &fault::Fault, venue: &str| {
            fault.kind.is_everywhere() || fault.venue.as_deref().is_none_or(|only| only == venue)
        };
        let mut venues: Vec<&'static str> = self.sockets.iter().map(|s| s.dialect.name).collect();
        venues.dedup();
        venues.retain(|venue| !self.plan.faults.iter().any(|fault| reaches(fault, venue)));
        venues
    }

    /// The longest time until every leg is well again once nothing goes wrong any more, in ns.
    pub(crate) const fn recovery(&self) -> u64 {
        200 * SECOND
    }
}

fn dialects(random: &mut Random, wanted: &[String]) -> Vec<&'static Dialect> {
    let is_wanted = |d: &&Dialect| wanted.is_empty() || wanted.iter().any(|name| name == d.name);
    let mut dialects: Vec<&'static Dialect> = DIALECTS.into_iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        let count = random.between(1, 5).max(random.between(1, 5));
        while dialects.len() as u64 > count {
            dialects.remove(random.index(dialects.len()));
        }
    }
    dialects
}

fn sockets(
    random: &mut Random,
    dialects: &[&'static Dialect],
    bases: &[&'static str],
    is_slow: bool,
    slowest: u64,
) -> Vec<SocketPlan> {
    let mut sockets = Vec::new();
    // The same worth at every venue, in units of a millionth.
    let worths: Vec<u64> = bases
        .iter()
        .map(|_| random.between(100, 99_999_999) * 1_000)
        .collect();
    for &dialect in dialects {
        let mut listings = Vec::new();
        for (at, &base) in bases.iter().enumerate() {
            let gap = gap(random, at == 0, is_slow, slowest);
            let character = Character::draw(random, worths[at], gap);
            listings.push(ListingPlan { base, character });
        }
        let shares = random.chance(2, 3);
        let groups: Vec<Vec<ListingPlan>> = if shares {
            vec![listings]
        } else {
            listings.into_iter().map(|listing| vec![listing]).collect()
        };
        for listings in groups {
            let number = u32::try_from(sockets.len()).unwrap_or(0);
            sockets.push(SocketPlan {
                number,
                dialect,
                listings,
            });
        }
    }
    sockets
}

/// The mean time between two changes. The first instrument of each venue is never very slow, so
/// that there is something for faults to happen to.
fn gap(random: &mut Random, is_first: bool, is_slow: bool, slowest: u64) -> u64 {
    let fast = [5 * MS, 15 * MS, 40 * MS, 100 * MS, 300 * MS];
    let slow = [300 * MS, SECOND, 3 * SECOND, slowest];
    match (is_first, is_slow) {
        (true, false) => random.pick(&fast, MS),
        (true, true) => 300 * MS,
        (false, true) => random.pick(&slow, SECOND),
        (false, false) if random.chance(1, 2) => random.pick(&fast, MS),
        (false, false) => random.pick(&slow, SECOND),
    }
}
