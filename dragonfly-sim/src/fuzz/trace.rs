//! What a run leaves behind: its ledger, its views, and what was printed of it.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use super::{FuzzError, Witness};
use crate::{
    ledger::{self, Record},
    oracle::View,
};

/// Writes down what happens.
pub(super) struct Trace {
    files: Option<[Written; 2]>,
    is_loud: bool,
}

struct Written {
    path: PathBuf,
    file: BufWriter<File>,
    error: Option<std::io::Error>,
}

impl Written {
    fn create(path: PathBuf) -> Result<Self, FuzzError> {
        match File::create(&path) {
            Ok(file) => Ok(Self {
                path,
                file: BufWriter::new(file),
                error: None,
            }),
            Err(error) => Err(FuzzError::Write { path, error }),
        }
    }

    fn write<T: serde::Serialize>(&mut self, item: &T) {
        if self.error.is_none() {
            self.error = ledger::write(&mut self.file, item).err();
        }
    }

    fn finish(mut self) -> Result<(), FuzzError> {
        let flushed = self.file.flush().err();
        match self.error.or(flushed) {
            None => Ok(()),
            Some(error) => Err(FuzzError::Write {
                path: self.path,
                error,
            }),
        }
    }
}

impl Trace {
    /// Writes into `folder`, if there is one, and prints everything if it `is_loud`.
    pub(super) fn new(folder: Option<&Path>, seed: u64, is_loud: bool) -> Result<Self, FuzzError> {
        let create = |folder: &Path| {
            let file = |what: &str| Written::create(folder.join(format!("{seed}.{what}.jsonl")));
            Ok([file("ledger")?, file("views")?])
        };
        Ok(Self {
            files: folder.map(create).transpose()?,
            is_loud,
        })
    }

    /// Prints a line. Nobody is left to tell if standard output is closed.
    pub(super) fn say(&self, line: &str) {
        writeln!(std::io::stdout(), "{line}").ok();
    }

    pub(super) fn finish(self) -> Result<(), FuzzError> {
        self.files
            .into_iter()
            .flatten()
            .try_for_each(Written::finish)
    }
}

impl Witness for Trace {
    fn record(&mut self, record: &Record) {
        if let Some([ledger, _]) = &mut self.files {
            ledger.write(record);
        }
    }

    fn view(&mut self, view: &View) {
        if let Some([_, views]) = &mut self.files {
            views.write(view);
        }
    }

    fn note(&mut self, at: u64, what: &dyn Fn() -> String) {
        if self.is_loud {
            let (seconds, micros) = (at / 1_000_000_000, at % 1_000_000_000 / 1_000);
            self.say(&format!("{seconds}.{micros:06} {}", what()));
        }
    }
}
