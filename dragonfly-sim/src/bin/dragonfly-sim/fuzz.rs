//! `fuzz`: many runs, and what they found.

use std::{ops::Range, path::PathBuf};

use dragonfly_sim::{
    fault::{Kind, Plan},
    fuzz::{self, Failure, Options, Summary},
};

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
    let range = args
        .seed
        .map_or_else(|| args.seeds.clone(), |seed| seed..seed.saturating_add(1));
    let mut options = Options::new(range);
    options.venues.clone_from(&args.venues);
    options.keep = args.keep.clone().map(|keep| keep.0);
    options.plant.clone_from(&args.plant);
    options.threads = args.threads.into();
    options.out.clone_from(&args.out);
    options.shrink = !args.no_shrink;
    options.verbose = args.verbose;
    let plan = args.plan.as_ref().map(|path| path.display().to_string());
    if let Some(path) = &args.plan {
        let said = |error: String| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| said(error.to_string()))?;
        options.plan = Some(Plan::parse(&text).map_err(|error| said(error.to_string()))?);
    }
    if args.hunt {
        return hunt(&options);
    }
    let on_failure = |failure: &Failure| tell(failure, &options, plan.as_deref());
    let summary = fuzz::fuzz(&options, &on_failure).map_err(|error| error.to_string())?;
    conclude(&summary);
    Ok(summary.failures.is_empty())
}

/// Shows that each planted bug is found.
fn hunt(options: &Options) -> Result<bool, String> {
    let mut tell = |plant: &str, failure: Option<&Failure>| match failure {
        None => println!("{plant:20} not found"),
        Some(failure) => {
            let first = failure.violations.first();
            let rule = first.map_or("", |violation| violation.rule.name());
            let faults = failure.faults.join(", ");
            println!("{plant:20} seed {:4} {rule:16} {faults}", failure.seed);
        }
    };
    let missed = fuzz::hunt(options, &mut tell).map_err(|error| error.to_string())?;
    println!("{} planted, {missed} not found", fuzz::plants().count());
    Ok(missed == 0)
}

fn list() {
    for kind in Kind::ALL {
        let venues = match kind.venues() {
            [] => "all venues".to_owned(),
            venues => venues.join(", "),
        };
        println!(
            "fault {:18} {} ({venues})",
            kind.name(),
            kind.about().trim()
        );
    }
    for plant in fuzz::plants() {
        println!("plant {plant}");
    }
}

fn tell(failure: &Failure, options: &Options, plan: Option<&str>) {
    let (seed, count) = (failure.seed, failure.violations.len());
    let faults = match &failure.faults[..] {
        [] => "no fault at all".to_owned(),
        faults => faults.join(", "),
    };
    println!(
        "seed {seed} failed ({count}), it takes {faults}: {}",
        failure.command(options, plan)
    );
    for violation in failure.violations.iter().take(SHOWN) {
        println!("    {violation}");
    }
}

fn conclude(summary: &Summary) {
    let fired: Vec<String> = summary
        .fired
        .iter()
        .map(|(kind, n)| format!("{kind} {n}"))
        .collect();
    println!("faults: {}", fired.join(", "));
    let total: u64 = summary.fired.values().sum();
    println!(
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
