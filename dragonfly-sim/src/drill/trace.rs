//! What a run leaves behind, for `dragonfly-sim check` and for people.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    ledger::{self, Record},
    oracle::View,
};

/// The files of a run: ledger, views of the prompt clients, views of the slow ones.
#[derive(Debug, Default)]
pub(super) struct Trace {
    files: Vec<(PathBuf, BufWriter<File>)>,
    error: Option<String>,
}

impl Trace {
    /// Files in a folder.
    ///
    /// # Errors
    /// The file that cannot be made, and why.
    pub(super) fn new(folder: &Path, seed: u64) -> Result<Self, String> {
        let mut files = Vec::new();
        for what in ["ledger", "views", "slow"] {
            let path = folder.join(format!("{seed}.{what}.jsonl"));
            let file = File::create(&path).map_err(|error| said(&path, &error))?;
            files.push((path, BufWriter::new(file)));
        }
        Ok(Self { files, error: None })
    }

    pub(super) fn record(&mut self, record: &Record) {
        self.write(0, record);
    }

    pub(super) fn view(&mut self, view: &View, is_prompt: bool) {
        self.write(if is_prompt { 1 } else { 2 }, view);
    }

    fn write<T: Serialize>(&mut self, file: usize, item: &T) {
        if let (Some((path, file)), None) = (self.files.get_mut(file), &self.error) {
            let written = ledger::write(file, item);
            self.error = written.err().map(|error| said(path, &error));
        }
    }

    /// Whether everything is written.
    ///
    /// # Errors
    /// The first file that could not be, and why.
    pub(super) fn finish(self) -> Result<(), String> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let flush = |(path, mut file): (PathBuf, BufWriter<File>)| {
            file.flush().map_err(|error| said(&path, &error))
        };
        self.files.into_iter().try_for_each(flush)
    }
}

fn said(path: &Path, error: &std::io::Error) -> String {
    format!("{}: cannot be written: {error}", path.display())
}
