//! What a case is about: which venues, with which rules.

use crate::random::Random;

/// How a venue numbers its updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    None,
    Increasing,
    Next { restart: Option<u64> },
    Span,
    Previous,
    Connection,
}

/// A venue and what it promises. Times are in ns.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// The venue's name.
    pub(super) name: String,
    pub(super) numbers: Numbers,
    /// Whether it sends whole images, and nothing else.
    pub(super) images: bool,
    /// Over how many levels its checksums are.
    pub(super) checksum: Option<usize>,
    pub(super) window: Option<usize>,
    pub(super) sync_buffer: usize,
    pub(super) stale_after: u64,
    pub(super) heartbeats_count: bool,
    pub(super) renew_after: Option<u64>,
    pub(super) sync_within: u64,
    pub(super) refused_again: u64,
    pub(super) bad_messages: u32,
    /// How many levels of a book go on.
    pub(super) depth: usize,
    pub(super) only_changes: bool,
    /// How many books there are.
    pub(super) books: usize,
    pub(super) price_decimals: u8,
    pub(super) qty_decimals: u8,
}

/// A case.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) venues: Vec<Rules>,
    /// How many levels a view shows.
    pub(super) shown: usize,
    /// How many events the first queue holds.
    pub(super) queue: usize,
    /// Where prices lie, in ticks of the coarsest venue.
    pub(super) middle: i128,
    pub(super) price_decimals: u8,
    /// Whether its venues lose and repeat what they say, but never say what is wrong: then a live
    /// book is the venue's own, whatever the model makes of the rules.
    pub(super) is_honest: bool,
    /// How many operations it has.
    pub(super) ops: usize,
}

/// The name of a book at its venue.
pub(super) fn book_name(book: usize) -> String {
    // Not in the order of places, so that the order of names is another.
    format!("s{}", (book * 5 + 3) % 7)
}

const MS: u64 = 1_000_000;

impl Setup {
    /// The case of a number.
    pub(super) fn draw(case: u64) -> Self {
        let mut random = Random::of(case, "setup");
        let is_crowd = random.chance(1, 16);
        let venues = if is_crowd { 9 } else { random.between(1, 4) };
        let price_decimals = random.pick(&[0, 1, 2, 4, 8], 2);
        // Ten digits, or more than a floating-point number holds.
        let middle = random.pick(&[300, 5_000_000, 12_345_678_901_234_567], 300);
        let rules = (0..venues).map(|at| {
            let mut rules = rules(&mut random, at, price_decimals);
            if is_crowd {
                rules.books = 3;
            }
            rules
        });
        let venues = rules.collect();
        Self {
            venues,
            shown: random.pick(&[1, 3, 10, 20], 10),
            queue: random.pick(&[2, 4, 8, 64], 8),
            middle,
            price_decimals,
            is_honest: Random::of(case, "honesty").chance(1, 3),
            ops: 1_500,
        }
    }
}

fn rules(random: &mut Random, at: u64, decimals: u8) -> Rules {
    let (numbers, images, has_checksum) = match random.below(9) {
        0 => (Numbers::None, true, false),
        1 => (Numbers::None, false, true),
        2 => (Numbers::None, false, false),
        3 => (Numbers::Increasing, true, false),
        4 => (Numbers::Increasing, false, random.chance(1, 4)),
        5 => {
            let restart = random.chance(2, 3).then_some(1);
            (Numbers::Next { restart }, false, random.chance(1, 4))
        }
        6 => (Numbers::Span, false, random.chance(1, 4)),
        7 => (Numbers::Previous, false, random.chance(1, 4)),
        _ => (Numbers::Connection, false, random.chance(1, 4)),
    };
    let has_window = !images && (has_checksum || random.chance(1, 4));
    Rules {
        name: format!("v{}", (at * 7 + 3) % 10),
        numbers,
        images,
        checksum: has_checksum.then(|| random.pick(&[3, 5, 10], 10)),
        window: has_window.then(|| random.pick(&[4, 10, 25], 10)),
        sync_buffer: random.pick(&[1, 2, 4, 40], 4),
        stale_after: random.pick(&[500, 1_000, 5_000], 5_000) * MS,
        heartbeats_count: random.chance(1, 2),
        renew_after: random
            .chance(1, 2)
            .then(|| random.between(1, 20) * 500 * MS),
        sync_within: random.pick(&[300, 2_000, 10_000], 10_000) * MS,
        refused_again: random.pick(&[2_000, 30_000], 30_000) * MS,
        bad_messages: random.pick(&[1, 3, 3, 5], 3),
        depth: random.pick(&[1, 3, 5, 10, 20], 10),
        only_changes: random.chance(1, 2),
        books: random.pick(&[1, 1, 2, 3], 1),
        price_decimals: decimals + random.pick(&[0, 0, 1, 3], 0),
        qty_decimals: random.pick(&[0, 2, 8], 8),
    }
}
