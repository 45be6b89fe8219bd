//! Many runs, each out of a seed: the flow of the product in a simulated world, judged by the
//! [oracle](crate::oracle).
//!
//! A run is a function of its seed. What fails is run again with one fault after another taken out,
//! as long as it still fails, so that a [`Failure`] names the fewest faults it takes.

mod regressions;
mod trace;

use std::{
    collections::BTreeMap,
    ops::Range,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

pub use regressions::{Regression, regressions};

use crate::{
    fault::{Kind, Plan},
    harness::{self, Nobody, Outcome, Plant, SHORTEST, Scenario, Wishes, Witness},
    oracle::{Judged, Rule, Violation},
};

/// Every how many seeds a run is done twice, to see that it is the same run.
const TWICE: u64 = 25;

/// What is to be run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The seeds.
    pub seeds: Range<u64>,
    /// Only these venues; empty leaves it to the seed.
    pub venues: Vec<String>,
    /// These faults; `None` leaves it to the seed.
    pub plan: Option<Plan>,
    /// Of the faults only those with these places in the plan, counted from 0.
    pub keep: Option<Vec<usize>>,
    /// A bug planted on purpose, by its name; see [`plants`].
    pub plant: Option<String>,
    /// How many runs go on at a time.
    pub threads: usize,
    /// Whether a failing seed is reduced to the fewest faults.
    pub shrink: bool,
    /// Where the ledger and the views of each run are written, as `SEED.ledger.jsonl` and
    /// `SEED.views.jsonl`.
    pub out: Option<PathBuf>,
    /// Whether everything that happens is printed.
    pub verbose: bool,
}

impl Options {
    /// These seeds, two at a time.
    pub const fn new(seeds: Range<u64>) -> Self {
        Self {
            seeds,
            venues: Vec::new(),
            plan: None,
            keep: None,
            plant: None,
            threads: 2,
            shrink: true,
            out: None,
            verbose: false,
        }
    }

    fn wishes(&self) -> Result<Wishes, FuzzError> {
        if self.seeds.is_empty() {
            return Err(FuzzError::Seeds(self.seeds.clone()));
        }
        let known = || crate::exchange::DIALECTS.iter().map(|dialect| dialect.name);
        if let Some(unknown) = self
            .venues
            .iter()
            .find(|name| !known().any(|k| k == **name))
        {
            return Err(FuzzError::Unknown {
                what: "venue",
                name: unknown.clone(),
                known: known().collect::<Vec<_>>().join(", "),
            });
        }
        let faults = self.plan.iter().flat_map(|plan| &plan.faults);
        for (at, fault) in faults.enumerate() {
            if fault.kind.needs_sockets() {
                return Err(FuzzError::Sockets(fault.kind));
            }
            let (from, least) = (fault.from_s, SHORTEST / 1_000_000_000);
            let late = || {
                format!("from_s = {from}, but the faults of a run end after {least} s, or later")
            };
            let is_within = fault.is_within(SHORTEST).then_some(()).ok_or_else(late);
            fault
                .check()
                .and(is_within)
                .map_err(|reason| FuzzError::Fault {
                    number: at + 1,
                    kind: fault.kind,
                    reason,
                })?;
        }
        let plant = self.plant.as_ref().map(|name| {
            Plant::find(name).ok_or_else(|| FuzzError::Unknown {
                what: "plant",
                name: name.clone(),
                known: plants().collect::<Vec<_>>().join(", "),
            })
        });
        Ok(Wishes {
            venues: self.venues.clone(),
            plan: self.plan.clone(),
            keep: self.keep.clone(),
            plant: plant.transpose()?,
        })
    }
}

/// The names of the bugs that can be planted.
pub fn plants() -> impl Iterator<Item = &'static str> {
    Plant::ALL.iter().map(|plant| plant.name())
}

/// Why nothing was run, or not all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FuzzError {
    /// There is nothing of that name.
    #[error("unknown {what} {name:?}: choose among {known}")]
    Unknown {
        /// What kind of thing.
        what: &'static str,
        /// The name.
        name: String,
        /// The names there are.
        known: String,
    },
    /// There is no seed in the range.
    #[error("no seeds in {}..{}: the end comes after the last seed", .0.start, .0.end)]
    Seeds(Range<u64>),
    /// The plan has a fault that takes real sockets.
    #[error("{0} takes real sockets, of which a simulated world has none: see `serve`")]
    Sockets(Kind),
    /// There is no fault at a place of the plan that is to be kept.
    #[error(
        "nothing can be kept at place {place}: the plan of seed {seed} has {count} faults, counted from 0"
    )]
    Keep {
        /// The seed.
        seed: u64,
        /// The place.
        place: usize,
        /// How many faults the plan has.
        count: usize,
    },
    /// A fault of the plan cannot happen.
    #[error("fault {number} ({kind}) can never happen: {reason}")]
    Fault {
        /// Which of the plan, counted from 1.
        number: usize,
        /// What would happen.
        kind: Kind,
        /// Why it cannot.
        reason: String,
    },
    /// A file could not be written.
    #[error("{}: cannot be written: {error}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        error: std::io::Error,
    },
}

