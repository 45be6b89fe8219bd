//! The state machines alone: lists of operations, held step by step against a model.
//!
//! A case is a few venues with rules of all kinds, and a list of operations drawn out of its number:
//! messages that fit and messages that do not, links that come and go, refusals, silence, time up to
//! a deadline, just before it or just after it. The product's listeners, edge, queues and aggregators
//! take each operation, and so does a model that shares no code with them: sorted lists that are
//! searched from their beginning, merges by sorting everything. After each operation the two are
//! compared: states with their causes, epochs and numbers, every level of every book, each event
//! and that there is no other, what is asked for, deadlines, each view, and what conflation has
//! replaced.
//!
//! What the model makes of the rules could be wrong as well. So in every third case the venues may lose,
//! repeat and reorder what they say, but say nothing that is wrong, and a live book has to be the one
//! that the venue has at the same number.
//!
//! A case that fails is reduced by delta debugging (Zeller and Hildebrandt, 2002) to a list from
//! which no operation and no level can be taken away. The lists have a generator of their own
//! instead of a property-testing library's: what a venue says next depends on what it said before
//! and on what the book waits for, and the operations are checked while they are drawn, so that
//! nothing but a failing case is ever kept.
//!
//! ```
//! use dragonfly_sim::model::{Options, run};
//!
//! let summary = run(&Options::new(0..2), &|failure| eprintln!("{failure}"))?;
//! assert!(summary.failures.is_empty());
//! assert!(summary.updates > 0);
//! # Ok::<(), dragonfly_sim::model::ModelError>(())
//! ```
//!
//! What is not tried here: messages that are shown before they are whole, and the wait a venue asks
//! for, which the connection's driver keeps. [`fuzz`](mod@crate::fuzz) tries both.

mod book;
mod case;
mod checksum;
mod generator;
mod kind;
mod listener;
mod setup;
mod side;
mod subject;
mod views;
mod wire;
mod world;

use std::{
    collections::BTreeMap,
    fmt,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use self::{case::Outcome, kind::Kind, subject::Plant};

/// From so many cases on everything in the catalogue must have happened.
pub const COVERED_BY: u64 = 100;

/// How many cases are given out before the updates are counted.
const BATCH: u64 = 32;

/// A run that has so many failures ends: more of them say no more.
const MOST_FAILURES: usize = 20;

/// Every how many cases one is done twice, to see that it is the same.
const TWICE: u64 = 50;

/// What is to be run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The cases.
    pub cases: Range<u64>,
    /// Stop when so many updates have been compared, whichever cases are left.
    pub updates: Option<u64>,
    /// A bug planted on purpose, by its name; see [`plants`].
    pub plant: Option<String>,
    /// How many cases go on at a time.
    pub threads: usize,
    /// Whether a failing case is reduced.
    pub shrink: bool,
}

impl Options {
    /// These cases, two at a time.
    pub const fn new(cases: Range<u64>) -> Self {
        Self {
            cases,
            updates: None,
            plant: None,
            threads: 2,
            shrink: true,
        }
    }

    fn plant(&self) -> Result<Option<Plant>, ModelError> {
        if self.cases.is_empty() {
            return Err(ModelError::Cases(self.cases.clone()));
        }
        let find = |name: &String| {
            Plant::find(name).ok_or_else(|| ModelError::Plant {
                name: name.clone(),
                known: plants().collect::<Vec<_>>().join(", "),
            })
        };
        self.plant.as_ref().map(find).transpose()
    }
}

/// The names of the bugs that can be planted.
pub fn plants() -> impl Iterator<Item = &'static str> {
    Plant::ALL.iter().map(|plant| plant.name())
}

/// What can happen in a case: its name, and what it is.
pub fn kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    Kind::ALL
        .iter()
        .map(|kind| (kind.name(), kind.about().trim()))
}

/// Whether what is named so is a fault, and nothing that happens to a book when all is well.
pub fn is_fault(name: &str) -> bool {
    Kind::ALL
        .iter()
        .any(|kind| kind.name() == name && kind.is_fault())
}

/// Why nothing was run.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// There is no plant of that name.
    #[error("unknown plant {name:?}: choose among {known}")]
    Plant {
        /// The name.
        name: String,
        /// The names there are.
        known: String,
    },
    /// There is no case in the range.
    #[error("no cases in {}..{}: the end comes after the last case", .0.start, .0.end)]
    Cases(Range<u64>),
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// No price without trust, no book out of order, nothing that goes back.
    Trust,
    /// State, cause, epoch and number of each book.
    State,
    /// Every level of each book.
    Levels,
    /// Each event, and no other.
    Events,
    /// What is asked for.
    Answer,
    /// A live book is the venue's own at the same number.
    Truth,
    /// When the listener wants to be called.
    Deadline,
    /// How often what happened.
    Counts,
    /// The consolidated view.
    View,
    /// The summed view.
    Sums,
    /// What conflation replaced, and what came through.
    Loss,
    /// The waits between attempts.
    Retry,
    /// The budget of requests.
    Budget,
    /// The same case twice is the same.
    Repeat,
    /// The product panicked.
    Panic,
}

impl Rule {
    /// The rule's lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trust => "trust",
            Self::State => "state",
            Self::Levels => "levels",
            Self::Events => "events",
            Self::Answer => "answer",
            Self::Truth => "truth",
            Self::Deadline => "deadline",
            Self::Counts => "counts",
            Self::View => "view",
            Self::Sums => "sums",
            Self::Loss => "loss",
            Self::Retry => "retry",
            Self::Budget => "budget",
            Self::Repeat => "repeat",
            Self::Panic => "panic",
        }
    }
}

