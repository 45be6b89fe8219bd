//! Writes the tables of `benches/README.md` from what was measured.
//!
//! ```sh
//! cargo bench -p dragonfly-benches                             # times
//! cargo bench -p dragonfly-benches --bench instructions        # counts, where valgrind is
//! cargo run --release -p dragonfly-benches --bin table
//! ```
//!
//! It reads `criterion`, `gungraun` and `figures` in the target folder: every result that lies there,
//! old ones too, so remove these folders before the runs. `figures/*.json` are objects of names and
//! numbers that a program may write (`cargo bench --bench memory` does).
//!
//! * `--criterion <folder>`: times of one run; several may be given, and the lowest of each counts.
//! * `--page <file>`: another page than `benches/README.md`.
//! * `--note <text>`: what to say of the machine beyond its processor, `quiet` for instance.

#[path = "table/page.rs"]
mod page;
#[path = "table/results.rs"]
mod results;
#[path = "table/targets.rs"]
mod targets;
#[cfg(test)]
#[path = "table/tests.rs"]
mod tests;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use results::Results;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What the command line asks for.
struct Wanted {
    criterion: Vec<PathBuf>,
    page: PathBuf,
    note: String,
}

fn run() -> Result<(), String> {
    let target = dragonfly_benches::target_folder();
    let wanted = wanted(&target)?;
    let mut results = Results::default();
    for folder in &wanted.criterion {
        results.add_times(folder).map_err(text)?;
    }
    results.add_counts(&target.join("gungraun")).map_err(text)?;
    results.add_figures(&target.join("figures")).map_err(text)?;

    let named = |error| format!("{}: {error}", wanted.page.display());
    let mut page = fs::read_to_string(&wanted.page).map_err(|error| named(text(error)))?;
    for (section, text) in [
        ("machine", machine(&wanted.note)),
        ("targets", page::targets(targets::TARGETS, &results)),
        ("figures", page::figures(&results)),
    ] {
        page = page::replace(&page, section, &text).map_err(named)?;
    }
    fs::write(&wanted.page, page).map_err(|error| named(text(error)))
}

fn wanted(target: &Path) -> Result<Wanted, String> {
    let mut wanted = Wanted {
        criterion: Vec::new(),
        page: Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"),
        note: String::new(),
    };
    let mut arguments = env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments
            .next()
            .ok_or_else(|| format!("{name}: no value"))?;
        match name.as_str() {
            "--criterion" => wanted.criterion.push(value.into()),
            "--page" => wanted.page = value.into(),
            "--note" => wanted.note = value,
            _ => return Err(format!("{name}: not one of --criterion, --page, --note")),
        }
    }
    if wanted.criterion.is_empty() {
        wanted.criterion.push(target.join("criterion"));
    }
    Ok(wanted)
}

/// Where and from what this was made.
fn machine(note: &str) -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(": "))
            .map(|(_, text)| text)
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let has =
        |feature: &str| field("flags").is_some_and(|all| all.split(' ').any(|f| f == feature));
    let simd: Vec<&str> = ["avx2", "avx512bw"]
        .into_iter()
        .filter(|f| has(f))
        .collect();
    let flags = env::var("RUSTFLAGS").unwrap_or_default();
    let flags = if flags.is_empty() {
        "none".to_owned()
    } else {
        format!("`{flags}`")
    };
    let is_changed = !output("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty();
    format!(
        "* machine: {} (family {}, model {}), {cores} cores, {}{}{note}\n\
         * compiler: {}, RUSTFLAGS: {flags}, the workspace's bench profile\n\
         * commit: {}{}\n\
         * date: {}\n",
        field("model name").unwrap_or("unknown"),
        field("cpu family").unwrap_or("unknown"),
        field("model\t").unwrap_or("unknown"),
        if simd.is_empty() {
            "no AVX2".to_owned()
        } else {
            simd.join(" and ")
        },
        if note.is_empty() { "" } else { ", " },
        output("rustc", &["--version"]),
        output("git", &["rev-parse", "--short", "HEAD"]),
        if is_changed { ", with changes" } else { "" },
        output("date", &["-u", "+%F"]),
    )
}

/// What a program prints, or `unknown`; nothing where it prints nothing.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => "unknown".to_owned(),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
