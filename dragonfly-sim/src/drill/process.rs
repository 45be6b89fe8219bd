//! The product's programs as child processes: started, read, stopped, resumed, killed.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::SyncSender,
};

use dragonfly_core::clock::Clock;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

/// A program that runs. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    name: String,
}

/// A line that a program wrote.
#[derive(Debug)]
pub(super) struct Written {
    /// When it was read, in ns by the clock of the run.
    pub(super) at: u64,
    pub(super) text: String,
}

impl Process {
    /// Starts a program whose messages for people go into a file, after what is in it already.
    ///
    /// # Errors
    /// When it cannot be started, in one line.
    pub(super) fn start(
        program: &Path,
        arguments: &[String],
        name: &str,
        log: &Path,
    ) -> Result<Self, String> {
        let said = |what: &Path, error: std::io::Error| format!("{}: {error}", what.display());
        let file = File::options().create(true).append(true).open(log);
        let file = file.map_err(|error| said(log, error))?;
        let child = Command::new(program)
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn();
        Ok(Self {
            child: child.map_err(|error| said(program, error))?,
            name: name.to_owned(),
        })
    }

    /// Hands each line it writes to `tell`, with the time, on a thread of its own; ends with the
    /// program, or when nobody listens.
    ///
    /// # Errors
    /// When there can be no such thread.
    pub(super) fn read<T: Send + 'static>(
        &mut self,
        clock: &Clock,
        out: SyncSender<T>,
        tell: impl Fn(Written) -> T + Send + 'static,
    ) -> Result<(), String> {
        let Some(stdout) = self.child.stdout.take() else {
            return Err(format!("{}: is read already", self.name));
        };
        let clock = clock.clone();
        let read = move || {
            for text in BufReader::new(stdout).lines().map_while(Result::ok) {
                let at = clock.mono().0;
                if out.send(tell(Written { at, text })).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name(self.name.clone());
        let started = thread.spawn(read);
        started
            .map(drop)
            .map_err(|error| format!("{}: {error}", self.name))
    }

    /// Sends a signal; to a program that has ended it does nothing.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // A child that has ended stays there until it is waited for: the id is nobody else's.
            kill_process(pid, signal).ok();
        }
    }

    /// Lets it have so many open files, and says how many it might have before.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub(super) fn limit_files(&self, most: Option<u64>) -> Result<Option<u64>, String> {
        let limit = Rlimit {
            current: most,
            ..getrlimit(Resource::Nofile)
        };
        let before = prlimit(Some(Pid::from_child(&self.child)), Resource::Nofile, limit);
        before
            .map(|before| before.current)
            .map_err(|error| format!("{}: {error}", self.name))
    }

    /// Ends it as nothing can prevent.
    pub(super) fn kill(&mut self) {
        // Both fail only for a process that has ended and been waited for.
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The processor time it has taken so far, in ms.
    pub(super) fn cpu_ms(&self) -> Option<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        cpu_ms(&stat.ok()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// User and system time of a line of `/proc/PID/stat`, whose unit is 10 ms on every Linux.
fn cpu_ms(stat: &str) -> Option<u64> {
    // The name of the program, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let user: u64 = times.next()?.parse().ok()?;
    let system: u64 = times.next()?.parse().ok()?;
    Some((user + system) * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_user_and_system_time_whatever_the_program_is_called() {
        let stat = "4242 (a) b (c) S 1 4242 4242 0 -1 4194560 700 0 0 0 31 11 0 0 20 0 4 0 99";
        assert_eq!(cpu_ms(stat), Some(420));
        assert_eq!(cpu_ms("4242 (a"), None);
    }
}
