//! `model`: the state machines alone, against a model.

use std::{ops::Range, path::PathBuf};

use dragonfly_core::clock::{Clock, Nanos};
use dragonfly_sim::{
    model::{self, Failure, Options, Summary},
    report::Result as Found,
};

use crate::{report, terminal::say};

#[derive(clap::Args)]
pub(crate) struct Model {
    /// The cases to run: the first and the one after the last.
    #[arg(long, value_name = "FROM..TO", value_parser = super::fuzz::seeds)]
    cases: Option<Range<u64>>,

    /// One case only.
    #[arg(long, value_name = "N", conflicts_with = "cases")]
    case: Option<u64>,

    /// Run cases until so many updates have been compared; without --cases as many as it takes.
    #[arg(long, value_name = "N")]
    updates: Option<u64>,

    /// How many cases go on at a time.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..))]
    threads: u8,

    /// Plant a bug on purpose, to see that it is found.
    #[arg(long, value_name = "NAME")]
    plant: Option<String>,

    /// Plant each bug in turn and stop at the first case that finds it; exits with 1 if one of them
    /// is found by none.
    #[arg(long, conflicts_with = "plant")]
    hunt: bool,

    /// Write what was found as one JSON object.
    #[arg(long, value_name = "FILE")]
    result: Option<PathBuf>,

    /// List what can happen to a book, and the bugs that can be planted.
    #[arg(long)]
    list: bool,
}

/// Without --cases and --updates.
const CASES: Range<u64> = 0..200;

/// Runs the cases; true when all is well.
pub(crate) fn model(args: &Model) -> Result<bool, String> {
    if args.list {
        list();
        return Ok(true);
    }
    report::writable(args.result.as_deref(), None)?;
    let all = match args.updates {
        Some(_) => 0..u64::MAX,
        None => CASES,
    };
    let asked = args.case.map(|case| case..case.saturating_add(1));
    let mut options = Options::new(asked.or_else(|| args.cases.clone()).unwrap_or(all));
    options.updates = args.updates;
    options.threads = args.threads.into();
    options.plant.clone_from(&args.plant);
    let clock = Clock::monotonic();
    let began = clock.mono();
    if args.hunt {
        let (found, missed) = hunt(&options)?;
        write(args, found, clock.mono().since(began))?;
        return Ok(missed == 0);
    }
    let tell = |failure: &Failure| say!("{failure}");
    let summary = model::run(&options, &tell).map_err(|error| error.to_string())?;
    let took = clock.mono().since(began);
    let missing = match summary.cases < model::COVERED_BY || args.plant.is_some() {
        true => Vec::new(),
        false => summary.missing(),
    };
    conclude(&summary, took, &missing);
    write(args, found(&summary, missing.len()), took)?;
    Ok(summary.failures.is_empty() && missing.is_empty())
}

/// What the cases came to.
fn found(summary: &Summary, missing: usize) -> Found {
    let promises = ["R1", "R2", "R3"];
    let mut found = Found::new("t0", "State machines alone, against a model").shows(&promises);
    found.seeds = summary.cases;
    found.updates = summary.updates;
    found.compared = summary.events + summary.views + summary.truths;
    found.violations = (summary.failures.len() + missing) as u64;
    for (kind, count) in &summary.kinds {
        let (name, count) = ((*kind).to_owned(), *count);
        if model::is_fault(kind) {
            found.faults.insert(name, count);
        } else {
            found.figures.insert(name, count.to_string());
        }
    }
    let mut figure = |name: &str, value: String| found.figures.insert(name.to_owned(), value);
    figure("operations", summary.operations.to_string());
    figure("digest", format!("{:016x}", summary.digest));
    found
}

/// Writes what was found to where it was asked for.
fn write(args: &Model, mut found: Found, took: Nanos) -> Result<(), String> {
    let Some(path) = &args.result else {
        return Ok(());
    };
    found.command = report::called();
    found.seconds = took.as_duration().as_secs_f64();
    found.write(path).map_err(|error| error.to_string())
}

/// Shows that each planted bug is found; answers how many were not.
fn hunt(options: &Options) -> Result<(Found, usize), String> {
    let first = options.cases.start;
    let mut most = 0;
    let mut tell = |plant: &str, failure: Option<&Failure>| match failure {
        None => say!("{plant:18} not found"),
        Some(failure) => {
            let tried = failure.case - first + 1;
            most = tried.max(most);
            say!(
                "{plant:18} case {:3} ({tried} tried) {:9} {} lines",
                failure.case,
                failure.violation.rule.name(),
                failure.lines.len(),
            );
        }
    };
    let missed = model::hunt(options, &mut tell).map_err(|error| error.to_string())?;
    let planted = model::plants().count();
    say!("{planted} planted, {missed} not found");
    let mut found = Found::new("t0-plants", "Bugs planted in the state machines").shows(&["H1"]);
    let figures = [
        (
            "H1: planted bugs found",
            format!("{} of {planted}", planted - missed),
        ),
        ("H1: cases it took at the most", most.to_string()),
    ];
    found.figures = figures.map(|(name, value)| (name.to_owned(), value)).into();
    found.seeds = most;
    found.violations = missed as u64;
    Ok((found, missed))
}

fn list() {
    for (name, about) in model::kinds() {
        say!("{name:20} {about}");
    }
    for plant in model::plants() {
        say!("plant {plant}");
    }
}

fn conclude(summary: &Summary, took: Nanos, missing: &[&str]) {
    let millis = took.0 / 1_000_000;
    let kinds = summary.kinds.iter().map(|(kind, n)| format!("{kind} {n}"));
    say!("happened: {}", kinds.collect::<Vec<_>>().join(", "));
    for kind in missing {
        say!("{kind} never happened");
    }
    say!(
        "{} cases, {} operations, {} updates, {} events, {} views and {} truths compared, \
         {}.{:03} s, \
         {} cases failed, digest {:016x}",
        summary.cases,
        summary.operations,
        summary.updates,
        summary.events,
        summary.views,
        summary.truths,
        millis / 1_000,
        millis % 1_000,
        summary.failures.len(),
        summary.digest,
    );
}
