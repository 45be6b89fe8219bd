//! `model`: the state machines alone, against a model.

use std::{ops::Range, path::PathBuf};

use dragonfly_sim::model::{self, Failure, Options, Summary};

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
    let all = match args.updates {
        Some(_) => 0..u64::MAX,
        None => CASES,
    };
    let asked = args.case.map(|case| case..case.saturating_add(1));
    let mut options = Options::new(asked.or_else(|| args.cases.clone()).unwrap_or(all));
    options.updates = args.updates;
    options.threads = args.threads.into();
    options.plant.clone_from(&args.plant);
    let clock = dragonfly_core::clock::Clock::monotonic();
    if args.hunt {
        return hunt(&options);
    }
    let tell = |failure: &Failure| println!("{failure}");
    let summary = model::run(&options, &tell).map_err(|error| error.to_string())?;
    let millis = clock.now().mono.0 / 1_000_000;
    let missing = match summary.cases < model::COVERED_BY || args.plant.is_some() {
        true => Vec::new(),
        false => summary.missing(),
    };
    conclude(&summary, millis, &missing);
    if let Some(path) = &args.result {
        let text = result(args, &summary, millis, missing.len());
        std::fs::write(path, text)
            .map_err(|error| format!("{}: cannot be written: {error}", path.display()))?;
    }
    Ok(summary.failures.is_empty() && missing.is_empty())
}

/// Shows that each planted bug is found.
fn hunt(options: &Options) -> Result<bool, String> {
    let first = options.cases.start;
    let mut tell = |plant: &str, failure: Option<&Failure>| match failure {
        None => println!("{plant:18} not found"),
        Some(failure) => println!(
            "{plant:18} case {:3} ({} tried) {:9} {} lines",
            failure.case,
            failure.case - first + 1,
            failure.violation.rule.name(),
            failure.lines.len(),
        ),
    };
    let missed = model::hunt(options, &mut tell).map_err(|error| error.to_string())?;
    println!("{} planted, {missed} not found", model::plants().count());
    Ok(missed == 0)
}

fn list() {
    for (name, about) in model::kinds() {
        println!("{name:20} {about}");
    }
    for plant in model::plants() {
        println!("plant {plant}");
    }
}

fn conclude(summary: &Summary, millis: u64, missing: &[&str]) {
    let kinds = summary.kinds.iter().map(|(kind, n)| format!("{kind} {n}"));
    println!("happened: {}", kinds.collect::<Vec<_>>().join(", "));
    for kind in missing {
        println!("{kind} never happened");
    }
    println!(
        "{} cases, {} operations, {} updates, {} events and {} views compared, {}.{:03} s, \
         {} cases failed, digest {:016x}",
        summary.cases,
        summary.operations,
        summary.updates,
        summary.events,
        summary.views,
        millis / 1_000,
        millis % 1_000,
        summary.failures.len(),
        summary.digest,
    );
}

fn result(args: &Model, summary: &Summary, millis: u64, missing: usize) -> String {
    let mut command = "dragonfly-sim model".to_owned();
    if let Some(cases) = &args.cases {
        command += &format!(" --cases {}..{}", cases.start, cases.end);
    }
    if let Some(updates) = args.updates {
        command += &format!(" --updates {updates}");
    }
    let seconds = serde_json::Number::from_f64(
        f64::from(u32::try_from(millis).unwrap_or(u32::MAX)) / 1_000.0,
    );
    let object = serde_json::json!({
        "check": "t0",
        "title": "State machines alone, against a model",
        "promises": ["R1", "R2", "R3"],
        "command": command,
        "seconds": seconds,
        "seeds": summary.cases,
        "updates": summary.updates,
        "compared": summary.events + summary.views,
        "faults": summary.kinds,
        "violations": summary.failures.len() + missing,
        "figures": {
            "operations": summary.operations.to_string(),
            "digest": format!("{:016x}", summary.digest),
        },
    });
    format!("{object}\n")
}
