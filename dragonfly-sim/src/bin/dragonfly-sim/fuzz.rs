//! `fuzz`: many runs, and what they found.

use std::{ops::Range, path::PathBuf};

use dragonfly_core::clock::{Clock, Nanos};
use dragonfly_sim::{
    fault::{Kind, Plan},
    fuzz::{self, Failure, Options, Summary},
    report::Result as Found,
};

use crate::{report, terminal::say};

/// How many violations of a seed are printed.
const SHOWN: usize = 3;

#[derive(clap::Args)]
pub(crate) struct Fuzz {
    /// The seeds to run: the first and the one after the last.
    #[arg(long, value_name = "FROM..TO", default_value = "0..100", value_parser = seeds)]
    seeds: Range<u64>,

    /// One seed only.
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    seed: Option<u64>,

    /// Seeds of their own for each commit: from the number on that the first ten digits of its hash
    /// are, as many as --count says. Printed as what to give to --seeds.
    #[arg(long, value_name = "HASH", conflicts_with_all = ["seeds", "seed"])]
    window: Option<String>,

    /// How many seeds the window has.
    #[arg(long, value_name = "N", default_value_t = 100, requires = "window", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    count: u64,

    /// Begin no further seed after so many seconds; the summary says how many were run.
    #[arg(long = "for", value_name = "SECONDS", conflicts_with = "hunt")]
    lasting: Option<u64>,

    /// Run the worlds in which a mistake was once found, or only the one with this number, counted
    /// from 1.
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "0", conflicts_with_all = ["seeds", "window", "plan", "venues", "hunt"])]
    regressions: Option<usize>,

    /// The faults of every run, a TOML file; by default each seed draws its own.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,

    /// Of the plan only the faults with these places in it, counted from 0; or `none`.
    #[arg(long, value_name = "0,2,..", value_parser = keep)]
    keep: Option<Keep>,

    /// Only these venues; by default each seed draws its own.
    #[arg(long, value_name = "VENUE,..", value_delimiter = ',')]
    venues: Vec<String>,

    /// Plant a bug on purpose, to see that it is found.
    #[arg(long, value_name = "NAME")]
    plant: Option<String>,

    /// Plant each bug in turn and stop at the first seed that finds it; exits with 1 if one of them
    /// is found by none.
    #[arg(long, conflicts_with = "plant")]
    hunt: bool,

    /// How many runs go on at a time.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..))]
    threads: u8,

    /// Write the ledger and the views of every run into this folder.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,

    /// Write what was found into this file, as one JSON object, of which `report` makes a page.
    #[arg(long, value_name = "FILE")]
    result: Option<PathBuf>,

    /// Do not look for the fewest faults of a seed that fails.
    #[arg(long)]
    no_shrink: bool,

    /// Print everything that is said and shown.
    #[arg(long)]
    verbose: bool,

    /// List the faults there are, and the bugs that can be planted.
    #[arg(long)]
    list: bool,
}

#[derive(Clone)]
struct Keep(Vec<usize>);

pub(crate) fn seeds(text: &str) -> Result<Range<u64>, String> {
    let parts = text.split_once("..");
    let parts = parts.and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    parts.ok_or_else(|| "expected FROM..TO, such as 0..500".to_owned())
}

fn keep(text: &str) -> Result<Keep, String> {
    if text == "none" {
        return Ok(Keep(Vec::new()));
    }
    let places = text.split(',').map(str::parse);
    let places = places.collect::<Result<_, _>>();
    places
        .map(Keep)
        .map_err(|_| "expected places such as 0,2, or none".to_owned())
}

/// Runs the seeds; true when all is well.
pub(crate) fn fuzz(args: &Fuzz) -> Result<bool, String> {
    if args.list {
        list();
        return Ok(true);
    }
    report::writable(args.result.as_deref(), args.out.as_deref())?;
    if let Some(which) = args.regressions {
        return regress(args, which);
    }
    let mut options = with(args, Options::new(range(args)?));
    options.venues.clone_from(&args.venues);
    let plan = args.plan.as_ref().map(|path| path.display().to_string());
    if let Some(path) = &args.plan {
        let said = |error: String| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| said(error.to_string()))?;
        options.plan = Some(Plan::parse(&text).map_err(|error| said(error.to_string()))?);
    }
    let clock = Clock::monotonic();
    let began = clock.mono();
    if args.hunt {
        let (planted, missed) = hunt(&options)?;
        let figure = format!("{} of {planted}", planted - missed);
        let mut found = Found::new("t1-plants", "Bugs planted on purpose").shows(&["H1"]);
        found
            .figures
            .insert("H1: planted bugs found".into(), figure);
        found.seeds = options.seeds.end.saturating_sub(options.seeds.start);
        found.violations = missed as u64;
        write(args, found, clock.mono().since(began))?;
        return Ok(missed == 0);
    }
    let goes_on = || is_in_time(args, clock.mono().since(began));
    let on_failure = |failure: &Failure| {
        let command = failure.command(&options, plan.as_deref());
        tell(failure, &command);
    };
    let summary = fuzz::fuzz_while(&options, &goes_on, &on_failure);
    let summary = summary.map_err(|error| error.to_string())?;
    conclude(&summary);
    if args.lasting.is_some() {
        let first = options.seeds.start;
        say!("run: --seeds {first}..{}", first + summary.seeds);
    }
    let (check, title) = ("t1", "Assembled flow, stepped clock");
    write(
        args,
        found(check, title, &summary),
        clock.mono().since(began),
    )?;
    Ok(summary.failures.is_empty())
}

