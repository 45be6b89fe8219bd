//! What was measured: times from criterion, instructions from callgrind, single figures of programs.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use dragonfly_benches::ROUNDS;
use serde_json::Value;

/// One alternative of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Result {
    /// The median of one iteration; of several runs the lowest.
    pub(crate) ns: Option<f64>,
    /// Of one iteration.
    pub(crate) instructions: Option<f64>,
}

/// Everything that was found.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// By group, then by alternative.
    pub(crate) groups: BTreeMap<String, BTreeMap<String, Result>>,
    /// By name, in the unit that the name ends with.
    pub(crate) figures: BTreeMap<String, f64>,
    /// What programs that are no groups of criterion said, as Markdown.
    pub(crate) programs: String,
}

impl Results {
    /// Adds a folder that criterion wrote: `<group>/<alternative>/new`.
    pub(crate) fn add_times(&mut self, folder: &Path) -> io::Result<()> {
        for file in files(folder)? {
            if !file.ends_with("new/estimates.json") {
                continue;
            }
            let benchmark = json(&file.with_file_name("benchmark.json"))?;
            let (Some(group), Some(alternative)) = (
                benchmark["group_id"].as_str(),
                benchmark["function_id"].as_str(),
            ) else {
                return Err(bad(&file, "its benchmark.json names no group and function"));
            };
            let Some(ns) = json(&file)?["median"]["point_estimate"].as_f64() else {
                return Err(bad(&file, "no median"));
            };
            let known = &mut self.entry(group, alternative).ns;
            *known = Some(known.map_or(ns, |lowest| lowest.min(ns)));
        }
        Ok(())
    }

    /// Adds a folder that gungraun wrote: `.../<group>.<alternative>/callgrind.*.out`.
    pub(crate) fn add_counts(&mut self, folder: &Path) -> io::Result<()> {
        for file in files(folder)? {
            let name = file.file_name().and_then(|name| name.to_str());
            let names = name
                .and_then(|name| name.strip_prefix("callgrind."))
                .and_then(|name| name.strip_suffix(".out"))
                .and_then(|name| name.split_once('.'));
            let Some((group, alternative)) = names else {
                continue;
            };
            let text = fs::read_to_string(&file)?;
            let Some(count) = instructions(&text) else {
                return Err(bad(&file, "no total of instructions"));
            };
            self.entry(group, alternative).instructions = Some(count / ROUNDS as f64);
        }
        Ok(())
    }

    /// Adds the files of a folder that each hold one object of names and numbers, and the Markdown
    /// beside them.
    pub(crate) fn add_figures(&mut self, folder: &Path) -> io::Result<()> {
        for file in files(folder)? {
            let is = |end: &str| file.extension().is_some_and(|found| found == end);
            if is("md") {
                self.programs += &fs::read_to_string(&file)?;
            }
            if !is("json") {
                continue;
            }
            let Value::Object(object) = json(&file)? else {
                return Err(bad(&file, "no object"));
            };
            for (name, value) in object {
                let Some(value) = value.as_f64() else {
                    return Err(bad(&file, &format!("{name} is not a number")));
                };
                self.figures.insert(name, value);
            }
        }
        Ok(())
    }

    fn entry(&mut self, group: &str, alternative: &str) -> &mut Result {
        let group = self.groups.entry(group.to_owned()).or_default();
        group.entry(alternative.to_owned()).or_default()
    }
}

/// The total of a callgrind file, whose first event is instructions.
fn instructions(text: &str) -> Option<f64> {
    let line = |start| text.lines().find_map(|line| line.strip_prefix(start));
    if line("events: ")?.split(' ').next() != Some("Ir") {
        return None;
    }
    line("totals: ")?.split(' ').next()?.parse().ok()
}

/// The files under a folder, in order; none when there is no such folder.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn json(file: &Path) -> io::Result<Value> {
    let text = fs::read_to_string(file)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
    serde_json::from_str(&text).map_err(|error| bad(file, &error.to_string()))
}

fn bad(file: &Path, why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{}: {why}", file.display()),
    )
}
