//! The release programs under fire: a server and its clients as child processes, against
//! [generated venues](crate::live) over real sockets, judged by the [oracle](crate::oracle).
//!
//! Each seed draws what the venues have, what their sockets do wrong, and what happens to the
//! processes: the server is killed and started again, the server or a client stands still for a
//! while. Three clients of the server write down what they show, one line of JSON for each view; two
//! of them are prompt and held to times, the third is the one that is stopped. Then all faults end:
//! every book has to be shown as it is, the server has to rest, and on SIGTERM it has to end in order
//! and to tell its clients.
//!
//! Over real sockets a seed is the same plan, and not the same run to the last message: what is found
//! once may take some runs of the same seed to be found again. Each run that fails keeps its ledger,
//! its views and the logs of the programs.

mod course;
mod figures;
mod judge;
mod line;
mod process;
mod run;
mod trace;

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use dragonfly_core::clock::Clock;

use crate::{
    oracle::{Judged, Violation},
    report,
};
use course::Course;
use figures::{Figures, Times};

/// What is to be run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The server program.
    pub server: PathBuf,
    /// The client program.
    pub client: PathBuf,
    /// The seeds.
    pub seeds: Range<u64>,
    /// No seed is begun that would not be done by then.
    pub time: Option<Duration>,
    /// How many runs go on at a time.
    pub threads: usize,
    /// Where the files of each run are written.
    pub out: PathBuf,
    /// Whether the files of runs are kept in which nothing was found.
    pub keeps_all: bool,
}

impl Options {
    /// These programs and seeds, two at a time, with files in a folder.
    pub fn new(server: PathBuf, client: PathBuf, seeds: Range<u64>, out: PathBuf) -> Self {
        Self {
            server,
            client,
            seeds,
            time: None,
            threads: 2,
            out,
            keeps_all: false,
        }
    }
}

/// A seed that failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What was found; the first is the one to look at.
    pub violations: Vec<Violation>,
    /// What happened in the run.
    pub fired: BTreeMap<String, u64>,
}

/// What came of one run.
#[derive(Debug)]
struct Outcome {
    judged: Judged,
    fired: BTreeMap<String, u64>,
    violations: Vec<Violation>,
    figures: Figures,
    skipped: u64,
    recovery: Option<u64>,
    cpu_percent: u64,
    exit: Option<u64>,
    is_of_cuts: bool,
}

/// What came of all runs.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// How many seeds were run.
    pub seeds: u64,
    /// What the oracle judged.
    pub judged: Judged,
    /// How often each fault fired, of venues, sockets and processes.
    pub fired: BTreeMap<String, u64>,
    /// How many views the clients were told they were not shown.
    pub skipped: u64,
    /// The seeds that failed, in their order.
    pub failures: Vec<Failure>,
    cut: Times,
    gap: Times,
    gap_anew: Times,
    stale: Times,
    restart: Times,
    recovery: Times,
    exit: Times,
    most_cpu_percent: u64,
}

/// Runs the seeds; `on_failure` hears of each failing one as soon as it is known.
///
/// # Errors
/// When runs are not possible: a program or a folder that is not there.
pub fn drill(options: &Options, on_failure: &(dyn Fn(&Failure) + Sync)) -> Result<Summary, String> {
    if options.seeds.is_empty() {
        let Range { start, end } = options.seeds;
        return Err(format!(
            "no seeds in {start}..{end}: the end comes after the last seed"
        ));
    }
    std::fs::create_dir_all(&options.out)
        .map_err(|error| format!("{}: {error}", options.out.display()))?;
    let next = AtomicU64::new(options.seeds.start);
    let longest = AtomicU64::new(0);
    let summary = Mutex::new(Summary::default());
    let first_error = Mutex::new(None);
    let clock = Clock::monotonic();
    let begun = clock.mono();
    let is_time_left = || {
        let time = options.time.map(|time| time.as_nanos());
        let need = clock.mono().since(begun).0 + longest.load(Ordering::Relaxed);
        time.is_none_or(|time| u128::from(need) < time)
    };
    let work = || {
        while is_time_left() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= options.seeds.end {
                return;
            }
            let start = clock.mono();
            match run::run(options, &Course::draw(seed), &options.out) {
                Ok(outcome) => {
                    let failure = locked(&summary).add(seed, outcome);
                    failure.iter().for_each(on_failure);
                    if failure.is_none() && !options.keeps_all {
                        clear(&options.out, seed);
                    }
                }
                Err(error) => {
                    locked(&first_error).get_or_insert(error);
                    return;
                }
            }
            longest.fetch_max(clock.mono().since(start).0, Ordering::Relaxed);
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

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the files of a run in which nothing was found.
fn clear(folder: &Path, seed: u64) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let begin = format!("{seed}.");
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&begin) {
            // What cannot be removed stays, and does no harm.
            std::fs::remove_file(entry.path()).ok();
        }
    }
}