/// Something that is not as it must be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Violation {
    /// What was compared.
    pub rule: Rule,
    /// What was found, and what was expected.
    pub what: String,
}

impl Violation {
    const fn new(rule: Rule, what: String) -> Self {
        Self { rule, what }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule.name(), self.what)
    }
}

/// A case that failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The case.
    pub case: u64,
    /// What was found, by the shortest list.
    pub violation: Violation,
    /// How many operations it took.
    pub drawn: usize,
    /// The venues it takes, and the shortest list of operations found, in words.
    pub lines: Vec<String>,
    plant: Option<Plant>,
}

impl Failure {
    /// The one command that shows it again.
    pub fn command(&self) -> String {
        let plant = self.plant.map(|plant| format!(" --plant {}", plant.name()));
        let case = self.case;
        format!(
            "dragonfly-sim model --case {case}{}",
            plant.unwrap_or_default()
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (case, drawn) = (self.case, self.drawn);
        writeln!(
            f,
            "case {case} failed at operation {drawn}: {}",
            self.command()
        )?;
        for line in &self.lines {
            writeln!(f, "    {line}")?;
        }
        write!(f, "    {}", self.violation)
    }
}

/// What came of all cases.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// How many cases were run.
    pub cases: u64,
    /// Operations taken.
    pub operations: u64,
    /// Book updates among them.
    pub updates: u64,
    /// Events compared.
    pub events: u64,
    /// Views compared, of both kinds.
    pub views: u64,
    /// Live books compared with what their venue has.
    pub truths: u64,
    /// How often each kind of thing happened.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Stands for everything that came out of the product, whatever the order of the cases.
    pub digest: u64,
    /// The cases that failed, in their order.
    pub failures: Vec<Failure>,
}

impl Summary {
    /// What never happened.
    pub fn missing(&self) -> Vec<&'static str> {
        let never = |name: &&str| self.kinds.get(name).is_none_or(|count| *count == 0);
        kinds().map(|(name, _)| name).filter(never).collect()
    }

    fn add(&mut self, case: u64, outcome: &Outcome, failure: Option<Failure>) {
        self.cases += 1;
        self.operations += outcome.operations;
        self.updates += outcome.updates;
        self.events += outcome.events;
        self.views += outcome.views;
        self.truths += outcome.truths;
        // A sum, so that the order in which threads finish does not show.
        let word = outcome.digest ^ case.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.digest = self
            .digest
            .wrapping_add(word.wrapping_mul(0xbf58_476d_1ce4_e5b9));
        for kind in Kind::ALL {
            *self.kinds.entry(kind.name()).or_insert(0) += outcome.tally.of(*kind);
        }
        self.failures.extend(failure);
    }
}

/// Runs the cases; `on_failure` hears of each failing one as soon as it is known. After twenty of
/// those the rest is left out.
///
/// # Errors
/// [`ModelError`] when the options are no good.
pub fn run(
    options: &Options,
    on_failure: &(dyn Fn(&Failure) + Sync),
) -> Result<Summary, ModelError> {
    let plant = options.plant()?;
    let summary = Mutex::new(Summary::default());
    let mut from = options.cases.start;
    // In batches, so that which cases are run does not depend on which thread is faster.
    while from < options.cases.end {
        let batch = if options.updates.is_some() {
            BATCH
        } else {
            u64::MAX
        };
        let to = from.saturating_add(batch).min(options.cases.end);
        let next = AtomicU64::new(from);
        let work = || {
            loop {
                let case = next.fetch_add(1, Ordering::Relaxed);
                if case >= to || locked(&summary).failures.len() >= MOST_FAILURES {
                    return;
                }
                let (outcome, failure) = one(case, plant, options.shrink);
                if let Some(failure) = &failure {
                    on_failure(failure);
                }
                locked(&summary).add(case, &outcome, failure);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..options.threads {
                scope.spawn(work);
            }
            work();
        });
        from = to;
        let so_far = locked(&summary);
        let is_enough = options
            .updates
            .is_some_and(|updates| so_far.updates >= updates);
        if is_enough || so_far.failures.len() >= MOST_FAILURES {
            break;
        }
    }
    let mut summary = locked(&summary).clone();
    summary.failures.sort_by_key(|failure| failure.case);
    Ok(summary)
}

/// Plants each bug there is in turn and runs the cases one by one until one fails; `on_plant` hears
/// of each bug by which failure it was found, if it was. Answers how many were not found.
///
/// # Errors
/// As [`run`].
pub fn hunt(
    options: &Options,
    on_plant: &mut dyn FnMut(&'static str, Option<&Failure>),
) -> Result<usize, ModelError> {
    options.plant()?;
    let mut missed = 0;
    for plant in Plant::ALL {
        let mut cases = options.cases.clone();
        let found = cases.find_map(|case| one(case, Some(*plant), options.shrink).1);
        missed += usize::from(found.is_none());
        on_plant(plant.name(), found.as_ref());
    }
    Ok(missed)
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn one(case: u64, plant: Option<Plant>, shrinks: bool) -> (Outcome, Option<Failure>) {
    let mut outcome = case::run(case, plant);
    if case.is_multiple_of(TWICE) && outcome.violation.is_none() {
        let again = case::run(case, plant).digest;
        if again != outcome.digest {
            let what = format!("two runs differ: {:016x} and {again:016x}", outcome.digest);
            outcome.violation = Some(Violation::new(Rule::Repeat, what));
        }
    }
    let failure = outcome.violation.clone().map(|violation| {
        let drawn = usize::try_from(outcome.operations).unwrap_or(usize::MAX);
        let (lines, violation) = case::explain(case, plant, violation, shrinks);
        Failure {
            case,
            violation,
            drawn,
            lines,
            plant,
        }
    });
    (outcome, failure)
}