/// The seeds that are asked for.
fn range(args: &Fuzz) -> Result<Range<u64>, String> {
    if let Some(hash) = &args.window {
        let window = fuzz::window(hash, args.count);
        let window = window.ok_or_else(|| {
            format!("{hash:?} does not begin with ten hexadecimal digits, as the hash of a commit")
        })?;
        say!("window {hash}: --seeds {}..{}", window.start, window.end);
        return Ok(window);
    }
    let only = args.seed.map(|seed| seed..seed.saturating_add(1));
    Ok(only.unwrap_or_else(|| args.seeds.clone()))
}

/// What holds for all runs.
fn with(args: &Fuzz, mut options: Options) -> Options {
    options.keep = args.keep.clone().map(|keep| keep.0);
    options.plant.clone_from(&args.plant);
    options.threads = args.threads.into();
    options.out.clone_from(&args.out);
    options.shrink = !args.no_shrink;
    options.verbose = args.verbose;
    options
}

fn is_in_time(args: &Fuzz, since: Nanos) -> bool {
    args.lasting
        .is_none_or(|limit| since < Nanos::from_secs(limit))
}

/// Runs what once went wrong: all of it, or only what has that number.
fn regress(args: &Fuzz, which: usize) -> Result<bool, String> {
    let clock = Clock::monotonic();
    let began = clock.mono();
    let list = fuzz::regressions().map_err(|error| error.to_string())?;
    if which > list.len() {
        return Err(format!(
            "there is no regression {which}, only 1 to {}",
            list.len()
        ));
    }
    let mut all = Summary::default();
    for (at, regression) in list.into_iter().enumerate() {
        let number = at + 1;
        if which != 0 && which != number {
            continue;
        }
        let mut options = with(args, regression.options);
        if let Some(seed) = args.seed {
            options.seeds = seed..seed.saturating_add(1);
        }
        let goes_on = || is_in_time(args, clock.mono().since(began));
        let on_failure = |failure: &Failure| {
            let places: Vec<String> = failure.keep.iter().map(ToString::to_string).collect();
            let keep = if places.is_empty() {
                "none".to_owned()
            } else {
                places.join(",")
            };
            let seed = failure.seed;
            let command =
                format!("dragonfly-sim fuzz --regressions {number} --seed {seed} --keep {keep}");
            say!("once found: {}", regression.found);
            tell(failure, &command);
        };
        let summary = fuzz::fuzz_while(&options, &goes_on, &on_failure);
        all.join(summary.map_err(|error| error.to_string())?);
    }
    conclude(&all);
    let (check, title) = ("t1-regressions", "Worlds in which a mistake was once found");
    write(args, found(check, title, &all), clock.mono().since(began))?;
    Ok(all.failures.is_empty())
}

/// What the runs came to.
fn found(check: &str, title: &str, summary: &Summary) -> Found {
    let promises = ["R1", "R2", "R3", "R4"];
    let mut found = Found::new(check, title).shows(&promises);
    found.seeds = summary.seeds;
    found.updates = summary.judged.entries;
    found.compared = summary.judged.legs;
    let named = |(kind, count): (&Kind, &u64)| (kind.name().to_owned(), *count);
    found.faults = summary.fired.iter().map(named).collect();
    let violations = summary.failures.iter().map(|f| f.violations.len() as u64);
    found.violations = violations.sum();
    let seconds = format!("{} s", summary.span / 1_000_000_000);
    found.figures.insert("simulated time".into(), seconds);
    found
}

/// Writes what was found to where it was asked for.
fn write(args: &Fuzz, mut found: Found, took: Nanos) -> Result<(), String> {
    let Some(path) = &args.result else {
        return Ok(());
    };
    found.command = report::called();
    found.seconds = took.as_duration().as_secs_f64();
    found.write(path).map_err(|error| error.to_string())
}

/// Shows that each planted bug is found: how many there are, and how many were not.
fn hunt(options: &Options) -> Result<(usize, usize), String> {
    let mut tell = |plant: &str, failure: Option<&Failure>| match failure {
        None => say!("{plant:20} not found"),
        Some(failure) => {
            let first = failure.violations.first();
            let rule = first.map_or("", |violation| violation.rule.name());
            let faults = failure.faults.join(", ");
            say!("{plant:20} seed {:4} {rule:16} {faults}", failure.seed);
        }
    };
    let missed = fuzz::hunt(options, &mut tell).map_err(|error| error.to_string())?;
    let planted = fuzz::plants().count();
    say!("{planted} planted, {missed} not found");
    Ok((planted, missed))
}

fn list() {
    for kind in Kind::ALL {
        say!("fault {:18} {}", kind.name(), kind.describe());
    }
    for plant in fuzz::plants() {
        say!("plant {plant}");
    }
}

fn tell(failure: &Failure, command: &str) {
    let (seed, count) = (failure.seed, failure.violations.len());
    let faults = match &failure.faults[..] {
        [] => "no fault at all".to_owned(),
        faults => faults.join(", "),
    };
    say!("seed {seed} failed ({count}), it takes {faults}: {command}");
    for violation in failure.violations.iter().take(SHOWN) {
        say!("    {violation}");
    }
}

fn conclude(summary: &Summary) {
    let fired: Vec<String> = summary
        .fired
        .iter()
        .map(|(kind, n)| format!("{kind} {n}"))
        .collect();
    say!("faults: {}", fired.join(", "));
    let total: u64 = summary.fired.values().sum();
    say!(
        "{} seeds, {} simulated seconds, {} messages, {} updates, {} views, {} live legs compared, \
         {total} faults, {} seeds failed, digest {:016x}",
        summary.seeds,
        summary.span / 1_000_000_000,
        summary.messages,
        summary.judged.entries,
        summary.judged.views,
        summary.judged.legs,
        summary.failures.len(),
        summary.digest,
    );
}