/// A seed that failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What was found; the first is the one to look at.
    pub violations: Vec<Violation>,
    /// The places in the plan of the fewest faults found that it takes.
    pub keep: Vec<usize>,
    /// Those faults.
    pub faults: Vec<String>,
}

/// What came of all runs.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// How many seeds were run.
    pub seeds: u64,
    /// Messages that reached clients.
    pub messages: u64,
    /// What the oracle judged.
    pub judged: Judged,
    /// How often each fault fired.
    pub fired: BTreeMap<Kind, u64>,
    /// Simulated time in ns.
    pub span: u64,
    /// Stands for everything that happened in all runs, whatever their order.
    pub digest: u64,
    /// The seeds that failed, in their order.
    pub failures: Vec<Failure>,
}

/// The seeds that a commit tries besides those of all commits: `count` of them from the number on
/// that the first ten digits of its hash are. `None` for what begins with no ten hexadecimal digits.
pub fn window(hash: &str, count: u64) -> Option<Range<u64>> {
    let digits = hash.get(..10)?;
    let is_hash = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let first = u64::from_str_radix(digits, 16).ok().filter(|_| is_hash)?;
    Some(first..first + count)
}

/// Runs the seeds; `on_failure` hears of each failing one as soon as it is known.
///
/// # Errors
/// [`FuzzError`] when the options are no good, or a file cannot be written.
pub fn fuzz(
    options: &Options,
    on_failure: &(dyn Fn(&Failure) + Sync),
) -> Result<Summary, FuzzError> {
    fuzz_while(options, &|| true, on_failure)
}

