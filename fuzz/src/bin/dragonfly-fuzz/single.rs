//! What is done with single inputs: one tried, a corpus written out.

use std::{fs, path::Path};

use dragonfly_fuzz::{TARGETS, Target, execute, find, read, watch_panics};

/// The targets with these names; all where there are none.
pub(crate) fn targets(names: &[String]) -> Result<Vec<&'static Target>, String> {
    if names.is_empty() {
        return Ok(TARGETS.iter().collect());
    }
    let find = |name: &String| {
        let known = || TARGETS.iter().map(|target| target.name).collect::<Vec<_>>();
        find(name).ok_or_else(|| format!("no target {name}; there are {}", known().join(", ")))
    };
    names.iter().map(find).collect()
}

/// Tries one input; true when nothing broke.
pub(crate) fn input(targets: &[&Target], path: &Path) -> Result<bool, String> {
    let [target] = targets else {
        return Err("--input is for one target: name it with --only".to_owned());
    };
    let said = |error| format!("{}: {error}", path.display());
    let bytes = fs::read(path).map_err(said)?;
    watch_panics();
    match execute(target, &bytes) {
        Ok(cost) => {
            let (micros, length) = (cost.cpu.as_micros(), bytes.len());
            println!("{length} bytes: {micros} us, {} bytes held", cost.memory);
            Ok(true)
        }
        Err(failure) => {
            println!("{}: {failure}", target.name);
            Ok(false)
        }
    }
}

/// Writes the corpus out, a file an input.
pub(crate) fn export(targets: &[&Target], folder: &Path) -> Result<bool, String> {
    for target in targets {
        let folder = folder.join(target.name);
        let said = |error| format!("{}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(said)?;
        let entries = read(target).map_err(|error| error.to_string())?;
        for (number, entry) in entries.iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:03}")), &entry.bytes).map_err(said)?;
        }
    }
    Ok(true)
}
