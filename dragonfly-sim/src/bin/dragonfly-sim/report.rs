//! `report`: the page of what all checks found.

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
};

use dragonfly_sim::report::{self, Result as Found};

#[derive(clap::Args)]
pub(crate) struct Report {
    /// What the checks wrote with --result, in the order of the page.
    #[arg(value_name = "RESULT.json", required = true)]
    results: Vec<PathBuf>,

    /// The commit that was tried.
    #[arg(long, value_name = "HASH")]
    commit: Option<String>,

    /// Where to write the page.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Writes the page.
pub(crate) fn report(args: &Report) -> Result<(), String> {
    let read = |path: &PathBuf| Found::read(path).map_err(|error| error.to_string());
    let results = args.results.iter().map(read);
    let results = results.collect::<Result<Vec<Found>, String>>()?;
    let page = report::page(&results, args.commit.as_deref(), &command(args));
    std::fs::write(&args.out, page)
        .map_err(|error| format!("{}: cannot be written: {error}", args.out.display()))
}

/// The command, without the folders of the machine it ran on.
fn command(args: &Report) -> String {
    let name = |path: &PathBuf| match path.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => path.display().to_string(),
    };
    let results: Vec<String> = args.results.iter().map(name).collect();
    let commit = args.commit.as_ref();
    let commit = commit.map_or_else(String::new, |hash| format!(" --commit {hash}"));
    let (results, out) = (results.join(" "), name(&args.out));
    format!("dragonfly-sim report {results}{commit} --out {out}")
}

/// Refuses a file that could not be written, before the work that it is for. What the program puts into
/// `own`, it makes that folder for.
pub(crate) fn writable(path: Option<&Path>, own: Option<&Path>) -> Result<(), String> {
    let Some(path) = path.filter(|path| own.is_none_or(|own| !path.starts_with(own))) else {
        return Ok(());
    };
    let is_new = !path.exists();
    match OpenOptions::new().append(true).create(true).open(path) {
        Ok(_) if is_new => {
            // It comes once there is something to write.
            std::fs::remove_file(path).ok();
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{}: cannot be written: {error}", path.display())),
    }
}

/// The arguments this program was called with, without the options that say where to write.
pub(crate) fn called() -> String {
    without_places(std::env::args().skip(1))
}

fn without_places(arguments: impl Iterator<Item = String>) -> String {
    let mut command = "dragonfly-sim".to_owned();
    let mut is_place = false;
    for argument in arguments {
        let name = argument.split('=').next().unwrap_or_default();
        let names_place = matches!(name, "--result" | "--out");
        if !is_place && !names_place {
            command.push(' ');
            command += &argument;
        }
        is_place = names_place && !argument.contains('=');
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_without_the_places_it_wrote_to() {
        let words = "fuzz --seeds 0..5 --result a.json --threads 2 --out=b --hunt";
        let told = without_places(words.split(' ').map(str::to_owned));
        assert_eq!(told, "dragonfly-sim fuzz --seeds 0..5 --threads 2 --hunt");
    }
}