/// Runs the seeds in their order as long as `goes_on` says so before the next is begun.
///
/// # Errors
/// As [`fuzz`].
pub fn fuzz_while(
    options: &Options,
    goes_on: &(dyn Fn() -> bool + Sync),
    on_failure: &(dyn Fn(&Failure) + Sync),
) -> Result<Summary, FuzzError> {
    let wishes = options.wishes()?;
    let next = AtomicU64::new(options.seeds.start);
    let summary = Mutex::new(Summary::default());
    let first_error = Mutex::new(None);
    let work = || {
        while goes_on() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= options.seeds.end {
                return;
            }
            match one(options, &wishes, seed) {
                Ok((outcome, failure)) => {
                    if let Some(failure) = &failure {
                        on_failure(failure);
                    }
                    locked(&summary).add(seed, &outcome, failure);
                }
                Err(error) => {
                    locked(&first_error).get_or_insert(error);
                    return;
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..options.threads {
            scope.spawn(work);
        }
        work();
    });
    if let Some(error) = locked(&first_error).take() {
        return Err(error);
    }
    let mut summary = locked(&summary).clone();
    summary.failures.sort_by_key(|failure| failure.seed);
    Ok(summary)
}

/// Plants each bug there is in turn and runs the seeds until one fails; `on_plant` hears of each
/// bug by which failure it was found, if it was. Answers how many were not found.
///
/// # Errors
/// As [`fuzz`].
pub fn hunt(
    options: &Options,
    on_plant: &mut dyn FnMut(&'static str, Option<&Failure>),
) -> Result<usize, FuzzError> {
    let mut missed = 0;
    for name in plants() {
        let mut found = None;
        let mut from = options.seeds.start;
        while found.is_none() && from < options.seeds.end {
            let to = (from + options.threads as u64 * 2).min(options.seeds.end);
            let some = Options {
                seeds: from..to,
                plant: Some(name.to_owned()),
                ..options.clone()
            };
            for failure in fuzz(&some, &|_| {})?.failures {
                if found.is_none() && is_doing(&failure, options)? {
                    found = Some(failure);
                }
            }
            from = to;
        }
        missed += usize::from(found.is_none());
        on_plant(name, found.as_ref());
    }
    Ok(missed)
}

/// Whether the failure is the planted bug's doing: the same seed passes without it, and what was
/// found is no fault that had nothing to happen to.
fn is_doing(failure: &Failure, options: &Options) -> Result<bool, FuzzError> {
    let is_found = |violation: &Violation| violation.rule != Rule::Fired;
    if !failure.violations.iter().any(is_found) {
        return Ok(false);
    }
    let without = Options {
        seeds: failure.seed..failure.seed + 1,
        plant: None,
        ..options.clone()
    };
    Ok(fuzz(&without, &|_| {})?.failures.is_empty())
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs one seed.
fn one(
    options: &Options,
    wishes: &Wishes,
    seed: u64,
) -> Result<(Outcome, Option<Failure>), FuzzError> {
    let whole = Scenario::draw(
        seed,
        &Wishes {
            keep: None,
            ..wishes.clone()
        },
    );
    let count = whole.plan.faults.len();
    let mut kept = wishes.keep.iter().flatten();
    if let Some(&place) = kept.find(|place| **place >= count) {
        return Err(FuzzError::Keep { seed, place, count });
    }
    let scenario = Scenario::draw(seed, wishes);
    let mut outcome = match (&options.out, options.verbose) {
        (None, false) => harness::run(&scenario, &mut Nobody),
        (out, verbose) => {
            let mut trace = trace::Trace::new(out.as_deref(), seed, verbose)?;
            if verbose {
                trace.say(&format!("{scenario:#?}"));
            }
            let outcome = harness::run(&scenario, &mut trace);
            trace.finish()?;
            outcome
        }
    };
    if seed.is_multiple_of(TWICE) || !outcome.violations.is_empty() {
        let again = harness::run(&scenario, &mut Nobody);
        if again.digest != outcome.digest {
            let what = format!(
                "two runs differ: {:016x} and {:016x}",
                outcome.digest, again.digest
            );
            let rule = Rule::Failure;
            outcome
                .violations
                .push(Violation::new(rule, 0, "simulator", what));
        }
    }
    if outcome.violations.is_empty() {
        return Ok((outcome, None));
    }
    let all: Vec<usize> = (0..scenario.plan.faults.len()).collect();
    let all = wishes.keep.clone().unwrap_or(all);
    let keep = if options.shrink {
        shrink(wishes, seed, all, &outcome)
    } else {
        all
    };
    let name = |at: &usize| {
        let fault = whole.plan.faults.get(*at)?;
        let venue = fault.venue.as_deref().unwrap_or("anywhere");
        Some(format!("{} at {venue}", fault.kind))
    };
    let failure = Failure {
        seed,
        violations: outcome.violations.clone(),
        faults: keep.iter().filter_map(name).collect(),
        keep,
    };
    Ok((outcome, Some(failure)))
}

/// Takes out one fault after another, as long as the run still breaks the same promise.
fn shrink(wishes: &Wishes, seed: u64, mut keep: Vec<usize>, outcome: &Outcome) -> Vec<usize> {
    let Some(rule) = outcome.violations.first().map(|violation| violation.rule) else {
        return keep;
    };
    let mut at = 0;
    while at < keep.len() {
        let mut fewer = keep.clone();
        fewer.remove(at);
        let scenario = Scenario::draw(
            seed,
            &Wishes {
                keep: Some(fewer.clone()),
                ..wishes.clone()
            },
        );
        let outcome = harness::run(&scenario, &mut Nobody);
        if outcome
            .violations
            .iter()
            .any(|violation| violation.rule == rule)
        {
            keep = fewer;
        } else {
            at += 1;
        }
    }
    keep
}

impl Summary {
    /// Adds what came of other runs.
    pub fn join(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.messages += other.messages;
        self.span += other.span;
        self.digest = self.digest.wrapping_add(other.digest);
        self.judged.entries += other.judged.entries;
        self.judged.views += other.judged.views;
        self.judged.legs += other.judged.legs;
        for (kind, count) in other.fired {
            *self.fired.entry(kind).or_insert(0) += count;
        }
        self.failures.extend(other.failures);
    }

    fn add(&mut self, seed: u64, outcome: &Outcome, failure: Option<Failure>) {
        self.seeds += 1;
        self.messages += outcome.messages;
        self.span += outcome.span;
        // A sum, so that the order in which threads finish does not show.
        let word = outcome.digest ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.digest = self
            .digest
            .wrapping_add(word.wrapping_mul(0xbf58_476d_1ce4_e5b9));
        self.judged.entries += outcome.judged.entries;
        self.judged.views += outcome.judged.views;
        self.judged.legs += outcome.judged.legs;
        for (kind, count) in &outcome.fired {
            *self.fired.entry(*kind).or_insert(0) += count;
        }
        self.failures.extend(failure);
    }
}

impl Failure {
    /// The one command that shows it again.
    pub fn command(&self, options: &Options, plan: Option<&str>) -> String {
        let mut command = format!("dragonfly-sim fuzz --seed {}", self.seed);
        if !options.venues.is_empty() {
            command += &format!(" --venues {}", options.venues.join(","));
        }
        if let Some(plan) = plan {
            command += &format!(" --plan {plan}");
        }
        if let Some(plant) = &options.plant {
            command += &format!(" --plant {plant}");
        }
        let keep: Vec<String> = self.keep.iter().map(ToString::to_string).collect();
        command + " --keep " + if keep.is_empty() { "none" } else { "" } + &keep.join(",")
    }
}