impl Summary {
    fn add(&mut self, seed: u64, outcome: Outcome) -> Option<Failure> {
        self.seeds += 1;
        self.judged.entries += outcome.judged.entries;
        self.judged.views += outcome.judged.views;
        self.judged.legs += outcome.judged.legs;
        self.skipped += outcome.skipped;
        for (name, count) in &outcome.fired {
            *self.fired.entry(name.clone()).or_insert(0) += count;
        }
        for ((state, cause, was_down), times) in &outcome.figures.back {
            match (state.as_str(), cause.as_str(), was_down) {
                // Where other faults meet a cut, what is measured is those.
                ("down", "disconnected", _) if outcome.is_of_cuts => self.cut.extend(times),
                ("gap", "sequence gap" | "checksum mismatch", false) => self.gap.extend(times),
                ("gap", "sequence gap", true) => self.gap_anew.extend(times),
                _ => {}
            }
        }
        self.stale.extend(&outcome.figures.stale);
        self.restart.extend(&outcome.figures.restart);
        outcome
            .recovery
            .into_iter()
            .for_each(|time| self.recovery.push(time));
        outcome
            .exit
            .into_iter()
            .for_each(|time| self.exit.push(time));
        self.most_cpu_percent = self.most_cpu_percent.max(outcome.cpu_percent);
        if outcome.violations.is_empty() {
            return None;
        }
        let failure = Failure {
            seed,
            violations: outcome.violations,
            fired: outcome.fired,
        };
        self.failures.push(failure.clone());
        Some(failure)
    }

    /// What was measured, by name, as it stands in a report.
    pub fn figures(&self) -> BTreeMap<String, String> {
        let times = [
            ("R4: loopback cut to Live, p99", &self.cut),
            ("R3: gap to Live on the same connection, p99", &self.gap),
            (
                "R3: gap to Live where the venue needs a new connection, p99",
                &self.gap_anew,
            ),
            ("R2: last message to withdrawn as stale, p99", &self.stale),
            (
                "server killed to the first book of the next, p99",
                &self.restart,
            ),
            ("last fault to every book Live, p99", &self.recovery),
            ("R14: SIGTERM to the end, p99", &self.exit),
        ];
        let named = |(name, times): (&str, &Times)| Some((name.to_owned(), times.words()?));
        let mut figures: BTreeMap<String, String> = times.into_iter().filter_map(named).collect();
        let cpu = format!("at most {} % of a processor", self.most_cpu_percent);
        figures.insert("quiet server".into(), cpu);
        figures.insert("views counted as skipped".into(), self.skipped.to_string());
        figures
    }

    /// The result, but for the command and how long it took.
    pub fn result(&self) -> report::Result {
        let promises = ["R1", "R2", "R3", "R4", "R14"];
        let title = "Release programs over loopback, with kills and stops";
        let mut result = report::Result::new("t2", title).shows(&promises);
        result.seeds = self.seeds;
        result.updates = self.judged.entries;
        result.compared = self.judged.legs;
        result.faults.clone_from(&self.fired);
        let violations = self.failures.iter().map(|f| f.violations.len() as u64);
        result.violations = violations.sum();
        result.figures = self.figures();
        result
    }
}
