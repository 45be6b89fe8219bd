//! The ledger of `serve` on its way to a file.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use dragonfly_core::clock::Clock;
use dragonfly_sim::{
    SimError,
    ledger::{self, Record},
    live::Sink,
};

use crate::terminal::complain;

/// How much of the ledger a crash may cost, in ns.
const FLUSH: u64 = 100_000_000;

/// Why nothing can be served, in one line.
pub(crate) struct Refusal(pub(crate) String);

impl From<SimError> for Refusal {
    fn from(error: SimError) -> Self {
        Self(error.to_string())
    }
}

pub(crate) fn unwritten(path: &Path, error: &io::Error) -> String {
    format!("{}: cannot be written: {error}", path.display())
}

/// A file that takes the ledger, if there is to be one. What cannot be written is said once, and the
/// markets go on.
pub(crate) struct LedgerFile {
    path: Option<PathBuf>,
    clock: Clock,
    writing: Arc<Mutex<Writing>>,
}

#[derive(Default)]
struct Writing {
    file: Option<BufWriter<File>>,
    flushed_at: u64,
    has_failed: bool,
}

impl LedgerFile {
    /// A ledger whose times are of `clock`; touches no file yet.
    pub(crate) fn new(path: Option<&Path>, clock: &Clock) -> Self {
        Self {
            path: path.map(Path::to_owned),
            clock: clock.clone(),
            writing: Arc::default(),
        }
    }

    /// Makes the file, and what writes to it.
    pub(crate) fn open(&self) -> Result<Sink, Refusal> {
        let Some(path) = self.path.clone() else {
            return Ok(Box::new(|_| {}));
        };
        let file = File::create(&path).map_err(|error| Refusal(unwritten(&path, &error)))?;
        lock(&self.writing).file = Some(BufWriter::new(file));
        let writing = Arc::clone(&self.writing);
        let sink = move |record: Record| lock(&writing).write(&path, &record);
        sink(Record::Began {
            at: self.clock.mono().0,
            utc: self.clock.utc().0,
        });
        self.flush();
        Ok(Box::new(sink))
    }

    /// Writes what is left; true when all of the ledger was written.
    pub(crate) fn close(&self) -> bool {
        self.flush();
        !lock(&self.writing).has_failed
    }

    fn flush(&self) {
        if let Some(path) = &self.path {
            lock(&self.writing).attempt(path, BufWriter::flush);
        }
    }
}

fn lock(writing: &Mutex<Writing>) -> MutexGuard<'_, Writing> {
    writing.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writing {
    fn write(&mut self, path: &Path, record: &Record) {
        let is_time = record.at() >= self.flushed_at + FLUSH;
        if is_time {
            self.flushed_at = record.at();
        }
        self.attempt(path, |file| {
            ledger::write(file, record)?;
            if is_time { file.flush() } else { Ok(()) }
        });
    }

    fn attempt(&mut self, path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) {
        let Some(Err(error)) = self.file.as_mut().map(write) else {
            return;
        };
        complain!("{}", unwritten(path, &error));
        // What waits to be written would be tried again, in vain.
        if let Some(file) = self.file.take() {
            drop(file.into_parts());
        }
        self.has_failed = true;
    }
}
