//! `drill`: the release programs under fire.

use std::{ops::Range, path::PathBuf, time::Duration};

use dragonfly_core::clock::Clock;
use dragonfly_sim::drill::{self, Failure, Options};

use crate::{fuzz::seeds, report, terminal::say};

/// How many violations of a seed are printed.
const SHOWN: usize = 5;

#[derive(clap::Args)]
pub(crate) struct Drill {
    /// The server program, dragonflybot-grpc-server.
    #[arg(long, value_name = "FILE")]
    server: PathBuf,

    /// The client program, dragonflybot-grpc-client.
    #[arg(long, value_name = "FILE")]
    client: PathBuf,

    /// The seeds to run: the first and the one after the last.
    #[arg(long, value_name = "FROM..TO", default_value = "0..12", value_parser = seeds)]
    seeds: Range<u64>,

    /// One seed only.
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    seed: Option<u64>,

    /// Begin no run that would not be done after so many seconds.
    #[arg(long = "for", value_name = "SECONDS")]
    time: Option<u64>,

    /// How many runs go on at a time.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..))]
    threads: u8,

    /// Where to write the ledger, the views and the logs of each run, and to keep them; without it
    /// those of the runs that fail are kept in a folder for temporary files.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,

    /// Write what was found into this file, as one JSON object, of which `report` makes a page.
    #[arg(long, value_name = "FILE")]
    result: Option<PathBuf>,
}

/// Runs the seeds; true when all is well.
pub(crate) fn drill(args: &Drill) -> Result<bool, String> {
    report::writable(args.result.as_deref(), args.out.as_deref())?;
    let one = |seed: u64| seed..seed.saturating_add(1);
    let range = args.seed.map_or_else(|| args.seeds.clone(), one);
    // Of its own, so that two drills do not write over each other's files.
    let name = format!("dragonfly-drill-{}", std::process::id());
    let usual = || std::env::temp_dir().join(name);
    let out = args.out.clone().unwrap_or_else(usual);
    let mut options = Options::new(args.server.clone(), args.client.clone(), range, out);
    options.time = args.time.map(Duration::from_secs);
    options.threads = args.threads.into();
    options.keeps_all = args.out.is_some();
    let clock = Clock::monotonic();
    let began = clock.mono();
    let done = drill::drill(&options, &|failure| tell(failure, args, &options));
    if !options.keeps_all {
        // It stays where a run that failed has left files in it.
        std::fs::remove_dir(&options.out).ok();
    }
    let summary = done?;
    let mut result = summary.result();
    result.command = report::called();
    result.seconds = clock.mono().since(began).as_duration().as_secs_f64();
    let fired: Vec<String> = result
        .faults
        .iter()
        .map(|(name, n)| format!("{name} {n}"))
        .collect();
    say!("faults: {}", fired.join(", "));
    for (name, value) in &result.figures {
        say!("{name}: {value}");
    }
    say!(
        "{} seeds, {:.0} s, {} updates, {} views, {} live legs compared, {} faults, {} seeds failed",
        summary.seeds,
        result.seconds,
        summary.judged.entries,
        summary.judged.views,
        summary.judged.legs,
        result.faults_total(),
        summary.failures.len(),
    );
    if let Some(path) = &args.result {
        result.write(path).map_err(|error| error.to_string())?;
    }
    Ok(summary.failures.is_empty())
}

fn tell(failure: &Failure, args: &Drill, options: &Options) {
    let (seed, count) = (failure.seed, failure.violations.len());
    say!(
        "seed {seed} failed ({count}), the same plan again: dragonfly-sim drill --server {} --client {} --seed {seed}",
        args.server.display(),
        args.client.display(),
    );
    for violation in failure.violations.iter().take(SHOWN) {
        say!("    {violation}");
    }
    let fired: Vec<String> = failure
        .fired
        .iter()
        .map(|(name, n)| format!("{name} {n}"))
        .collect();
    say!("    faults: {}", fired.join(", "));
    let out = options.out.display();
    say!(
        "    judge again: dragonfly-sim check --real-time --ledger {out}/{seed}.ledger.jsonl --views {out}/{seed}.views.jsonl"
    );
}
