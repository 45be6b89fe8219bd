//! A log that nobody waits for.
//!
//! Standard error can stand still for ever: a terminal after Ctrl-S, a pipe that is full and not
//! read. A thread that wrote there itself would stand still with it, and what it had withdrawn a
//! moment later would be shown as live. Here lines go into a bounded buffer, and one thread writes.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What may wait to be written, in bytes: thousands of lines.
const MOST: usize = 1024 * 1024;
/// How long the end of the program may wait for the last lines.
const LAST_LINES: Duration = Duration::from_millis(1_500);

/// Takes lines without ever waiting; clones write to the same log.
///
/// While there is no room lines are dropped. How many those were stands in their place.
#[derive(Clone, Debug)]
pub struct Log(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// There is something to write.
    filled: Condvar,
    /// Everything has been written.
    rests: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines dropped since `waiting` was last taken: they belong after all that is in it.
    lost: u64,
    is_writing: bool,
    is_closed: bool,
}

impl Log {
    /// A log that is written to standard error; `lost` is the line that says how many were dropped.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(lost: fn(u64) -> String) -> io::Result<Self> {
        Self::start_to(io::stderr(), lost)
    }

    fn start_to(to: impl Write + Send + 'static, lost: fn(u64) -> String) -> io::Result<Self> {
        let log = Self(Arc::new(Shared {
            state: Mutex::default(),
            filled: Condvar::new(),
            rests: Condvar::new(),
        }));
        let shared = log.0.clone();
        let thread = std::thread::Builder::new().name("log".into());
        thread.spawn(move || shared.write(to, lost))?;
        Ok(log)
    }

    /// Adds a line, or several that belong together, without the last line's end.
    pub fn say(&self, text: &str) {
        self.0.push(format!("{text}\n").as_bytes());
    }

    /// Says what panicked here, as the standard library does, which would wait for standard error.
    pub fn take_panics(&self) {
        let log = self.clone();
        std::panic::set_hook(Box::new(move |info| {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("<unnamed>");
            let mut text = format!("thread '{name}' {info}");
            // It is there where `RUST_BACKTRACE` asks for it.
            let trace = std::backtrace::Backtrace::capture();
            if trace.status() == std::backtrace::BacktraceStatus::Captured {
                text = format!("{text}\n{trace}");
            }
            log.say(&text);
        }));
    }

    /// Takes no more lines, and waits until those before are written; no longer than 1.5 s.
    pub fn close(&self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        let is_busy = |state: &mut State| state.is_writing || state.has_more();
        let rests = &self.0.rests;
        // A log that stands still is no reason for the program to do so.
        drop(rests.wait_timeout_while(state, LAST_LINES, is_busy));
    }

    /// Closes it when what is returned is dropped: however its owner ends.
    #[must_use = "the log is closed where this is dropped"]
    pub const fn until_dropped(self) -> Open {
        Open(self)
    }
}

/// A formatted line comes in one piece.
impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An open log; see [`Log::until_dropped`].
#[derive(Debug)]
pub struct Open(Log);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl State {
    const fn has_more(&self) -> bool {
        !self.waiting.is_empty() || self.lost > 0
    }
}

impl Shared {
    /// Held for the moment of a copy, never while anything is written.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.is_closed {
            return;
        }
        // After one that was dropped no other may come before the word of it.
        if state.lost > 0 || state.waiting.len().saturating_add(line.len()) > MOST {
            state.lost = state.lost.saturating_add(1);
        } else {
            state.waiting.extend_from_slice(line);
        }
        self.filled.notify_one();
    }

    /// Writes whatever comes, for as long as the process lives.
    fn write(&self, mut to: impl Write, lost: fn(u64) -> String) {
        let mut batch = Vec::new();
        loop {
            let mut state = self.lock();
            state.is_writing = false;
            while !state.has_more() {
                self.rests.notify_all();
                let woken = self.filled.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::swap(&mut state.waiting, &mut batch);
            let count = std::mem::take(&mut state.lost);
            state.is_writing = true;
            drop(state);
            if count > 0 {
                batch.extend_from_slice(lost(count).as_bytes());
                batch.push(b'\n');
            }
            // What cannot be written, on a disk that is full or to a reader that has left, is lost.
            to.write_all(&batch).and_then(|()| to.flush()).ok();
            batch.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    fn told(count: u64) -> String {
        format!("{count} lost")
    }

    /// Hands over what is written, and waits until that is taken.
    struct Pipe(SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.into()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn piped() -> (Log, Receiver<Vec<u8>>) {
        let (pipe, reader) = sync_channel(0);
        (Log::start_to(Pipe(pipe), told).unwrap(), reader)
    }

    /// All that comes until `last`.
    fn read_until(reader: &Receiver<Vec<u8>>, last: &str) -> String {
        let mut text = String::new();
        while !text.ends_with(last) {
            let part = reader.recv_timeout(Duration::from_secs(60)).unwrap();
            text.push_str(str::from_utf8(&part).unwrap());
        }
        text
    }

    #[test]
    fn lines_come_out_in_their_order() {
        let (mut log, reader) = piped();
        log.say("one");
        log.write_all(b"two\n").unwrap();
        log.clone().say("three");
        assert_eq!(read_until(&reader, "three\n"), "one\ntwo\nthree\n");
    }

    #[test]
    fn what_finds_no_room_is_counted_in_its_place() {
        let (log, reader) = piped();
        log.say("first");
        while !log.0.lock().is_writing {
            std::thread::yield_now();
        }
        let long = "x".repeat(1023);
        for _ in 0..4_096 {
            log.say(&long);
        }
        // Short enough to fit, and yet it must not overtake those that were lost.
        log.say("short");
        let text = read_until(&reader, " lost\n");
        log.say("after");
        assert_eq!(read_until(&reader, "after\n"), "after\n");
        let kept = text.matches(&long).count();
        let (_, count) = text.trim_end().rsplit_once('\n').unwrap();
        assert!(text.starts_with("first\n"));
        assert_eq!((kept, count), (1_024, &*told(4_097 - 1_024)));
        assert!(!text.contains("short"));
    }

    #[test]
    fn closing_waits_for_the_last_line_but_not_for_ever() {
        let (log, reader) = piped();
        log.say("last");
        let closing = log.clone();
        let closed = std::thread::spawn(move || closing.close());
        assert_eq!(read_until(&reader, "\n"), "last\n");
        closed.join().unwrap();
        log.say("too late");
        let (log, reader) = piped();
        log.say("nobody reads this");
        log.close();
        drop(reader);
    }
}
